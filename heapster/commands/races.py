"""`heapster races`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import dropwhile
from random import SystemRandom
from types import MappingProxyType
from typing import Any

import click

from heapster.checkers.jobs.local import ALONE
from heapster.checkers.jobs.pool import Pool
from heapster.checkers.races.compiled.build import NotInstrumentedError, recipe
from heapster.checkers.races.compiled.target import CompiledTarget
from heapster.checkers.races.exploring import SearchTally
from heapster.checkers.races.findings import replay
from heapster.checkers.races.lanes import is_heading
from heapster.checkers.races.ours import schedulable
from heapster.checkers.races.schedulable import Schedulable
from heapster.checkers.races.search import SearchPlan
from heapster.checkers.races.searching import inconclusive, races
from heapster.checkers.races.sharing import Opened
from heapster.checkers.targets.capabilities import view_of
from heapster.checkers.targets.opening import source_of
from heapster.checkers.targets.target import Target, View
from heapster.commands.delivery import Delivery
from heapster.commands.foreign import options_of
from heapster.commands.options import not_for, one_of
from heapster.commands.selection import Selection
from heapster.commands.targets import target_of
from heapster.commands.workers import pool_of
from heapster.reports.output import say, warn
from heapster.reports.progress import Meter
from heapster.results import Run, UsageError
from heapster.wording import counted

SECONDS = 20.0                  # if nothing says for how long
SEEDS = 1 << 32
OF_COMPILED = ("prefix", "cc", "cflags", "build")
NOTHING: Mapping[str, Any] = MappingProxyType({})


def command(target: str, more: tuple[str, ...], json: str | None, junit: str | None, **_: Any) -> int:
    """Run small programs of several threads under one schedule after another, chosen and repeatable."""
    ctx = click.get_current_context()
    one_of(ctx, "schedules", "seconds")
    plan = _plan(ctx.params)
    plan.check()
    delivery = Delivery(json, junit, selection=Selection.of(ctx.params))
    delivery.check()
    aimed = target_of(" ".join((target, *more)), "races")
    if view_of(aimed, "races") is View.SOURCE:
        not_for(ctx, OF_COMPILED, f"{aimed} is our own source")
    run = delivery.selection.applied(campaign(plan, aimed, ctx.params, pool_of(ctx.params, needs=aimed.paths)))
    show_lanes(run)
    return delivery.deliver(run)


def _plan(given: dict[str, Any]) -> SearchPlan:
    unlimited = given["seconds"] is None and given["schedules"] is None
    seed = SystemRandom().randrange(SEEDS) if given["seed"] is None else given["seed"]
    return SearchPlan(given["threads"], given["ops"], given["schedules"], SECONDS if unlimited else given["seconds"],
                      given["strategy"], given["bound"], seed)


def campaign(plan: SearchPlan, target: Target, given: Mapping[str, Any] = NOTHING, pool: Pool = ALONE) -> Run:
    """Search and show how far it is; `given` says how the target is compiled and named."""
    said = {name: given.get(name) for name in OF_COMPILED}
    try:
        with opened(target, given) as subject:
            return _search(plan, subject, target, pool, partial(opened, target, said))
    except NotInstrumentedError:
        return inconclusive(target, plan, *recipe(target))


@contextmanager
def opened(target: Target, given: Mapping[str, Any] = NOTHING) -> Iterator[Schedulable]:
    """The target as something that schedules can be run of; NotInstrumentedError if it gives a scheduler no hooks."""
    if view_of(target, "races") is View.SOURCE:
        yield schedulable(source_of(target))
        return
    options = options_of(target, given)
    compiled = CompiledTarget.of(target, options)
    compiled.given = options.words
    try:
        yield compiled
    finally:
        compiled.close()


def _search(plan: SearchPlan, subject: Schedulable, target: Target, pool: Pool, again: Opened) -> Run:
    with Meter(f"races {target}") as meter:
        def progress(tally: SearchTally, seconds: float) -> None:
            meter.show(_fraction(plan, tally, seconds), counted(tally.schedules, "schedule"))

        run = races(plan, subject, target, progress, pool, again)
        meter.close(f"{counted(run.extra['schedules'], 'schedule')} in {run.seconds:.1f} s")
    return run


def _fraction(plan: SearchPlan, tally: SearchTally, seconds: float) -> float | None:
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
        say([(line, "") for line in dropwhile(lambda line: not is_heading(line), finding.details)])


def replay_schedule(text: str, target: str, given: Mapping[str, Any], delivery: Delivery) -> int:
    """Run what a replay string says."""
    on = target_of(target, "races")
    try:
        with opened(on, given) as subject:
            run = replay(text, subject, on)
    except NotInstrumentedError:
        raise UsageError(f"no schedule can be replayed on {target}: name sim, a folder with a copy of impl, "
                         "a C source, or an object that is built with -fsanitize=thread") from None
    for warning in run.extra["warnings"]:
        warn(warning)
    show_lanes(run)
    return delivery.deliver(run)
