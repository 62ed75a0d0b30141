"""The search for schedules that break the allocator: what is run, for how long, and what is said of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, count
from random import Random
from typing import Any, NamedTuple

from heapster.checkers.lockstep.collecting import rarely_collecting
from heapster.checkers.races.exploring import OutOfBudget, SearchTally
from heapster.checkers.races.programs import MOST_THREADS, Program, format_program
from heapster.checkers.races.schedulable import Schedulable
from heapster.checkers.races.session import ScheduleProblem, ScheduleRun
from heapster.checkers.races.shrinking import FailingRun
from heapster.children import processor_seconds
from heapster.results import UsageError
from heapster.wording import counted

Progress = Callable[[SearchTally, float], None]       # what was done so far, and for how many seconds

STRATEGIES = ("dfs", "pct", "random")
BATCH = 50                          # programs generated at a time
A_LOOK = 10                         # schedules between two looks at the time
ROUND = 20                          # schedules of a program before the next has its turn, by chance
MOST_SCHEDULES = 400                # of a generated program: the others shall have their turn
MOST_LANE_OPS = 12


@dataclass(frozen=True)
class SearchPlan:
    """What to search."""

    threads: int = 2
    ops: int = 3
    schedules: int | None = None
    seconds: float | None = None
    strategy: str = "dfs"
    bound: int = 2                  # preemptions; PCT's depth is one more
    seed: int = 0

    def check(self) -> None:
        """UsageError for what makes no sense."""
        for name, value, least_, most in (("--threads", self.threads, 2, MOST_THREADS),
                                          ("--ops", self.ops, 1, MOST_LANE_OPS), ("--bound", self.bound, 0, 20)):
            if not least_ <= value <= most:
                raise UsageError(f"{name} is {least_} to {most}, not {value}")
        if self.strategy not in STRATEGIES:
            raise UsageError(f"--strategy is one of {', '.join(STRATEGIES)}, not {self.strategy}")
        if self.schedules is not None and self.schedules < 1 or self.seconds is not None and self.seconds <= 0:
            raise UsageError("--schedules and --seconds must be positive")


class ProgramPiece(NamedTuple):
    """A program to be explored."""

    program: Program
    bound: int                      # preemptions; of what is drawn by chance, PCT's depth is one more
    most: int | None = None         # schedules of it; None: all of them
    drawn: int = -1                 # which round of chance it is; -1: none


@dataclass
class ScheduleSearch:
    """A search under way."""

    plan: SearchPlan
    subject: Schedulable
    tally: SearchTally = field(default_factory=SearchTally)
    finished: dict[Program, int] = field(default_factory=dict)      # the bound that each was explored to
    sampled: dict[Program, None] = field(default_factory=dict)
    left: set[Program] = field(default_factory=set)                 # after MOST_SCHEDULES
    partial: int = 0                # schedules of the program that is under way, or that the budget cut off
    cut_off: list[int] = field(default_factory=list)        # those of programs that were cut off elsewhere
    known: list[ScheduleProblem] = field(default_factory=list)      # that have been found
    jobs: int = 1                   # who share the time
    trail: list[SearchTally] | None = None      # the tally after each schedule, if it is kept

    progress: Progress | None = None

    def begin(self) -> None:
        """The time starts."""
        self._begun, self._spent_before = processor_seconds(), self.subject.seconds
        self.tally.on_schedule = self._spend

    def failures(self, pieces: Iterable[ProgramPiece]) -> Iterator[FailingRun]:
        """The failures of these, explored here; what is known by then is passed over. OutOfBudget ends it."""
        with rarely_collecting():
            for piece in pieces:
                for program, outcome in self._explore(piece):
                    if outcome.problem is not None:
                        yield FailingRun(program, outcome)

    def _spend(self) -> None:
        self.partial += 1
        if self.trail is not None:
            self.trail.append(self.tally.copy())
        if self.plan.schedules is not None and self.tally.schedules >= self.plan.schedules:
            raise OutOfBudget
        if self.tally.schedules % A_LOOK == 0:
            self.look()

    @property
    def seconds(self) -> float:
        """Processor time of each job so far."""
        return (processor_seconds() - self._begun + self.subject.seconds - self._spent_before) / self.jobs

    def look(self) -> None:
        """Look at the time, which costs as much as half a schedule. OutOfBudget if it is up."""
        if self.plan.seconds is not None and self.seconds >= self.plan.seconds:
            raise OutOfBudget
        self.show()

    def show(self) -> None:
        """Tell whoever watches how far it is."""
        if self.progress is not None:
            self.progress(self.tally, self.seconds)

    def pieces(self) -> Iterator[ProgramPiece]:
        """All that the plan leads to, for as long as somebody asks."""
        return self._depth_first() if self.plan.strategy == "dfs" else self._by_chance()

    def _depth_first(self) -> Iterator[ProgramPiece]:
        """The corpus and some generated programs with more and more preemptions, then others with all at once."""
        fresh = self._generated()
        some = [next(fresh) for _ in range(BATCH)]
        given = set(some)
        for bound in range(self.plan.bound + 1):
            for program, most in self.subject.corpus():
                if bound <= most:
                    given.add(program)
                    yield ProgramPiece(program, bound)
            for program in some:
                yield ProgramPiece(program, bound, MOST_SCHEDULES)
        for program in fresh:
            if program not in given:
                given.add(program)
                yield ProgramPiece(program, self.plan.bound, MOST_SCHEDULES)

    def _generated(self) -> Iterator[Program]:
        batch = 0
        while True:
            yield from self.subject.generated(BATCH, self.plan.threads, self.plan.ops,
                                              self.plan.seed * 1_000_003 + batch)
            batch += 1

    def _by_chance(self) -> Iterator[ProgramPiece]:
        known = [program for program, _ in self.subject.corpus()]
        fresh, rounds = self._generated(), count()
        while True:
            for program in known:
                yield ProgramPiece(program, self.plan.bound, drawn=next(rounds))
            known.extend(next(fresh) for _ in range(BATCH))

    def _explore(self, piece: ProgramPiece) -> Iterator[tuple[Program, ScheduleRun]]:
        if piece.drawn >= 0:
            yield from self._sample(piece)
            return
        session = self.subject.session(piece.program)
        amid = session.forks_amid(self.tally) if piece.bound else ()
        for outcome in chain(session.every_schedule(piece.bound, self.tally, piece.bound), amid):
            yield session.program, outcome
            if piece.most is not None and self.partial >= piece.most:
                self.left.add(piece.program)
                break
        else:
            self.finished[session.program] = piece.bound
        self.partial = 0

    def _sample(self, piece: ProgramPiece) -> Iterator[tuple[Program, ScheduleRun]]:
        self.sampled[piece.program] = None
        rng = Random(f"{self.plan.seed} {piece.drawn}")
        session = self.subject.session(piece.program)
        if self.plan.strategy == "pct":
            runs = session.pct_schedules(piece.bound + 1, ROUND, rng, self.tally)
        else:
            runs = session.random_schedules(ROUND, rng, self.tally)
        for outcome in runs:
            yield piece.program, outcome

    def explored(self) -> str:
        """Exactly what was run, and no more."""
        if self.plan.strategy != "dfs":
            how = f"PCT of depth {self.plan.bound + 1}" if self.plan.strategy == "pct" else "random walks"
            run = f"{counted(self.tally.schedules, 'schedule')} of {counted(len(self.sampled), 'program')} by {how}"
            return f"{run}, seed {self.plan.seed}; nothing is claimed of others{self._under()}"
        bounds = Counter(self.finished.values())
        beside = self.subject.beside
        parts = [f"all schedules with at most {counted(bound, 'preemption')}{beside(bound)} of "
                 f"{counted(bounds[bound], 'program')}"
                 for bound in sorted(bounds, reverse=True)]
        if self.left:
            parts.append(f"the first {MOST_SCHEDULES} schedules of {counted(len(self.left), 'program')}")
        if cut := [number for number in (*self.cut_off, self.partial) if number]:
            programs = counted(len(cut), "program") if len(cut) > 1 else "one program"
            parts.append(f"{counted(sum(cut), 'schedule')} of {programs} more")
        return ("; ".join(parts) or "nothing") + self._under()

    def _under(self) -> str:
        """Under which settings."""
        return self.subject.under(self.run())

    def run(self) -> dict[Program, int | None]:
        """To which bound each program was explored, None if by chance."""
        return {**dict.fromkeys(self.sampled), **self.finished}

    def programs(self) -> list[dict[str, Any]]:
        """Each program that was explored: to which bound, None if by chance; under which settings."""
        return [{"program": format_program(program), "bound": bound, **self.subject.about(program)}
                for program, bound in self.run().items()]
