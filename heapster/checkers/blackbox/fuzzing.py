"""`fuzz` for a target that somebody else wrote: `libc`, a shared object, a C source, a described pool."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import monotonic

from heapster.checkers.blackbox.baseline import Baseline, BaselineFinding, deviations
from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import THREADS, Campaign, Tally
from heapster.checkers.blackbox.counting import WHOLE, Floor
from heapster.checkers.blackbox.covering import covering
from heapster.checkers.blackbox.guiding import Guiding
from heapster.checkers.blackbox.judge import Judge, StartError
from heapster.checkers.blackbox.known_faults import LEAK
from heapster.checkers.blackbox.options import ForeignOptions, remember
from heapster.checkers.blackbox.persist import Keeper
from heapster.checkers.blackbox.pursuit import Shown
from heapster.checkers.blackbox.recipe import read_recipe
from heapster.checkers.blackbox.schedule import CaseKind
from heapster.checkers.blackbox.severity import ordered
from heapster.checkers.blackbox.starting import located
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.fuzz.campaign import Keeps
from heapster.checkers.targets.opening import resolve
from heapster.checkers.targets.target import Target
from heapster.model.operation import Trace
from heapster.model.operations import CALLS
from heapster.results import Finding, Run, Verdict
from heapster.wording import counted


def fuzz_foreign(options: ForeignOptions, announce: Callable[[Finding], None],
                 progress: Callable[[Tally, int], None], store: Keeps, folder: Path, floor: Floor = WHOLE) -> Run:
    """Judge the target; findings are announced and kept as they come.

    A run that found nothing and did less than `floor` is inconclusive. What a baseline accepts and the run
    did not meet is run again at its end.
    """
    target = resolve(options)
    with covering(target, options.coverage) as covered, Guiding(covered.target, options.corpus) as guiding:
        try:
            run = _fuzz(options, target, covered.target, guiding, announce, progress, store, folder, floor)
        except StartError as error:
            raise located(target, error) from None
        return covered.told(run)


def _fuzz(options: ForeignOptions, target: ForeignTarget, judged: ForeignTarget, guiding: Guiding,
          announce: Callable[[Finding], None], progress: Callable[[Tally, int], None], store: Keeps, folder: Path,
          floor: Floor) -> Run:
    """`judged` is the target as it is loaded, perhaps compiled in another way."""
    accepted = Baseline.read(options.baseline)
    excused = () if options.strict else deviations(target)
    excuses: dict[str, str] = {}
    with Judge(judge_program(target.bits, None), judged) as judge:
        keeper = Keeper(store, folder, options, target,
                        lambda place, shown: remember(place, options, shown.repeat, shown.threads))

        def show(shown: Shown) -> None:
            finding = keeper.keep(shown, campaign.promises)
            why = next((known.why for known in excused if known.fits(finding)), "")
            if why:
                excuses[finding.id] = why
            elif not accepted.accepts(finding):
                announce(finding)

        campaign = Campaign(judge, options.seconds, options.seed, options.alignment, options.threads, progress,
                            _failed_before(store, options.target), lines=True, guiding=guiding)
        kept = [finding for finding in store.stored(options.target) if _is_brief(finding)]
        started = monotonic()
        _keep_all(campaign, show)
        standing = accepted.standing(judge, keeper.findings, campaign.promises, interrupted=campaign.interrupted)
        before = Baseline({finding.id: BaselineFinding(finding.code, finding.trace) for finding in kept})
        again = before.standing(judge, keeper.findings, campaign.promises, interrupted=campaign.interrupted)
        fixed = [*standing.fixed, *(identity for identity in again.fixed if store.mend(identity))]
        seconds = monotonic() - started
    run = _run(options, target, campaign, keeper.findings, accepted, excuses, seconds, floor)
    told = {**(standing._asdict() if options.baseline else {}), "fixed": fixed}
    return replace(run, extra={**run.extra, **told})


def _is_brief(finding: Finding) -> bool:
    """Whether it is a trace that is run once: what takes threads or rounds is not run again by the way."""
    recipe = read_recipe(finding.trace)
    return recipe is not None and recipe.repeat == 1 and not recipe.threads[0]


def _keep_all(campaign: Campaign, keep: Callable[[Shown], None]) -> None:
    """Hand on what the campaign finds; an interrupt while a finding is kept ends the campaign as any other does."""
    try:
        with closing(campaign.found()) as found:
            for shown in found:
                keep(shown)
    except KeyboardInterrupt:
        campaign.interrupted = True


def _failed_before(store: Keeps, target: Target) -> Iterator[Trace]:
    """The traces of the findings that are kept."""
    for finding in store.stored(target):
        if recipe := read_recipe(finding.trace):
            yield recipe.trace


def _run(options: ForeignOptions, target: ForeignTarget, campaign: Campaign, findings: list[Finding],
         accepted: Baseline, excuses: dict[str, str], seconds: float, floor: Floor) -> Run:
    new = ordered(finding for finding in findings if finding.id not in excuses and not accepted.accepts(finding))
    tally, threads = campaign.tally, options.threads > 1
    starved = list(starved_of(campaign, floor, threads=threads))
    extra: dict[str, object] = {
        "examples": tally.cases, "interrupted": campaign.interrupted,
        "policies_learnt": [*target.as_built, *campaign.learnt.words],
        "duplicates": dict(tally.duplicates), "compiled_ops_per_second": _rate(tally),
        "known_deviations": sorted(set(excuses.values())), "not_checked": list(_not_checked(options, target, campaign)),
        "kinds": {kind.name: _kind(kind) for kind in campaign.schedule.kinds},
        "calls": dict(campaign.counts.calls), "starved": starved,
        "source": str(target.source) if target.source else None, "lines": dict(target.lines)}
    if campaign.guiding and campaign.guiding.guidance:
        extra |= campaign.guiding.guidance.figures()
    verdict = Verdict.FAILED if new else Verdict.INCONCLUSIVE if campaign.interrupted or starved else Verdict.PASSED
    threaded = dict.fromkeys((check for check, _, _ in THREADS), 0) if threads else {}
    checks = campaign.counts.checks() | {LEAK: 0} | threaded | tally.checks
    return Run("fuzz", str(options.target), options.seed, verdict, seconds, tally.ops, new, checks, {}, extra)


def starved_of(campaign: Campaign, floor: Floor, *, threads: bool) -> Iterator[str]:
    """What the campaign has done too little of to say that it found nothing."""
    yield from campaign.counts.starved(floor)
    if floor.steps and not campaign.tally.checks[LEAK] and "free" in campaign.judge.target.verbs:
        yield "no work was repeated, to see whether its memory comes back"
    wanted = THREADS if floor.steps else THREADS[:1]            # in volume, the rest is for stress
    idle = [check for check, _, _ in wanted if threads and not campaign.tally.checks[check]]
    if idle:
        yield f"no threads ran for {', '.join(idle)}"


def _kind(kind: CaseKind) -> dict[str, object]:
    return {"cases": kind.done, "ops": kind.ops, "processor_seconds": round(kind.seconds, 3), "waited": kind.waited}


def _rate(tally: Tally) -> int:
    return round(tally.compiled_ops / tally.compiled_seconds) if tally.compiled_seconds else 0


def _not_checked(options: ForeignOptions, target: ForeignTarget, campaign: Campaign) -> list[str]:
    absent = [verb for verb in CALLS if verb not in target.symbols]
    rules = campaign.counts.inapplicable()
    without = f"; so not {', '.join(rules)}" if rules else ""
    of_these = f"{counted(len(absent), 'function')} that it does not define: {', '.join(absent)}{without}"
    silent = [of_these] if absent else []
    if "free" in absent:
        silent.append("whether freed blocks serve again: it has no free, and is judged as a bump allocator")
    if options.threads < 2:
        silent.append("threads, forks beside them, and memory that only threads lose (--threads 4)")
    else:
        silent += [f"of threads, {unmade}" for unmade in campaign.unthreaded()]
    if campaign.judge.header.addresses_vary:
        silent.append("the same addresses twice: the system refuses personality(2), so a seed may give other findings")
    silent += campaign.explainer.notes if campaign.explainer else []
    silent += campaign.guiding.guidance.silent if campaign.guiding and campaign.guiding.guidance else []
    silent += [f"{kind.waited} turns of {kind.name}: its cases take too long of this target"
               for kind in campaign.schedule.kinds if kind.waited]
    return silent
