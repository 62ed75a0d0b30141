"""The search for schedules that break the allocator: what is run, for how long, and what is said of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from shlex import quote
from time import monotonic

from heapster.checkers.races.exploring import (
    OutOfBudget,
    Tally,
    every_schedule,
    follow,
    pct_schedules,
    random_schedules,
)
from heapster.checkers.races.generated import generated
from heapster.checkers.races.lanes import lanes
from heapster.checkers.races.naming import named
from heapster.checkers.races.programs import MOST_THREADS, Program, parse_program
from heapster.checkers.races.recording import record
from heapster.checkers.races.replay import Replay, format_replay, parse_replay
from heapster.checkers.races.session import Outcome, Session
from heapster.checkers.races.shrinking import Failure, least, preemptions
from heapster.checkers.races.sources import Source, shipped
from heapster.checkers.races.steps import steps
from heapster.checkers.races.written import WRITTEN
from heapster.results import Finding, Run, UsageError, Verdict

STRATEGIES = ("dfs", "pct", "random")
BATCH = 50                          # programs generated at a time
ROUND = 20                          # schedules of a program before the next has its turn, by chance
MOST_LANE_OPS = 12


@dataclass(frozen=True)
class Plan:
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
class Search:
    """A search under way."""

    plan: Plan
    source: Source
    tally: Tally = field(default_factory=Tally)
    finished: dict[int, int] = field(default_factory=dict)      # bound: programs explored to it
    programs: int = 0
    partial: int = 0                # schedules of the program that the budget cut off

    def first_failure(self) -> Failure | None:
        """The first failure that the plan leads to within its budget."""
        self._until = None if self.plan.seconds is None else monotonic() + self.plan.seconds
        self.tally.on_schedule = self._spend
        try:
            for program, outcome in self._outcomes():
                if outcome.problem is not None:
                    return Failure(program, outcome)
        except OutOfBudget:
            pass
        return None

    def _spend(self) -> None:
        self.partial += 1
        if self.plan.schedules is not None and self.tally.schedules >= self.plan.schedules:
            raise OutOfBudget
        if self._until is not None and monotonic() >= self._until:
            raise OutOfBudget

    def _outcomes(self) -> Iterator[tuple[Program, Outcome]]:
        if self.plan.strategy == "dfs":
            yield from self._depth_first()
        else:
            yield from self._by_chance()

    def _depth_first(self) -> Iterator[tuple[Program, Outcome]]:
        """The written programs with more and more preemptions, then generated ones with all at once."""
        written = [(parse_program(w.text), w.most) for w in WRITTEN]
        for bound in range(self.plan.bound + 1):
            for program, most in written:
                if bound <= most:
                    yield from self._explore(program, bound)
        for program in self._generated():
            yield from self._explore(program, self.plan.bound)

    def _explore(self, program: Program, bound: int) -> Iterator[tuple[Program, Outcome]]:
        self.partial = 0
        session = Session(program, self.source)
        for outcome in every_schedule(session, bound, self.tally):
            yield program, outcome
        self.finished[bound] = self.finished.get(bound, 0) + 1

    def _generated(self) -> Iterator[Program]:
        batch = 0
        while True:
            yield from generated(BATCH, self.plan.threads, self.plan.ops, self.plan.seed * 1_000_003 + batch)
            batch += 1

    def _by_chance(self) -> Iterator[tuple[Program, Outcome]]:
        rng = Random(self.plan.seed)
        known = [parse_program(written.text) for written in WRITTEN]
        fresh = self._generated()
        while True:
            for program in known:
                yield from self._sample(program, rng)
            known.extend(next(fresh) for _ in range(BATCH))

    def _sample(self, program: Program, rng: Random) -> Iterator[tuple[Program, Outcome]]:
        self.programs += 1
        session = Session(program, self.source)
        if self.plan.strategy == "pct":
            runs = pct_schedules(session, self.plan.bound + 1, ROUND, rng, self.tally)
        else:
            runs = random_schedules(session, ROUND, rng, self.tally)
        for outcome in runs:
            yield program, outcome

    def explored(self) -> str:
        """Exactly what was run, and no more."""
        if self.plan.strategy != "dfs":
            how = f"PCT of depth {self.plan.bound + 1}" if self.plan.strategy == "pct" else "random walks"
            return f"{self.tally.schedules} schedules of at most {self.programs} programs by {how}, seed " \
                   f"{self.plan.seed}; nothing is claimed of others"
        whole = self.finished.get(self.plan.bound, 0)
        parts = [f"all schedules with at most {self.plan.bound} preemptions of {whole} programs"] if whole else []
        parts += [f"all with at most {bound} of {count - whole} more"
                  for bound, count in sorted(self.finished.items()) if bound < self.plan.bound and count > whole]
        if self.partial:
            parts.append(f"{self.partial} schedules of one program more")
        return "; ".join(parts) or "nothing"


def races(plan: Plan, source: Source | None = None, target: str = "sim") -> Run:
    """Search as planned; the first failure is shrunk and reported."""
    plan.check()
    begun = monotonic()
    search = Search(plan, source or shipped())
    failure = search.first_failure()
    findings: tuple[Finding, ...] = ()
    if failure is not None:
        findings = (finding(search.source, least(search.source, failure, max(plan.bound, 2)), target),)
    tally = search.tally
    verdict = Verdict.FAILED if findings else Verdict.PASSED
    return Run("races", target, plan.seed, verdict, monotonic() - begun, tally.schedules, findings,
               checks=_checks(tally), witnesses={"preempted": tally.preempted, "waited_for_a_lock": tally.waited},
               extra={"schedules": tally.schedules, "cut_short": tally.cut_short, "explored": search.explored(),
                      "strategy": plan.strategy, "bound": plan.bound})


def _checks(tally: Tally) -> dict[str, int]:
    runs = ("deadlocks", "lost_unlocks", "lock_order", "linearizability", "payloads", "heap_at_rest")
    return {"data_races": tally.steps, **dict.fromkeys(runs, tally.schedules)}


def replay(text: str, source: Source | None = None, target: str = "sim") -> Run:
    """Run what a replay string says; a finding if it fails."""
    begun = monotonic()
    what = parse_replay(text)
    chosen = source or shipped()
    outcome = follow(Session(what.program, chosen), what.segments)
    failed = outcome.problem is not None
    findings = (finding(chosen, Failure(what.program, outcome), target),) if failed else ()
    return Run("replay", target, 0, Verdict.FAILED if failed else Verdict.PASSED, monotonic() - begun, 1, findings,
               checks={"data_races": outcome.steps}, extra={"schedules": 1})


def finding(source: Source, failure: Failure, target: str = "sim") -> Finding:
    """The failure as others read it; its replay has been run."""
    what = Replay(failure.program, failure.outcome.segments)
    text = format_replay(what)
    what = parse_replay(text)
    outcome, rows = record(source, what)
    problem = outcome.problem
    if problem is None or failure.outcome.problem is None or problem.code != failure.outcome.problem.code:
        raise AssertionError(f"'{text}' does not fail again: {problem}")
    where = "" if target == "sim" else f" {quote(target)}"
    lines = [*lanes(rows, problem, len(what.program.lanes)), *_stacks(rows, problem)]
    return Finding(
        id=sha256(f"{problem.code} {text}".encode()).hexdigest()[:12], code=problem.code,
        title=named(problem.message), trace=tuple(steps(what.program)), replay=f"heapster replay {quote(text)}{where}",
        breaking=0, noticing=0,
        details=(*lines, f"preemptions: {preemptions(outcome)}; switch points: {outcome.steps}"))


def _stacks(rows: list, problem) -> list[str]:       # type: ignore[no-untyped-def, type-arg]
    """The stacks of the access that failed and of that which it raced with."""
    failed = next((row for row in rows if row.failed), None)
    other = next((row for row in reversed(rows) if row.target == problem.address and row.thread == problem.other), None)
    return [f"thread {row.thread} {row.kind}: " + " < ".join(row.stack) for row in (other, failed)
            if row is not None and row.stack]
