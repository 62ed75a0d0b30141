"""The free list: what is proved of `impl/freelist.py`, on lists of any length."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.drawing import (
    CORRUPT_LIST,
    MIN_BLOCK,
    NEXT,
    PAYLOAD,
    PREV,
    a_size,
    aborts,
    header,
    only,
)
from heapster.checkers.proofs.window import GAP, Window


def insert(source: Any, path: Any) -> None:
    """Before any first block, or on an empty list."""
    w = Window(path)
    node = w.span("node", MIN_BLOCK)
    w.listed([])
    source.freelist.insert(w.m, w.head, node)
    w.with_first(node)
    first = w.after(node)
    path.claim("inserting_links_both_ways", w.is_linked)
    path.claim("inserting_moves_nobody_else", lambda: only(
        w.m, w.head + NEXT, node + NEXT, node + PREV, first + PREV))


def bypass(source: Any, path: Any) -> None:
    """Any two nodes, also twice the same."""
    w = Window(path)
    before = w.span("before", MIN_BLOCK)
    after = before if path.choose(2) else w.span("after", MIN_BLOCK)
    source.freelist.bypass(w.m, before, after)
    path.claim("bypassing_links_forward", lambda: w.m.load(before + NEXT) == after)
    path.claim("bypassing_links_back", lambda: w.m.load(after + PREV) == before)
    path.claim("bypassing_writes_two_links_alone", lambda: only(w.m, before + NEXT, after + PREV))


def links_agree(source: Any, path: Any) -> None:
    """Any links of any node."""
    w = Window(path)
    node = w.span("node", MIN_BLOCK)
    before, after = w.span("before", MIN_BLOCK), w.span("after", MIN_BLOCK)
    forward, backward = path.word("forward"), path.word("backward")
    for address, word in ((node + NEXT, after), (node + PREV, before), (before + NEXT, forward),
                          (after + PREV, backward)):
        w.m.put(address, word, "link")
    agree = source.freelist.links_agree(w.m, node)
    path.claim("a_node_its_neighbours_do_not_know_is_noticed", lambda: agree == (forward == node and backward == node))
    path.claim("looking_at_links_writes_nothing", lambda: only(w.m))


def link(source: Any, path: Any) -> None:
    """Before any first block, or on an empty list."""
    w = Window(path)
    size = a_size(path)
    b = w.span("b", size)
    w.m.put(b, header(size, w.owner, 0, path.choose(2)), "header of b")
    free_bytes, free_blocks = w.word("free_bytes"), w.word("free_blocks")
    cursor = w.word("cursor")
    w.listed([])
    source.freelist.link(w.m, w.arena, b)
    w.with_first(b)
    first = w.after(b)
    path.claim("linking_puts_a_block_first", w.is_linked)
    path.claim("linking_moves_nobody_else", lambda: only(
        w.m, w.head + NEXT, b + NEXT, b + PREV, first + PREV, w.at("free_bytes"), w.at("free_blocks"))
        and w.m.load(w.at("cursor")) == cursor)
    path.claim("linking_counts_the_block", lambda: w.m.load(w.at("free_bytes")) == free_bytes + size
               and w.m.load(w.at("free_blocks")) == free_blocks + 1)


def unlink(source: Any, path: Any) -> None:
    """From any place on the list, the cursor anywhere on it."""
    w = Window(path)
    size = a_size(path)
    b = w.span("b", size)
    w.m.put(b, header(size, w.owner, 0, path.choose(2)), "header of b")
    free_bytes, free_blocks = w.word("free_bytes"), w.word("free_blocks")
    w.listed([b])
    known = [u for u in w.circle if u is not GAP]
    place = path.choose(len(known) + 1)
    cursor = known[place] if place < len(known) else w.span("far", MIN_BLOCK)
    w.m.put(w.at("cursor"), cursor, "cursor")
    after = w.after(b)
    source.freelist.unlink(w.m, w.arena, b)
    w.without(b)
    path.claim("unlinking_joins_the_neighbours", w.is_linked)
    path.claim("the_cursor_leaves_a_block_that_leaves", lambda:
               w.m.load(w.at("cursor")) == (after if cursor is b else cursor))
    path.claim("unlinking_uncounts_the_block", lambda: w.m.load(w.at("free_bytes")) == free_bytes - size
               and w.m.load(w.at("free_blocks")) == free_blocks - 1)
    path.claim("unlinking_moves_nobody_else", lambda: only(
        w.m, *w.links(), w.at("cursor"), w.at("free_bytes"), w.at("free_blocks")))


def unlink_noticing(source: Any, path: Any) -> None:
    """Any links of any block."""
    w = Window(path)
    size = a_size(path)
    b = w.span("b", size)
    before, after = w.span("before", MIN_BLOCK), w.span("after", MIN_BLOCK)
    forward, backward = path.word("forward"), path.word("backward")
    w.m.put(b, header(size, w.owner, 0), "header of b")
    for address, word in ((b + NEXT, after), (b + PREV, before), (before + NEXT, forward), (after + PREV, backward)):
        w.m.put(address, word, "link")
    w.m.put(w.at("cursor"), w.head, "cursor")
    for name in ("free_bytes", "free_blocks"):
        w.word(name)
    code = aborts(w.m, lambda: source.freelist.unlink(w.m, w.arena, b), b + PAYLOAD)
    path.claim("a_false_link_aborts", lambda: code == (0 if forward == b and backward == b else CORRUPT_LIST))


PROOFS = (
    Proof("freelist.insert", ANY_HEAP, insert, {
        "inserting_links_both_ways": "node follows head and precedes the old first",
        "inserting_moves_nobody_else": "all others keep their order",
    }),
    Proof("freelist.bypass", ANY_HEAP, bypass, {
        "bypassing_links_forward": "after follows before",
        "bypassing_links_back": "before precedes after",
        "bypassing_writes_two_links_alone": "no other word changes",
    }),
    Proof("freelist.links_agree", ANY_HEAP, links_agree, more={
        "a_node_its_neighbours_do_not_know_is_noticed": "true exactly when both neighbours link to the node",
        "looking_at_links_writes_nothing": "no word changes",
    }),
    Proof("freelist.link", ANY_HEAP, link, {
        "linking_puts_a_block_first": "b follows the head and precedes the old first",
        "linking_moves_nobody_else": "all others keep their order, and the cursor its place",
        "linking_counts_the_block": "the ledger counts it",
    }),
    Proof("freelist.unlink", ANY_HEAP, unlink, {
        "unlinking_joins_the_neighbours": "its neighbours on the list are linked both ways",
        "the_cursor_leaves_a_block_that_leaves": "a cursor that was at b is at the next",
        "unlinking_uncounts_the_block": "the ledger no longer counts it",
        "unlinking_moves_nobody_else": "no other word changes",
    }),
    Proof("freelist.unlink", ANY_HEAP, unlink_noticing, more={
        "a_false_link_aborts": "where its neighbours do not know the block, it aborts, nothing changed; only there",
    }, suffix="_of_any_links"),
)
