"""Which single expression, written otherwise, makes all pass: the surest sign of the line that is wrong.

The variants of the sources are in a few objects. Those that the failing trace comes by are tried, one after the other;
what then passes is put to a battery of other traces too.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from heapster.checkers.blackbox.battery import MOST_MEMORY, Battery
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.protocol import OBSERVED
from heapster.checkers.blackbox.repairing import FEW_CHANGES, Repair, RepairLayer
from heapster.checkers.blackbox.stepwise import hurried
from heapster.checkers.blackbox.variant_list import FORCED, LACKING
from heapster.model.operation import Trace
from heapster.model.spec import Promises

ENOUGH, OF_A_LINE = 6, 2        # lines with a variant that surely mends it, and variants of each
A_TURN, OF_SEEN = 4, 8          # variants of a line before others have their turn; of one that was seen in the failure
MOST_HIDING = 12                # lines that only hide it or go another way
USUAL = 3                       # traces that pass come by what is no consequence of the fault
DOUBTS, FEW_DOUBTS = 500, 150   # variants tried after one that mends it, and is not sure; that changes nothing else
RARELY = 3                      # of so many traces that pass one, or fewer, comes by what is wrong if it is seldom so
MOST_LACKING = 700              # that are a statement more
MOST_TRIED, HURRY = 3000, 60    # variants, and ms of work for each
ALIKE = 1 << 15                 # bytes that make no difference
WASTE = 3                       # times the memory that it takes now: by merging nothing, or giving nothing again
MOST_RATED = 60                 # variants under which the trace passes and others do not, that are told apart
MOST_FINALISTS = 16             # of what passes, that are tried at length, until so many lines pass so too
ENOUGH_LASTING = 3
CLEARLY = 2                     # times as much of the battery fails now

PlaceSet = frozenset[tuple[str, int]]      # files and lines
Candidate = tuple[tuple[bool, int, bool, int, bool, int], Repair]       # and how it is sorted
ANY = (True, LACKING)           # what nothing is bolder than


class Search(NamedTuple):
    """What a search for a repair comes to."""

    found: list[Repair]
    tried: int = 0
    is_short: bool = False          # tries ended before all was tried that is as likely as the best
    again: bool = False             # it is what has mended another trace before


class RepairSearch:
    """Looks for the variant that mends one failing trace, in one object."""

    def __init__(self, layer: RepairLayer, judge: Judge, promises: Promises,
                 enough: Callable[[], bool] = lambda: False, in_vain: Callable[[], bool] = lambda: False) -> None:
        self._enough = enough               # whether the time for all searches is up
        self._in_vain = in_vain             # whether it is for one that has found nothing
        self._repairs, self._count, self._judge = layer.repairs, layer.highest, judge
        self._marked, self._users = (*layer.repairs, *layer.marks), layer.users
        self._checking = layer.checking     # it finds what went wrong: that is no way of work
        self._numbers = {one.variant.number for one in layer.repairs}
        self._battery = Battery(judge, promises)
        self.tried = 0
        self._often = list[int]()           # by number: how many traces that pass come by it
        self._reached: PlaceSet = frozenset()  # by several of those
        self._answers = dict[Trace, tuple[int, ...]]()      # what those are given
        self._near = dict[Trace, tuple[int, ...]]()         # and those that are nearly the trace which fails
        self._alike = list[Trace]()                         # of these, those that fail too
        self._taken: tuple[int, int] | None = None      # memory, in pieces that make a difference, and bytes mapped
        self._earlier = list[Repair]()      # what has mended other traces: one fault may show in many ways
        self._settled = ANY                 # the boldest that is still tried: as bold as the least bold that is sure
        self.untried: tuple[bool, int] | None = None        # the least bold that was not tried, as tries ended

    @property
    def macros(self) -> Collection[str]:
        """The macros of the sources."""
        return self._users.keys()

    def mending(self, fails: Callable[[Judge], bool], most: int = MOST_TRIED,
                distance: Callable[[Repair], int] = lambda _: 0, near: Iterable[Trace] = ()) -> list[Repair]:
        """Variants under which `fails` no longer holds and the battery passes: the nearest, of the least changes.

        Bolder ones are not tried once one is found that is sure: it hides nothing, and changes nothing where all is
        well, as in traces that are `near` the one that fails. Where none passes all, as another fault is there too, it
        is the one under which least of the battery fails, if that is clearly less than now.
        """
        self.tried, self._settled, self.untried = 0, ANY, None
        self._judge.header.observed = OBSERVED
        met = self._met(fails)
        with hurried(self._judge, HURRY):           # where the target hangs, many of these traces do
            often = self._how_often()
            self._battery.compare()
            nearly = {trace: self._battery.answers(trace) for trace in near}
            self._near = {trace: answers for trace, answers in nearly.items() if answers is not None}
            self._alike = [trace for trace, answers in nearly.items() if answers is None]
        candidates = sorted(((one.rank_of(distance, often[one.variant.number]), one) for one in met
                             if one.variant.number in self._numbers), key=lambda pair: pair[0])
        with hurried(self._judge, HURRY):
            whole, way = [pair for pair in candidates if pair[1].variant.rank < LACKING], self._lines_of(met)
            found, partly = self._tried(in_turns(whole), most - min(most // 3, MOST_LACKING), fails, way)
            if not any(self._is_sure(one) and not one.usual for one in found):
                lacking, most = [pair for pair in candidates if pair[1].variant.rank == LACKING], most - self.tried
                found += self._tried(lacking, min(most, MOST_LACKING), fails, way)[0]
            found = self._enduring(self._thriftiest(found)) or self._least_flawed(partly)
        self._choose(0)
        return found

    def again(self, fails: Callable[[Judge], bool]) -> list[Repair]:
        """What has mended another trace and mends this one too."""
        self.tried = 0
        numbers = {one.variant.number for one in self._met(fails)} if self._earlier else set()
        return [one for one in self._earlier if one.variant.number in numbers and not self._still(one, fails)]

    def remember(self, best: list[Repair]) -> None:
        """Try these first on other traces, if they are of this object."""
        self._earlier += [one for one in best if not one.partly and one.variant.number in self._numbers]

    def mends(self, one: Repair, fails: Callable[[Judge], bool]) -> bool:
        """Whether it is of this object, and makes a trace pass that fails without it."""
        return one.variant.number in self._numbers and bool(self._met(fails)) and not self._still(one, fails)

    def _tried(self, candidates: Sequence[Candidate], most: int, fails: Callable[[Judge], bool],
               way: PlaceSet) -> tuple[list[Repair], list[Repair]]:
        """Of the first so many those under which all passes, and those under which only the trace does."""
        found, partly = list[Repair](), list[Repair]()
        lines, hiding = Counter[tuple[Path, int]](), Counter[tuple[Path, int]]()
        doubts = DOUBTS
        for place, (rank, one) in enumerate(candidates):
            line = one.file, one.variant.line
            if self._enough() or not (found or partly) and self._in_vain():
                break
            if place >= most:
                left = min(others[:2] for others, _ in candidates[place:])
                self.untried = min(left, self.untried or left)
                break
            if len(lines) >= ENOUGH or not doubts or rank[1] == FORCED and rank[2]:
                break
            if rank[:2] > self._settled or lines[line] >= OF_A_LINE or hiding[line] >= OF_A_LINE or (
                    len(hiding) >= MOST_HIDING and rank[1]):
                continue
            self.tried += 1
            doubts -= bool(lines)
            self._choose(one.variant.number)
            if fails(self._judge):
                continue
            if not self._battery.passes():
                partly.append(one)
                continue
            found.append(weighed := self._weighed(one, way, fails))
            is_likely = not (weighed.hides or weighed.avoids or weighed.wastes or weighed.changes > FEW_CHANGES)
            (lines if is_likely else hiding)[line] += 1
            doubts = min(doubts, FEW_DOUBTS) if weighed.is_surgical else doubts
            if self._is_sure(weighed) and one.variant.before:     # what is put in may do the work of what is wrong
                self._settled = min(self._settled, rank[:2])
        return found, partly

    def _weighed(self, one: Repair, way: PlaceSet, fails: Callable[[Judge], bool]) -> Repair:
        """What is chosen, and makes all pass, with what speaks for it and against it."""
        hides, changes, reached = self._elsewhere(one)
        memory, mapped = self._battery.memory()
        often = self._often[one.variant.number]
        return one._replace(hides=hides, changes=changes, avoids=self._avoids(one, way, fails),
                            narrow=any(self._battery.answers(trace) is None for trace in self._alike),
                            idles=self._idles(one, way - reached, fails),
                            wastes=self._wastes(memory // ALIKE, mapped), memory=memory // ALIKE,
                            loads=not self._battery.decides_on_its_own(), often=often, usual=self._is_usual(often))

    def _how_often(self) -> list[int]:
        if not self._often:
            self._often = [0] * (self._count + 1)
            self._judge.header.observed = OBSERVED
            for trace in self._battery.spectrum():
                self._judge.met(len(self._often))
                if (answers := self._battery.answers(trace)) is not None:
                    self._answers[trace] = answers
                    met = self._judge.met(len(self._often))
                    self._often = [sum(both) for both in zip(self._often, met, strict=True)]
            self._reached = self._lines(times >= USUAL for times in self._often)
        return self._often

    def _elsewhere(self, one: Repair) -> tuple[bool, int, PlaceSet]:
        """What it does to traces that pass anyway: whether lines of theirs are out of reach, and how many it changes.

        And the lines that these and random calls come by. What puts lines out of reach turns a part of the target off.
        """
        self._judge.met(len(self._often))
        changes = sum(self._battery.answers(trace) != answers for trace, answers in
                      (*self._answers.items(), *self._near.items()))
        self._battery.wander()
        reached = self._lines(self._judge.met(len(self._often))) | self._lines_of([one])
        return not self._reached <= reached, changes, reached

    def _avoids(self, one: Repair, way: PlaceSet, fails: Callable[[Judge], bool]) -> bool:
        """Whether the trace passes by going another way than the one on which it fails, where that is a usual one."""
        self._judge.met(len(self._often))
        fails(self._judge)
        return not way & self._reached <= self._lines(self._judge.met(len(self._often))) | self._lines_of([one])

    def _idles(self, one: Repair, silent: PlaceSet, fails: Callable[[Judge], bool]) -> bool:
        """Whether of its own function lines are `silent` that the trace failed on, and that it comes by no more either.

        What the fault made of the heap leads to lines elsewhere that nothing else comes by; a condition that is never
        true any more turns off what stands behind it.
        """
        functions = self._users.get(one.function, {one.function})
        own = {(str(other.file), other.variant.line) for other in self._marked if other.function in functions}
        if not silent & own:
            return False
        self._judge.met(len(self._often))
        fails(self._judge)
        return not silent & own <= self._lines(self._judge.met(len(self._often)))

    def _lines(self, met: Iterable[int]) -> PlaceSet:
        times = list(met)
        return self._lines_of(one for one in self._marked
                              if times[one.variant.number] and one.function not in self._checking)

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
            self._judge.met(self._count + 1)
            if fails(self._judge):
                met = self._judge.met(self._count + 1)
                return [one for one in self._marked if met[one.variant.number]]
        return []

    def _choose(self, number: int) -> None:
        self._judge.header.choice = number

    def _thriftiest(self, found: list[Repair]) -> list[Repair]:
        """Those first that hide nothing, waste nothing, add no statement, and change least where all is well.

        Far more memory only hides a fault.
        """
        most = WASTE * (self._memory()[0] + 1)
        return sorted((one for one in found if one.memory < most), key=Repair.belief)

    def _enduring(self, found: list[Repair]) -> list[Repair]:
        """Those of the most believed that pass at length too; all, if none does, as there may be another fault.

        Where enough lines have, the rest comes behind them untried.
        """
        lasting, lines = list[Repair](), set[tuple[Path, int]]()
        for place, one in enumerate(found[:MOST_FINALISTS]):
            if len(lines) >= ENOUGH_LASTING:
                return lasting + found[place:]
            self._choose(one.variant.number)
            if self._enough() or self._battery.endures():
                lasting.append(one)
                lines.add((one.file, one.variant.line))
        return lasting or found

    def _memory(self) -> tuple[int, int]:
        """What it takes as it is, and maps."""
        if self._taken is None:
            chosen = self._judge.header.choice
            self._choose(0)
            memory, mapped = self._battery.memory()
            self._taken = memory // ALIKE, mapped
            self._choose(chosen)
        return self._taken

    def _wastes(self, takes: int, maps: int) -> bool:
        """Whether clearly more memory is needed: what is then held besides may hide what is done to it.

        Where the target as it is does not come to its end, there is nothing to compare with.
        """
        memory, mapped = self._memory()
        return memory < MOST_MEMORY // ALIKE and (2 * takes > 3 * (memory + 1) or 2 * maps > 3 * mapped + ALIKE)

    def _is_usual(self, often: int) -> bool:
        """Whether so many of the traces that pass are more than would come by what is wrong only at times."""
        return often > len(self._answers) // RARELY

    def _is_sure(self, one: Repair) -> bool:
        """Whether it changes nothing but the trace that fails, and somebody might have slipped so."""
        return not (one.hides or one.narrow or one.avoids or one.changes or one.variant.odd or one.wastes)

    def _least_flawed(self, partly: list[Repair]) -> list[Repair]:
        """Of those under which other traces fail, the line under which fewest do; none if that tells too little."""
        rated = dict[Repair, int]()
        for one in takewhile(lambda _: not self._enough(), partly[:MOST_RATED]):
            self._choose(one.variant.number)
            if not self._elsewhere(one)[0]:
                rated[one] = self._battery.flaws()
        self._choose(0)
        least = min(rated.values(), default=0)
        if not rated or CLEARLY * least > self._battery.flaws():
            return []
        best = [one._replace(partly=True) for one, flaws in rated.items() if flaws == least]
        return best if len({(one.file, one.variant.line) for one in best}) == 1 else []


def in_turns(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Some variants of each line in turn, the likeliest of it first: none takes the tries of all others.

    Conditions that no longer depend on anything stay where they are, at the end.
    """
    taken = Counter[tuple[Path, int]]()
    turns = list[tuple[tuple[bool, int], Candidate]]()
    for rank, one in candidates:
        line = one.file, one.variant.line
        turns.append(((rank[0], 0 if rank[0] else taken[line] // (A_TURN if rank[2] else OF_SEEN)), (rank, one)))
        taken[line] += 1
    return [candidate for _, candidate in sorted(turns, key=lambda turn: turn[0])]


def mending(searches: Sequence[RepairSearch], fails: Callable[[Judge], bool], most: int,
            distance: Callable[[Repair], int], near: Iterable[Trace]) -> Search:
    """What mends it in any of the objects, what is to be believed first."""
    found, tried, traces = list[Repair](), 0, tuple(near)
    for search in searches:
        if again := search.again(fails):
            return Search(again[:1], search.tried, again=True)
    for search in searches:
        found += search.mending(fails, most - tried, distance, traces)
        tried += search.tried
    found = in_order(found, {name for search in searches for name in search.macros})
    for search in searches:
        search.remember(found[:1])
    return Search(found, tried, bool(found) and any(is_short(found[0], search.untried) for search in searches))


def is_short(best: Repair, untried: tuple[bool, int] | None) -> bool:
    """Whether what was not tried is as likely as what is believed first."""
    return untried is not None and untried <= (best.variant.rank >= FORCED, best.variant.rank)


def in_order(found: Iterable[Repair], macros: Collection[str]) -> list[Repair]:
    """What is to be believed first; but for a macro by which many other addresses are given, if another gives none.

    Of a macro less is known of the way that is gone: a page of twice the size hides what is too small, and what a macro
    makes of it may be mended where it is used. Of a call and what is called, which mend it alike, the latter: what it
    is called for may be wrong there, its caller says no more.
    """
    believed = sorted(found, key=lambda one: (*one.belief()[:2], one.standing(), one.variant.rank,
                                              one.function in macros, one.belief()))
    called = [one for one in believed if believed[0].calls(one) and one.belief() == believed[0].belief()]
    believed = [*called, *(one for one in believed if one not in called)]
    if believed and believed[0].function in macros and believed[0].changes > FEW_CHANGES:
        believed.sort(key=lambda one: not (one.is_surgical and one.function not in macros))
    return believed


def is_mended(searches: Sequence[RepairSearch], one: Repair, fails: Callable[[Judge], bool]) -> bool:
    """Whether a repair makes another trace pass too."""
    return any(search.mends(one, fails) for search in searches)
