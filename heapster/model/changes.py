"""What a step changes about a heap's structure, for those who draw it step by step.

A heap is a set of strips: regions, runs of slots and those that nobody has, and mappings of their own.
`HeapComparison` finds what changed from each heap to the next; `Watched` (watched.py) knows it without comparing whole
heaps.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from heapster.model.geometry import RUN
from heapster.model.heap import Arena, Block, Heap, Mapped, Region, waiting
from heapster.model.runs import NO_RUNS, Pooled, RunOfSlots, RunSlot

# Kinds of strips. OWN: a block with a mapping of its own; POOLED: a run that nobody has, PURGED: without pages.
SBRK, MMAP, OWN, SLOTS, POOLED, PURGED = range(6)
NO_ARENA = -1                           # whose arena a mapping of its own is in
Key = tuple[int, ...]                   # a strip's: the arena whose it is, where it starts, and what else never changes
Piece = Block | RunSlot
Blocks = Sequence[Piece]


class Splice(NamedTuple):
    """Blocks of a strip that others replace."""

    first: int                  # index of the first, before the step
    count: int                  # type: ignore[assignment]  # hides tuple.count: how many stood there
    blocks: tuple[Piece, ...]   # what stands there now


class StripChange(NamedTuple):
    """A strip that is new, or another than before."""

    key: Key                            # of a run, with the size of its slots
    kind: int
    start: int
    end: int
    splices: tuple[Splice, ...]         # in address order


class ListChange(NamedTuple):
    """A free list that is another than before."""

    arena: int
    fresh: tuple[int, ...]      # addresses that came to the front
    gone: tuple[int, ...]       # indices of those that went, before the step


class Changes(NamedTuple):
    """All that a step changed."""

    gone: tuple[Key, ...]                       # strips that are no more
    strips: tuple[StripChange, ...]
    lists: tuple[ListChange, ...]
    cursors: tuple[tuple[int, int], ...]        # next fit's, of these arenas


class SlotStrip(NamedTuple):
    """A run, and those of its slots that are freed and wait."""

    run: RunOfSlots
    cached: frozenset[int]


Source = Region | Mapped | SlotStrip | Pooled


class HeapComparison:
    """What changed from each heap to the next, the first from an empty one."""

    def __init__(self) -> None:
        self._strips: dict[Key, Source] = {}
        self._lists: dict[int, tuple[int, ...]] = {}
        self._cursors: dict[int, int] = {}

    def take(self, heap: Heap) -> Changes:
        """What is otherwise in this heap than in the last one."""
        old, new = self._strips, _sources(heap)
        self._strips = new
        return Changes(
            tuple([key for key in old if key not in new]),
            tuple([strip_change(key, old.get(key), source) for key, source in new.items()
                   if not _is_same(old.get(key), source)]),
            tuple(self._list_changes(heap.arenas)), tuple(self._cursor_changes(heap.arenas)))

    def _list_changes(self, arenas: Sequence[Arena]) -> Iterator[ListChange]:
        """Of arenas that are closed, too."""
        old, self._lists = self._lists, {arena.index: arena.forward for arena in arenas}
        for index in sorted({*old, *self._lists}):
            before, now = old.get(index, ()), self._lists.get(index, ())
            if before != now:
                yield list_change(index, before, now)

    def _cursor_changes(self, arenas: Sequence[Arena]) -> Iterator[tuple[int, int]]:
        for arena in arenas:
            if self._cursors.get(arena.index, 0) != arena.cursor:
                self._cursors[arena.index] = arena.cursor
                yield arena.index, arena.cursor


def strip_change(key: Key, old: Source | None, new: Source) -> StripChange:
    """What is otherwise in a strip than before; all of it, if it was not there."""
    splices = tuple(differences(_blocks(old) if old else (), _blocks(new)))
    match new:
        case Region():
            return StripChange(key, kind_of(new.kind), new.start, new.end, splices)
        case Mapped():
            return StripChange(key, OWN, new.start, new.start + new.length, splices)
        case SlotStrip(run):
            return StripChange(key, SLOTS, run.start, run.start + RUN, splices)
    return StripChange(key, POOLED if new.has_pages else PURGED, new.start, new.start + RUN, ())


def kind_of(region: str) -> int:
    """The kind of strip that a kind of region is."""
    return SBRK if region == "sbrk" else MMAP


def mapped_key(mapped: Mapped) -> Key:
    """The key of a mapping's strip."""
    return NO_ARENA, mapped.start


def pooled_key(run: Pooled) -> Key:
    """The key of the strip of a run that nobody has."""
    return NO_ARENA, run.start, run.has_pages


def _sources(heap: Heap) -> dict[Key, Source]:
    """The regions, the runs, and the mappings of their own."""
    found: dict[Key, Source] = {(arena.index, region.start): region
                                for arena in heap.arenas for region in arena.regions}
    runs = heap.runs or NO_RUNS
    if runs.runs:
        cached: dict[int, set[int]] = {}
        for payload in waiting(heap):
            cached.setdefault(payload & -RUN, set()).add(payload)
        for run in runs.runs:
            found[run.owner, run.start, run.size] = SlotStrip(run, frozenset(cached.get(run.start, ())))
    for pooled in runs.pool:
        found[pooled_key(pooled)] = pooled
    for mapped in heap.mapped:
        found[mapped_key(mapped)] = mapped
    return found


def _is_same(old: Source | None, new: Source) -> bool:
    """Whether nothing changed that is drawn; a region is the same object then."""
    if isinstance(new, SlotStrip) and isinstance(old, SlotStrip):
        return (old.cached, old.run.fresh, old.run.back) == (new.cached, new.run.fresh, new.run.back)
    return old is new or not isinstance(new, Region) and old == new


def _blocks(source: Source) -> Blocks:
    match source:
        case Region():
            return source.blocks
        case Mapped():
            end = source.start + source.length
            return (Block(source.address, end - source.address, source.used, True, 0, None),)
        case SlotStrip(run, cached):
            return run.drawn(cached)
    return ()


def differences(old: Blocks, new: Blocks, before: int = 0) -> Iterator[Splice]:
    """Where two sequences of blocks differ, in order; `before` blocks stood before the old ones."""
    i = j = _common(old, new)
    tail = _common_tail(old, new, min(len(old), len(new)) - i)
    last_old, last_new = len(old) - tail, len(new) - tail
    first_old, first_new = i, j
    while i < last_old or j < last_new:
        if i < last_old and j < last_new and old[i] == new[j]:
            if i > first_old or j > first_new:
                yield Splice(before + first_old, i - first_old, tuple(new[first_new:j]))
            i, j = i + 1, j + 1
            first_old, first_new = i, j
        elif j >= last_new or i < last_old and old[i].address <= new[j].address:
            i, j = i + 1, j + (j < last_new and old[i].address == new[j].address)
        else:
            j += 1
    if i > first_old or j > first_new:
        yield Splice(before + first_old, i - first_old, tuple(new[first_new:j]))


def _common(old: Sequence[Any], new: Sequence[Any]) -> int:
    """How many elements both start with; by halves, since comparing slices is quick."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_tail(old: Sequence[Any], new: Sequence[Any], most: int) -> int:
    """How many elements both end with, up to `most`."""
    low, high, old_end, new_end = 0, most, len(old), len(new)
    while low < high:
        middle = (low + high + 1) // 2
        if old[old_end - middle:old_end - low] == new[new_end - middle:new_end - low]:
            low = middle
        else:
            high = middle - 1
    return low


def list_change(arena: int, old: tuple[int, ...], new: tuple[int, ...]) -> ListChange:
    """What comes to the front of a free list, and what goes; a whole new list if need be."""
    tail = _common_tail(old, new, min(len(old), len(new)))
    head, fresh = old[:len(old) - tail], new[:len(new) - tail]
    count = len(fresh) - _kept(head, fresh)
    return ListChange(arena, fresh[:count], tuple(_gone(head, fresh[count:])))


def _kept(head: tuple[int, ...], fresh: tuple[int, ...]) -> int:
    """How many of the last of `fresh` are in `head`, in this order: the most, since the last ones are sought first."""
    left, wanted = len(head), len(fresh)
    while left > 0 and wanted:
        same = _common_tail(head[:left], fresh[:wanted], min(left, wanted))
        left, wanted = left - same - 1, wanted - same           # and one of `head` that is gone
        if left > 0 and wanted and fresh[wanted - 1] not in head[:left]:
            break
    return len(fresh) - wanted


def _gone(head: tuple[int, ...], kept: tuple[int, ...]) -> list[int]:
    """Indices in `head` of what is not in `kept`, which is there in this order."""
    gone: list[int] = []
    at = found = 0
    while at < len(head):
        same = _common(head[at:], kept[found:])
        at, found = at + same, found + same
        if found == len(kept):
            return [*gone, *range(at, len(head))]
        gone.append(at)
        at += 1
    return gone
