"""`heapster races`."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import dropwhile
from random import SystemRandom
from typing import Any

import click

from heapster.checkers.races.compiled.build import NotInstrumentedError, recipe
from heapster.checkers.races.compiled.target import CompiledTarget
from heapster.checkers.races.exploring import Tally
from heapster.checkers.races.findings import replay
from heapster.checkers.races.ours import schedulable
from heapster.checkers.races.schedulable import Schedulable
from heapster.checkers.races.search import Plan, inconclusive, races
from heapster.checkers.targets.capabilities import view_of
from heapster.checkers.targets.opening import source_of
from heapster.checkers.targets.target import Target, View
from heapster.commands.delivery import Delivery
from heapster.commands.options import one_of
from heapster.commands.targets import target_of
from heapster.reports.output import say, warn
from heapster.reports.progress import Meter
from heapster.results import Run, UsageError

SECONDS = 20.0                  # if nothing says for how long
SEEDS = 1 << 32
STACK = "'s "                   # in the heading of a stack, which the finding itself shows


def command(target: str, json: str | None, junit: str | None, **_: Any) -> int:
    """Run small programs of several threads under one schedule after another, chosen and repeatable."""
    ctx = click.get_current_context()
    one_of(ctx, "schedules", "seconds")
    plan = _plan(ctx.params)
    plan.check()
    delivery = Delivery(json, junit)
    delivery.check()
    run = campaign(plan, target_of(target, "races"))
    show_lanes(run)
    return delivery.deliver(run)


def _plan(given: dict[str, Any]) -> Plan:
    unlimited = given["seconds"] is None and given["schedules"] is None
    seed = SystemRandom().randrange(SEEDS) if given["seed"] is None else given["seed"]
    return Plan(given["threads"], given["ops"], given["schedules"], SECONDS if unlimited else given["seconds"],
                given["strategy"], given["bound"], seed)


def campaign(plan: Plan, target: Target) -> Run:
    """Search and show how far it is."""
    try:
        with opened(target) as subject:
            return _search(plan, subject, target)
    except NotInstrumentedError:
        return inconclusive(target, plan, *recipe(target))


@contextmanager
def opened(target: Target) -> Iterator[Schedulable]:
    """The target as something that schedules can be run of; NotInstrumentedError if it gives a scheduler no hooks."""
    if view_of(target, "races") is View.SOURCE:
        yield schedulable(source_of(target))
        return
    compiled = CompiledTarget.of(target)
    try:
        yield compiled
    finally:
        compiled.close()


def _search(plan: Plan, subject: Schedulable, target: Target) -> Run:
    with Meter(f"races {target}") as meter:
        def progress(tally: Tally, seconds: float) -> None:
            if tally.schedules % 50 == 0:
                meter.show(_fraction(plan, tally, seconds), f"{tally.schedules:,} schedules")

        run = races(plan, subject, target, progress)
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
    if memory := run.extra.get("memory_model"):
        say([(f"memory model: {memory['model']}: {'; '.join(memory['explored'])}", "")])
    if build := run.extra.get("build"):
        say([("to build it so that its accesses are seen:", ""), *((f"  {line}", "") for line in build)])
    for finding in run.findings:
        say([(line, "") for line in dropwhile(lambda line: STACK in line, finding.details)])


def replay_schedule(text: str, target: str, delivery: Delivery) -> int:
    """Run what a replay string says."""
    on = target_of(target, "races")
    try:
        with opened(on) as subject:
            run = replay(text, subject, on)
    except NotInstrumentedError:
        raise UsageError(f"no schedule can be replayed on {target}: name sim, a folder with a copy of impl, "
                         "a C source, or an object that is built with -fsanitize=thread") from None
    for warning in run.extra["warnings"]:
        warn(warning)
    show_lanes(run)
    return delivery.deliver(run)
