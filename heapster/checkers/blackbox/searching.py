"""Which single expression, written otherwise, makes all pass: the surest sign of the line that is wrong.

All variants of the sources are in one object. Those that the failing trace comes by are tried on it, one after the
other; what then passes is put to a battery of other traces too.
"""

from collections.abc import Callable, Iterable

from heapster.checkers.blackbox.battery import Battery
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.protocol import OBSERVED
from heapster.checkers.blackbox.repairing import Repair, Repairs
from heapster.checkers.blackbox.stepwise import hurried
from heapster.model.spec import Promises

ENOUGH = 6                      # variants that mend it
MOST_TRIED, HURRY = 3000, 60    # variants, and ms of work for each
ALIKE = 1 << 15                 # bytes that make no difference
WASTE = 3                       # times the memory that it takes now: by merging nothing, or giving nothing again
MOST_RATED = 60                 # variants under which the trace passes and others do not, that are told apart
CLEARLY = 2                     # times as much of the battery fails now

PlaceSet = frozenset[tuple[str, int]]      # files and lines


class RepairSearch:
    """Looks for the variant that mends one failing trace."""

    def __init__(self, repairs: Repairs, judge: Judge, promises: Promises) -> None:
        self._repairs, self._judge = repairs, judge
        self._battery = Battery(judge, promises)
        self.tried = 0
        self._often = list[int]()           # by number: how many traces that pass come by it
        self._reached: PlaceSet = frozenset()  # by those
        self._earlier = list[Repair]()      # what has mended other traces: one fault may show in many ways

    def mending(self, fails: Callable[[Judge], bool], most: int = MOST_TRIED,
                distance: Callable[[Repair], int] = lambda _: 0) -> list[Repair]:
        """Variants under which `fails` no longer holds and the battery passes: the nearest, of the least changes.

        Those further away are not tried once one is found that hides nothing. Where none passes all, as another fault
        is there too, it is the one under which least of the battery fails, if that is clearly less than now.
        """
        self.tried = 0
        self._judge.header.observed = OBSERVED
        met, often = self._met(fails), self._how_often()
        candidates = sorted(((one.rank_of(distance, often[one.variant.number]), one) for one in met),
                            key=lambda pair: pair[0])
        numbers = {one.variant.number for one in met}
        if again := [one for one in self._earlier if one.variant.number in numbers and not self._still(one, fails)]:
            return again[:1]
        with hurried(self._judge, HURRY):
            found, partly = self._tried(candidates[:most], fails, self._lines_of(met))
            found = self._thriftiest(found) or self._least_flawed(partly)
        self._choose(0)
        self._earlier += [one for one in found[:1] if not one.partly]
        return found

    def _tried(self, candidates: Iterable[tuple[tuple[bool, int, bool, int, int], Repair]],
               fails: Callable[[Judge], bool], way: PlaceSet) -> tuple[list[Repair], list[Repair]]:
        """Those under which all passes, and those under which only the trace does."""
        found, partly = list[Repair](), list[Repair]()
        best: tuple[bool, int] | None = None
        for rank, one in candidates:
            if best is not None and (len(found) >= ENOUGH or rank[:2] > best) or rank[0] and rank[2]:
                break
            self.tried += 1
            self._choose(one.variant.number)
            if fails(self._judge):
                continue
            if not self._battery.passes():
                partly.append(one)
                continue
            found.append(one._replace(hides=self._hides(one), avoids=self._avoids(one, way, fails)))
            best = best if found[-1].hides or found[-1].avoids else rank[:2]
        return found, partly

    def _how_often(self) -> list[int]:
        if not self._often:
            self._often = [0] * (self._repairs.count + 1)
            self._judge.header.observed = OBSERVED
            for trace in self._battery.spectrum():
                self._judge.met(len(self._often))
                if not self._battery.fails(trace):
                    met = self._judge.met(len(self._often))
                    self._often = [sum(both) for both in zip(self._often, met, strict=True)]
            self._reached = self._lines(self._often)
        return self._often

    def _hides(self, one: Repair) -> bool:
        """Whether lines are out of reach that traces which pass anyway come by: it turns a part of the target off."""
        self._judge.met(len(self._often))
        for trace in self._battery.spectrum():
            self._battery.fails(trace)
        return not self._reached <= self._lines(self._judge.met(len(self._often))) | self._lines_of([one])

    def _avoids(self, one: Repair, way: PlaceSet, fails: Callable[[Judge], bool]) -> bool:
        """Whether the trace passes by going another way than the one on which it fails."""
        self._judge.met(len(self._often))
        fails(self._judge)
        return not way <= self._lines(self._judge.met(len(self._often))) | self._lines_of([one])

    def _lines(self, met: Iterable[int]) -> PlaceSet:
        times = list(met)
        return self._lines_of(one for one in self._repairs.all() if times[one.variant.number])

    def _lines_of(self, some: Iterable[Repair]) -> PlaceSet:
        return frozenset((str(one.file), one.variant.line) for one in some)

    def _still(self, one: Repair, fails: Callable[[Judge], bool]) -> bool:
        self.tried += 1
        self._choose(one.variant.number)
        try:
            return fails(self._judge)
        finally:
            self._choose(0)

    def _met(self, fails: Callable[[Judge], bool]) -> list[Repair]:
        """The variants that a failing run comes by; none if it does not fail here."""
        self._choose(0)
        for observed in (OBSERVED, 0):          # what fails may hang on what is in memory that nobody wrote
            self._judge.header.observed = observed
            self._judge.met(self._repairs.count + 1)
            if fails(self._judge):
                met = self._judge.met(self._repairs.count + 1)
                return [one for one in self._repairs.all() if met[one.variant.number]]
        return []

    def _choose(self, number: int) -> None:
        self._judge.header.choice = number

    def _thriftiest(self, found: list[Repair]) -> list[Repair]:
        """Those first that hide nothing, go the same way and need least memory; far more of it only hides a fault."""
        def memory(number: int) -> int:
            self._choose(number)
            return self._battery.memory() // ALIKE

        most = WASTE * (memory(0) + 1)
        taken = {one: memory(one.variant.number) for one in found}
        return sorted((one for one in found if taken[one] < most), key=lambda one: (one.hides, one.avoids, taken[one]))

    def _least_flawed(self, partly: list[Repair]) -> list[Repair]:
        """Of those under which other traces fail, the line under which fewest do; none if that tells too little."""
        rated = dict[Repair, int]()
        for one in partly[:MOST_RATED]:
            self._choose(one.variant.number)
            rated[one] = self._battery.flaws()
        self._choose(0)
        least = min(rated.values(), default=0)
        if not rated or CLEARLY * least > self._battery.flaws():
            return []
        best = [one._replace(partly=True) for one, flaws in rated.items() if flaws == least]
        return best if len({(one.file, one.variant.line) for one in best}) == 1 else []
