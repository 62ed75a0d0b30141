"""`fuzz` for a target that somebody else wrote: `libc`, a shared object, a C source, a described pool."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

from heapster.checkers.blackbox.baseline import Baseline, BaselineFinding, BaselineStanding, deviations
from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import THREADS, Campaign, unthreaded
from heapster.checkers.blackbox.collecting import Collected
from heapster.checkers.blackbox.counting import WHOLE, Floor
from heapster.checkers.blackbox.covering import covering
from heapster.checkers.blackbox.judge import Judge, StartError
from heapster.checkers.blackbox.known_faults import LEAK
from heapster.checkers.blackbox.options import ForeignOptions, remember
from heapster.checkers.blackbox.persist import Keeper
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.pursuit import Shown
from heapster.checkers.blackbox.recipe import read_recipe
from heapster.checkers.blackbox.schedule import CasePart
from heapster.checkers.blackbox.severity import ordered
from heapster.checkers.blackbox.sharing import Share, ShareDone, campaigned
from heapster.checkers.blackbox.starting import located
from heapster.checkers.blackbox.tally import Tally
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.findings.keeping import Keeps
from heapster.checkers.jobs.local import ALONE
from heapster.checkers.jobs.pool import Pool, unheard
from heapster.checkers.targets.opening import resolve
from heapster.checkers.targets.target import Target
from heapster.model.operation import Trace
from heapster.model.operations import CALLS
from heapster.model.spec import Promises
from heapster.results import Finding, Run, Verdict
from heapster.wording import counted


def fuzz_foreign(options: ForeignOptions, announce: Callable[[Finding], None],
                 progress: Callable[[Tally, int], None], store: Keeps, folder: Path, floor: Floor = WHOLE,
                 pool: Pool = ALONE, first: tuple[Trace, ...] | None = None,
                 noticed: Callable[[Finding], None] = unheard) -> Run:
    """Judge the target, each of the pool's jobs for the whole time; findings are announced and kept as they come.

    `noticed` is told of each share's before its line is looked for, which takes seconds.

    A run that found nothing and did less than `floor` is inconclusive. What a baseline accepts and the run
    did not meet is run again at its end. What is run first is what failed before, unless `first` says what.
    """
    target = resolve(options)
    with covering(target, options.coverage) as covered:
        try:
            judged = None if covered.target is target else covered.target
            run = _fuzz(options, target, judged, announce, progress, store, folder, floor, pool, first, noticed)
        except StartError as error:
            raise located(target, error) from None
        return covered.told(run)


def _fuzz(options: ForeignOptions, target: ForeignTarget, judged: ForeignTarget | None,
          announce: Callable[[Finding], None], progress: Callable[[Tally, int], None], store: Keeps, folder: Path,
          floor: Floor, pool: Pool, first: tuple[Trace, ...] | None, noticed: Callable[[Finding], None]) -> Run:
    """`judged` is the target as it is loaded, if that is compiled in another way."""
    accepted = Baseline.read(options.baseline)
    excused = () if options.strict else deviations(target)
    excuses: dict[str, str] = {}
    keeper = Keeper(store, folder, options, target,
                    lambda place, shown: remember(place, options, shown.repeat, shown.threads))

    def show(shown: Shown, promises: Promises) -> Finding:
        finding = keeper.keep(shown, promises)
        why = next((known.why for known in excused if known.fits(finding)), "")
        if why:
            excuses[finding.id] = why
        elif not accepted.accepts(finding):
            announce(finding)
        return finding

    kept = [finding for finding in store.stored(options.target) if _is_brief(finding)] if first is None else []
    started = monotonic()
    collected = Collected(show, store.drop, progress, noticed)
    first = tuple(_failed_before(store, options.target)) if first is None else first
    shares = [Share(options, first, CasePart(number, pool.shares), judged) for number in range(pool.shares)]
    done = collected.all(pool.telling(shares, campaigned, collected.hear))
    findings = collected.findings()
    before = Baseline({finding.id: BaselineFinding(finding.code, finding.trace) for finding in kept})
    standing, fixed = _standing(judged or target, options, accepted, before, findings, store, done)
    run = _run(options, target, done, findings, accepted, excuses, monotonic() - started, floor)
    told = {**(standing._asdict() if options.baseline else {}), "fixed": fixed}
    return replace(run, extra={**run.extra, **told})


def _standing(judged: ForeignTarget, options: ForeignOptions, accepted: Baseline, before: Baseline,
              findings: list[Finding], store: Keeps, done: ShareDone) -> tuple[BaselineStanding, list[str]]:
    """What has become of what a baseline accepts, and the ids of all that is mended."""
    if not accepted.known and not before.known:
        return BaselineStanding([], [], []), []
    with Judge(judge_program(judged.bits, None), judged) as judge:
        promises = learn(judge, options.alignment).promises
        standing = accepted.standing(judge, findings, promises, interrupted=done.interrupted)
        again = before.standing(judge, findings, promises, interrupted=done.interrupted)
        return standing, [*standing.fixed, *(identity for identity in again.fixed if store.mend(identity))]


def _is_brief(finding: Finding) -> bool:
    """Whether it is a trace that is run once: what takes threads or rounds is not run again by the way."""
    recipe = read_recipe(finding.trace)
    return recipe is not None and recipe.repeat == 1 and not recipe.threads[0]


def _failed_before(store: Keeps, target: Target) -> Iterator[Trace]:
    """The traces of the findings that are kept."""
    for finding in store.stored(target):
        if recipe := read_recipe(finding.trace):
            yield recipe.trace


def _run(options: ForeignOptions, target: ForeignTarget, done: ShareDone, findings: list[Finding],
         accepted: Baseline, excuses: dict[str, str], seconds: float, floor: Floor) -> Run:
    new = ordered(finding for finding in findings if finding.id not in excuses and not accepted.accepts(finding))
    tally, threads = done.tally, options.threads > 1
    starved = list(starved_of(done, floor, threads=threads))
    extra: dict[str, object] = {
        "examples": tally.cases, "interrupted": done.interrupted,
        "policies_learnt": [*target.as_built, *done.learnt.words],
        "duplicates": dict(tally.duplicates), "compiled_ops_per_second": _rate(tally),
        "known_deviations": sorted(set(excuses.values())), "not_checked": list(_not_checked(options, target, done)),
        "kinds": done.kinds,
        "calls": dict(done.counts.calls), "starved": starved,
        "source": str(target.source) if target.source else None, "lines": dict(target.lines), **done.corpus}
    verdict = Verdict.FAILED if new else Verdict.INCONCLUSIVE if done.interrupted or starved else Verdict.PASSED
    threaded = dict.fromkeys((check for check, _, _ in THREADS), 0) if threads else {}
    checks = done.counts.checks() | {LEAK: 0} | threaded | tally.checks
    return Run("fuzz", str(options.target), options.seed, verdict, seconds, tally.ops, new, checks, {}, extra)


def starved_of(done: ShareDone | Campaign, floor: Floor, *, threads: bool) -> Iterator[str]:
    """What the campaigns have done too little of to say that they found nothing."""
    yield from done.counts.starved(floor)
    if floor.steps and not done.tally.checks[LEAK] and done.counts.can_free:
        yield "no work was repeated, to see whether its memory comes back"
    wanted = THREADS if floor.steps else THREADS[:1]            # in volume, the rest is for stress
    idle = [check for check, _, _ in wanted if threads and not done.tally.checks[check]]
    if idle:
        yield f"no threads ran for {', '.join(idle)}"


def _rate(tally: Tally) -> int:
    return round(tally.compiled_ops / tally.compiled_seconds) if tally.compiled_seconds else 0


def _not_checked(options: ForeignOptions, target: ForeignTarget, done: ShareDone) -> list[str]:
    absent = [verb for verb in CALLS if verb not in target.symbols]
    rules = done.counts.inapplicable()
    without = f"; so not {', '.join(rules)}" if rules else ""
    of_these = f"{counted(len(absent), 'function')} that it does not define: {', '.join(absent)}{without}"
    silent = [of_these] if absent else []
    if "free" in absent:
        silent.append("whether freed blocks serve again: it has no free, and is judged as a bump allocator")
    if options.threads < 2:
        silent.append("threads, forks beside them, and memory that only threads lose (--threads 4)")
    else:
        silent += [f"of threads, {unmade}" for unmade in unthreaded(done.tally, done.idle)]
    silent += done.notes
    silent += [f"{counted(times, 'turn')} of {name}: its cases take too long of this target"
               for name, times in done.waited.items()]
    return silent
