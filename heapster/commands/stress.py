"""`heapster stress`."""

from random import SystemRandom
from typing import Any

from heapster.checkers.jobs.local import ALONE
from heapster.checkers.jobs.pool import Pool, cores
from heapster.checkers.stress.runner import StressPlan, stress
from heapster.commands.delivery import Delivery
from heapster.commands.selection import Selection
from heapster.commands.targets import target_of
from heapster.commands.workers import pool_of
from heapster.reports.output import say
from heapster.reports.progress import Meter
from heapster.results import Run
from heapster.wording import counted

SEEDS = 1 << 32


def command(target: str, threads: int, seconds: float, pattern: str, seed: int | None, json: str | None,
            junit: str | None, **given: Any) -> int:
    """Run real threads on a compiled allocator; every block is tagged and verified."""
    chosen = SystemRandom().randrange(SEEDS) if seed is None else seed
    plan = StressPlan(target_of(target, "stress"), threads, seconds, pattern, chosen)
    plan.check()
    delivery = Delivery(json, junit, selection=Selection.of(given))
    delivery.check()
    run = delivery.selection.applied(campaign(plan, pool_of(given, max(1, cores() // threads), plan.target.paths)))
    say((line, "") for line in lines(run))
    return delivery.deliver(run)


def campaign(plan: StressPlan, pool: Pool = ALONE) -> Run:
    """Run and show how far it is."""
    with Meter(f"stress {plan.target}") as meter:
        run = stress(plan, lambda name, number, of: meter.show(number / of, name), pool)
        meter.close(f"{counted(run.ops, 'operation')} in {run.seconds:.1f} s")
    return run


def lines(run: Run) -> list[str]:
    """The rate of each pattern, the price of verification, and a finding's stacks."""
    table = [f"{name:<10}{figures['ops_per_second']:>14,} operations a second"
             for name, figures in run.extra["patterns"].items()]
    if "verified_share" in run.extra:
        table.append(f"verified at {run.extra['verified_share']:.0%} of the rate of the same loop without verification")
    return table + [detail for finding in run.findings for detail in finding.details]
