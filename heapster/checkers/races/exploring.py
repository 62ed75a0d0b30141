"""One program under many schedules: depth first within a bound, or as many as asked by chance."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from random import Random

from heapster.checkers.races.programs import Program
from heapster.checkers.races.schedulers.dfs import DepthFirst, Pruned
from heapster.checkers.races.schedulers.pct import ByPriority
from heapster.checkers.races.schedulers.random import ByChance
from heapster.checkers.races.schedulers.replay import Follow
from heapster.checkers.races.session import ScheduleRun, Session
from heapster.machine.traced import Old, Segment

MOST_AMID = 40                          # places amid what a thread does where another forks
GAPS = (1, 4, 30, 300, 3000)            # accesses between random switches, on average; drawn for each run


@dataclass
class SearchTally:
    """What was done so far."""

    schedules: int = 0                  # runs to their end
    calls: int = 0                      # of the allocator, in these
    cut_short: int = 0                  # runs that were becoming equivalent to others
    steps: int = 0                      # switch points of the former
    preempted: int = 0                  # runs with a preemption
    waited: int = 0                     # runs in which a thread had to wait
    weak: int = 0                       # runs in which an access met an older write than the newest
    on_schedule: Callable[[], None] = field(default=lambda: None)

    def __getstate__(self) -> tuple[int, ...]:
        """The numbers: nobody is told where it is sent."""
        return tuple(getattr(self, name) for name in COUNTED)

    def __setstate__(self, numbers: tuple[int, ...]) -> None:
        self.__init__(*numbers)                     # type: ignore[misc]

    def copy(self) -> "SearchTally":
        """Another of the same numbers."""
        copied = SearchTally()
        copied.add(self)
        return copied

    def add(self, other: "SearchTally") -> None:
        """What another has done was done as well."""
        for name in COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def count(self, outcome: ScheduleRun) -> None:
        """A run came to its end."""
        self.schedules += 1
        self.steps += outcome.steps
        self.calls += outcome.calls
        threads = [s.thread for s in outcome.segments]
        self.weak += bool(outcome.old)
        self.preempted += any(s.points is not None for s in outcome.segments)
        stops = [s.thread for s in outcome.segments if s.points is None]
        self.waited += len(stops) > len(set(threads))
        self.on_schedule()

    def count_passed(self, schedules: int, steps: int, calls: int, preempted: int, waited: int, weak: int) -> None:
        """So many runs passed, all at once."""
        self.schedules += schedules
        self.steps += steps
        self.calls += calls
        self.preempted += preempted
        self.waited += waited
        self.weak += weak


COUNTED = tuple(each.name for each in fields(SearchTally) if each.name != "on_schedule")


class OutOfBudget(Exception):
    """The time or the number of schedules is used up."""


def every_schedule(session: Session, bound: int | None, tally: SearchTally,
                   old: int | None = None) -> Iterator[ScheduleRun]:
    """The outcomes of all schedules with at most `bound` preemptions and `old` writes met, one for each class."""
    chooser = DepthFirst(bound, old=old)
    while chooser.more:
        chooser.begin()
        try:
            outcome = session.run(chooser)
        except Pruned:
            tally.cut_short += 1
            chooser.end(cut=True)
            continue
        tally.count(outcome)
        yield outcome
        chooser.end()


def forks_amid(program: Program, run: Callable[[tuple[Segment, ...]], ScheduleRun],
               tally: SearchTally) -> Iterator[ScheduleRun]:
    """The outcomes where a thread forks amid what another does, at plain accesses too: at MOST_AMID places of it.

    A child sees memory as it is, whoever is changing it; so its fork is in conflict with each store.
    """
    forkers = [lane for lane, ops in enumerate(program.lanes) if any(op.code == "k" for op in ops)]
    for forker in forkers:
        for other in range(len(program.lanes)):
            if other != forker:
                whole = run((Segment(other, None),))
                for place in range(1, whole.segments[0].points or whole.steps, max(1, whole.steps // MOST_AMID)):
                    outcome = run((Segment(other, place), Segment(forker, None)))
                    tally.count(outcome)
                    yield outcome


def random_schedules(session: Session, number: int, rng: Random, tally: SearchTally) -> Iterator[ScheduleRun]:
    """The outcomes of `number` random walks."""
    for _ in range(number):
        outcome = session.run(ByChance(rng, rng.choice(GAPS)))
        tally.count(outcome)
        yield outcome


def pct_schedules(session: Session, depth: int, number: int, rng: Random, tally: SearchTally) -> Iterator[ScheduleRun]:
    """The outcomes of `number` schedules with random priorities and depth - 1 changes of them."""
    outcome = session.run(Follow(()))
    tally.count(outcome)
    yield outcome
    length = outcome.steps
    for _ in range(number - 1):
        outcome = session.run(ByPriority(rng, session.threads, depth, length))
        tally.count(outcome)
        yield outcome


def follow(session: Session, segments: tuple[Segment, ...], old: tuple[Old, ...] = ()) -> ScheduleRun:
    """The outcome of a written schedule."""
    return session.run(Follow(segments, old))
