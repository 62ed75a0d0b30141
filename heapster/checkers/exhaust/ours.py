"""`exhaust` for our own source on the simulated machine: every program in lock-step with the model."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic

from heapster import __version__
from heapster.checkers.exhaust.frontier import KeptFrontier
from heapster.checkers.exhaust.held import HeldLockstep
from heapster.checkers.exhaust.interpreted import InterpretedEngine, refusal
from heapster.checkers.exhaust.layers import AnswerWay
from heapster.checkers.exhaust.probing import words
from heapster.checkers.exhaust.running import ExhaustPlan, Gone, Listener, go_on
from heapster.checkers.exhaust.scope import ALIGNMENTS, Scope, scope, trace
from heapster.checkers.exhaust.told import at_most, begun, figures
from heapster.checkers.exhaust.walking import ScopeWalk
from heapster.checkers.findings.describe import describe, least_trace
from heapster.checkers.fuzz.campaign import FOLLOWING, Keeps
from heapster.checkers.lockstep.run_trace import rerun
from heapster.checkers.targets.opening import make_for, source_of
from heapster.checkers.targets.source import version
from heapster.checkers.targets.target import UNSET, Target
from heapster.children import processor_seconds
from heapster.model.geometry import DEFAULT_THRESHOLD, HEADER, MIN_BLOCK
from heapster.model.operations import CALLS
from heapster.results import Finding, Run, Verdict

MOST_FINDINGS = 16
SHORT = 3                       # calls: longer programs are of fewer sizes, so that all of them can be run
CLAIMS = ("specification", "reference", "contents", "invariants")


def own_sizes(calls: int) -> tuple[int, ...]:
    """The smallest block, of short programs also a byte more, and the first request with a mapping of its own."""
    smallest = MIN_BLOCK - HEADER
    return (smallest, smallest + 1, DEFAULT_THRESHOLD) if calls <= SHORT else (smallest, DEFAULT_THRESHOLD)


class OwnHearing:
    """Makes findings of the programs that fail: each code once, but those that any fault shows sooner or later."""

    def __init__(self, target: Target, made: Scope, keep: Callable[[Finding], None]) -> None:
        self._bare = Target(target.kind, target.name, UNSET, target.paths)
        self._make, self._setting, self._scope, self._keep = make_for(self._bare), target.settings.steps, made, keep
        self._known: dict[str, str] = {}
        self.failing: list[tuple[int, ...]] = []
        self.duplicates = 0

    def hear(self, way: AnswerWay) -> None:
        """Shrink and describe a failing program, if its fault is news."""
        steps = (*self._setting, *trace(way.program, self._scope.alphabet, refusal))
        outcome = rerun(steps, self._make)
        if not outcome.codes:
            return
        if outcome.codes[0] in self._known or len(set(self._known.values())) >= MOST_FINDINGS:
            self.duplicates += 1
            return
        least = least_trace(steps, outcome.codes[0], self._make)
        finding = describe(least.trace, outcome.codes[0], self._make, self._bare)
        for code in (outcome.codes[0], *(code for code in rerun(least.trace, self._make).codes
                                         if code not in FOLLOWING)):
            self._known.setdefault(code, finding.id)
        self.failing.append(way.program)
        self._keep(finding)


def exhaust(target: Target, plan: ExhaustPlan, listener: Listener, store: Keeps, folder: Path) -> Run:
    """Run every program of the scope on our source; findings are announced and kept as they come."""
    make = make_for(target)
    HeldLockstep(make())                    # or nothing can be taken back
    sizes = own_sizes(plan.calls) if plan.sizes is None else plan.sizes
    made = scope(plan.calls, sizes, frozenset(CALLS), refusals=plan.refusals, alignments=(ALIGNMENTS[0],))
    if plan.sizes is None:
        listener.say(f"sizes {words(sizes)}: about the smallest block, and the first that has a mapping of its own")
    listener.say(at_most(made))
    findings: list[Finding] = []

    def keep(finding: Finding) -> None:
        findings.append(finding)
        store.keep(finding, target)
        listener.announce(finding)

    hearing = OwnHearing(target, made, keep)
    walk = ScopeWalk(made, InterpretedEngine(make, made), plan.jobs)
    frontier = KeptFrontier(folder, str(target), (__version__, version(source_of(target)), made.digest))
    before, started = processor_seconds(), monotonic()
    gone = go_on(walk, frontier, hearing,
                 lambda: plan.seconds is not None and processor_seconds() - before >= plan.seconds, listener)
    return _run(target, walk, gone, hearing, findings, frontier, monotonic() - started)


def _run(target: Target, walk: ScopeWalk, gone: Gone, hearing: OwnHearing, findings: list[Finding],
         frontier: KeptFrontier, seconds: float) -> Run:
    silent = [f"{begun(walk)}; the rest is kept in {frontier.path}: the same command goes on"] if begun(walk) else []
    silent += ["heaps that differ in what blocks hold that nobody has: they count as one",
               "other sizes and settings, longer programs, and threads (heapster fuzz, heapster races)"]
    verdict = Verdict.FAILED if findings else Verdict.PASSED if gone.complete else Verdict.INCONCLUSIVE
    extra = {**figures(walk, walk.counted(), complete=gone.complete), "interrupted": gone.interrupted,
             "duplicates": hearing.duplicates, "not_checked": silent}
    return Run("exhaust", str(target), 0, verdict, seconds, walk.layers.runs, tuple(findings),
               dict.fromkeys(CLAIMS, walk.layers.runs), {}, extra)
