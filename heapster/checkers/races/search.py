"""The search for schedules that break the allocator: what is run, for how long, and what is said of it."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from random import Random
from time import monotonic
from typing import Any

from heapster.checkers.races.exploring import OutOfBudget, SearchTally
from heapster.checkers.races.findings import finding
from heapster.checkers.races.ours import schedulable
from heapster.checkers.races.programs import MOST_THREADS, Program, format_program
from heapster.checkers.races.schedulable import Schedulable
from heapster.checkers.races.session import ScheduleRun
from heapster.checkers.races.shrinking import FailingRun, least
from heapster.checkers.targets.source import Source
from heapster.checkers.targets.target import SIM, Target
from heapster.children import processor_seconds
from heapster.results import Finding, Run, UsageError, Verdict

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


@dataclass
class ScheduleSearch:
    """A search under way."""

    plan: SearchPlan
    subject: Schedulable
    tally: SearchTally = field(default_factory=SearchTally)
    finished: dict[Program, int] = field(default_factory=dict)      # the bound that each was explored to
    sampled: dict[Program, None] = field(default_factory=dict)
    left: set[Program] = field(default_factory=set)                 # after MOST_SCHEDULES
    partial: int = 0                # schedules of the program that the budget cut off

    progress: Progress | None = None

    def failures(self) -> Iterator[FailingRun]:
        """The failures that the plan leads to within its budget; what is known by then is passed over."""
        self._begun, self._spent_before = processor_seconds(), self.subject.seconds
        self.tally.on_schedule = self._spend
        try:
            for program, outcome in self._outcomes():
                if outcome.problem is not None:
                    yield FailingRun(program, outcome)
        except OutOfBudget:
            pass

    def _spend(self) -> None:
        self.partial += 1
        if self.plan.schedules is not None and self.tally.schedules >= self.plan.schedules:
            raise OutOfBudget
        if self.tally.schedules % A_LOOK == 0:
            self._look()

    def _look(self) -> None:
        """Look at the time, which costs as much as half a schedule."""
        seconds = processor_seconds() - self._begun + self.subject.seconds - self._spent_before
        if self.plan.seconds is not None and seconds >= self.plan.seconds:
            raise OutOfBudget
        if self.progress is not None:
            self.progress(self.tally, seconds)

    def _outcomes(self) -> Iterator[tuple[Program, ScheduleRun]]:
        if self.plan.strategy == "dfs":
            yield from self._depth_first()
        else:
            yield from self._by_chance()

    def _depth_first(self) -> Iterator[tuple[Program, ScheduleRun]]:
        """The corpus and some generated programs with more and more preemptions, then others with all at once."""
        fresh = self._generated()
        some = [next(fresh) for _ in range(BATCH)]
        for bound in range(self.plan.bound + 1):
            for program, most in self.subject.corpus():
                if bound <= most:
                    yield from self._explore(program, bound)
            for program in some:
                yield from self._explore(program, bound, MOST_SCHEDULES)
        for program in fresh:
            if program not in self.finished:
                yield from self._explore(program, self.plan.bound, MOST_SCHEDULES)

    def _explore(self, program: Program, bound: int, most: int | None = None) -> Iterator[tuple[Program, ScheduleRun]]:
        session = self.subject.session(program)
        amid = session.forks_amid(self.tally) if bound else ()
        for outcome in chain(session.every_schedule(bound, self.tally, bound), amid):
            yield session.program, outcome
            if most is not None and self.partial >= most:
                self.left.add(program)
                break
        else:
            self.finished[session.program] = bound
        self.partial = 0

    def _generated(self) -> Iterator[Program]:
        batch = 0
        while True:
            yield from self.subject.generated(BATCH, self.plan.threads, self.plan.ops,
                                              self.plan.seed * 1_000_003 + batch)
            batch += 1

    def _by_chance(self) -> Iterator[tuple[Program, ScheduleRun]]:
        rng = Random(self.plan.seed)
        known = [program for program, _ in self.subject.corpus()]
        fresh = self._generated()
        while True:
            for program in known:
                yield from self._sample(program, rng)
            known.extend(next(fresh) for _ in range(BATCH))

    def _sample(self, program: Program, rng: Random) -> Iterator[tuple[Program, ScheduleRun]]:
        self.sampled[program] = None
        session = self.subject.session(program)
        if self.plan.strategy == "pct":
            runs = session.pct_schedules(self.plan.bound + 1, ROUND, rng, self.tally)
        else:
            runs = session.random_schedules(ROUND, rng, self.tally)
        for outcome in runs:
            yield program, outcome

    def explored(self) -> str:
        """Exactly what was run, and no more."""
        if self.plan.strategy != "dfs":
            how = f"PCT of depth {self.plan.bound + 1}" if self.plan.strategy == "pct" else "random walks"
            run = f"{self.tally.schedules} schedules of {len(self.sampled)} programs by {how}"
            return f"{run}, seed {self.plan.seed}; nothing is claimed of others{self._under()}"
        bounds = Counter(self.finished.values())
        beside = self.subject.beside
        parts = [f"all schedules with at most {bound} preemptions{beside(bound)} of {bounds[bound]} programs"
                 for bound in sorted(bounds, reverse=True)]
        if self.left:
            parts.append(f"the first {MOST_SCHEDULES} schedules of {len(self.left)} programs")
        if self.partial:
            parts.append(f"{self.partial} schedules of one program more")
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


def races(plan: SearchPlan, source: Source | Schedulable | None = None, target: Target = SIM,
          progress: Progress | None = None) -> Run:
    """Search as planned; each failure is shrunk and reported, as many as are looked for."""
    plan.check()
    begun = monotonic()
    subject = schedulable(source)
    search = ScheduleSearch(plan, subject, progress=progress)
    findings: dict[str, Finding] = {}
    interrupted = False
    try:
        for failure in search.failures():
            if (reported := _reported(subject, failure, max(plan.bound, 2), target)) is not None:
                findings.setdefault(reported.id, reported)
            if len(findings) >= subject.most_findings:
                break
    except KeyboardInterrupt:
        interrupted = True
    tally = search.tally
    verdict = Verdict.FAILED if findings else Verdict.PASSED
    return Run("races", str(target), plan.seed, verdict, monotonic() - begun, tally.calls, tuple(findings.values()),
               checks=_checks(tally), witnesses=_witnesses(subject, tally),
               extra={"schedules": tally.schedules, "cut_short": tally.cut_short, "explored": search.explored(),
                      "programs": search.programs(), **subject.about_all(search.run()),
                      "strategy": plan.strategy, "bound": plan.bound, "not_checked": list(subject.not_checked)}
               | ({"interrupted": True} if interrupted else {}))


def _reported(subject: Schedulable, failure: FailingRun, bound: int, target: Target) -> Finding | None:
    """The finding, and none like it from here on; None for what its replay does not show by itself."""
    shrunk = least(subject, failure, bound)
    assert shrunk.outcome.problem is not None
    reported = finding(subject, shrunk, target)
    subject.found(shrunk.outcome.problem)
    return reported


def inconclusive(target: Target, plan: SearchPlan, *recipe: str) -> Run:
    """What is said of a target that gives a scheduler no hooks: nothing could be explored; how to build it so."""
    try_ = "build it with -fsanitize=thread" if recipe else f"try heapster stress {target}"
    why = f"{target} is compiled: its accesses give a scheduler no hooks; {try_}"
    return Run("races", str(target), plan.seed, Verdict.INCONCLUSIVE, 0.0, 1, checks=_checks(SearchTally()),
               extra={"schedules": 0, "explored": "nothing", "not_checked": [why], "build": list(recipe)})


def _witnesses(subject: Schedulable, tally: SearchTally) -> dict[str, int]:
    """What must have been met for a pass to mean much."""
    seen = {"preempted": tally.preempted, "waited_for_a_lock": tally.waited}
    return seen | {"met_an_old_write": tally.weak} if subject.has_weak_memory else seen


def _checks(tally: SearchTally) -> dict[str, int]:
    runs = ("deadlocks", "lost_unlocks", "lock_order", "linearizability", "payloads", "heap_at_rest")
    return {"data_races": tally.steps, **dict.fromkeys(runs, tally.schedules)}
