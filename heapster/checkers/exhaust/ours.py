"""`exhaust` for our own source on the simulated machine: every program in lock-step with the model."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from time import monotonic

from heapster import __version__
from heapster.checkers.exhaust.frontier import KeptFrontier, frontier_name
from heapster.checkers.exhaust.held import HeldLockstep
from heapster.checkers.exhaust.interpreted import InterpretedEngine, refusal
from heapster.checkers.exhaust.layers import AnswerWay
from heapster.checkers.exhaust.probing import words
from heapster.checkers.exhaust.running import ExhaustPlan, Gone, KeptWalk, Listener, go_on
from heapster.checkers.exhaust.scope import ALIGNMENTS, Scope, scope, trace
from heapster.checkers.exhaust.told import at_most, begun, figures
from heapster.checkers.exhaust.walking import ScopeWalk
from heapster.checkers.findings.describe import describe, least_trace
from heapster.checkers.findings.keeping import FOLLOWING, Keeps
from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.checkers.lockstep.run_trace import Make, rerun
from heapster.checkers.targets.opening import make_for, source_of
from heapster.checkers.targets.source import version
from heapster.checkers.targets.target import UNSET, Target
from heapster.children import processor_seconds
from heapster.model.geometry import DEFAULT_THRESHOLD, HEADER, MIN_BLOCK
from heapster.model.operations import CALLS
from heapster.results import Finding, Run, Verdict

MOST_FINDINGS = 16
SHORT = 3                       # calls: longer programs are of fewer sizes, so that all of them can be run
SMALLEST = MIN_BLOCK - HEADER   # bytes that are asked for
FEW, ALL = (SMALLEST, DEFAULT_THRESHOLD), (SMALLEST, SMALLEST + 1, DEFAULT_THRESHOLD - 1, DEFAULT_THRESHOLD)
CLAIMS = ("specification", "reference", "contents", "invariants")


class OwnHearing:
    """Makes findings of the programs that fail: each code once, but those that any fault shows sooner or later."""

    def __init__(self, target: Target, made: Scope, keep: Callable[[Finding], None]) -> None:
        bare = UNSET._replace(spans=target.settings.spans)
        self._bare = Target(target.kind, target.name, bare, target.paths)
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


@lru_cache(1)
def _maker(target: Target) -> Make:
    return make_for(target)


def _fresh(target: Target) -> Lockstep:
    """A lockstep before its first step, wherever the piece is run that needs it."""
    lockstep: Lockstep = _maker(target)()
    return lockstep


def exhaust(target: Target, plan: ExhaustPlan, listener: Listener, store: Keeps, folder: Path) -> Run:
    """Run every program of the scope on our source; findings are announced and kept as they come."""
    make = partial(_fresh, target)
    HeldLockstep(make())                    # or nothing can be taken back
    scopes = _scopes(plan)
    if plan.sizes is None:
        listener.say(f"sizes {words(ALL)}: about the smallest block, and about the first that has a mapping of its own"
                     + (f"; of programs of more than {SHORT} calls {words(FEW)}" if plan.calls > SHORT else ""))
    listener.say(at_most(scopes))
    findings: list[Finding] = []

    def keep(finding: Finding) -> None:
        findings.append(finding)
        store.keep(finding, target)
        listener.announce(finding)

    hearing = OwnHearing(target, scopes[0], keep)
    of, met = (__version__, version(source_of(target))), set[int]()
    kept = [KeptWalk(ScopeWalk(made, InterpretedEngine(make, made), plan.pool, met=met),
                     KeptFrontier(folder, frontier_name(target, place), (*of, made.digest)))
            for place, made in enumerate(scopes)]
    before, started = processor_seconds(), monotonic()
    gone = go_on(kept, hearing,
                 lambda: plan.seconds is not None and processor_seconds() - before >= plan.seconds, listener)
    return _run(target, kept, gone, hearing, findings, monotonic() - started)


def _scopes(plan: ExhaustPlan) -> list[Scope]:
    """What is exhausted, most sizes first: of sizes that are worked out, long programs are of few."""
    def of(calls: int, sizes: tuple[int, ...], first: Scope | None = None) -> Scope:
        return scope(calls, sizes, frozenset(CALLS), refusals=plan.refusals, alignments=(ALIGNMENTS[0],), first=first)

    if plan.sizes is not None:
        return [of(plan.calls, plan.sizes)]
    few = of(plan.calls, FEW)
    return [of(min(plan.calls, SHORT), ALL, few), *([few] if plan.calls > SHORT else [])]


def _run(target: Target, kept: Sequence[KeptWalk], gone: Gone, hearing: OwnHearing, findings: list[Finding],
         seconds: float) -> Run:
    walks = [walk for walk, _ in kept]
    silent = [f"{left}; the rest is kept in {kept[0].frontier.path.parent}: the same command goes on"
              for left in filter(None, (begun(walks),))]
    silent += ["heaps that differ in what blocks hold that nobody has: they count as one",
               "other sizes and settings, longer programs, and threads (heapster fuzz, heapster races)"]
    verdict = Verdict.FAILED if findings else Verdict.PASSED if gone.complete else Verdict.INCONCLUSIVE
    extra = {**figures(walks, complete=gone.complete), "interrupted": gone.interrupted,
             "duplicates": hearing.duplicates, "not_checked": silent}
    runs = sum(walk.layers.runs for walk in walks)
    checks = dict.fromkeys(CLAIMS, runs)
    return Run("exhaust", str(target), 0, verdict, seconds, runs, tuple(findings), checks, {}, extra)
