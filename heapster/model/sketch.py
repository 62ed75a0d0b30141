"""Heaps as strings, and back.

    #64 .32 #48        a region: a used block of 64 bytes, a free one of 32, a used one of 48
    #64 | .4000        two regions of an arena, oldest first
    #64 || - || #32    arenas 0 and 2; arena 1 is closed; () is an open arena without a region
    #64 ; #8192 .4096  mapped blocks, oldest first, by their mappings' lengths; then the mappings that are kept

`sketch(heap(text)) == text`. `picture` is for people: offsets instead of addresses, names at blocks; runs of slots,
too, and in all of it ~64 for what is freed and waits in a thread's cache.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from itertools import groupby
from typing import NamedTuple

from heapster.model.amounts import amount
from heapster.model.geometry import (
    CALLS,
    DEFAULT_GROWTH,
    DEFAULT_THRESHOLD,
    FENCE,
    FIRST_BLOCK,
    HEADER,
    MAPPED_LEAD,
    PAGE,
    up,
)
from heapster.model.heap import Arena, Block, Heap, Lately, Ledger, Mapped, Region, extents, place, waiting
from heapster.model.runs import NO_RUNS, Pooled, RunOfSlots, Runs, RunSlot

USED, FREE, CACHED = "#.~"
CLOSED, BARE = "-", "()"
BETWEEN_ARENAS, BETWEEN_REGIONS, BEFORE_MAPPED = " || ", " | ", " ; "
ARENA_SPACE = 1 << 36           # addresses that `heap` sets aside for each arena, and for the mappings
ROOM = 1 << 20                  # left free between what it places


def sketch(heap: Heap) -> str:
    """The heap in one line, without addresses, and without its runs."""
    by_index = {arena.index: arena for arena in heap.arenas}
    last = max(by_index, default=-1)
    arenas = [_sketch_arena(by_index[index]) if index in by_index else CLOSED for index in range(last + 1)]
    text = BETWEEN_ARENAS.join(arenas)
    mapped = " ".join(_token(block.length, block.used) for block in _oldest_first(heap))
    return (text + BEFORE_MAPPED + mapped).lstrip() if mapped else text


def heap(text: str) -> Heap:
    """A consistent heap of that sketch; its free lists are in address order, its top is the newest region.

    Raises ValueError for a text that is no sketch.
    """
    arenas_text, _, mapped_text = text.partition(BEFORE_MAPPED.strip())
    parts = arenas_text.split(BETWEEN_ARENAS.strip()) if arenas_text.strip() else []
    arenas = tuple(_arena(index, part.strip()) for index, part in enumerate(parts) if part.strip() != CLOSED)
    mapped = _mappings(mapped_text, (len(parts) + 1) * ARENA_SPACE)
    used, kept = ([block for block in mapped if block.used == state] for state in (True, False))
    lengths = [[block.length for block in blocks] for blocks in (used, kept)]
    held = sum(map(sum, lengths))
    backward = tuple(block.address for block in (*reversed(used), *reversed(kept)))
    value = Heap(arenas, (*used, *kept), backward, _ledger(held, *lengths), "first_fit", DEFAULT_THRESHOLD,
                 DEFAULT_GROWTH, keep=sum(lengths[1]), lately=Lately(held))
    return value._replace(system=tuple(sorted(extents(value))))


def picture(heap: Heap, names: Mapping[int, str] | None = None, width: int = 100, lines: int = 0) -> str:
    """The heap in lines of at most `width` columns, and at most `lines` of them unless that is 0.

    `names` maps payload addresses to what people call them. Runs of like blocks are counted.
    """
    drawn = list(_draw(heap, names or {}, width))
    if lines and len(drawn) > lines:
        drawn[lines - 1:] = [f"... {amount(len(drawn) - lines + 1, 'more line')}"]
    return "\n".join(drawn)


def _sketch_arena(arena: Arena) -> str:
    regions = [" ".join(_token(block.size, block.used) for block in region.blocks)
               for region in reversed(arena.regions)]
    return BETWEEN_REGIONS.join(regions) or BARE


def _token(size: int, used: bool) -> str:
    return f"{USED if used else FREE}{size}"


def _read(text: str) -> Iterator[tuple[int, bool]]:
    for token in text.split():
        if token[0] not in "#." or not token[1:].isdecimal():
            raise ValueError(f"'{token}' is no block; write #64 for a used one, .64 for a free one")
        yield int(token[1:]), token[0] == "#"


def _arena(index: int, text: str) -> Arena:
    kind = "mmap" if index else "sbrk"
    regions: list[Region] = []
    start = (index + 1) * ARENA_SPACE
    for part in text.split(BETWEEN_REGIONS.strip()) if text != BARE else []:
        regions.insert(0, _region(index, start, kind, list(_read(part))))
        start = up(regions[0].end, PAGE) + ROOM
    blocks = [block for region in reversed(regions) for block in region.blocks]
    free = tuple(block.address for block in blocks if not block.used)
    ledger = _ledger(sum(region.end - region.start for region in regions),
                     [block.size for block in blocks if block.used],
                     [block.size for block in blocks if not block.used])
    top, brk = (regions[0].address, regions[0].end) if regions and kind == "sbrk" else (0, 0)
    return Arena(index, tuple(regions), free, free[::-1], 0, top, brk, ledger)


def _region(owner: int, start: int, kind: str, sizes: Iterable[tuple[int, bool]]) -> Region:
    blocks, address, left_used = [], start + FIRST_BLOCK, True
    for size, used in sizes:
        blocks.append(Block(address, size, used, left_used, owner, None if used else size))
        address, left_used = address + size, used
    fence = Block(address, 0, True, left_used, owner, None)
    return Region(start, start, address + FENCE, kind, tuple(blocks), fence, start)


def _mappings(text: str, start: int) -> tuple[Mapped, ...]:
    mapped: list[Mapped] = []
    for length, used in _read(text):
        mapped.insert(0, Mapped(start + MAPPED_LEAD * used, start, length, used))
        start = up(start + length, PAGE) + ROOM
    return tuple(mapped)


def _ledger(held: int, used: list[int], free: list[int]) -> Ledger:
    calls = (len(used) + len(free), *[0] * (len(CALLS) - 2), len(free))
    return Ledger(held, sum(used), len(used), sum(free), len(free), calls)


def _draw(heap: Heap, names: Mapping[int, str], width: int) -> Iterator[str]:
    yield f"{heap.policy}, threshold {heap.threshold}, growth {heap.growth}"
    runs, cached = heap.runs or NO_RUNS, waiting(heap)
    for arena in heap.arenas:
        yield from _draw_arena(heap, arena, names, cached, width)
        for run in runs.of(arena.index):
            yield from _draw_run(runs, run, names, cached, width)
    if runs.pool:
        yield from _wrap("pool of runs: ", [_pooled(runs, run) for run in runs.pool], width)
    if heap.mapped:
        blocks = [PieceWord(block.address + HEADER, _token(block.length, block.used)) for block in _oldest_first(heap)]
        yield "mapped"
        yield from _wrap("  ", counted(blocks, names), width)


def _oldest_first(heap: Heap) -> list[Mapped]:
    return [block for used in (True, False) for block in reversed(heap.mapped) if block.used == used]


def _draw_arena(
    heap: Heap, arena: Arena, names: Mapping[int, str], cached: Set[int], width: int,
) -> Iterator[str]:
    ledger = arena.ledger
    yield (f"arena {arena.index}: {ledger.used_blocks} used ({amount(ledger.used_bytes, 'byte')}), "
           f"{ledger.free_blocks} free ({amount(ledger.free_bytes, 'byte')}), {ledger.held} held")
    for number, region in enumerate(reversed(arena.regions)):
        yield f"  region {number}: {region.kind}, {amount(region.end - region.start, 'byte')}"
        blocks = [PieceWord(block.address + HEADER, _state(block.used, block.address + HEADER in cached, block.size),
                       block.address - region.start) for block in region.blocks]
        yield from _wrap("    ", counted(blocks, names), width)
    if arena.forward:
        yield from _wrap("  free list: ", [_entry(heap, arena, address) for address in arena.forward], width)


def _draw_run(
    runs: Runs, run: RunOfSlots, names: Mapping[int, str], cached: Set[int], width: int,
) -> Iterator[str]:
    slots = run.drawn(cached)
    yield f"  run +{runs.offset(run.start)} of {run.size}-byte slots: {slots_in_words(run, slots)}"
    yield from _wrap("    ", counted([PieceWord(slot.address, _state(slot.used, slot.cached, run.size),
                                           slot.address - run.start) for slot in slots], names), width)


def slots_in_words(run: RunOfSlots, slots: Collection[RunSlot]) -> str:
    """How many slots are out, how many of these a thread keeps, how many are back, and how many never were out."""
    kept = sum(slot.cached for slot in slots)
    return (f"{run.out:,} out{f' ({kept:,} cached)' if kept else ''}, {len(run.back):,} back, "
            f"{run.capacity - len(slots):,} never handed out")


def _pooled(runs: Runs, run: Pooled) -> str:
    """A run that nobody has, in brackets where the system took its pages."""
    where = f"+{runs.offset(run.start)}"
    return where if run.has_pages else f"({where})"


def _state(used: bool, cached: bool, size: int) -> str:
    return f"{CACHED}{size}" if used and cached else _token(size, used)


def _entry(heap: Heap, arena: Arena, address: int) -> str:
    """A block on the free list: region:+offset, in brackets where next fit resumes."""
    where = place(heap, address).removeprefix(f"arena {arena.index} ").removeprefix("region ")
    where = where.replace(" ", ":")
    return f"[{where}]" if address == arena.cursor else where


class PieceWord(NamedTuple):
    """What stands for a block or slot."""

    payload: int
    token: str                  # what it is, and its size
    offset: int | None = None   # where it is


def counted(pieces: Iterable[PieceWord], names: Mapping[int, str]) -> list[str]:
    """Words with names, those of likes in a row as one: the offset of the first, the word, its name, how many."""
    words = []
    for (token, name), likes in groupby(pieces, lambda piece: (piece.token, names.get(piece.payload, ""))):
        offsets = [piece.offset for piece in likes]
        word = token + (f"={name}" if name else "") + (f" x{len(offsets)}" if len(offsets) > 1 else "")
        words.append(word if offsets[0] is None else f"+{offsets[0]} {word}")
    return words


def _wrap(indent: str, words: Iterable[str], width: int) -> Iterator[str]:
    """The words, two blanks apart, in lines of at most `width` columns."""
    line = indent
    for word in words:
        if len(line) + len(word) > width and line.strip():
            yield line.rstrip()
            line = " " * len(indent)
        line += word + "  "
    if line.strip():
        yield line.rstrip()
