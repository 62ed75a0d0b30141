"""Runs of slots of which it is known what each step changed: none is compared as a whole, unless it is another."""

from collections.abc import Callable, Container, Iterable, Iterator

from heapster.model.changes import SLOTS, Key, Splice, StripChange, differences, pooled_key, strip_change
from heapster.model.geometry import RESERVE, RUN
from heapster.model.runs import Pooled, RunSlot
from heapster.model.slots import ArenaSlots, RunPool, RunState
from heapster.model.system import System


class WatchedPool(RunPool):
    """The reservation, which knows whether something was done about the runs that nobody has."""

    stirred = False

    def begin(self) -> None:
        """As there."""
        self.stirred = True
        super().begin()

    def take(self) -> int:
        """As there."""
        self.stirred = True
        return super().take()

    def give_up(self, system: System, start: int) -> None:
        """As there."""
        self.stirred = True
        super().give_up(system, start)

    def purge(self, system: System) -> bool:
        """As there."""
        self.stirred = True
        return super().purge(system)

    def holds(self, address: int) -> bool:
        """Whether the address lies in the reservation."""
        return self.base != 0 and 0 <= address - self.base < RESERVE

    def runs(self) -> list[Pooled]:
        """Those that nobody has, the next to be taken first."""
        return self._pool[::-1]


class WatchedSlots(ArenaSlots):
    """An arena's runs, which note the slots that they give and get."""

    def __init__(self, pool: RunPool, saw: Callable[[str], None], index: int, touched: list[int]) -> None:
        super().__init__(pool, saw)
        self.index, self._touched = index, touched

    def take(self, system: System, size: int, most: int, cache: int) -> list[int]:
        """As there."""
        taken = super().take(system, size, most, cache)
        self._touched += taken
        return taken

    def release(self, system: System, run: RunState, slot: int) -> None:
        """As there."""
        self._touched.append(slot)
        super().release(system, run, slot)


class ToldRun:
    """A run as it was last told."""

    def __init__(self, key: Key, run: RunState, slots: list[RunSlot]) -> None:
        self.key, self.run, self.slots = key, run, slots

    def splices(self, touched: Iterable[int], state_of: Callable[[int, int], RunSlot]) -> Iterator[Splice]:
        """What is otherwise, if those slots were touched, which are given in order; and tell it so."""
        first = self.run.start + RUN % self.run.size
        begun, count, fresh = 0, 0, list[RunSlot]()
        for address in touched:
            number, slot = (address - first) // self.run.size, state_of(address, self.run.size)
            if number < len(self.slots) and self.slots[number] == slot:
                continue
            if fresh and number != begun + len(fresh):
                yield Splice(begun, count, tuple(fresh))
                fresh = []
            if not fresh:
                begun, count = number, 0
            count += number < len(self.slots)
            self.slots[number:number + 1] = [slot]
            fresh.append(slot)
        if fresh:
            yield Splice(begun, count, tuple(fresh))


class WatchedRuns:
    """All runs, of which `changes` tells what changed since it was last called."""

    def __init__(self, pool: WatchedPool, live: Container[int], waiting: Container[int]) -> None:
        self._pool, self._live, self._waiting = pool, live, waiting
        self.touched: list[int] = []                # what may be another than it was told
        self._told: dict[int, ToldRun] = {}         # by where they begin
        self._pooled: dict[Key, Pooled] = {}

    def changes(self, slots: list[WatchedSlots], gone: list[Key]) -> Iterator[StripChange]:
        """Of arenas that have these; keys of those that are no more are added to `gone`."""
        by_run: dict[int, set[int]] = {}
        for address in self.touched:
            if self._pool.holds(address):
                by_run.setdefault(address & -RUN, set()).add(address)
        self.touched.clear()
        if self._pool.stirred and not self._pool.base:
            by_run.update({start: set() for start in self._told})
        for start in sorted(by_run):
            yield from self._run_changes(start, sorted(by_run[start]), slots, gone)
        if self._pool.stirred:
            yield from self._pool_changes(gone)

    def _run_changes(
        self, start: int, touched: list[int], slots: list[WatchedSlots], gone: list[Key],
    ) -> Iterator[StripChange]:
        owner, run = next(((one.index, run) for one in slots if (run := one.of(start))), (0, None))
        key = (owner, start, run.size) if run else ()
        if start in self._told and self._told[start].key != key:
            gone.append(self._told.pop(start).key)
        if run is None:
            return
        told = self._told.get(start)
        if told is not None and told.run is run:
            splices = tuple(told.splices(touched, self._slot))
        else:
            now = [self._slot(slot, run.size) for slot in range(start + RUN % run.size, run.fresh, run.size)]
            splices = tuple(differences(told.slots if told else (), now))
            self._told[start] = ToldRun(key, run, now)
        if splices or told is None:
            yield StripChange(key, SLOTS, start, start + RUN, splices)

    def _slot(self, address: int, size: int) -> RunSlot:
        waits = address in self._waiting
        return RunSlot(address, size, waits or address in self._live, waits)

    def _pool_changes(self, gone: list[Key]) -> Iterator[StripChange]:
        self._pool.stirred, old = False, self._pooled
        self._pooled = {pooled_key(run): run for run in self._pool.runs()}
        gone += [key for key in old if key not in self._pooled]
        yield from (strip_change(key, None, run) for key, run in self._pooled.items() if key not in old)
