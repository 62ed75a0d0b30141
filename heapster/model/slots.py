"""Slots of runs in the reference, where there are spans: an arena's runs, and the pool of those that nobody has.

A run is a list of what it got back, and how far it was cut: what else there are words for is worked out here.
"""

from collections.abc import Callable, Sequence

from heapster.model.geometry import BEFORE_RUNS, LONG_RUN, MOST_POOLED, MOST_SLOT, REFUSED, RESERVE, RUN, up
from heapster.model.runs import NO_RUNS, Pooled, RunOfSlots, Runs
from heapster.model.system import System


class RunState:
    """A run that an arena has."""

    def __init__(self, start: int, size: int) -> None:
        self.start, self.size = start, size
        self.fresh = start + RUN % size         # the first slot that was never handed out
        self.back: list[int] = []               # slots that it got back, the next to be taken last

    @property
    def cut(self) -> int:
        """Slots that were handed out at some time."""
        return self.capacity - (self.start + RUN - self.fresh) // self.size

    @property
    def out(self) -> int:
        """Slots that are out."""
        return self.cut - len(self.back)

    @property
    def capacity(self) -> int:
        """All slots that it can have."""
        return RUN // self.size


class RunPool:
    """The reservation: made by who first needs a slot, and the runs that nobody has."""

    def __init__(self, saw: Callable[[str], None]) -> None:
        self._saw = saw
        self.begin()

    def begin(self) -> None:
        """Nothing was asked for yet."""
        self.is_asked, self.base, self.start, self.next, self.used = False, 0, 0, 0, 0
        self._pool: list[Pooled] = []           # the next to be taken last

    @property
    def idle(self) -> int:
        """Bytes of the reservation, but for those of runs with pages."""
        return RESERVE + RUN - RUN * (self.used + self._with_pages()) if self.base else 0

    def is_reserved(self, system: System) -> bool:
        """Whether there is a reservation; the system is asked once."""
        if not self.is_asked:
            self.is_asked = True
            start = system.mmap(RESERVE + RUN)
            if start == REFUSED:
                self._saw("no_memory_was_reserved")
            else:
                self.start, self.base = start, up(start, RUN)
                self.next = self.base + BEFORE_RUNS
        return self.base != 0

    def take(self) -> int:
        """Where a run begins that nobody has: the last that was given up, else the next; 0 if none is left."""
        if self._pool:
            self._saw("a_run_of_the_pool_was_cut_again")
            start = self._pool.pop().start
        elif self.next < self.base + RESERVE:
            start, self.next = self.next, self.next + RUN
        else:
            return 0
        self.used += 1
        return start

    def give_up(self, system: System, start: int) -> None:
        """Nobody has the run; its pages stay while so many do as are used, and a few more."""
        self.used -= 1
        stays = self._with_pages() < MOST_POOLED + self.used
        self._pool.append(Pooled(start, stays or not self._is_purged(system, start)))
        self._saw("a_run_went_to_the_pool")

    def purge(self, system: System) -> bool:
        """Let the system take the pages of all runs that nobody has; whether it took any."""
        taken = False
        for index in reversed(range(len(self._pool))):
            start, has_pages = self._pool[index]
            if has_pages and self._is_purged(system, start):
                self._pool[index] = Pooled(start, False)
                taken = True
        return taken

    def close(self, system: System, unmap: Callable[[System, int, int], None]) -> None:
        """All goes back by `unmap`, and is asked for again when a slot is needed."""
        if self.base:
            unmap(system, self.start, self.start + RESERVE + RUN)
        self.begin()

    def value(self, runs: Sequence[RunOfSlots]) -> Runs:
        """All at rest, with these runs of arenas."""
        if not self.base:
            return NO_RUNS._replace(is_asked=self.is_asked)
        return Runs(self.base, self.start, True, self.next, tuple(sorted(runs)), self.used, self._with_pages(),
                    tuple(reversed(self._pool)))

    def _is_purged(self, system: System, start: int) -> bool:
        taken = system.purge(start, RUN) != REFUSED
        if taken:
            self._saw("a_run_of_the_pool_was_purged")
        return taken

    def _with_pages(self) -> int:
        return sum(run.has_pages for run in self._pool)


class ArenaSlots:
    """An arena's runs."""

    def __init__(self, pool: RunPool, saw: Callable[[str], None]) -> None:
        self._pool, self._saw = pool, saw
        self._runs: dict[int, RunState] = {}            # by where they begin
        self._room: dict[int, list[RunState]] = {}      # by slots' size, those that have some back: the next last
        self._carved: dict[int, RunState] = {}          # by slots' size, that whose slots were never handed out

    def of(self, payload: int) -> RunState | None:
        """The run in which the payload lies."""
        return self._runs.get(payload & -RUN) if self._runs else None

    def take(self, system: System, size: int, most: int, cache: int) -> list[int]:
        """Up to `most` slots that are out then: that one run got back, or new ones; none if none are.

        All that the run got back, even if it is more, as long as a thread may keep so many bytes of them: then they
        come as they lie, the last to come back first; else the last of those that are taken is the first.
        """
        if size > MOST_SLOT or not most or not self._pool.is_reserved(system):
            return []
        if room := self._room.get(size):
            back = len(room[-1].back)
            return self._take_back(room, back if back * size <= cache else most)
        run = self._to_carve(size)
        return self._carve(run, most) if run else []

    def release(self, system: System, run: RunState, slot: int) -> None:
        """The run has the slot back; if none is out, and it is not that which is carved, nobody has the run."""
        if not run.back:
            self._room.setdefault(run.size, []).append(run)
        run.back.append(slot)
        self._saw("a_run_got_slots_back")
        if not run.out and self._carved.get(run.size) is not run:
            self._room[run.size].remove(run)
            del self._runs[run.start]
            self._pool.give_up(system, run.start)

    def figures(self) -> tuple[int, int, int, int, int]:
        """What it adds to a ledger: bytes held, used bytes and slots, free bytes and slots."""
        runs = self._runs.values()
        used, free = [run.out for run in runs], [run.capacity - run.out for run in runs]
        sizes = [run.size for run in runs]
        return (RUN * len(runs), sum(map(int.__mul__, used, sizes)), sum(used),
                sum(map(int.__mul__, free, sizes)), sum(free))

    def values(self, owner: int) -> list[RunOfSlots]:
        """The runs at rest."""
        places = {run.start: place for room in self._room.values() for place, run in enumerate(reversed(room))}
        return [RunOfSlots(run.start, owner, run.size, run.fresh, run.out, tuple(reversed(run.back)),
                           places.get(run.start, -1), self._carved.get(run.size) is run)
                for run in self._runs.values()]

    def _take_back(self, room: list[RunState], most: int) -> list[int]:
        run = room[-1]
        if len(run.back) <= most:
            self._saw("slots_were_taken_as_they_lay")
            taken, run.back = run.back[::-1], []
            room.pop()
        else:
            self._saw("slots_were_taken_in_turn")
            taken = run.back[-most:]
            del run.back[-most:]
        return taken

    def _carve(self, run: RunState, most: int) -> list[int]:
        taken = [*range(run.fresh, min(run.fresh + most * run.size, run.start + RUN), run.size)]
        run.fresh = taken[-1] + run.size
        if len(taken) >= LONG_RUN:
            self._saw("a_long_run_was_carved")
        return taken

    def _to_carve(self, size: int) -> RunState | None:
        """The run of which a slot was never handed out; None if there is none."""
        run = self._carved.get(size)
        if run is None or run.fresh == run.start + RUN:
            start = self._pool.take()
            if not start:
                return None
            self._saw("a_run_was_cut")
            run = self._runs[start] = self._carved[size] = RunState(start, size)
        return run
