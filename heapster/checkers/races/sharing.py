"""A search that several share: each explores some programs, and what fails is explored once more here.

So what is found, and how often what was checked, is the same for any number of workers: a piece that failed, or that
goes beyond the number of schedules, is taken as if nobody else had; and whoever works after a finding knows of it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import NamedTuple

from heapster.checkers.jobs.pool import Pool
from heapster.checkers.races.exploring import OutOfBudget, SearchTally
from heapster.checkers.races.programs import Program
from heapster.checkers.races.schedulable import Schedulable
from heapster.checkers.races.search import ProgramPiece, ScheduleSearch, SearchPlan
from heapster.checkers.races.session import ScheduleProblem
from heapster.checkers.races.shrinking import FailingRun

TOGETHER = 8                    # programs that one worker is given at a time
SHORT = 0.01                    # seconds that a worker has at the least

Opened = Callable[[], AbstractContextManager[Schedulable]]
Chunk = tuple[ProgramPiece, ...]


class Explored(NamedTuple):
    """What came of a chunk."""

    tally: SearchTally
    finished: dict[Program, int]
    sampled: dict[Program, None]
    left: set[Program]
    partial: int                    # schedules of the program that was cut off
    failed: bool
    silent: tuple[str, ...]         # what is not checked


@dataclass(frozen=True)
class Explorer:
    """Explores chunks, wherever it is sent."""

    plan: SearchPlan
    opened: Opened
    known: tuple[ScheduleProblem, ...]

    def __call__(self, given: tuple[Chunk, float | None]) -> Explored:
        """Explore a chunk, for at most so many seconds, and no further than to a failure."""
        chunk, seconds = given
        with self.opened() as subject:
            for problem in self.known:
                subject.found(problem)
            search = ScheduleSearch(replace(self.plan, schedules=None, seconds=seconds), subject)
            search.begin()
            failed = False
            with suppress(OutOfBudget):
                failed = next(search.failures(chunk), None) is not None
            return Explored(search.tally, search.finished, search.sampled, search.left,
                            0 if chunk[-1].drawn >= 0 else search.partial, failed, tuple(subject.not_checked))


def failures(search: ScheduleSearch, pool: Pool, opened: Opened, silent: dict[str, None]) -> Iterator[FailingRun]:
    """The failures that the plan leads to within its budget; what is not checked is added to `silent`."""
    search.begin()
    try:
        if pool.jobs == 1:
            yield from search.failures(search.pieces())
            return
        pieces = search.pieces()
        chunks = iter(lambda: tuple(islice(pieces, TOGETHER)), ())
        ahead: deque[Chunk] = deque()
        while True:
            given: deque[Chunk] = deque()
            explorer = Explorer(search.plan, opened, tuple(search.known))
            for explored in pool.in_order(_given(search, chain(ahead, chunks), given), explorer):
                chunk = given.popleft()
                if not explored.failed and _fits(search, explored):
                    _take(search, explored, silent)
                    search.show()               # what was begun in time counts to its end, which is in time too
                    continue
                yield from search.failures(chunk)
                break
            else:
                return
            ahead = given
    except OutOfBudget:
        pass


def _given(search: ScheduleSearch, chunks: Iterable[Chunk],
           given: deque[Chunk]) -> Iterator[tuple[Chunk, float | None]]:
    """The chunks with the time that is left for each, which are noted as given; none once it is up."""
    for chunk in chunks:
        left = None if search.plan.seconds is None else search.plan.seconds - search.seconds
        if left is not None and left <= 0:
            return
        given.append(chunk)
        yield chunk, left if left is None else max(left, SHORT)


def _fits(search: ScheduleSearch, explored: Explored) -> bool:
    """Whether it is all within the number of schedules."""
    most = search.plan.schedules
    return most is None or search.tally.schedules + explored.tally.schedules < most


def _take(search: ScheduleSearch, explored: Explored, silent: dict[str, None]) -> None:
    """Count what was explored elsewhere."""
    search.tally.add(explored.tally)
    search.finished |= explored.finished
    search.sampled |= explored.sampled
    search.left |= explored.left
    search.cut_off.append(explored.partial)
    silent.update(dict.fromkeys(explored.silent))
