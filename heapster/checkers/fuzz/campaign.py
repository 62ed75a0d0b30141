"""Campaigns: examples in batches until time or number is up. What fails is shrunk once, and passed over after that."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from math import inf
from time import monotonic
from typing import NamedTuple

from heapster.checkers.findings.describe import describe, least_trace
from heapster.checkers.findings.keeping import FOLLOWING, Keeps
from heapster.checkers.fuzz.shrink import SHORT, Late, Shrunk, never
from heapster.checkers.fuzz.stateful import CACHES, KEEPS, STEPS, Record, live_lives
from heapster.checkers.jobs.local import ALONE
from heapster.checkers.jobs.pool import Pool
from heapster.checkers.lockstep.run_trace import rerun
from heapster.checkers.targets.opening import make_for
from heapster.checkers.targets.target import SIM, Target
from heapster.children import processor_seconds
from heapster.model.operation import Trace
from heapster.model.placement import POLICY_NAMES
from heapster.model.problem import Problem
from heapster.model.trace import parse
from heapster.model.witnesses import sometimes
from heapster.results import Finding, Run, Verdict
from heapster.wording import counted

LEAST_SHRINKING = 20.0          # processor seconds that all shrinking may take, or as many as the campaign may
BATCH = 4                       # examples between two looks at the clock
FRESH_STARTS, FRESH_EXAMPLES, FRESH_STEPS = 24, 40, 3    # to shrink from, where the first failure stays long
MOST_FINDINGS = 16
LEAST_STEPS = 200               # under each policy, before a campaign may say that it found nothing
SEED_STRIDE = 1_000_003         # between the seeds of campaigns, so that their batches differ


@dataclass(frozen=True)
class FuzzOptions:
    """The options of a campaign."""

    target: Target = SIM
    policies: tuple[str, ...] = POLICY_NAMES
    seconds: float | None = None        # of processor time, then stop; None: no limit
    examples: int | None = None         # stop after this many; None: no limit
    seed: int = 0
    arenas: int = 3                     # at most, for threads to share
    cache: int | None = None            # bytes of a size that threads keep at first; None: drawn of CACHES
    retained: int | None = None         # bytes of freed mappings that are kept at first; None: drawn of KEEPS
    faults: bool = True                 # plan that the system refuses
    pool: Pool = ALONE                  # who runs examples; what is found does not depend on it


@dataclass(frozen=True)
class Progress:
    """How far a campaign is."""

    ops: int
    examples: int
    seconds: float              # of processor time
    findings: int


def fuzz(options: FuzzOptions, progress: Callable[[Progress], None], store: Keeps,
         announce: Callable[[Finding], None] = lambda _: None) -> Run:
    """Run a campaign: stored findings first, then new examples until the budget is spent; findings are announced.

    An interrupted campaign is a run like any other, with `interrupted` in its extra keys.
    """
    campaign = _Campaign(options, progress, store, announce)
    try:
        campaign.replay_stored()
        campaign.explore()
    except KeyboardInterrupt:
        return campaign.run(interrupted=True)
    return campaign.run(interrupted=False)


class BatchResult(NamedTuple):
    """The result of a batch of examples."""

    ops: int
    examples: int
    checks: Counter[str]
    witnesses: Counter[str]
    under: Counter[str]
    failure: tuple[Trace, Problem] | None


def blank(record: Record) -> Record:
    """One for the same examples, in which nothing is noted."""
    return replace(record, ops=0, examples=0, checks=Counter(), witnesses=Counter(), under=Counter(), failure=None)


class Lives:
    """Runs batches of examples, wherever it is sent: the target is opened there, once."""

    def __init__(self, options: FuzzOptions) -> None:
        self.options = options

    def __getstate__(self) -> dict[str, FuzzOptions]:
        return {"options": self.options}

    @cached_property
    def record(self) -> Record:
        """Where examples as they are planned are noted; nothing is yet."""
        options = self.options
        return Record(make_for(options.target), options.policies, options.arenas, options.faults, options.cache,
                      options.retained)

    def __call__(self, batch: tuple[int, int]) -> BatchResult:
        """Run a batch of examples, of that number and so many: the result is the same wherever it runs."""
        record, (number, examples) = blank(self.record), batch
        _live(record, self.options.seed * SEED_STRIDE + number, examples)
        return BatchResult(record.ops, record.examples, record.checks, record.witnesses, record.under, record.failure)


def _live(record: Record, first_seed: int, examples: int, steps: int = STEPS) -> None:
    """Run examples; in a process of their own, if the maker of locksteps says so."""
    live = getattr(record.make, "live_lives", live_lives)
    live(record, first_seed, examples, steps)


def smallest(record: Record, first_seed: int, late: Late = never) -> Shrunk:
    """The least trace that fails as the recorded one does; where it stays long, from other failures too.

    What a trace shrinks to depends on where it starts. Short lives that fail likewise start nearer.
    """
    assert record.failure is not None
    trace, problem = record.failure
    least = least_trace(trace, problem.code, record.make, late=late)
    for attempt in range(FRESH_STARTS):
        if len(least.trace) <= SHORT or late():
            break
        other = blank(record)
        _live(other, first_seed * SEED_STRIDE + attempt, FRESH_EXAMPLES, FRESH_STEPS)
        if other.failure and problem.code in rerun(other.failure[0], record.make).codes:
            least = min(least, least_trace(other.failure[0], problem.code, record.make, late=late), key=_length)
    return least


def _drawn(fixed: int | None, choices: tuple[int, ...]) -> list[int]:
    """What the examples of a campaign begin with."""
    return list(choices) if fixed is None else [fixed]


def _length(shrunk: Shrunk) -> int:
    return len(shrunk.trace)


class _Campaign:
    def __init__(self, options: FuzzOptions, progress: Callable[[Progress], None], store: Keeps,
                 announce: Callable[[Finding], None]) -> None:
        self._options, self._progress, self._store, self._announce = options, progress, store, announce
        self._lives = Lives(replace(options, pool=ALONE))
        self._record = blank(self._lives.record)
        self._findings: list[Finding] = []
        self._fixed: list[str] = []
        self._given_out = 0                     # examples
        self._known: dict[str, str] = {}        # codes that a known fault shows as: the id of the finding
        self._ended: Counter[str] = Counter()   # examples that ended at a known fault, by the id of the finding
        self._started, self._spent = monotonic(), processor_seconds()
        limit = options.seconds
        self._shrinking = inf if limit is None else max(limit, LEAST_SHRINKING)     # processor seconds left for it
        self._cut_short: list[str] = []         # ids of findings that were not shrunk further for want of time

    def replay_stored(self) -> None:
        """Run what failed before; what still does is a finding again, and what does not is mended."""
        for finding in self._store.stored(self._options.target):
            outcome = rerun(parse("\n".join(finding.trace)), self._record.make)
            if outcome.problems:
                self._store.keep(finding, self._options.target)
                self._tell(finding, outcome.codes)
            elif self._store.mend(finding.id):
                self._fixed.append(finding.id)

    def _tell(self, finding: Finding, shown: Sequence[str]) -> None:
        """Take it up; what it shows first, or what only few faults show, is its own from then on."""
        self._findings.append(finding)
        for code in (shown[0], *(code for code in shown if code not in FOLLOWING)):
            self._known.setdefault(code, finding.id)
        self._announce(finding)

    def explore(self) -> None:
        """Run batches of new examples until the budget is spent or enough is found."""
        options = self._options
        for seen in options.pool.in_order(self._batches(), self._lives):
            self._add(seen)
            self._progress(self._so_far())
            if seen.failure is not None:
                self._pursue(*seen.failure)
            if len(self._findings) >= MOST_FINDINGS:
                return

    def _batches(self) -> Iterator[tuple[int, int]]:
        """Numbers of batches, each with its examples, while the budget lasts."""
        if len(self._findings) < MOST_FINDINGS:
            for number in count():
                examples = self._batch()
                if not examples:
                    return
                self._given_out += examples
                yield number, examples

    def _add(self, seen: BatchResult) -> None:
        record = self._record
        record.ops += seen.ops
        record.examples += seen.examples
        for total, more in ((record.checks, seen.checks), (record.witnesses, seen.witnesses),
                            (record.under, seen.under)):
            total.update(more)

    def _pursue(self, trace: Trace, problem: Problem) -> None:
        """Shrink a failure and keep it, if it does not show a fault that is known: by what is noticed first."""
        if known := self._known.get(problem.code):
            self._ended[known] += 1
        else:
            self._shrink(trace, problem)

    def _batch(self) -> int:
        """How many examples the budget has left, at most BATCH."""
        options, left = self._options, BATCH
        if options.examples is not None:
            left = min(left, options.examples - self._given_out)
        if options.seconds is not None and self._work() >= options.seconds:
            left = 0
        return left

    def _shrink(self, trace: Trace, problem: Problem) -> None:
        """Keep the failure as it is, then as small as it gets."""
        target, make = self._options.target, self._record.make
        raw = replace(describe(trace, problem.code, make, target), shrunk=False)
        self._findings.append(raw)
        self._store.keep(raw, target)
        shrunk, cut_short = self._least(trace, problem)
        least = replace(describe(shrunk.trace, problem.code, make, target), shrunk=shrunk.at_rest)
        shown = rerun(shrunk.trace, make).codes
        known = self._known.get(shown[0])
        if known is None:
            self._store.keep(least, target)
        if known or least.id != raw.id:
            self._store.drop(raw.id)
        self._findings.pop()
        if known:
            self._known[problem.code] = known
            self._ended[known] += 1
        else:
            self._cut_short += [least.id] * cut_short
            self._tell(least, (problem.code, *shown))

    def _least(self, trace: Trace, problem: Problem) -> tuple[Shrunk, bool]:
        """The least trace found in half of the time that all shrinking may still take; whether that ended it."""
        began, allowed = processor_seconds(), self._shrinking / 2

        def late() -> bool:
            return processor_seconds() - began >= allowed

        shrunk = smallest(replace(self._record, failure=(trace, problem)), self._options.seed, late)
        self._shrinking -= processor_seconds() - began
        return shrunk, late() and not shrunk.at_rest

    def run(self, *, interrupted: bool) -> Run:
        """The campaign so far, as a run."""
        record, options = self._record, self._options
        starved = list(self._starved())
        verdict = Verdict.INCONCLUSIVE if interrupted or not record.ops or starved else Verdict.PASSED
        return Run(
            command="fuzz", target=str(options.target), seed=options.seed,
            verdict=Verdict.FAILED if self._findings else verdict,
            seconds=self._seconds(), ops=record.ops, findings=tuple(self._findings),
            checks=dict(record.checks),
            witnesses={witness.name: record.witnesses[witness.name]
                       for witness in sometimes(hardened=bool(options.target.settings.harden),
                                                spans=options.target.settings.has_runs)},
            extra={"examples": record.examples, "fixed": self._fixed, "hidden": dict(self._ended),
                   "cut_short": self._cut_short, "interrupted": interrupted, "starved": starved,
                   "policies": list(options.policies),
                   "settings": {"policy": list(options.policies), "cache": _drawn(options.cache, CACHES),
                                "retained": _drawn(options.retained, KEEPS)}})

    def _starved(self) -> Iterator[str]:
        """What a campaign that time has ended did too little of; a number of examples is the user's own choice."""
        under = self._record.under
        if self._options.seconds is not None and self._options.examples is None:
            for policy in self._options.policies:
                if under[policy] < LEAST_STEPS:
                    yield f"{policy}: {counted(under[policy], 'step')}, of at least {LEAST_STEPS}"

    def _seconds(self) -> float:
        return monotonic() - self._started

    def _work(self) -> float:
        """Processor time so far, of each job: what a loaded machine takes away from us is no part of the budget."""
        return (processor_seconds() - self._spent) / self._options.pool.jobs

    def _so_far(self) -> Progress:
        return Progress(self._record.ops, self._record.examples, self._work(), len(self._findings))
