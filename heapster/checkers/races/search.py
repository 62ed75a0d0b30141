"""The search for schedules that break the allocator: what is run, for how long, and what is said of it."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from random import Random
from time import monotonic
from typing import Any

from heapster.checkers.races.corpus import SHIPPED, corpus, is_shipped, policies, settings
from heapster.checkers.races.exploring import (
    OutOfBudget,
    Tally,
    every_schedule,
    forks_amid,
    pct_schedules,
    random_schedules,
)
from heapster.checkers.races.findings import finding
from heapster.checkers.races.generated import generated
from heapster.checkers.races.programs import MOST_THREADS, Program, format_program
from heapster.checkers.races.session import Outcome, Session
from heapster.checkers.races.shrinking import Failure, least
from heapster.checkers.targets.source import Source, shipped
from heapster.checkers.targets.target import SIM, Target
from heapster.children import processor_seconds
from heapster.model.placement import POLICY_NAMES
from heapster.results import Finding, Run, UsageError, Verdict

Progress = Callable[[Tally, float], None]       # what was done so far, and for how many seconds

STRATEGIES = ("dfs", "pct", "random")
BATCH = 50                          # programs generated at a time
EXPLORED = (
    "atomic loads answer any write that their thread's view allows",
    "atomic stores come before others that were made earlier",
    "acquire, release and read-modify-writes order as C11 says, and nothing else does",
)
NOT_EXPLORED = (
    "load buffering: no load answers a store that is yet to come (RC11 has none, some machines do)",
    "fork amid stores that others cannot see yet: the child sees all that were made",
)
MEMORY_MODEL = {"model": "RC11", "explored": list(EXPLORED), "not_explored": list(NOT_EXPLORED)}
NOT_CHECKED = (
    *NOT_EXPLORED,
    "longer programs, more threads, more preemptions and more old writes than are said",
)
A_LOOK = 10                         # schedules between two looks at the time
ROUND = 20                          # schedules of a program before the next has its turn, by chance
MOST_SCHEDULES = 400                # of a generated program: the others shall have their turn
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
    finished: dict[Program, int] = field(default_factory=dict)      # the bound that each was explored to
    sampled: dict[Program, None] = field(default_factory=dict)
    left: set[Program] = field(default_factory=set)                 # after MOST_SCHEDULES
    partial: int = 0                # schedules of the program that the budget cut off

    progress: Progress | None = None

    def first_failure(self) -> Failure | None:
        """The first failure that the plan leads to within its budget."""
        self._begun = processor_seconds()
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
        if self.tally.schedules % A_LOOK == 0:
            self._look()

    def _look(self) -> None:
        """Look at the time, which costs as much as half a schedule."""
        seconds = processor_seconds() - self._begun
        if self.plan.seconds is not None and seconds >= self.plan.seconds:
            raise OutOfBudget
        if self.progress is not None:
            self.progress(self.tally, seconds)

    def _outcomes(self) -> Iterator[tuple[Program, Outcome]]:
        if self.plan.strategy == "dfs":
            yield from self._depth_first()
        else:
            yield from self._by_chance()

    def _depth_first(self) -> Iterator[tuple[Program, Outcome]]:
        """The corpus and some generated programs with more and more preemptions, then others with all at once."""
        fresh = self._generated()
        some = [next(fresh) for _ in range(BATCH)]
        for bound in range(self.plan.bound + 1):
            for program, most in corpus():
                if bound <= most:
                    yield from self._explore(program, bound)
            for program in some:
                yield from self._explore(program, bound, MOST_SCHEDULES)
        for program in fresh:
            if program not in self.finished:
                yield from self._explore(program, self.plan.bound, MOST_SCHEDULES)

    def _explore(self, program: Program, bound: int, most: int | None = None) -> Iterator[tuple[Program, Outcome]]:
        session = Session(program, self.source)
        if session.wrong_start is not None:
            program = Program((), (program.prologue,))
            session = Session(program, self.source)
        amid = forks_amid(session, self.tally) if bound else ()
        for outcome in chain(every_schedule(session, bound, self.tally, bound), amid):
            yield program, outcome
            if most is not None and self.partial >= most:
                self.left.add(program)
                break
        else:
            self.finished[program] = bound
        self.partial = 0

    def _generated(self) -> Iterator[Program]:
        batch = 0
        while True:
            yield from generated(BATCH, self.plan.threads, self.plan.ops, self.plan.seed * 1_000_003 + batch)
            batch += 1

    def _by_chance(self) -> Iterator[tuple[Program, Outcome]]:
        rng = Random(self.plan.seed)
        known = [program for program, _ in corpus()]
        fresh = self._generated()
        while True:
            for program in known:
                yield from self._sample(program, rng)
            known.extend(next(fresh) for _ in range(BATCH))

    def _sample(self, program: Program, rng: Random) -> Iterator[tuple[Program, Outcome]]:
        self.sampled[program] = None
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
            run = f"{self.tally.schedules} schedules of {len(self.sampled)} programs by {how}"
            return f"{run}, seed {self.plan.seed}; nothing is claimed of others{self._under()}"
        bounds = Counter(self.finished.values())
        parts = [f"all schedules with at most {bound} preemptions and {bound} old writes of {bounds[bound]} programs"
                 for bound in sorted(bounds, reverse=True)]
        if self.left:
            parts.append(f"the first {MOST_SCHEDULES} schedules of {len(self.left)} programs")
        if self.partial:
            parts.append(f"{self.partial} schedules of one program more")
        return ("; ".join(parts) or "nothing") + self._under()

    def _under(self) -> str:
        """Under which policies, and of how many programs with what ships."""
        run = self.programs()
        if not run:
            return ""
        shipped_ = sum(bool(each["shipped"]) for each in run)
        names = ", ".join(sorted({name for each in run for name in each["policies"]}, key=POLICY_NAMES.index))
        return f"; {shipped_} of {len(run)} programs on what ships ({SHIPPED}); policies: {names}"

    def programs(self) -> list[dict[str, Any]]:
        """Each program that was explored: to which bound, None if by chance; under which policies and settings."""
        return [{"program": format_program(program), "bound": bound, "policies": list(policies(program)),
                 "shipped": is_shipped(program)} for program, bound in self._run().items()]

    def settings(self) -> dict[str, list[str] | list[int]]:
        """The policies and settings that any of the programs ran under."""
        ran = [settings(program) for program in self._run()]
        found = {letter: sorted({number for each in ran for number in each[letter]}) for letter in "phl"}
        return {"policy": [POLICY_NAMES[number] for number in found["p"]], "cache": found["h"], "retained": found["l"]}

    def _run(self) -> dict[Program, int | None]:
        return {**dict.fromkeys(self.sampled), **self.finished}


def races(plan: Plan, source: Source | None = None, target: Target = SIM, progress: Progress | None = None) -> Run:
    """Search as planned; the first failure is shrunk and reported."""
    plan.check()
    begun = monotonic()
    search = Search(plan, source or shipped(), progress=progress)
    failure, interrupted = None, False
    try:
        failure = search.first_failure()
    except KeyboardInterrupt:
        interrupted = True
    findings: tuple[Finding, ...] = ()
    if failure is not None:
        findings = (finding(search.source, least(search.source, failure, max(plan.bound, 2)), target),)
    tally = search.tally
    verdict = Verdict.FAILED if findings else Verdict.PASSED
    return Run("races", str(target), plan.seed, verdict, monotonic() - begun, tally.calls, findings,
               checks=_checks(tally), witnesses={"preempted": tally.preempted, "waited_for_a_lock": tally.waited,
                                                    "met_an_old_write": tally.weak},
               extra={"schedules": tally.schedules, "cut_short": tally.cut_short, "explored": search.explored(),
                      "programs": search.programs(), "shipped": SHIPPED,
                      "settings": search.settings(), "memory_model": MEMORY_MODEL,
                      "strategy": plan.strategy, "bound": plan.bound, "not_checked": list(NOT_CHECKED)}
               | ({"interrupted": True} if interrupted else {}))


def _checks(tally: Tally) -> dict[str, int]:
    runs = ("deadlocks", "lost_unlocks", "lock_order", "linearizability", "payloads", "heap_at_rest")
    return {"data_races": tally.steps, **dict.fromkeys(runs, tally.schedules)}
