"""`heapster races`."""

from itertools import dropwhile
from pathlib import Path
from random import SystemRandom
from typing import Any

import click

from heapster.checkers.races.exploring import Tally
from heapster.checkers.races.search import Plan, inconclusive, races, replay
from heapster.checkers.targets.source import Source, shipped, source_in
from heapster.commands.delivery import Delivery
from heapster.commands.options import one_of
from heapster.reports.output import say
from heapster.reports.progress import Meter
from heapster.results import Run, UsageError
from heapster.suggest import instead_of

SECONDS = 20.0                  # if nothing says for how long
SEEDS = 1 << 32
STACK = "'s "                   # in the heading of a stack, which the finding itself shows
WITHOUT_HOOKS = ("process", "native", "libc")


def command(target: str, json: str | None, junit: str | None, **_: Any) -> int:
    """Run small programs of several threads under one schedule after another, chosen and repeatable."""
    ctx = click.get_current_context()
    one_of(ctx, "schedules", "seconds")
    plan = _plan(ctx.params)
    plan.check()
    delivery = Delivery(json, junit)
    delivery.check()
    source = source_of(target)
    if source is None:
        return delivery.deliver(inconclusive(target, plan))
    run = campaign(plan, source, target)
    show_lanes(run)
    return delivery.deliver(run)


def source_of(target: str) -> Source | None:
    """The source that the target names; None for a target that gives no hooks to a scheduler."""
    if target == "sim":
        return shipped()
    if Path(target).is_dir():
        return source_in(Path(target))
    if target not in WITHOUT_HOOKS and not Path(target).exists():
        raise UsageError(f"unknown target '{target}': {instead_of(target, ('sim', *WITHOUT_HOOKS))}, or name a folder")
    return None


def _plan(given: dict[str, Any]) -> Plan:
    unlimited = given["seconds"] is None and given["schedules"] is None
    seed = SystemRandom().randrange(SEEDS) if given["seed"] is None else given["seed"]
    return Plan(given["threads"], given["ops"], given["schedules"], SECONDS if unlimited else given["seconds"],
                given["strategy"], given["bound"], seed)


def campaign(plan: Plan, source: Source, target: str) -> Run:
    """Search and show how far it is."""
    with Meter(f"races {target}") as meter:
        def progress(tally: Tally, seconds: float) -> None:
            if tally.schedules % 50 == 0:
                meter.show(_fraction(plan, tally, seconds), f"{tally.schedules:,} schedules")

        run = races(plan, source, target, progress)
        meter.close(f"{run.extra['schedules']:,} schedules in {run.seconds:.1f} s")
    return run


def _fraction(plan: Plan, tally: Tally, seconds: float) -> float | None:
    if plan.seconds:
        return seconds / plan.seconds
    return tally.schedules / plan.schedules if plan.schedules else None


def show_lanes(run: Run) -> None:
    """What was explored, and a finding's run in lanes."""
    if explored := run.extra.get("explored"):
        say([(f"explored: {explored}", "")])
    for finding in run.findings:
        say([(line, "") for line in dropwhile(lambda line: STACK in line, finding.details)])


def replay_schedule(text: str, target: str, delivery: Delivery) -> int:
    """Run what a replay string says."""
    source = source_of(target)
    if source is None:
        raise UsageError(f"no schedule can be replayed on {target}: name sim, or a folder with a copy of impl")
    run = replay(text, source, target)
    show_lanes(run)
    return delivery.deliver(run)
