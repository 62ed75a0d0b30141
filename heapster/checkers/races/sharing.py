"""A search that several share: each explores some programs, and what fails is explored once more here.

So what is found, and how often what was checked, is the same for any number of workers: a program that failed is taken
as if nobody else had, of one that goes beyond the number of schedules so many count as were left; and whoever works
after a finding knows of it.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import NamedTuple, NoReturn

from heapster.checkers.jobs.local import Local
from heapster.checkers.jobs.pool import Pool
from heapster.checkers.races.exploring import OutOfBudget, SearchTally
from heapster.checkers.races.programs import Program
from heapster.checkers.races.schedulable import Schedulable
from heapster.checkers.races.search import ProgramPiece, ScheduleSearch, SearchPlan
from heapster.checkers.races.session import ScheduleProblem
from heapster.checkers.races.shrinking import FailingRun
from heapster.machine.libc import keep_freed_memory

TOGETHER = 8                    # programs that one worker is given at a time, at most
USUAL = 10                      # schedules of a program, before any was explored
FAR_AHEAD = 512                 # chunks of each worker that may be done before the one whose turn it is
SHORT = 0.01                    # seconds that a worker has at the least

Opened = Callable[[], AbstractContextManager[Schedulable]]
Chunk = tuple[ProgramPiece, ...]


class Explored(NamedTuple):
    """What came of a program."""

    tally: SearchTally
    finished: dict[Program, int]
    sampled: dict[Program, None]
    left: set[Program]
    partial: int                    # schedules of it, if it was cut off
    failed: bool
    silent: tuple[str, ...]         # what is not checked
    trail: tuple[SearchTally, ...]  # the tally after each schedule, where their number is limited

    def until(self, schedules: int) -> SearchTally | None:
        """What had been done when so many schedules were; None if nobody looked just then."""
        place = bisect_left(self.trail, schedules, key=lambda tally: tally.schedules)
        found = self.trail[place:place + 1]
        return found[0] if found and found[0].schedules == schedules else None


class Allowance(NamedTuple):
    """What is left of the budget for a chunk; None: there is no limit."""

    seconds: float | None
    schedules: int | None

    def without(self, search: ScheduleSearch) -> "Allowance":
        """What is left after a search."""
        return Allowance(None if self.seconds is None else self.seconds - search.seconds,
                         None if self.schedules is None else self.schedules - search.tally.schedules)


@dataclass(frozen=True)
class Explorer:
    """Explores chunks, wherever it is sent."""

    plan: SearchPlan
    opened: Opened
    known: tuple[ScheduleProblem, ...]

    def __call__(self, given: tuple[Chunk, Allowance]) -> list[Explored]:
        """What comes of each program of a chunk, to the first that fails, or that uses up what is allowed."""
        keep_freed_memory()
        with self.opened() as subject:
            for problem in self.known:
                subject.found(problem)
            return list(self._each(*given, subject))

    def _each(self, chunk: Chunk, allowed: Allowance, subject: Schedulable) -> Iterator[Explored]:
        for piece in chunk:
            trail: list[SearchTally] | None = None if allowed.schedules is None else []
            search = ScheduleSearch(replace(self.plan, **allowed._asdict()), subject, trail=trail)
            search.begin()
            goes_on = failed = False
            with suppress(OutOfBudget):
                failed = next(search.failures([piece]), None) is not None
                goes_on = not failed
            allowed = allowed.without(search)
            yield Explored(search.tally, search.finished, search.sampled, search.left,
                           0 if piece.drawn >= 0 else search.partial, failed, tuple(subject.not_checked),
                           tuple(trail or ()))
            if not goes_on or allowed.seconds is not None and allowed.seconds <= 0:
                return


def failures(search: ScheduleSearch, pool: Pool, opened: Opened, silent: dict[str, None]) -> Iterator[FailingRun]:
    """The failures that the plan leads to within its budget; what is not checked is added to `silent`."""
    search.begin()
    try:
        if pool.jobs == 1:
            yield from search.failures(search.pieces())
            return
        chunks = _chunks(search, pool.jobs)
        while True:
            given: deque[Chunk] = deque()
            explorer = Explorer(search.plan, opened, tuple(search.known))
            for explored in _far_ahead(search, pool).in_order(_given(search, chunks, given), explorer):
                chunk = given.popleft()
                taken = _taken(search, explored, silent)
                search.show()                   # what was begun in time counts to its end, which is in time too
                if taken < len(explored):
                    yield from search.failures(chunk[taken:taken + 1])
                    if rest := chunk[taken + 1:]:
                        given.appendleft(rest)
                    break
            else:
                return
            chunks = chain(given, chunks)       # those that were begun, before those that nobody has seen
    except OutOfBudget:
        pass


def _far_ahead(search: ScheduleSearch, pool: Pool) -> Pool:
    """The pool, but nobody waits for a program that takes long where the number of schedules has no limit."""
    if search.plan.schedules is None and isinstance(pool, Local):
        return replace(pool, ahead=FAR_AHEAD)
    return pool


def _chunks(search: ScheduleSearch, jobs: int) -> Iterator[Chunk]:
    """The pieces of the search, so many together that few are begun which go beyond the number of schedules."""
    pieces = search.pieces()
    while chunk := tuple(islice(pieces, _together(search, jobs))):
        yield chunk


def _together(search: ScheduleSearch, jobs: int) -> int:
    """How many programs a chunk has: fewer where each of the jobs would use up what is left, by those so far."""
    left, programs = _schedules_left(search), len(search.cut_off)
    each = search.tally.schedules // programs + 1 if programs else USUAL
    return TOGETHER if left is None else min(TOGETHER, max(1, left // (jobs * each)))


def _schedules_left(search: ScheduleSearch) -> int | None:
    most = search.plan.schedules
    return None if most is None else most - search.tally.schedules


def _given(search: ScheduleSearch, chunks: Iterable[Chunk],
           given: deque[Chunk]) -> Iterator[tuple[Chunk, Allowance]]:
    """The chunks with what is left for each, which are noted as given; none once the time is up."""
    for chunk in chunks:
        left = None if search.plan.seconds is None else search.plan.seconds - search.seconds
        if left is not None and left <= 0:
            return
        given.append(chunk)
        yield chunk, Allowance(left if left is None else max(left, SHORT), _schedules_left(search))


def _taken(search: ScheduleSearch, explored: list[Explored], silent: dict[str, None]) -> int:
    """Count what was explored elsewhere: how many programs, to one that failed or is beyond the number of schedules.

    OutOfBudget where so many of one were counted as were left.
    """
    for place, one in enumerate(explored):
        left = _schedules_left(search)
        if left is not None and one.tally.schedules >= left:
            if (until := one.until(left)) is None:
                return place
            _cut_off(search, one, until, silent)
        if one.failed:
            return place
        search.tally.add(one.tally)
        search.finished |= one.finished
        search.sampled |= one.sampled
        search.left |= one.left
        search.cut_off.append(one.partial)
        silent.update(dict.fromkeys(one.silent))
    return len(explored)


def _cut_off(search: ScheduleSearch, one: Explored, until: SearchTally, silent: dict[str, None]) -> NoReturn:
    """Count the schedules of a program that were left, which end the search."""
    search.tally.add(until)
    search.sampled |= one.sampled
    search.cut_off.append(0 if one.sampled else until.schedules)
    silent.update(dict.fromkeys(one.silent))
    raise OutOfBudget
