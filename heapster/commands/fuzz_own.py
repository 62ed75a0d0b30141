"""`heapster fuzz` of our own allocator: in lock-step with the model; the compiled library in volume besides."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import SystemRandom
from typing import Any

from heapster.checkers.findings.store import Store
from heapster.checkers.fuzz import campaign as lockstep
from heapster.checkers.fuzz.campaign import FuzzOptions, Progress
from heapster.checkers.fuzz.native_volume import SHARE, in_volume, settings, together
from heapster.checkers.jobs.local import Local
from heapster.checkers.jobs.pool import cores
from heapster.checkers.targets.target import NATIVE, UNSET, Target
from heapster.commands.delivery import Delivery
from heapster.commands.workers import pool_of
from heapster.config import POLICIES
from heapster.reports.output import say
from heapster.reports.progress import Meter
from heapster.reports.terminal import PLAIN, finding_lines
from heapster.results import Finding, Run, Verdict
from heapster.wording import counted

SECONDS = 30.0                  # if nothing says for how long
SEEDS = 1 << 32


def fuzz(aimed: Target, given: dict[str, Any], delivery: Delivery, kept: Store) -> int:
    """Judge it by generated programs; findings are shown as they come."""
    told = list[Finding]()

    def announce(finding: Finding) -> None:
        if delivery.selection.takes(finding):
            told.append(finding)
            say([*finding_lines(finding), ("", PLAIN)])

    options = _options(aimed, given)
    if options.target.kind == NATIVE.kind and options.seconds:
        return delivery.deliver(_both(options, options.seconds, kept, announce), told)
    return delivery.deliver(campaign(options, kept, announce), told)


def _options(target: Target, given: dict[str, Any]) -> FuzzOptions:
    """What a target sets is what its programs begin with; the rest is drawn."""
    fixed = target.settings
    unlimited = given["seconds"] is None and given["examples"] is None
    return FuzzOptions(
        target=replace(target, settings=UNSET._replace(harden=fixed.harden, spans=fixed.spans)),
        policies=(fixed.policy,) if fixed.policy else given["policy"],
        seconds=SECONDS if unlimited else given["seconds"],
        examples=given["examples"],
        seed=SystemRandom().randrange(SEEDS) if given["seed"] is None else given["seed"],
        arenas=fixed.arenas or given["arenas"],
        cache=fixed.cache,
        retained=fixed.retained,
        faults=given["faults"],
        pool=pool_of(given, needs=target.paths),
    )


def _both(options: FuzzOptions, seconds: float, store: Store, announce: Callable[[Finding], None]) -> Run:
    """The compiled library in lockstep for a share of the time, and then in volume."""
    run = campaign(replace(options, seconds=seconds * (1 - SHARE)), store, announce)
    if run.verdict is Verdict.INCONCLUSIVE or run.extra["interrupted"]:
        return run
    try:
        names = settings(options.policies, spans=options.target.settings.spans)
        runs = volume(names, seconds * SHARE, options.seed, store,
                      options.pool.jobs if isinstance(options.pool, Local) else cores())
    except KeyboardInterrupt:
        return replace(run, extra={**run.extra, "interrupted": True})
    of_findings = [claim for claim in run.extra["not_checked"] if claim not in _not_checked(options)]
    claims = [*of_findings, *_not_checked(options, with_threads=True)]
    run = together(run, runs)
    return replace(run, extra={**run.extra, "not_checked": claims})


def volume(names: Sequence[Target], seconds: float, seed: int, store: Store, jobs: int = 1) -> list[Run]:
    """The compiled library in these settings, by compiled checks, with a show of how far that is.

    Raises KeyboardInterrupt if it is interrupted before any of them has come to its end.
    """
    with Meter("fuzz native, in volume") as meter:
        runs = in_volume(names, seconds, seed, lambda name, ops, findings: meter.show(
            None, f"{name}: {counted(ops, 'operation')}, {counted(findings, 'finding')}"), store, store.folder, jobs)
        meter.close(f"{counted(sum(run.ops for run in runs), 'operation')} in {counted(len(runs), 'setting')}")
    return runs


def campaign(options: FuzzOptions, store: Store, announce: Callable[[Finding], None] = lambda _: None) -> Run:
    """Run a campaign and show how far it is; findings are announced as they come."""
    with Meter(f"fuzz {options.target}") as meter:
        run = lockstep.fuzz(options, lambda so_far: meter.show(_fraction(options, so_far), _state(so_far)), store,
                            announce)
        rate = run.ops / run.seconds if run.seconds else 0.0
        meter.close(f"{counted(run.ops, 'operation')} in {run.seconds:.1f} s, {rate:,.0f} a second")
    hidden = [f"what comes after {_named(run, identity)}: {counted(times, 'example')} ended there"
              for identity, times in run.extra["hidden"].items()]
    longer = [f"whether less than {_named(run, identity)} has fails likewise: shrinking had its share of processor time"
              for identity in run.extra["cut_short"]]
    return replace(run, extra={**run.extra, "not_checked": [*hidden, *longer, *_not_checked(options)]})


def _named(run: Run, identity: str) -> str:
    return next(f"{finding.code} ({identity})" for finding in run.findings if finding.id == identity)


def _fraction(options: FuzzOptions, progress: Progress) -> float | None:
    if options.seconds:
        return progress.seconds / options.seconds
    return progress.examples / options.examples if options.examples else None


def _state(progress: Progress) -> str:
    return f"{counted(progress.ops, 'operation')}, {counted(progress.findings, 'finding')}"


def _not_checked(options: FuzzOptions, *, with_threads: bool = False) -> list[str]:
    """What no campaign with these options says anything about."""
    silent = []
    if absent := [policy for policy in POLICIES if policy not in options.policies]:
        silent.append(f"policies {', '.join(absent)} (--policy all)")
    if not options.faults:
        silent.append("refusals of the system (--faults)")
    compiled = "" if options.target == NATIVE else ", and the compiled library (heapster fuzz native)"
    if not with_threads:
        silent.append(f"threads that run at the same time{compiled}")
    if options.target == NATIVE and not options.seconds:
        silent.append("many operations in each setting, by compiled checks (--seconds)")
    return silent
