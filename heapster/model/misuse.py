"""What may happen, and what must, when the caller passes what is no live block.

The standards leave it undefined. Our allocator notices what it can, by the block's header and by the mark
of those that wait: `free` and `realloc` promise an abort for each block that was freed and has neither been
handed out since nor written over. They promise nothing

- where the address was handed out again: no allocator can tell the two apart;
- where the block's place is part of a live block, or was: its header is then what that one's caller wrote;
- where its memory went back to the system, which may have given other memory since;
- where the caller wrote to the block after it had freed it, over the mark or, from before it, the header;
- where two threads free it at the same moment, or one does while another takes blocks off the bin that has it;
- for `usable_size`, and for a `realloc` to a size that is refused unseen.

`classify` says which it is; after an unnoticed misuse the heap means nothing any more, and a run ends.
"""

from bisect import bisect_left, insort
from enum import Enum
from typing import NamedTuple

from heapster.model.geometry import ALIGN, HEADER, MAX_REQUEST
from heapster.model.heap import UNTAKEN, Block, Heap, waiting
from heapster.model.live import Live
from heapster.model.operations import ASKING, ON_BLOCKS, RELEASING

# How a misuse can end. The aborts are named as the allocator's codes are, in their order from 1.
ABORTS = ("double_free", "invalid_pointer", "corrupt_header", "corrupt_list")
FAULT = "fault"                 # the machine noticed: memory that is unmapped or was never written
UNNOTICED = "unnoticed"
OUTCOMES = frozenset({*ABORTS, FAULT, UNNOTICED})


class Kind(Enum):
    """What the pointer is, if it is not a live block."""

    MISALIGNED = "misaligned pointer"
    STALE = "pointer to a free block"
    ABSORBED = "pointer into a free block"
    INTERIOR = "pointer into a live block"
    EMPTIED = "pointer into a mapping that the system did not take back"
    RETURNED = "pointer to memory that went back to the system"
    CACHED = "pointer to a block that waits to be used again"
    BETWEEN = "pointer to the allocator's own records"


class Misuse(NamedTuple):
    """A misuse and what it may come to."""

    kind: Kind
    outcomes: frozenset[str]        # all that may happen
    words: str                      # for people

    @property
    def must_be_noticed(self) -> bool:
        """True if the allocator or the machine has to end the run."""
        return UNNOTICED not in self.outcomes

    def allows(self, outcome: str) -> bool:
        """True if the misuse may have ended so."""
        return outcome in self.outcomes


class Header(Enum):
    """What is known of the word before a pointer."""

    UNKNOWN = "whoever had the memory may have written there"
    STANDS = "it was a block's, which was freed, and nobody has written there since"
    PURGED = "likewise, but the system may have taken what was there: then it reads as zero, or faults"


class Freed:
    """Payloads that were freed, and before which the header stands since: nothing was handed out over it."""

    def __init__(self) -> None:
        self._headers: dict[Header, list[int]] = {Header.STANDS: [], Header.PURGED: []}   # addresses, in order

    def header(self, payload: int) -> Header:
        """What is known of the header before the payload."""
        address = payload - HEADER
        for header, addresses in self._headers.items():
            at = bisect_left(addresses, address)
            if addresses[at:at + 1] == [address]:
                return header
        return Header.UNKNOWN

    def freed(self, payload: int) -> None:
        """The block was freed."""
        self._take(payload - HEADER, payload)
        insort(self._headers[Header.STANDS], payload - HEADER)

    def handed_out(self, payload: int, usable: int) -> None:
        """A block is the caller's, who may write to its payload; its own header was written too."""
        self._take(payload - HEADER, payload + usable)

    def given_back(self, start: int, end: int) -> None:
        """The memory went back to the system."""
        self._take(start, end)

    def purged(self, start: int, end: int) -> None:
        """The system may take what the memory held."""
        for address in self._take(start, end):
            insort(self._headers[Header.PURGED], address)

    def _take(self, start: int, end: int) -> list[int]:
        """The headers there; they are no longer known."""
        taken: list[int] = []
        for addresses in self._headers.values():
            here = slice(bisect_left(addresses, start), bisect_left(addresses, end))
            taken += addresses[here]
            del addresses[here]
        return taken


def classify(
    heap: Heap, live: Live, verb: str, pointer: int, *, request: int = 1, header: Header = Header.UNKNOWN,
) -> Misuse | None:
    """The misuse in passing `pointer` to `verb`, or None if it is NULL, live, or no pointer is passed.

    `heap` and `live` are as before the step. `request` is what realloc asks for; one that is refused
    unseen is no misuse that could be noticed. `header` is what is known of the header before the pointer, see
    `Freed`.

    A stale pointer whose address was given out again is live: no allocator can tell the two apart.
    """
    if verb not in ON_BLOCKS or not pointer or pointer in live:
        return None
    kind = _kind(heap, live, pointer)
    looks_at_the_header = verb in RELEASING or (verb not in ASKING and request <= MAX_REQUEST)
    told = header is not Header.UNKNOWN and kind in _NOTICED_BY_AN_OLD_HEADER
    if not looks_at_the_header or not (told or kind in _ALWAYS_NOTICED):
        return Misuse(kind, OUTCOMES, WORDS[kind])
    return Misuse(kind, _CERTAIN[kind] | ({FAULT} if header is Header.PURGED else frozenset()), WORDS[kind])


def abort_name(code: int) -> str:
    """The name of an abort code, or invalid_code for a code that means nothing."""
    return ABORTS[code - 1] if 1 <= code <= len(ABORTS) else "invalid_code"


WORDS = {
    Kind.MISALIGNED: "payloads start at multiples of 16, and this address is none",
    Kind.STALE: "the block is free already: its header says so, and the second free must be noticed",
    Kind.ABSORBED: "the block was freed and has since become part of a larger free block or of a kept mapping; "
                   "its old header still says free until something is written over it",
    Kind.EMPTIED: "the mapping is nobody's, and what it held may be the system's: its old header says free, or is gone",
    Kind.INTERIOR: "the pointer leads into a live block, so its header is whatever the caller wrote there",
    Kind.RETURNED: "the memory is the system's again: its header is gone, and reading there may fault",
    Kind.CACHED: "the block was freed and waits in a bin or on a remote list: its mark says so, and the second free "
                 "must be noticed",
    Kind.BETWEEN: "the pointer leads to the allocator's own records, which are no block",
}

_CERTAIN = {
    Kind.MISALIGNED: frozenset({"invalid_pointer"}),
    Kind.STALE: frozenset({"double_free"}),
    Kind.ABSORBED: frozenset({"double_free"}),
    Kind.EMPTIED: frozenset({"double_free", FAULT}),
    Kind.CACHED: frozenset({"double_free"}),
}
_NOTICED_BY_AN_OLD_HEADER = frozenset({Kind.ABSORBED, Kind.EMPTIED})
_ALWAYS_NOTICED = frozenset({Kind.MISALIGNED, Kind.STALE, Kind.CACHED})


def _kind(heap: Heap, live: Live, pointer: int) -> Kind:
    if pointer % ALIGN:
        return Kind.MISALIGNED
    if live.containing(pointer):
        return Kind.INTERIOR
    header = pointer - HEADER
    for mapped in heap.mapped:
        if mapped.start <= header < mapped.start + mapped.length:
            if mapped.used:
                return Kind.BETWEEN
            return Kind.EMPTIED if mapped.mark == UNTAKEN else Kind.ABSORBED
    block = _block_around(heap, header)
    if block is None:
        return Kind.BETWEEN if _in_a_region(heap, header) else Kind.RETURNED
    if block.used:
        return Kind.CACHED if pointer in waiting(heap) else Kind.INTERIOR
    return Kind.STALE if block.address == header else Kind.ABSORBED


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
