"""The free list: what is proved of `impl/freelist.py`, on lists of any length."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.classes import COUNT, PER_WORD, a_size_of, map_word, others_marked
from heapster.checkers.proofs.layout_spec import (
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
from heapster.checkers.proofs.local_heap import GAP, Window

SOME_CLASSES = (0, 29, 30, 31, 32, 63, 64, 96, 110)     # at either end of the words of the map, and between


def open_list(source: Any, path: Any) -> None:
    """A new list, or one with any first and last node."""
    w = Window(path)
    is_new = bool(path.choose(2))
    first, last = (0, 0) if is_new else (w.span("first", MIN_BLOCK), w.span("last", MIN_BLOCK))
    w.m.put(w.head + NEXT, first, "first")
    w.m.put(w.head + PREV, last, "last")
    source.freelist.open_list(w.m, w.head)
    if is_new:
        path.claim("a_new_list_is_empty", lambda: w.m.load(w.head + NEXT) == w.head
                   and w.m.load(w.head + PREV) == w.head)
    else:
        path.claim("an_open_list_stays", lambda: only(w.m))


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


def link_to_class(source: Any, path: Any) -> None:
    """Each class of sizes, marked or not, with any others marked."""
    w = Window(path, segregated=True)
    index = path.choose(COUNT)
    size, bit, others = a_size_of(path, index), 1 << index % PER_WORD, others_marked(path, index)
    b = w.span("b", size)
    w.m.put(b, header(size, w.owner, 0, path.choose(2)), "header of b")
    free_bytes, free_blocks, cursor = w.word("free_bytes"), w.word("free_blocks"), w.word("cursor")
    w.look_at(w.of_class(index))
    w.listed([])
    first = w.after(w.head)
    w.m.put(map_word(w, index), others + (bit if first is not w.head else 0), "map")
    source.freelist.link(w.m, w.arena, b)
    w.with_first(b)
    path.claim("a_block_is_first_in_its_class", w.is_linked)
    path.claim("the_class_of_a_linked_block_is_marked", lambda: w.m.load(map_word(w, index)) == others + bit)
    path.claim("linking_to_a_class_moves_nobody_else", lambda: only(
        w.m, w.head + NEXT, w.head + PREV, b + NEXT, b + PREV, first + PREV, map_word(w, index), w.at("free_bytes"),
        w.at("free_blocks")) and w.m.load(w.at("cursor")) == cursor)
    path.claim("linking_to_a_class_counts_the_block", lambda: w.m.load(w.at("free_bytes")) == free_bytes + size
               and w.m.load(w.at("free_blocks")) == free_blocks + 1)


def unlink_from_class(source: Any, path: Any) -> None:
    """From any place on the list of a class, with any others marked."""
    w = Window(path, segregated=True)
    index = SOME_CLASSES[path.choose(len(SOME_CLASSES))]
    size, bit, others = a_size_of(path, index), 1 << index % PER_WORD, others_marked(path, index)
    b = w.span("b", size)
    w.m.put(b, header(size, w.owner, 0, path.choose(2)), "header of b")
    free_bytes, free_blocks = w.word("free_bytes"), w.word("free_blocks")
    w.m.put(w.at("cursor"), w.head, "cursor")
    w.look_at(w.of_class(index))
    w.listed([b])
    w.m.put(map_word(w, index), others + bit, "map")
    source.freelist.unlink(w.m, w.arena, b)
    w.without(b)
    left = len(w.circle) > 1
    path.claim("a_block_leaves_its_class", w.is_linked)
    path.claim("a_class_is_marked_while_it_has_blocks", lambda: w.m.load(map_word(w, index)) == others + left * bit)
    path.claim("unlinking_from_a_class_counts_and_moves_no_more", lambda: only(
        w.m, *w.links(), b + NEXT, b + PREV, map_word(w, index), w.at("free_bytes"), w.at("free_blocks"))
        and w.m.load(w.at("free_bytes")) == free_bytes - size and w.m.load(w.at("free_blocks")) == free_blocks - 1)


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
    path.claim("what_is_unlinked_shows_no_neighbours", lambda: w.m.load(b + NEXT) == 0 and w.m.load(b + PREV) == 0)
    path.claim("the_cursor_leaves_a_block_that_leaves", lambda:
               w.m.load(w.at("cursor")) == (after if cursor is b else cursor))
    path.claim("unlinking_uncounts_the_block", lambda: w.m.load(w.at("free_bytes")) == free_bytes - size
               and w.m.load(w.at("free_blocks")) == free_blocks - 1)
    path.claim("unlinking_moves_nobody_else", lambda: only(
        w.m, *w.links(), b + NEXT, b + PREV, w.at("cursor"), w.at("free_bytes"), w.at("free_blocks")))


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
    Proof("freelist.open_list", ANY_HEAP, open_list, {
        "a_new_list_is_empty": "a new list is circular and empty",
        "an_open_list_stays": "an open one is unchanged",
    }),
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
        "what_is_unlinked_shows_no_neighbours": "it shows nothing of them",
        "the_cursor_leaves_a_block_that_leaves": "a cursor that was at b is at the next",
        "unlinking_uncounts_the_block": "the ledger no longer counts it",
        "unlinking_moves_nobody_else": "no other word changes",
    }),
    Proof("freelist.link", ANY_HEAP, link_to_class, more={
        "a_block_is_first_in_its_class": "where each class has a list, b is first on that of its class",
        "the_class_of_a_linked_block_is_marked": "where each class has a list, that of b is marked, no other changes",
        "linking_to_a_class_moves_nobody_else": "where each class has a list, all others keep their order, and the "
                                                "cursor its place",
        "linking_to_a_class_counts_the_block": "where each class has a list, the ledger counts b",
    }, suffix="_to_a_class"),
    Proof("freelist.unlink", f"{ANY_HEAP}, {len(SOME_CLASSES)} classes", unlink_from_class, more={
        "a_block_leaves_its_class": "where each class has a list, its neighbours there are linked both ways",
        "a_class_is_marked_while_it_has_blocks": "the class of b is marked if it still has blocks, no other changes",
        "unlinking_from_a_class_counts_and_moves_no_more": "where each class has a list, the ledger no longer counts "
                                                           "it; no other word changes",
    }, suffix="_from_a_class"),
    Proof("freelist.unlink", ANY_HEAP, unlink_noticing, more={
        "a_false_link_aborts": "where its neighbours do not know the block, it aborts, nothing changed; only there",
    }, suffix="_of_any_links"),
)
