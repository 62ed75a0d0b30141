"""`exhaust` for a target that is called from outside: the compiled engine runs, the precise one judges each way."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from time import monotonic

from heapster import __version__
from heapster.checkers.blackbox.baseline import deviations
from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.describe import only_taken
from heapster.checkers.blackbox.explaining import Explainer
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions, remember
from heapster.checkers.blackbox.persist import Keeper
from heapster.checkers.blackbox.probing import Learnt, learn
from heapster.checkers.blackbox.pursuit import Pursuit, Shown
from heapster.checkers.blackbox.root_cause import is_same_fault
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.exhaust.called import CalledEngine, is_closed, refusal
from heapster.checkers.exhaust.frontier import KeptFrontier, frontier_name
from heapster.checkers.exhaust.layers import AnswerWay
from heapster.checkers.exhaust.probing import Sizes, probed, words
from heapster.checkers.exhaust.running import ExhaustPlan, Gone, KeptWalk, Listener, go_on
from heapster.checkers.exhaust.scope import Scope, scope, trace
from heapster.checkers.exhaust.told import at_most, begun, figures
from heapster.checkers.exhaust.walking import ScopeWalk
from heapster.checkers.findings.keeping import Keeps
from heapster.checkers.targets.opening import resolve
from heapster.children import processor_seconds
from heapster.model.operations import CALLS
from heapster.results import Run, Verdict
from heapster.wording import counted

MOST_FINDINGS = 16
EXPLAINED = 30.0                # seconds that finding lines of the source may be worth, as a run of so many
REPLAYS = 4000                  # that traces which stay long may take to be shrunk


class Hearing:
    """Judges each way to answer once, with the whole specification, and makes findings of those that fail."""

    def __init__(self, judge: Judge, learnt: Learnt, made: Scope, keep: Callable[[Shown], None]) -> None:
        self._judge, self._learnt, self._scope, self._keep = judge, learnt, made, keep
        self._pursuit = Pursuit(judge, learnt, REPLAYS)
        self.explainer = Explainer(judge.target, learnt.promises, judge, EXPLAINED)
        self.shown: list[Shown] = []
        self.failing: list[tuple[int, ...]] = []
        self.heard = self.unconfirmed = self.passed_over = 0

    @property
    def duplicates(self) -> dict[str, int]:
        """Ways that fail as one of the findings does, by code."""
        return dict(self._pursuit.duplicates)

    def hear(self, way: AnswerWay) -> None:
        """Judge a way by the program that showed it first."""
        self.heard += 1
        steps = trace(way.program, self._scope.alphabet, refusal)
        outcome = run_trace(self._judge, steps, self._learnt.promises, self._pursuit.known.masked)
        if not outcome.reasons:
            masked = run_trace(self._judge, steps, self._learnt.promises) if way.spoils else outcome
            self.unconfirmed += way.spoils and not masked.reasons
            return
        if len(self.shown) >= MOST_FINDINGS:
            self.passed_over += 1
            return
        before = len(self.shown)
        self._pursuit.pursue(only_taken(steps, outcome), outcome)
        while self._pursuit.found:
            self._show(self._pursuit.found.pop(0))
        if len(self.shown) > before:
            self.failing.append(way.program)

    def _show(self, shown: Shown) -> None:
        shown = shown._replace(finding=self.explainer.explained(shown))
        if any(is_same_fault(shown.finding, other.finding) for other in self.shown):
            self._pursuit.duplicates[shown.finding.code] += 1
            return
        self.shown.append(shown)
        self._keep(shown)


def exhaust(options: ForeignOptions, plan: ExhaustPlan, listener: Listener, store: Keeps, folder: Path) -> Run:
    """Run every program of the scope; findings are announced and kept as they come."""
    target = resolve(options)
    with Judge(judge_program(target.bits), target) as judge:
        learnt = learn(judge, options.alignment)
        found = probed(judge) if plan.sizes is None else None
        scopes = _scopes(plan, target, found)
        for why in (f"sizes {words(found.sizes)}", *found.why) if found else ():
            listener.say(why)
        listener.say(at_most(scopes))
        exhausting = _Exhausting(options, plan, judge, learnt, scopes, listener, store, folder)
        with closing(exhausting.hearing.explainer):
            return exhausting.run()


def _scopes(plan: ExhaustPlan, target: ForeignTarget, found: Sizes | None) -> list[Scope]:
    """What is exhausted, most sizes first: of sizes that are worked out, a few are walked over by themselves as well.

    Long programs of these are run before all programs that are as long.
    """
    def of(sizes: tuple[int, ...], first: Scope | None = None) -> Scope:
        return scope(plan.calls, sizes, target.verbs, refusals=plan.refusals, first=first)

    if found is None:
        return [of(plan.sizes or ())]
    few = of(found.few)
    return [of(found.sizes, few), few]


class _Exhausting:
    """One run."""

    def __init__(self, options: ForeignOptions, plan: ExhaustPlan, judge: Judge, learnt: Learnt, scopes: list[Scope],
                 listener: Listener, store: Keeps, folder: Path) -> None:
        self._options, self._plan, self._judge, self._learnt = options, plan, judge, learnt
        self._scopes, self._listener, self._target, self._folder = scopes, listener, judge.target, folder
        self._keeper = Keeper(store, folder, options, judge.target,
                              lambda place, shown: remember(place, options, shown.repeat, shown.threads))
        self._excused = () if options.strict else deviations(judge.target)
        self._excuses: dict[str, str] = {}
        self.hearing = Hearing(judge, learnt, scopes[0], self._keep)
        self._kept = self._walks_by(closed=is_closed(judge.target))
        self._before = self._worked()

    def _walks_by(self, *, closed: bool) -> list[KeptWalk]:
        of, met = (f"{__version__} {self._judge.program.name}", _digest(self._target)), set[int]()
        by = partial(CalledEngine, self._judge, promises=self._learnt.promises, options=self._options, closed=closed)
        return [KeptWalk(ScopeWalk(made, by(made), self._plan.pool, met=met),
                         KeptFrontier(self._folder, frontier_name(self._options.target, place), (*of, made.digest)))
                for place, made in enumerate(self._scopes)]

    def _keep(self, shown: Shown) -> None:
        finding = self._keeper.keep(shown, self._learnt.promises)
        why = next((known.why for known in self._excused if known.fits(finding)), "")
        if why:
            self._excuses[finding.id] = why
        else:
            self._listener.announce(finding)

    def _worked(self) -> float:
        return processor_seconds() + self._judge.spent + self.hearing.explainer.spent

    def _is_late(self) -> bool:
        return self._plan.seconds is not None and self._worked() - self._before >= self._plan.seconds

    def run(self) -> Run:
        """Walk, and by children from the start if snapshots do not hold."""
        started = monotonic()
        gone = self._go_on()
        if any(walk.strayed for walk, _ in self._kept):
            self._listener.say("it takes memory where no snapshot finds it: each program is run in a child of its own")
            self._kept = self._walks_by(closed=False)
            gone = self._go_on()
        return self._told(monotonic() - started, gone)

    def _go_on(self) -> Gone:
        return go_on(self._kept, self.hearing, self._is_late, self._listener)

    def _told(self, seconds: float, gone: Gone) -> Run:
        walks, hearing, options = [walk for walk, _ in self._kept], self.hearing, self._options
        new = tuple(finding for finding in self._keeper.findings if finding.id not in self._excuses)
        runs = sum(walk.layers.runs for walk in walks)
        verdict = Verdict.FAILED if new else Verdict.PASSED if gone.complete else Verdict.INCONCLUSIVE
        checks = {"every_answer": runs, "specification": hearing.heard}
        extra: dict[str, object] = {
            **figures(walks, complete=gone.complete), "interrupted": gone.interrupted,
            "policies_learnt": [*self._target.as_built, *self._learnt.words], "duplicates": hearing.duplicates,
            "known_deviations": sorted(set(self._excuses.values())),
            "not_checked": list(_not_checked(self._target, walks, hearing, self._folder)),
            "source": str(self._target.source) if self._target.source else None, "lines": dict(self._target.lines)}
        return Run("exhaust", str(options.target), 0, verdict, seconds, runs, new, checks, {}, extra)


def _digest(target: ForeignTarget) -> str:
    parts = [path.read_bytes() for path in {Path(target.path), target.code_path} if path.is_file()]
    about = repr((target.name, sorted(target.symbols.items()), sorted(target.environment.items()), target.heap_limit))
    return sha256(b"".join([*sorted(parts), about.encode()])).hexdigest()[:16]


def _not_checked(target: ForeignTarget, walks: Sequence[ScopeWalk], hearing: Hearing, folder: Path) -> Iterable[str]:
    if absent := [verb for verb in CALLS if verb not in target.symbols]:
        yield f"{', '.join(absent)}: the target defines none"
    if left := begun(walks):
        yield f"{left}; the rest is kept in {folder}: the same command goes on"
    if spoilt := max(sum(one.failing or 0 for one in walk.counted()) for walk in walks):
        yield f"what comes after {counted(spoilt, 'failing program')}: longer ones that begin so are not run"
    if not all(isinstance(walk.engine, CalledEngine) and walk.engine.closed for walk in walks):
        yield "heaps that differ though all blocks ever given lie alike: they count as one, as nothing else is seen"
    if hearing.unconfirmed:
        yield f"{counted(hearing.unconfirmed, 'way')} to answer that looked wrong, but not when run alone"
    if hearing.passed_over:
        yield f"{counted(hearing.passed_over, 'way')} to fail beyond the first {MOST_FINDINGS} findings"
    yield "other sizes, longer programs, threads, and memory that is lost little by little (heapster fuzz)"
    yield from hearing.explainer.notes
