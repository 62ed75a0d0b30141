"""The quick reference under one policy, which knows what each step changed: nothing whole is compared or copied."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from heapster.model.arena import ArenaState
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
from heapster.model.free_blocks import Settings, Witness
from heapster.model.heap import Block, Mapped
from heapster.model.mappings import MappedState, Mappings
from heapster.model.quick import FreeList, Quick, QuickArena, RunCounts
from heapster.model.region import Piece, RegionState
from heapster.model.system import System
from heapster.model.watched_slots import WatchedPool, WatchedRuns, WatchedSlots


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
    """A region that remembers which blocks were replaced since it was last told.

    Mostly they were replaced once: those are kept alone. Where there is more, all that was told is made again.
    """

    def __init__(self, start: int, end: int, kind: str, owner: int, stirred: "list[WatchedRegion]") -> None:
        self._stirred = stirred                 # those of all arenas that have something to tell
        self._edits: list[Exchange] = []
        self._replaced: list[Block] = []        # by the first of them
        self._told: list[Block] | None = None   # all blocks that were told, if there were more of them
        self.told_end = end
        super().__init__(start, end, kind, owner)

    def replace(self, first: int, last: int, *pieces: Piece) -> None:
        """As there; the block after them is told, too, what is left of it."""
        more = last < len(self.blocks)
        if not self._edits:
            self._stirred.append(self)
            self._replaced = self.blocks[first:last + more]
            self._edits = [Exchange(first, last + more, first, first + len(pieces) + more)]
        else:
            self._told = self.told()
            self._edits = merged(self._edits, first, last + more, len(pieces) + more)
        super().replace(first, last, *pieces)

    def move_end(self, end: int) -> None:
        """As there."""
        if not self._edits:
            self._stirred.append(self)
        super().move_end(end)

    def told(self) -> list[Block]:
        """The blocks that were last told."""
        if self._told is not None or not self._edits:
            return self.blocks if self._told is None else self._told
        first, _, _, end = self._edits[0]
        return [*self.blocks[:first], *self._replaced, *self.blocks[end:]]

    def tell_after(self, other: "WatchedRegion") -> None:
        """Tell next what differs from another region, which was told where this one is."""
        self._told, self.told_end = [*other.told()], other.told_end
        self._edits = [Exchange(0, len(self._told), 0, len(self.blocks))]

    def change(self) -> StripChange | None:
        """What changed since it was last told."""
        if not self._edits and self.told_end == self.end:
            return None
        splices: list[Splice] = []
        if self._told is not None:
            for old, old_end, new, new_end in self._edits:
                splices += differences(self._told[old:old_end], self.blocks[new:new_end], old)
        elif self._edits:
            first, _, _, end = self._edits[0]
            splices += exchanged(first, self._replaced, self.blocks[first:end])
        self._edits, self._told, self.told_end = [], None, self.end
        return StripChange((self.owner, self.start), kind_of(self.kind), self.start, self.end, tuple(splices))


def exchanged(first: int, old: list[Block], new: list[Block]) -> Iterable[Splice]:
    """How blocks from `first` on that were replaced at once differ: mostly in all but the last, which stands after."""
    if old and new and old[0] == new[0]:
        return differences(old, new, first)
    count = len(old)
    if old and new and old[-1] == new[-1]:
        count -= 1
        del new[-1]
    return (Splice(first, count, tuple(new)),) if count or new else ()


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
    slots: WatchedSlots

    def __init__(self, index: int, settings: Settings, saw: Witness, slots: WatchedSlots, counts: RunCounts,
                 stirred: list[WatchedRegion]) -> None:
        super().__init__(index, settings, saw, slots, counts)
        self.free = WatchedList()
        self._stirred = stirred
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
        return WatchedRegion(start, end, kind, self.index, self._stirred)


class WatchedMappings(Mappings):
    """Mappings that know whether something was done about them."""

    stirred = False

    def release_retained(self, system: System) -> bool:
        """As there."""
        self.stirred = True
        return super().release_retained(system)

    def clear(self) -> None:
        """As there."""
        self.stirred = True
        super().clear()

    def _trim(self, system: System) -> None:            # the end of all else that changes them
        self.stirred = True
        super()._trim(system)


class Watched(Quick):
    """As `Quick`, and `changes` tells what changed since it was last called. The policy must stay what it is."""

    def __init__(self, policy: str, *, spans: bool = False) -> None:
        super().__init__(policy, spans=spans)
        self._pool: WatchedPool = WatchedPool(self._saw)
        self._watched_runs = WatchedRuns(self._pool, self._live, self._caches.kept)
        self._mappings: WatchedMappings = WatchedMappings(self._saw)
        self._stirred: list[WatchedRegion] = []     # have something to tell; some of them may be gone
        self._regions: dict[Key, WatchedRegion] = {}
        self._held: list[list[RegionState]] = []    # the same, of each arena
        self._mapped: dict[Key, Mapped] = {}
        self._cursors: dict[int, int] = {}
        self._told: list[WatchedArena] = []

    def changes(self) -> Changes:
        """What is otherwise than when it was last told."""
        arenas: list[WatchedArena] = list(self._arenas.in_order())      # type: ignore[arg-type]  # others are not made
        gone: list[Key] = []
        strips = [*self._region_changes(arenas, gone),
                  *self._watched_runs.changes([arena.slots for arena in arenas], gone), *self._mapped_changes(gone)]
        return Changes(tuple(gone), tuple(strips), tuple(self._list_changes(arenas)),
                       tuple(self._cursor_changes(arenas)))

    def _region_changes(self, arenas: list[WatchedArena], gone: list[Key]) -> Iterator[StripChange]:
        stirred = self._stirred
        if [arena.regions for arena in arenas] != self._held:
            stirred = self._came_and_went(arenas, gone)
        elif len(stirred) > 1:
            stirred = [region for region in self._regions.values() if region in stirred]
        yield from filter(None, [region.change() for region in stirred])
        self._stirred.clear()

    def _came_and_went(self, arenas: list[WatchedArena], gone: list[Key]) -> list[WatchedRegion]:
        """All regions that are there now."""
        old = self._regions
        self._held = [[*arena.regions] for arena in arenas]
        new: dict[Key, WatchedRegion] = {(arena.index, region.start): region
                                         for arena in arenas for region in arena.watched_regions()}
        self._regions = new
        gone += [key for key in old if key not in new]
        for key, region in new.items():
            if key in old and old[key] is not region:
                region.tell_after(old[key])
        return [*new.values()]

    def _mapped_changes(self, gone: list[Key]) -> Iterable[StripChange]:
        if not self._mappings.stirred:
            return ()
        self._mappings.stirred, old = False, self._mapped
        self._mapped = new = {mapped_key(mapped): mapped for mapped in self._mappings.value()}
        gone += [key for key in old if key not in new]
        return (strip_change(key, old.get(key), mapped) for key, mapped in new.items() if old.get(key) != mapped)

    def _list_changes(self, arenas: list[WatchedArena]) -> Iterator[ListChange]:
        """Of arenas that were closed, too, whether they are open again or not."""
        if arenas != self._told:
            for arena in self._told:
                if self._arenas.opened.get(arena.index) is not arena and arena.told_length():
                    yield ListChange(arena.index, (), tuple(range(arena.told_length())))
            self._told = arenas
        for arena in arenas:
            if change := arena.list_change():
                yield change

    def _cursor_changes(self, arenas: list[WatchedArena]) -> Iterator[tuple[int, int]]:
        for arena in arenas:
            if self._cursors.get(arena.index, 0) != arena.cursor:
                self._cursors[arena.index] = arena.cursor
                yield arena.index, arena.cursor

    def _give(self, payload: int, holder: ArenaState | MappedState, kind: int) -> int:
        self._watched_runs.touched.append(payload)
        return super()._give(payload, holder, kind)

    def _reuse(self, size: int, kind: int) -> int:
        payload = super()._reuse(size, kind)
        self._watched_runs.touched.append(payload)
        return payload

    def _release(self, system: System, pointer: int, *, counted: bool) -> None:
        self._watched_runs.touched.append(pointer)
        super()._release(system, pointer, counted=counted)

    def _new_arena(self, index: int) -> WatchedArena:
        slots = WatchedSlots(self._pool, self._saw, index, self._watched_runs.touched)
        return WatchedArena(index, self._settings, self._saw, slots, self.counts, self._stirred)
