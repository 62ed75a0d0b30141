"""What schedules are run of: our source on the traced machine, or an instrumented target.

Search, shrinking, lanes and documents know no more of it than this.
"""

from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any, Protocol

from heapster.checkers.races.exploring import SearchTally
from heapster.checkers.races.programs import Program
from heapster.checkers.races.recording import AccessRow
from heapster.checkers.races.replay import ScheduleReplay
from heapster.checkers.races.session import ScheduleProblem, ScheduleRun
from heapster.machine.traced import Old, Segment


class Explorable(Protocol):
    """A program, ready to be run under one schedule after another, each from the same start, and judged."""

    program: Program            # what is run: less than was asked for, where not even its start succeeds
    fits: bool                  # what was followed last could be followed to its end

    def every_schedule(self, bound: int | None, tally: SearchTally, old: int | None = None) -> Iterator[ScheduleRun]:
        """The outcomes of all schedules with at most `bound` preemptions and `old` writes met, one for each class."""

    def forks_amid(self, tally: SearchTally) -> Iterator[ScheduleRun]:
        """The outcomes where a thread forks amid what another does, beyond those of every schedule."""

    def random_schedules(self, number: int, rng: Random, tally: SearchTally) -> Iterator[ScheduleRun]:
        """The outcomes of `number` random walks, at least those that fail."""

    def pct_schedules(self, depth: int, number: int, rng: Random, tally: SearchTally) -> Iterator[ScheduleRun]:
        """The outcomes of `number` schedules by PCT, at least those that fail."""

    def follow(self, segments: tuple[Segment, ...], old: tuple[Old, ...] = ()) -> ScheduleRun:
        """The outcome of a written schedule."""


class Schedulable(Protocol):
    """Code whose threads can be made to take turns."""

    version: str                # of its source
    most_findings: int          # that one search reports
    has_weak_memory: bool       # a load may answer an old write
    given: str                  # what a replay's line says of it, besides the target

    @property
    def not_checked(self) -> Sequence[str]:
        """What its kind of exploration leaves open."""

    @property
    def seconds(self) -> float:
        """Processor time that was spent for it outside of this process and its ended children."""

    def session(self, program: Program) -> Explorable:
        """The program, ready to run."""

    def corpus(self) -> Iterator[tuple[Program, int]]:
        """The written programs that make sense for it, with the preemptions worth exploring."""

    def generated(self, number: int, threads: int, ops: int, seed: int) -> Iterable[Program]:
        """Up to `number` generated programs."""

    def record(self, replay: ScheduleReplay) -> tuple[ScheduleRun, list[AccessRow]]:
        """The outcome of a replay, and each access of it in order."""

    def found(self, problem: ScheduleProblem) -> None:
        """The problem is known: the search passes over it from here on."""

    def knows(self, problem: ScheduleProblem) -> bool:
        """Whether it has been found before."""

    def name(self, address: int) -> str:
        """What lies there, in the last recorded run."""

    def named(self, text: str) -> str:
        """The text with its addresses named."""

    def under(self, programs: Iterable[Program]) -> str:
        """Under which settings the programs ran, as the end of a sentence."""

    def beside(self, bound: int) -> str:
        """What else the bound is of, in words."""

    def about_all(self, programs: Iterable[Program]) -> dict[str, Any]:
        """What is to be told of all that were explored."""

    def about(self, program: Program) -> dict[str, Any]:
        """What is to be told of a program that was explored, besides its text."""
