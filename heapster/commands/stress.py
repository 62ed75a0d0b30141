"""`heapster stress`."""

from collections.abc import Sequence
from random import SystemRandom
from typing import Any

import click

from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.jobs.local import ALONE
from heapster.checkers.jobs.pool import Pool, cores
from heapster.checkers.stress.runner import StressPlan, stress
from heapster.checkers.stress.several import together
from heapster.checkers.targets.target import NATIVE, Target
from heapster.commands.delivery import Delivery
from heapster.commands.foreign import options_of
from heapster.commands.options import not_for
from heapster.commands.selection import Selection
from heapster.commands.targets import targets_of
from heapster.commands.workers import pool_of
from heapster.reports.output import say
from heapster.reports.progress import Meter
from heapster.results import Run
from heapster.wording import counted

SEEDS = 1 << 32
OF_STRANGERS = ("prefix", "cc", "cflags", "build")


def command(target: str, threads: int, seconds: float, pattern: str, seed: int | None, json: str | None,
            junit: str | None, **given: Any) -> int:
    """Run real threads on a compiled allocator; every block is tagged and verified."""
    chosen = SystemRandom().randrange(SEEDS) if seed is None else seed
    targets = targets_of(target, "stress")
    plans = [StressPlan(one, threads, seconds / len(targets), pattern, chosen, options=_options(one, given))
             for one in targets]
    for plan in plans:
        plan.check()
    delivery = Delivery(json, junit, selection=Selection.of(given))
    delivery.check()
    pool = pool_of(given, max(1, cores() // threads), [path for one in targets for path in one.paths])
    run = delivery.selection.applied(_campaigns(plans, pool))
    say((line, "") for line in lines(run))
    return delivery.deliver(run)


def _options(target: Target, given: dict[str, Any]) -> ForeignOptions | None:
    """How a target is compiled and named, if that is said; UsageError where it is our own."""
    if not any(given.get(name) for name in OF_STRANGERS):
        return None
    if target.kind == NATIVE.kind:
        not_for(click.get_current_context(), OF_STRANGERS, f"{target} is our own library")
    return options_of(target, given)


def _campaigns(plans: Sequence[StressPlan], pool: Pool) -> Run:
    """Each plan with its share of the time; what was found of all."""
    runs: list[Run] = []
    for plan in plans:
        runs.append(campaign(plan, pool))
        if runs[-1].extra.get("interrupted"):
            break
    return runs[0] if len(plans) == 1 else together(runs, [str(plan.target) for plan in plans[len(runs):]])


def campaign(plan: StressPlan, pool: Pool = ALONE) -> Run:
    """Run and show how far it is."""
    with Meter(f"stress {plan.target}") as meter:
        run = stress(plan, lambda name, number, of: meter.show(number / of, name), pool)
        meter.close(f"{counted(run.ops, 'operation')} in {run.seconds:.1f} s")
    return run


def lines(run: Run) -> list[str]:
    """The rate of each pattern, the price of verification, and a finding's stacks."""
    width = max([10, *(1 + len(name) for name in run.extra["patterns"])])
    table = [f"{name:<{width}}{figures['ops_per_second']:>14,} operations a second"
             for name, figures in run.extra["patterns"].items()]
    if "verified_share" in run.extra:
        table.append(f"verified at {run.extra['verified_share']:.0%} of the rate of the same loop without verification")
    return table + [detail for finding in run.findings for detail in finding.details]
