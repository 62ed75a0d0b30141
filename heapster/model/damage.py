"""Damage: a word that a caller writes where no block of its own is, and which call must notice that.

`find` says what the word is a part of. `noticed` says how the first call after it must end; nothing is promised

- of a header, where the word happens to have the checksum that belongs there (`Damage.is_forged`);
- of calls that do not look at the block;
- of what has no check: the records of regions, fences, the size and the mark of a retained mapping, and what nobody
  has.

Whatever a call makes of a word that is checked, what it answers is no memory that somebody else has: `is_checked`.
"""

from enum import Enum
from typing import NamedTuple

from heapster.model.geometry import (
    ALIGN,
    HEADER,
    MAX_REQUEST,
    MIN_BLOCK,
    MOST_CACHED,
    WORD,
    bin_size,
    block_size,
    mapping_length,
)
from heapster.model.heap import UNTAKEN, Block, Cache, Heap, Mapped, waiting
from heapster.model.live import Live
from heapster.model.misuse import CORRUPT_HEADER, CORRUPT_LIST, FAULT, INVALID_POINTER, WRONG_SIZE
from heapster.model.operations import RELEASING, REQUESTS, RESIZING, STATING, TAKING, Asks, alignment_asked, requested

USED, PREV_USED = 1, 2          # bits of a header
OWNER_SHIFT, OWNERS = 48, 64
LINKS = (HEADER, HEADER + WORD)         # of a free block and of a retained mapping: from their first word
NODE = range(-4 * WORD, 0, WORD)        # of a mapped block, before its header: seal, links, lead


class HeapWord(Enum):
    """The part of the heap that a word is."""

    OWN = "a live block"
    HEADER = "the header of a live block"
    NODE = "the seal, a link or the lead of a mapped block"
    WAITING = "the link or the mark of a block that waits"
    WAITING_HEADER = "the header of a block that waits"
    FREE_HEADER = "the header of a free block"
    FREE_LINK = "a link of a free block"
    FOOTER = "the footer of a free block"
    RETAINED_LINK = "a link of a retained mapping"
    OTHER = "what no check looks at"


HEADERS = frozenset({HeapWord.HEADER, HeapWord.WAITING_HEADER, HeapWord.FREE_HEADER})


class Damage(NamedTuple):
    """A word that was written over."""

    part: HeapWord
    block: int                  # where the header of its block is; of a retained mapping, its start
    word: int                   # that stands there now, signed
    is_forged: bool = False     # of a header: it has the checksum that belongs there

    @property
    def is_checked(self) -> bool:
        """Whether some check looks at the word before anything is done by it."""
        return self.part is not HeapWord.OTHER and not self.is_forged


def find(heap: Heap, live: Live, address: int) -> tuple[HeapWord, int]:
    """What the word at `address` is a part of, and where that begins."""
    if held := live.containing(address):
        return HeapWord.OWN, held.pointer - HEADER
    for mapped in heap.mapped:
        if mapped.start <= address < mapped.start + mapped.length:
            return _part_of_mapped(mapped, address), mapped.address
    for block in _blocks(heap):
        if block.address <= address < block.address + block.size:
            return _part_of(heap, block, address), block.address
    return HeapWord.OTHER, address


def _part_of_mapped(mapped: Mapped, address: int) -> HeapWord:
    away = address - mapped.address
    if mapped.used:
        return HeapWord.HEADER if away == 0 else HeapWord.NODE if away in NODE else HeapWord.OTHER
    return HeapWord.RETAINED_LINK if away in LINKS and mapped.mark != UNTAKEN else HeapWord.OTHER


def _part_of(heap: Heap, block: Block, address: int) -> HeapWord:
    away = address - block.address
    if not block.used:
        if away in LINKS:
            return HeapWord.FREE_LINK
        return {0: HeapWord.FREE_HEADER, block.size - WORD: HeapWord.FOOTER}.get(away, HeapWord.OTHER)
    if block.address + HEADER in waiting(heap):
        return HeapWord.WAITING_HEADER if away == 0 else HeapWord.WAITING if away in LINKS else HeapWord.OTHER
    return HeapWord.OTHER if away else HeapWord.HEADER


def noticed(heap: Heap, damage: Damage, call: Asks, pointer: int, mine: Cache | None) -> frozenset[str]:
    """The ends of which the call, which is none of misuse, must have one; none, if nothing is promised.

    `heap` is as before the word was written, `mine` the calling thread's cache, if it has any.
    """
    if not damage.is_checked:
        return frozenset()
    if damage.part in (HeapWord.HEADER, HeapWord.NODE) and pointer == damage.block + HEADER and _takes(call):
        return _TAKEN[damage.part] | ({WRONG_SIZE} if call.verb in STATING else set())
    if call.verb in REQUESTS and call.verb not in RESIZING:
        return _by_request(heap, damage, call, mine)
    if call.verb in RELEASING and pointer and not heap.cache and not heap.caches:
        return _by_neighbour(heap, damage, pointer - HEADER)
    return frozenset()


def _takes(call: Asks) -> bool:
    return call.verb in TAKING and requested(call) <= MAX_REQUEST


_TAKEN = {
    HeapWord.HEADER: frozenset({INVALID_POINTER}),
    HeapWord.NODE: frozenset({CORRUPT_HEADER, CORRUPT_LIST, FAULT}),
}
_LEFT = {                       # of the block that is freed
    HeapWord.FREE_HEADER: frozenset({CORRUPT_HEADER}),
    HeapWord.FREE_LINK: frozenset({CORRUPT_LIST, FAULT}),
    HeapWord.FOOTER: frozenset({CORRUPT_HEADER, FAULT}),
}


def _by_request(heap: Heap, damage: Damage, call: Asks, mine: Cache | None) -> frozenset[str]:
    """As `noticed`, of a call that asks for a block."""
    request = requested(call)
    if (alignment_asked(call) or ALIGN) > ALIGN or request > MAX_REQUEST:
        return frozenset()
    if damage.part is HeapWord.RETAINED_LINK and request >= heap.threshold:
        retained = [mapped for mapped in heap.mapped if not mapped.used and mapped.mark != UNTAKEN]
        looks = len(retained) == len([mapped for mapped in heap.mapped if not mapped.used]) == 1
        stretched = looks and mapping_length(request, ALIGN) <= 2 * retained[0].length
        return frozenset({CORRUPT_LIST, FAULT}) if stretched else frozenset()
    small = request < heap.threshold and block_size(request) <= MOST_CACHED
    if small and mine and damage.part is HeapWord.WAITING:
        return _by_cache(heap, damage, bin_size(request, spans=heap.has_spans), mine)
    return frozenset()


def _by_cache(heap: Heap, damage: Damage, size: int, mine: Cache) -> frozenset[str]:
    """As `noticed`, of a request for a block of the size, where the damaged block waits."""
    payload = damage.block + HEADER
    kept = next((bin_.stack.payloads for bin_ in mine.bins if bin_.size == size), ())
    remote = next((arena.remote.payloads for arena in heap.arenas if arena.index == mine.arena), ())
    if kept[:1] == (payload,) or (heap.cache and not kept and payload in remote):
        return frozenset({CORRUPT_LIST})
    return frozenset()


def _by_neighbour(heap: Heap, damage: Damage, freed: int) -> frozenset[str]:
    """As `noticed`, where the block is freed beside which the word is, and goes to its arena at once."""
    blocks = list(_blocks(heap))
    for left, block, right in zip([None, *blocks], blocks, [*blocks[1:], None], strict=False):
        if block.address == freed and left and left.address + left.size == freed and left.address == damage.block:
            return _left(block, damage)
        if block.address == freed and right and right.address == damage.block:
            return _right(right, damage)
    return frozenset()


def _left(block: Block, damage: Damage) -> frozenset[str]:
    """As `noticed`, where the left neighbour of the block that is freed is damaged."""
    may_be_size = MIN_BLOCK <= damage.word <= block.address and damage.word % ALIGN == 0
    if damage.part is HeapWord.FOOTER and not may_be_size:
        return frozenset({CORRUPT_HEADER})
    return _LEFT.get(damage.part, frozenset())


def _right(block: Block, damage: Damage) -> frozenset[str]:
    """As `noticed`, where the right neighbour of the block that is freed is damaged."""
    if damage.part is HeapWord.FREE_LINK:
        return _LEFT[HeapWord.FREE_LINK]
    if damage.part not in (HeapWord.HEADER, HeapWord.FREE_HEADER):
        return frozenset()
    tells = not damage.word & PREV_USED or (damage.word >> OWNER_SHIFT) % OWNERS != block.owner
    if tells or (damage.part is HeapWord.FREE_HEADER and not damage.word & USED):
        return frozenset({CORRUPT_HEADER})
    return frozenset()


def _blocks(heap: Heap) -> tuple[Block, ...]:
    return tuple(block for arena in heap.arenas for region in arena.regions for block in region.blocks)
