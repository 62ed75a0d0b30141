"""`fuzz` for a target that somebody else wrote: `libc`, a shared object, a C source, a described pool."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

from heapster.checkers.foreign.baseline import Baseline, deviations
from heapster.checkers.foreign.build import judge_program
from heapster.checkers.foreign.campaign import Campaign, Tally
from heapster.checkers.foreign.judge import Judge
from heapster.checkers.foreign.keeping import Keeper
from heapster.checkers.foreign.options import ForeignOptions, remember, resolve
from heapster.checkers.foreign.pursuit import Shown
from heapster.checkers.foreign.schedule import Kind
from heapster.checkers.foreign.target import ForeignTarget
from heapster.checkers.fuzzing import Keeps
from heapster.model.operation import Trace
from heapster.model.trace import parse
from heapster.results import Finding, Run, Verdict


def fuzz_foreign(options: ForeignOptions, announce: Callable[[Finding], None],
                 progress: Callable[[Tally, int], None], store: Keeps, folder: Path) -> Run:
    """Judge the target; findings are announced and kept as they come."""
    target = resolve(options)
    accepted = Baseline.read(options.baseline)
    excused = () if options.strict else deviations(target)
    excuses: dict[str, str] = {}
    with Judge(judge_program(target.bits, None), target) as judge:
        keeper = Keeper(store, folder, target, options.compiler,
                        lambda place, shown: remember(place, options, shown.repeat, shown.threads))

        def show(shown: Shown) -> None:
            finding = keeper.keep(shown, campaign.promises)
            why = next((known.why for known in excused if known.fits(finding)), "")
            if why:
                excuses[finding.id] = why
            elif not accepted.accepts(finding):
                announce(finding)

        campaign = Campaign(judge, options.seconds, options.seed, options.alignment, options.threads, show, progress,
                            _failed_before(store, target.name))
        started = monotonic()
        campaign.run()
        seconds = monotonic() - started
    return _run(options, target, campaign, keeper.findings, accepted, excuses, seconds)


def _failed_before(store: Keeps, target: str) -> Iterator[Trace]:
    """The traces of the findings that are kept."""
    for finding in store.stored(target):
        steps = [line for line in finding.trace if not line.startswith("#")]
        yield parse("\n".join(steps))


def _run(options: ForeignOptions, target: ForeignTarget, campaign: Campaign, findings: list[Finding],
         accepted: Baseline, excuses: dict[str, str], seconds: float) -> Run:
    new = tuple(finding for finding in findings if finding.id not in excuses and not accepted.accepts(finding))
    tally = campaign.tally
    extra: dict[str, object] = {
        "examples": tally.cases, "interrupted": campaign.interrupted, "policies_learnt": list(campaign.learnt.words),
        "duplicates": dict(tally.duplicates), "compiled_ops_per_second": _rate(tally),
        "known_deviations": sorted(set(excuses.values())), "not_checked": list(_not_checked(options, target)),
        "kinds": {kind.name: _kind(kind) for kind in campaign.schedule.kinds},
        "source": str(target.source) if target.source else None, "lines": dict(target.lines)}
    if options.baseline:
        extra |= {"accepted": accepted.met(findings), "fixed": accepted.unmet(findings)}
    verdict = Verdict.FAILED if new else Verdict.INCONCLUSIVE if campaign.interrupted else Verdict.PASSED
    return Run("fuzz", options.target, options.seed, verdict, seconds, tally.ops, new, dict(tally.checks), {}, extra)


def _kind(kind: Kind) -> dict[str, object]:
    return {"cases": kind.done, "ops": kind.ops, "processor_seconds": round(kind.seconds, 3), "waited": kind.waited}


def _rate(tally: Tally) -> int:
    return round(tally.compiled_ops / tally.compiled_seconds) if tally.compiled_seconds else 0


def _not_checked(options: ForeignOptions, target: ForeignTarget) -> list[str]:
    absent = [verb for verb in ("calloc", "realloc", "aligned_alloc", "posix_memalign", "usable_size")
              if verb not in target.symbols]
    silent = [f"{', '.join(absent)}: the target defines none"] if absent else []
    if options.threads < 2:
        silent.append("threads (--threads 4)")
    return silent
