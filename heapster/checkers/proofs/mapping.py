"""Blocks with a mapping of their own: what is proved of `impl/mapping.py`, on lists of any length."""

from functools import partial
from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, Proof
from heapster.checkers.proofs.arena import ALIGNMENTS, SOME_ALIGNMENTS
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    CORRUPT_HEADER,
    CORRUPT_LIST,
    DOUBLE_FREE,
    KEPT,
    LEAD,
    MAPPED_LEAD,
    MAX_REQUEST,
    MIN_BLOCK,
    MOST,
    NEXT,
    NODE,
    PAGE,
    PAYLOAD,
    PREV,
    TOTALS,
    USED,
    aborts,
    draw_key,
    mapped_header,
    only,
    put_mapped,
    seal,
)
from heapster.checkers.proofs.retained import RetainedList, lately
from heapster.checkers.proofs.whole_calls import second
from heapster.machine.symbolic import HIGHEST, LOWEST

MALLOC, CALLOC, REALLOC, FREE = 0, 1, 2, 4      # kinds of calls
KEEPING = "up to 3 blocks, up to 1 mapping kept"
KEEPING_FOR_SOME = f"{KEEPING} for 2 alignments of 7"
LARGE_TOO = (*SOME_ALIGNMENTS, 1 << 14, 1 << 21, 1 << 46)
WHERE_KEPT = (ALIGN, 1 << 21)                   # alignments for which mappings may be kept too


def mapping_length(source: Any, path: Any) -> None:
    """Each request and alignment, wherever the mapping starts."""
    alignment = ALIGNMENTS[path.choose(len(ALIGNMENTS))]
    request, start = path.word("request", 0, MAX_REQUEST), path.word("start", LOWEST, HIGHEST, PAGE)
    length = source.mapping.mapping_length(request, alignment)
    m = path.machine()
    with replaced(source.mapping, seal=lambda m, b: None):
        b = source.mapping.write_mapped(m, start, length, alignment)
    path.claim("mappings_are_whole_pages", lambda: length & PAGE - 1 == 0)
    path.claim("mappings_hold_lead_alignment_and_request", lambda:
               start + MAPPED_LEAD <= b and b + PAYLOAD + request <= start + length and b + PAYLOAD < start + length)


def write_mapped(source: Any, path: Any) -> None:
    """Each alignment and start."""
    alignment = ALIGNMENTS[path.choose(len(ALIGNMENTS))]
    start, length = path.word("start", LOWEST, HIGHEST, PAGE), path.word("length", PAGE, 1 << 47, PAGE)
    path.require(2 * alignment + 48, "<=", length)
    m = draw_key(path.machine())
    b = source.mapping.write_mapped(m, start, length, alignment)
    path.claim("mapped_payloads_are_aligned", lambda: b + PAYLOAD & alignment - 1 == 0)
    path.claim("mapped_payloads_lie_in_the_mapping", lambda: start + MAPPED_LEAD <= b
               and b + PAYLOAD < start + length)
    path.claim("mapped_headers_say_where_the_mapping_is", lambda: m.load(b) == mapped_header(length)
               and m.load(b + LEAD) == b - start and only(m, b, b + LEAD, b + NODE)
               and m.load(b + NODE) == seal(m, b, m.load(b + LEAD), m.load(b)))


class MappedRecord(RetainedList):
    """The record of the mapped blocks, open or new, any list in it, and some kept mappings."""

    def __init__(self, path: Any, kept: int) -> None:
        super().__init__(path)
        self._put_kept(kept)
        self.head = self.at("head")
        self.circle = [self.head]
        self.m.put(self.head, 3 * path.choose(2), "header of the head")
        _, self.setting, self.used_bytes = lately(self)
        self.held, self.used_blocks = self.word("held"), self.word("used_blocks")
        self.static("steps", 0, KEPT["epoch"] - 2)
        for kind in (MALLOC, CALLOC, REALLOC, FREE):
            self.m.put(self.at("calls") + 8 * kind, path.word("calls", 0, TOTALS), "calls")

    def _put_kept(self, most: int) -> None:
        self.exactly(self.path.choose(most + 1))

    def used(self, length: Any, blocks: int) -> bool:
        """Whether the ledger counts so much more as used, and holds just what is used, kept or set aside."""
        load = self.m.load
        return bool(load(self.at("used_bytes")) == self.used_bytes + length
                    and load(self.at("used_blocks")) == self.used_blocks + blocks
                    and load(self.at("held")) - self.held == length + load(self.at("free_bytes")) - self.free_bytes
                    + sum([piece.length for piece in self.aside()]))

    def mapped(self, path: Any, *, used: int = USED) -> tuple[Any, Any, Any]:
        """A mapped block on the list, or one that is free by now: its header's address, lead and length."""
        length, lead = path.word("length", PAGE, MOST, PAGE), path.word("lead", MAPPED_LEAD, MOST, ALIGN, 8)
        path.require(lead + 2 * PAYLOAD, "<=", length)
        path.require(length, "<=", self.used_bytes)
        start = path.word("start", LOWEST, HIGHEST, PAGE)
        self.reserve(start, length)
        b = start + lead
        put_mapped(self.m, b, lead, mapped_header(length, used))
        return b, lead, length

    def gone(self, start: Any, length: Any) -> bool:
        """Whether it went back to the system, alone or as part of more."""
        return any(first <= start and start + length <= first + count for first, count in self.m.gone)

    def kept_now(self, start: Any, length: Any) -> bool:
        """Whether it is kept, alone or as part of more."""
        return any(piece.k <= start and start + length <= piece.k + piece.length for piece in self.now())


def map_block(source: Any, path: Any, where_kept: tuple[int, ...]) -> None:
    """On a new record or any list; whatever the system answers; for these alignments, whatever is kept."""
    alignment = LARGE_TOO[path.choose(len(LARGE_TOO))]
    w = MappedRecord(path, kept=int(alignment in where_kept))
    kind = MALLOC if alignment != ALIGN else (MALLOC, CALLOC)[path.choose(2)]
    if path.choose(2):
        w.listed([], gaps=1)
    else:
        w.m.put(w.head + 8, 0, "first")
    request = path.word("request", 0, MAX_REQUEST)
    b = source.mapping.map_block(w.m, request, alignment, kind)
    if b == 0:
        path.claim("mapping_fails_only_with_the_system", lambda: w.m.calls[-1].name == "mmap"
                   and all(call.answer == -1 for call in w.m.calls)
                   and only(w.m, *[w.at(name) for name in ("head", "next", "prev", "cursor")])
                   and all(piece.length < source.mapping.mapping_length(request, alignment) for piece in w.pieces))
    else:
        node = b + NODE
        w.with_first(node)
        length, start = w.m.load(b) - mapped_header(0), b - w.m.load(b + LEAD)
        got = [call.answer for call in w.m.calls if call.name in ("remap", "mmap") and call.answer != -1]
        fresh = any(call.name == "mmap" for call in w.m.calls)
        path.claim("a_mapping_is_listed_and_counted", lambda: w.is_linked() and w.used(length, 1) and w.is_whole()
                   and b + PAYLOAD + request <= start + length and b + PAYLOAD & alignment - 1 == 0
                   and (start == got[0] if got else w.pieces[0].k == start))
        said, wiped = w.m.zeroed, [(target, count) for target, byte, count in w.m.fills if byte == 0]
        path.claim("callocs_payload_is_zero", lambda: kind != CALLOC or any(
            target == b + PAYLOAD and target + count == start + length for target, count in (said if fresh else wiped)))
    path.claim("mapping_releases_its_lock", lambda: not w.m.held)


def unmap_block(source: Any, path: Any) -> None:
    """Anywhere on the list; whatever is kept, whatever the system answers."""
    w = MappedRecord(path, kept=1)
    b, lead, length = w.mapped(path)
    node = b + NODE
    w.listed([node], gaps=2)
    source.mapping.unmap_block(w.m, b, FREE)
    w.without(node)
    path.claim("an_unmapped_block_leaves_the_list", lambda: w.is_linked() and w.used(-length, -1)
               and (w.m.find(b).now == mapped_header(length, 0) or bool(w.aside()) or w.gone(b - lead, length)))
    path.claim("the_mapping_of_a_freed_block_is_kept_or_gone", lambda: w.is_whole() and (
        w.kept_now(b - lead, length) or w.gone(b - lead, length) or any(
            piece.k <= b - lead and b - lead + length <= piece.k + piece.length for piece in w.aside())))
    path.claim("unmapping_releases_its_lock", lambda: not w.m.held)


def unmap_block_noticing(source: Any, path: Any) -> None:
    """Any links of any mapped block, and one that was freed meanwhile."""
    w, is_used = MappedRecord(path, kept=0), path.choose(2)
    b, _, _ = w.mapped(path, used=is_used)
    before, after = w.span("before", MIN_BLOCK), w.span("after", MIN_BLOCK)
    forward, backward = path.word("forward"), path.word("backward")
    node = b + NODE
    for address, word in ((node + NEXT, after), (node + PREV, before), (before + NEXT, forward),
                          (after + PREV, backward)):
        w.m.put(address, word, "link")
    code = aborts(w.m, lambda: source.mapping.unmap_block(w.m, b, FREE), b + PAYLOAD)
    path.claim("a_mapped_block_freed_meanwhile_aborts", lambda: (code == DOUBLE_FREE) == (not is_used))
    path.claim("a_false_link_of_a_mapping_aborts", lambda: not is_used or code == (
        0 if forward == node and backward == node else CORRUPT_LIST))


def check_mapped(source: Any, path: Any) -> None:
    """A mapped block of which a word before the payload was changed, by any amount, on a list that is lost or not."""
    w = MappedRecord(path, kept=0)
    b = w.mapped(path)[0]
    place, more = (0, LEAD, NODE)[path.choose(3)], path.word("more", 1, MAX_REQUEST)
    w.m.store(b + place, w.m.load(b + place) + 2 * more * (1, -1)[path.choose(2)])
    w.m.find(b + place).was = w.m.load(b + place)
    code = aborts(w.m, lambda: source.mapping.check_mapped(w.m, w.arena, b), b + PAYLOAD)
    path.claim("a_changed_mapped_header_aborts", lambda: code == CORRUPT_HEADER)


def resize_mapped(source: Any, path: Any) -> None:
    """Any mapped block and request; whatever is kept, whatever the system answers."""
    w = MappedRecord(path, kept=1)
    b, lead, length = w.mapped(path)
    node, held = b + NODE, path.word("held word")
    w.m.put(b + PAYLOAD, held, "what it holds")
    w.listed([node], gaps=2)
    request = path.word("request", 1, MAX_REQUEST)
    now = source.mapping.resize_mapped(w.m, b, request, REALLOC)
    calls = [call for call in w.m.calls if call.name == "remap"]
    if now == 0:
        path.claim("a_mapping_that_cannot_grow_stays", lambda: lead + PAYLOAD + request > length and only(w.m)
                   and calls[0].answer == -1)
    else:
        w.circle = [now + NODE if u is node else u for u in w.circle]
        size, need = w.m.load(now) - mapped_header(0), lead + PAYLOAD + request
        path.claim("a_resized_mapping_holds_the_request", lambda: need <= size and size - need < PAGE
                   and size & PAGE - 1 == 0 and w.m.load(now + PAYLOAD) == held and w.m.load(now + LEAD) == lead
                   and w.used(size - length, 0) and w.is_whole() and w.is_linked())
        path.claim("a_mapping_grows_by_what_is_kept_after_it_or_the_system", lambda: size <= length or (
            calls[0].arguments == (b - lead, length, size) and now == calls[0].answer + lead if calls else
            w.pieces[0].k == b - lead + length and size - length <= w.pieces[0].length and now == b))
    path.claim("resizing_releases_its_lock", lambda: not w.m.held)


def _maps(bound: str, where_kept: tuple[int, ...]) -> Proof:
    return Proof("mapping.map_block", bound, partial(map_block, where_kept=where_kept), {
        "mapping_fails_only_with_the_system":
            "NULL only if nothing kept is large enough and the system refused, and then all is as it was",
        "a_mapping_is_listed_and_counted": "else it is first on the list, and counted",
        "callocs_payload_is_zero": "its payload is zero if the call is CALL_CALLOC",
        "mapping_releases_its_lock": "the lock is released",
    })


PROOFS = (
    Proof("mapping.mapping_length", ALL_WORDS, mapping_length, {
        "mappings_are_whole_pages": "a multiple of PAGE",
        "mappings_hold_lead_alignment_and_request": "holds the lead, the alignment and the request, at least a byte",
    }),
    Proof("mapping.write_mapped", ALL_WORDS, write_mapped, {
        "mapped_payloads_are_aligned": "its payload is a multiple of alignment",
        "mapped_payloads_lie_in_the_mapping": "it lies in the mapping",
        "mapped_headers_say_where_the_mapping_is":
            "header and lead say where the mapping is, sealed, and no other word changes",
    }),
    _maps(KEEPING_FOR_SOME, WHERE_KEPT),
    second(_maps(KEEPING, LARGE_TOO), "_at_each_alignment", thorough=True),
    Proof("mapping.unmap_block", KEEPING, unmap_block, {
        "an_unmapped_block_leaves_the_list": "it is on no list, and not USED",
        "the_mapping_of_a_freed_block_is_kept_or_gone": "its mapping is kept, back with the system, or set aside",
        "unmapping_releases_its_lock": "the lock is released",
    }),
    Proof("mapping.unmap_block", ANY_HEAP, unmap_block_noticing, more={
        "a_mapped_block_freed_meanwhile_aborts": "a block that is not used aborts as a double free; no other does",
        "a_false_link_of_a_mapping_aborts": "where its neighbours do not know the block, it aborts, nothing changed; "
                                            "only there",
    }, suffix="_of_any_links"),
    Proof("mapping.check_mapped", ANY_HEAP, check_mapped, more={
        "a_changed_mapped_header_aborts":
            "a block whose header, lead or seal is another aborts before anything is done",
    }),
    Proof("mapping.resize_mapped", KEEPING, resize_mapped, {
        "a_resized_mapping_holds_the_request":
            "on success it holds the request, in as few pages as it can, and what it held",
        "a_mapping_that_cannot_grow_stays": "without success nothing changes",
        "resizing_releases_its_lock": "the lock is released",
    }, more={
        "a_mapping_grows_by_what_is_kept_after_it_or_the_system":
            "growth takes just what was kept after the mapping, or has the system extend all of it",
    }),
)
