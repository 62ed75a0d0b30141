"""Blocks with a mapping of their own: what is proved of `impl/mapping.py`, on lists of any length."""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, Proof
from heapster.checkers.proofs.arena import ALIGNMENTS, SOME_ALIGNMENTS
from heapster.checkers.proofs.drawing import (
    ALIGN,
    CORRUPT_LIST,
    LEAD,
    MAPPED,
    MAPPED_LEAD,
    MAX_REQUEST,
    MIN_BLOCK,
    MOST,
    NEXT,
    NODE,
    PAGE,
    PAYLOAD,
    PREV,
    STATICS,
    TOTALS,
    aborts,
    only,
)
from heapster.checkers.proofs.window import Window
from heapster.machine.symbolic import HIGHEST, LOWEST

MALLOC, REALLOC, FREE = 0, 2, 4      # kinds of calls


def mapping_length(source: Any, path: Any) -> None:
    """Each request and alignment, wherever the mapping starts."""
    alignment = ALIGNMENTS[path.choose(len(ALIGNMENTS))]
    request, start = path.word("request", 0, MAX_REQUEST), path.word("start", LOWEST, HIGHEST, PAGE)
    length = source.mapping.mapping_length(request, alignment)
    m = path.machine()
    b = source.mapping.write_mapped(m, start, length, alignment)
    path.claim("mappings_are_whole_pages", lambda: length & PAGE - 1 == 0)
    path.claim("mappings_hold_lead_alignment_and_request", lambda:
               start + MAPPED_LEAD <= b and b + PAYLOAD + request <= start + length and b + PAYLOAD < start + length)


def write_mapped(source: Any, path: Any) -> None:
    """Each alignment and start."""
    alignment = ALIGNMENTS[path.choose(len(ALIGNMENTS))]
    start, length = path.word("start", LOWEST, HIGHEST, PAGE), path.word("length", PAGE, 1 << 47, PAGE)
    path.require(2 * alignment + 48, "<=", length)
    m = path.machine()
    b = source.mapping.write_mapped(m, start, length, alignment)
    path.claim("mapped_payloads_are_aligned", lambda: b + PAYLOAD & alignment - 1 == 0)
    path.claim("mapped_payloads_lie_in_the_mapping", lambda: start + MAPPED_LEAD <= b
               and b + PAYLOAD < start + length)
    path.claim("mapped_headers_say_where_the_mapping_is", lambda: m.load(b) == length + MAPPED + 3
               and m.load(b + LEAD) == b - start and only(m, b, b + LEAD))


class Record(Window):
    """The record of the mapped blocks, open or new, and any list in it."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.arena = self.statics + STATICS["mappings"]
        self.head = self.at("head")
        self.circle = [self.head]
        self.held, self.used_bytes = self.word("held"), self.word("used_bytes")
        self.used_blocks = self.word("used_blocks")
        for kind in (MALLOC, REALLOC, FREE):
            self.m.put(self.at("calls") + 8 * kind, path.word("calls", 0, TOTALS), "calls")

    def counted(self, held: Any, used: Any, blocks: int) -> bool:
        """Whether the ledger changed by this."""
        load = self.m.load
        return bool(load(self.at("held")) == self.held + held and load(self.at("used_bytes")) == self.used_bytes + used
                    and load(self.at("used_blocks")) == self.used_blocks + blocks)

    def mapped(self, path: Any) -> tuple[Any, Any, Any]:
        """A mapped block on the list: its header's address, lead and length."""
        length, lead = path.word("length", PAGE, MOST, PAGE), path.word("lead", MAPPED_LEAD, MOST, ALIGN, 8)
        path.require(lead + 2 * PAYLOAD, "<=", length)
        start = path.word("start", LOWEST, HIGHEST, PAGE)
        self.reserve(start, length)
        b = start + lead
        self.m.put(b, length + MAPPED + 3, "header of b")
        self.m.put(b + LEAD, lead, "lead of b")
        return b, lead, length


def map_block(source: Any, path: Any) -> None:
    """On a new record or any list; whatever the system answers."""
    w = Record(path)
    alignment = SOME_ALIGNMENTS[path.choose(len(SOME_ALIGNMENTS))]
    if path.choose(2):
        w.listed([])
    else:
        w.m.put(w.head + 8, 0, "first")
    request = path.word("request", 0, MAX_REQUEST)
    b = source.mapping.map_block(w.m, request, alignment, MALLOC)
    call = w.m.calls[0]
    if b == 0:
        path.claim("mapping_fails_only_with_the_system", lambda: call.answer == -1 and only(w.m))
    else:
        node = b + NODE
        w.with_first(node)
        length = call.arguments[0]
        path.claim("a_mapping_is_listed_and_counted", lambda: w.is_linked() and w.counted(length, length, 1)
                   and b + PAYLOAD + request <= call.answer + length and b + PAYLOAD & alignment - 1 == 0)
    path.claim("mapping_releases_its_lock", lambda: not w.m.held)


def unmap_block(source: Any, path: Any) -> None:
    """Anywhere on the list; whatever the system answers."""
    w = Record(path)
    free_bytes, free_blocks = w.word("free_bytes"), w.word("free_blocks")
    b, lead, length = w.mapped(path)
    node = b + NODE
    w.listed([node])
    source.mapping.unmap_block(w.m, b, FREE)
    name, arguments, answer = w.m.calls[0]
    path.claim("the_whole_mapping_is_given_back", lambda: name == "munmap" and len(w.m.calls) == 1
               and arguments[0] == b - lead and arguments[1] == length)
    if answer == 0:
        w.without(node)
        path.claim("an_unmapped_block_leaves_the_list", lambda: w.is_linked() and w.counted(-length, -length, -1))
    else:
        path.claim("a_mapping_that_is_kept_is_listed_as_free", lambda: w.is_linked() and w.counted(0, -length, -1)
                   and w.m.load(b) == length + MAPPED + 2
                   and w.m.load(w.at("free_bytes")) == free_bytes + length
                   and w.m.load(w.at("free_blocks")) == free_blocks + 1)
    path.claim("unmapping_releases_its_lock", lambda: not w.m.held)


def unmap_block_noticing(source: Any, path: Any) -> None:
    """Any links of any mapped block."""
    w = Record(path)
    for name in ("free_bytes", "free_blocks"):
        w.word(name)
    b, _, _ = w.mapped(path)
    before, after = w.span("before", MIN_BLOCK), w.span("after", MIN_BLOCK)
    forward, backward = path.word("forward"), path.word("backward")
    node = b + NODE
    for address, word in ((node + NEXT, after), (node + PREV, before), (before + NEXT, forward),
                          (after + PREV, backward)):
        w.m.put(address, word, "link")
    code = aborts(w.m, lambda: source.mapping.unmap_block(w.m, b, FREE), b + PAYLOAD)
    path.claim("a_false_link_of_a_mapping_aborts", lambda: code == (
        0 if forward == node and backward == node else CORRUPT_LIST))


def shrink_mapped(source: Any, path: Any) -> None:
    """Any mapped block and request; whatever the system answers."""
    w = Record(path)
    b, lead, length = w.mapped(path)
    request = path.word("request", 0, MAX_REQUEST)
    done = source.mapping.shrink_mapped(w.m, b, request, REALLOC)
    size = w.m.load(b) - (MAPPED + 3)
    if done:
        path.claim("a_shrunk_mapping_holds_the_request", lambda: lead + PAYLOAD + request <= size and size <= length
                   and size & PAGE - 1 == 0 and w.counted(size - length, size - length, 0))
        path.claim("a_refused_shrinking_keeps_the_size", lambda:
                   size == length if not w.m.calls or w.m.calls[0].answer == -1 else
                   w.m.calls[0].arguments[0] == b - lead + size and w.m.calls[0].arguments[1] == length - size)
    else:
        path.claim("a_mapping_too_small_stays", lambda: lead + PAYLOAD + request > length and only(w.m))
    path.claim("shrinking_releases_its_lock", lambda: not w.m.held)


PROOFS = (
    Proof("mapping.mapping_length", ALL_WORDS, mapping_length, {
        "mappings_are_whole_pages": "a multiple of PAGE",
        "mappings_hold_lead_alignment_and_request": "holds the lead, the alignment and the request, at least a byte",
    }),
    Proof("mapping.write_mapped", ALL_WORDS, write_mapped, {
        "mapped_payloads_are_aligned": "its payload is a multiple of alignment",
        "mapped_payloads_lie_in_the_mapping": "it lies in the mapping",
        "mapped_headers_say_where_the_mapping_is":
            "header and lead say where the mapping is, and no other word changes",
    }),
    Proof("mapping.map_block", ANY_HEAP, map_block, {
        "mapping_fails_only_with_the_system": "NULL only if the system refused, and then nothing has changed",
        "a_mapping_is_listed_and_counted": "else it is first on the list, and counted",
        "mapping_releases_its_lock": "the lock is released",
    }),
    Proof("mapping.unmap_block", ANY_HEAP, unmap_block, {
        "an_unmapped_block_leaves_the_list": "its memory is back with the system",
        "a_mapping_that_is_kept_is_listed_as_free": "or, if that refused, listed as free",
        "unmapping_releases_its_lock": "the lock is released",
    }, more={
        "the_whole_mapping_is_given_back": "exactly the mapping is offered to the system, once",
    }),
    Proof("mapping.unmap_block", ANY_HEAP, unmap_block_noticing, more={
        "a_false_link_of_a_mapping_aborts": "where its neighbours do not know the block, it aborts, nothing changed; "
                                            "only there",
    }, suffix="_of_any_links"),
    Proof("mapping.shrink_mapped", ANY_HEAP, shrink_mapped, {
        "a_shrunk_mapping_holds_the_request": "on success it holds the request",
        "a_refused_shrinking_keeps_the_size": "a refusal of the system only keeps it larger",
        "a_mapping_too_small_stays": "without success nothing changes",
        "shrinking_releases_its_lock": "the lock is released",
    }),
)
