"""The quick reference under one policy, which knows what each step changed: nothing whole is compared or copied."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from heapster.model.arena import Settings, Witness
from heapster.model.changes import (
    Changes,
    Key,
    ListChange,
    Splice,
    StripChange,
    differences,
    kind_of,
    list_change,
    mapped_key,
    strip_change,
)
from heapster.model.heap import Block, Mapped
from heapster.model.quick import FreeList, Quick, QuickArena, RunCounts
from heapster.model.region import Piece, RegionState


class Exchange(NamedTuple):
    """Blocks of a region that others replaced: where they stood, and where those stand that are there now."""

    old: int
    old_end: int
    new: int
    new_end: int


def merged(edits: Iterable[Exchange], first: int, last: int, count: int) -> list[Exchange]:
    """The edits, in order, with one more: `count` blocks replace first..last-1 of now. Those that touch are one."""
    before, after, shift, start, end, left = [], [], 0, first, last, 0
    grown = count - (last - first)
    for edit in edits:
        old, old_end, new, new_end = edit
        if new_end < first:
            before.append(edit)
            left = shift = new_end - old_end
        elif new > last:
            after.append(Exchange(old, old_end, new + grown, new_end + grown))
        else:
            start, end, shift = min(start, new), max(end, new_end), new_end - old_end
    return [*before, Exchange(start - left, end - shift, start, end + grown), *after]


class WatchedRegion(RegionState):
    """A region that remembers the blocks that were last told, and where others are."""

    def __init__(self, start: int, end: int, kind: str, owner: int) -> None:
        self._edits: list[Exchange] = []
        self.told: list[Block] = []
        self.told_end = end
        super().__init__(start, end, kind, owner)

    def replace(self, first: int, last: int, *pieces: Piece) -> None:
        """As there; the block after them is told, too, what is left of it."""
        more = last < len(self.blocks)
        super().replace(first, last, *pieces)
        self._edits = merged(self._edits, first, last + more, len(pieces) + more)

    def tell_after(self, other: "WatchedRegion") -> None:
        """Tell next what differs from another region, which was told where this one is."""
        self.told, self.told_end = other.told, other.told_end
        self._edits = [Exchange(0, len(self.told), 0, len(self.blocks))]

    def change(self, key: Key) -> StripChange | None:
        """What changed since it was last told."""
        if not self._edits and self.told_end == self.end:
            return None
        splices: list[Splice] = []
        for old, old_end, new, new_end in self._edits:
            splices += differences(self.told[old:old_end], self.blocks[new:new_end], old)
        for old, old_end, new, new_end in reversed(self._edits):
            self.told[old:old_end] = self.blocks[new:new_end]
        self._edits, self.told_end = [], self.end
        return StripChange(key, kind_of(self.kind), self.start, self.end, tuple(splices))


class WatchedList(FreeList):
    """A free list that remembers which of the blocks that were last told are gone."""

    def __init__(self) -> None:
        super().__init__()
        self.told = 0                           # how many blocks
        self._next = 0                          # linkings from this number on were not told
        self._gone: list[tuple[int, int]] = []  # of those that were: number of the linking, and how many were before it

    def unlink(self, address: int) -> int:
        """As there."""
        link = self._link_of[address]
        if link < self._next:
            place = bisect_left(self._links, link) + sum([gone < link for gone, _ in self._gone])
            self._gone.append((link, place))
        return super().unlink(address)

    def change(self, arena: int) -> ListChange | None:
        """What changed since it was last told."""
        stayed = self.told - len(self._gone)
        fresh = tuple(self._addresses[:stayed - len(self._addresses) - 1:-1]) if len(self._addresses) > stayed else ()
        if not fresh and not self._gone:
            return None
        gone = tuple(sorted([self.told - 1 - place for _, place in self._gone]))
        self.told, self._gone = len(self._links), []
        self._next = self._links[-1] + 1 if self._links else self._next
        return ListChange(arena, fresh, gone)


class WatchedArena(QuickArena):
    """An arena of such regions, with such a list."""

    free: WatchedList

    def __init__(self, index: int, settings: Settings, saw: Witness, counts: RunCounts) -> None:
        super().__init__(index, settings, saw, counts)
        self.free = WatchedList()
        self._told_list: tuple[int, ...] = ()   # while it is segregated

    def list_change(self) -> ListChange | None:
        """What changed about the free list since it was last told."""
        if not self.segregated:
            return self.free.change(self.index)
        old, self._told_list = self._told_list, self._lists()[0]
        return list_change(self.index, old, self._told_list) if old != self._told_list else None

    def watched_regions(self) -> list[WatchedRegion]:
        """The regions, newest first."""
        return self.regions         # type: ignore[return-value]  # _new_region makes no others

    def told_length(self) -> int:
        """How many blocks the list had when it was last told."""
        return len(self._told_list) if self.segregated else self.free.told

    def _new_region(self, start: int, end: int, kind: str) -> RegionState:
        return WatchedRegion(start, end, kind, self.index)


class Watched(Quick):
    """As `Quick`, and `changes` tells what changed since it was last called. The policy must stay what it is."""

    def __init__(self, policy: str) -> None:
        super().__init__(policy)
        self._regions: dict[Key, WatchedRegion] = {}
        self._mapped: dict[Key, Mapped] = {}
        self._cursors: dict[int, int] = {}
        self._told: dict[int, WatchedArena] = {}

    def changes(self) -> Changes:
        """What is otherwise than when it was last told."""
        arenas: list[WatchedArena] = list(self._arenas.in_order())      # type: ignore[arg-type]  # others are not made
        gone: list[Key] = []
        strips = [*self._region_changes(arenas, gone), *self._mapped_changes(gone)]
        return Changes(tuple(gone), tuple(strips), tuple(self._list_changes(arenas)),
                       tuple(self._cursor_changes(arenas)))

    def _region_changes(self, arenas: list[WatchedArena], gone: list[Key]) -> Iterator[StripChange]:
        old = self._regions
        self._regions = new = {(arena.index, region.start): region
                               for arena in arenas for region in arena.watched_regions()}
        gone += [key for key in old if key not in new]
        for key, region in new.items():
            if key in old and old[key] is not region:
                region.tell_after(old[key])
            if change := region.change(key):
                yield change

    def _mapped_changes(self, gone: list[Key]) -> Iterator[StripChange]:
        old = self._mapped
        self._mapped = new = {mapped_key(mapped): mapped for mapped in self._mappings.value()}
        gone += [key for key in old if key not in new]
        return (strip_change(key, old.get(key), mapped) for key, mapped in new.items() if old.get(key) != mapped)

    def _list_changes(self, arenas: list[WatchedArena]) -> Iterator[ListChange]:
        """Of arenas that were closed, too, whether they are open again or not."""
        for index, arena in self._told.items():
            if self._arenas.opened.get(index) is not arena and arena.told_length():
                yield ListChange(index, (), tuple(range(arena.told_length())))
        self._told = {arena.index: arena for arena in arenas}
        for arena in arenas:
            if change := arena.list_change():
                yield change

    def _cursor_changes(self, arenas: list[WatchedArena]) -> Iterator[tuple[int, int]]:
        for arena in arenas:
            if self._cursors.get(arena.index, 0) != arena.cursor:
                self._cursors[arena.index] = arena.cursor
                yield arena.index, arena.cursor

    def _new_arena(self, index: int) -> WatchedArena:
        return WatchedArena(index, self._settings, self._saw, self.counts)
