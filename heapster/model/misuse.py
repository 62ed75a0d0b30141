"""Misuse: what may happen, and what must, when the caller passes what is no live block.

The standards leave it undefined. Our allocator notices what it can, by the block's header and by the mark
of those that wait: `free` and `realloc` promise an abort for each block that was freed and has neither been
handed out since nor written over. They promise nothing

- where the address was handed out again: no allocator can tell the two apart;
- where the block's place is part of a live block, or was: its header is then what that one's caller wrote;
- where its memory went back to the system, which may have given other memory since;
- where the caller wrote to the block after it had freed it, over the mark or, from before it, the header;
- where two threads free it at the same moment, or one does while another takes blocks off the bin that has it;
- for `usable_size`, and for a `realloc` to a size that is refused unseen.

A caller may also say of a live block what is not so: `free_sized` a size, `free_aligned_sized` an alignment too, with
which the block was not asked for. Such a call promises an abort exactly where no request for what is said could have
got the block, see `could_be_asked`: its size is known only as far as requests are rounded.

`classify` says which it is; after an unnoticed misuse the heap means nothing any more, and a run ends.
"""

from bisect import bisect_left, insort
from enum import Enum
from typing import NamedTuple

from heapster.model.geometry import (
    ALIGN,
    HEADER,
    MAX_REQUEST,
    PAGE,
    SPARE_SHIFT,
    could_serve,
    is_power_of_two,
    mapping_length,
    up,
)
from heapster.model.heap import UNTAKEN, Block, Heap, Mapped, waiting
from heapster.model.live import Held, Live
from heapster.model.operations import ASKING, ON_BLOCKS, RELEASING, RESIZING, STATING, Asks, Stated, requested, stated

# How a misuse can end. The aborts are named as the allocator's codes are, in their order from 1.
ABORTS = ("double_free", "invalid_pointer", "corrupt_header", "corrupt_list", "wrong_size", "overflow",
          "write_after_free", "use_after_free")
FAULT = "fault"                 # the machine noticed: memory that is unmapped or was never written
UNNOTICED = "unnoticed"
DOUBLE_FREE, INVALID_POINTER, CORRUPT_HEADER, CORRUPT_LIST, WRONG_SIZE, *_, USE_AFTER_FREE = ABORTS
OUTCOMES = frozenset({*ABORTS, FAULT, UNNOTICED})


class PointerKind(Enum):
    """The kind of a pointer that is no live block; or the wrong statement about one that is."""

    MISALIGNED = "misaligned pointer"
    STALE = "pointer to a free block"
    ABSORBED = "pointer into a free block"
    INTERIOR = "pointer into a live block"
    EMPTIED = "pointer into a mapping that the system did not take back"
    RETURNED = "pointer to memory that went back to the system"
    CACHED = "pointer to a block that waits to be used again"
    BETWEEN = "pointer to the allocator's own records"
    WRONG_SIZE = "block of another size"
    WRONG_ALIGNMENT = "block of another alignment"


class Misuse(NamedTuple):
    """A misuse and what it may come to."""

    kind: PointerKind
    outcomes: frozenset[str]        # all that may happen
    words: str                      # for people

    @property
    def must_be_noticed(self) -> bool:
        """True if the allocator or the machine has to end the run."""
        return UNNOTICED not in self.outcomes

    def allows(self, outcome: str) -> bool:
        """True if the misuse may have ended so."""
        return outcome in self.outcomes


class HeaderWord(Enum):
    """The origin of the word before a pointer."""

    UNKNOWN = "whoever had the memory may have written there"
    STANDS = "it was a block's, which was freed, and no caller has written there since"
    PURGED = "likewise, but the system may have taken what was there: then it reads as zero, or faults"


class Freed:
    """Payloads that were freed, and before which the header stands since: nothing was handed out over it."""

    def __init__(self) -> None:
        self._headers: dict[HeaderWord, list[int]] = {      # addresses, in order
            HeaderWord.STANDS: [], HeaderWord.PURGED: []}

    def header(self, payload: int) -> HeaderWord:
        """The origin of the header before the payload."""
        address = payload - HEADER
        for header, addresses in self._headers.items():
            at = bisect_left(addresses, address)
            if addresses[at:at + 1] == [address]:
                return header
        return HeaderWord.UNKNOWN

    def freed(self, payload: int) -> None:
        """The block was freed."""
        self._take(payload - HEADER, payload)
        insort(self._headers[HeaderWord.STANDS], payload - HEADER)

    def handed_out(self, payload: int, usable: int) -> None:
        """A block is the caller's, who may write to its payload; its own header was written too."""
        self._take(payload - HEADER, payload + usable)

    def given_back(self, start: int, end: int) -> None:
        """The memory went back to the system."""
        self._take(start, end)

    def purged(self, start: int, end: int) -> None:
        """The system may take what the memory held."""
        for address in self._take(start, end):
            insort(self._headers[HeaderWord.PURGED], address)

    def _take(self, start: int, end: int) -> list[int]:
        """The headers there; they are no longer known."""
        taken: list[int] = []
        for addresses in self._headers.values():
            here = slice(bisect_left(addresses, start), bisect_left(addresses, end))
            taken += addresses[here]
            del addresses[here]
        return taken


def classify(
    heap: Heap, live: Live, call: Asks, pointer: int, *, header: HeaderWord = HeaderWord.UNKNOWN,
) -> Misuse | None:
    """The misuse in passing `pointer` to the call, or None if it is NULL, live, or no pointer is passed.

    `heap` and `live` are as before the step. A realloc to a size that is refused unseen is no misuse that could be
    noticed. `header` is what is known of the header before the pointer, see `Freed`.

    A stale pointer whose address was given out again is live: no allocator can tell the two apart.
    """
    verb = call.verb
    if not is_misuse(live, call, pointer):
        return None
    if pointer in live:
        return _misstated(heap, live[pointer], call)
    kind = _kind(heap, live, pointer)
    looks_at_the_header = verb in RELEASING or (verb not in ASKING and requested(call) <= MAX_REQUEST)
    told = header is not HeaderWord.UNKNOWN and kind in _NOTICED_BY_AN_OLD_HEADER
    if not looks_at_the_header or not (told or kind in _ALWAYS_NOTICED):
        return Misuse(kind, OUTCOMES, WORDS[kind])
    may_be_link = kind is PointerKind.ABSORBED and _block_around(heap, pointer - HEADER) is not None
    also = {FAULT, INVALID_POINTER} if header is HeaderWord.PURGED else {INVALID_POINTER} if may_be_link else set()
    also |= {WRONG_SIZE} if verb in STATING else set()
    return Misuse(kind, _certain(kind, call) | also, WORDS[kind])


def _certain(kind: PointerKind, call: Asks) -> frozenset[str]:
    """The outcomes for certain of such a pointer; that a block was freed is said of the call that found it so."""
    if call.verb in RESIZING and requested(call):
        return frozenset(USE_AFTER_FREE if outcome == DOUBLE_FREE else outcome for outcome in _CERTAIN[kind])
    return _CERTAIN[kind]


def is_misuse(live: Live, call: Asks, pointer: int) -> bool:
    """Whether the call is passed what is no live block, or says of one what is not so."""
    if call.verb not in ON_BLOCKS or not pointer:
        return False
    return pointer not in live or live[pointer].is_misstated(call)


def _misstated(heap: Heap, held: Held, call: Asks) -> Misuse:
    """The misuse in saying of a live block what is not so: it is noticed, or it is not."""
    said = stated(call)
    assert said is not None
    kind = PointerKind.WRONG_SIZE if said.size != held.request else PointerKind.WRONG_ALIGNMENT
    told = not could_be_asked(heap, held.pointer, said)
    return Misuse(kind, frozenset({WRONG_SIZE if told else UNNOTICED}), WORDS[kind])


def could_be_asked(heap: Heap, pointer: int, said: Stated) -> bool:
    """Whether some request for what is said of the live block could have got it.

    A block of an arena has as many bytes as the request needs, rounded up to those of a class where blocks are
    cached; and up to ALIGN more, which are too few for a block of their own. A mapping has the pages that the request
    needs wherever it may start, or up to a quarter more if it was kept; or those that it needed when it was resized.
    """
    if said.alignment is not None and (not is_power_of_two(said.alignment) or pointer % said.alignment):
        return False
    alignment = max(said.alignment or 0, ALIGN)
    for mapped in heap.mapped:
        if mapped.used and mapped.address == pointer - HEADER:
            return _could_be_mapped(mapped, pointer, said.size, alignment)
    block = _block_around(heap, pointer - HEADER)
    if block is None or said.size > MAX_REQUEST:
        return False
    return could_serve(block.size, said.size, alignment, spans=heap.has_spans)


def _could_be_mapped(mapped: Mapped, pointer: int, size: int, alignment: int) -> bool:
    if up(pointer - mapped.start + size, PAGE) == mapped.length:
        return True
    length = mapping_length(size, alignment)
    return pointer + size <= mapped.start + mapped.length and length <= mapped.length <= length + (
        length >> SPARE_SHIFT)


def abort_name(code: int) -> str:
    """The name of an abort code, or invalid_code for a code that means nothing."""
    return ABORTS[code - 1] if 1 <= code <= len(ABORTS) else "invalid_code"


WORDS = {
    PointerKind.MISALIGNED: "payloads start at multiples of 16, and this address is none",
    PointerKind.STALE: "the block is free already: its header says so, and the second free must be noticed",
    PointerKind.ABSORBED: "the block was freed and has since become part of a larger free block or of a kept mapping; "
                          "its old header still says free, unless it is a link of that block's and no header",
    PointerKind.EMPTIED: "the mapping is nobody's, and what it held may be the system's: its old header says free, or "
                         "is gone",
    PointerKind.INTERIOR: "the pointer leads into a live block, so its header is whatever the caller wrote there",
    PointerKind.RETURNED: "the memory is the system's again: its header is gone, and reading there may fault",
    PointerKind.CACHED: "the block was freed and waits in a bin or on a remote list: its mark says so, and the second "
                        "free must be noticed",
    PointerKind.BETWEEN: "the pointer leads to the allocator's own records, which are no block",
    PointerKind.WRONG_SIZE: "the size is not the one that the block was asked for with; it is noticed where no "
                            "request for it could have got the block",
    PointerKind.WRONG_ALIGNMENT: "the alignment is not the one that the block was asked for with; it is noticed where "
                                 "no request for it could have got the block",
}

_CERTAIN = {
    PointerKind.MISALIGNED: frozenset({INVALID_POINTER}),
    PointerKind.STALE: frozenset({DOUBLE_FREE}),
    PointerKind.ABSORBED: frozenset({DOUBLE_FREE}),
    PointerKind.EMPTIED: frozenset({DOUBLE_FREE, FAULT}),
    PointerKind.CACHED: frozenset({DOUBLE_FREE}),
}
_NOTICED_BY_AN_OLD_HEADER = frozenset({PointerKind.ABSORBED, PointerKind.EMPTIED})
_ALWAYS_NOTICED = frozenset({PointerKind.MISALIGNED, PointerKind.STALE, PointerKind.CACHED})


def _kind(heap: Heap, live: Live, pointer: int) -> PointerKind:
    if pointer % ALIGN:
        return PointerKind.MISALIGNED
    if live.containing(pointer):
        return PointerKind.INTERIOR
    header = pointer - HEADER
    for mapped in heap.mapped:
        if mapped.start <= header < mapped.start + mapped.length:
            if mapped.used:
                return PointerKind.BETWEEN
            return PointerKind.EMPTIED if mapped.mark == UNTAKEN else PointerKind.ABSORBED
    block = _block_around(heap, header)
    if block is None:
        return PointerKind.BETWEEN if _in_a_region(heap, header) else PointerKind.RETURNED
    if block.used:
        return PointerKind.CACHED if pointer in waiting(heap) else PointerKind.INTERIOR
    return PointerKind.STALE if block.address == header else PointerKind.ABSORBED


def _block_around(heap: Heap, address: int) -> Block | None:
    for arena in heap.arenas:
        for region in arena.regions:
            if region.start <= address < region.end:
                for block in region.blocks:
                    if block.address <= address < block.address + block.size:
                        return block
    return None


def _in_a_region(heap: Heap, address: int) -> bool:
    return any(region.start <= address < region.end for arena in heap.arenas for region in arena.regions)
