"""`heapster fuzz`."""

from dataclasses import replace
from pathlib import Path
from random import SystemRandom
from typing import Any

import click

from heapster.checkers.fuzzing import FuzzOptions, Progress, fuzz
from heapster.checkers.store import FOLDER, Store
from heapster.commands.delivery import Delivery
from heapster.commands.foreign import fuzz as fuzz_foreign
from heapster.commands.foreign import is_foreign
from heapster.commands.options import one_of, option, target
from heapster.commands.targets import check_target, is_ours
from heapster.config import POLICIES
from heapster.reports.output import warn
from heapster.reports.progress import Meter
from heapster.results import Run

SECONDS = 30.0                  # if nothing says for how long
SEEDS = 1 << 32


@click.command("fuzz", epilog="The target is sim (the default), process, libc, a shared object, a C source, or "
                              "the description of a pool (TOML).")
@target()
@option("policy", "all")
@option("seconds")
@option("examples")
@option("seed")
@option("arenas", 3)
@option("faults", True)
@option("json")
@option("junit")
@option("store", FOLDER)
@option("sarif")
@option("baseline")
@option("prefix")
@option("alignment")
@option("cc")
@option("cflags")
@option("threads")
@option("heap_limit")
@option("adapter")
@option("strict", False)
def command(target: str, json: str | None, junit: str | None, store: str, **_: Any) -> int:
    """Hold an allocator against the model: generated programs, each step checked.

    What failed before is tried first. A failure is shrunk to the least trace, printed, and kept.
    """
    ctx = click.get_current_context()
    delivery = Delivery(json, junit)
    delivery.check()
    if is_foreign(target) and not is_ours(target):
        return fuzz_foreign(ctx.params, delivery, Store(Path(store), warn))
    check_target(target)
    one_of(ctx, "seconds", "examples")
    return delivery.deliver(campaign(_options(ctx.params), Store(Path(store), warn)))


def _options(given: dict[str, Any]) -> FuzzOptions:
    unlimited = given["seconds"] is None and given["examples"] is None
    return FuzzOptions(
        target=given["target"],
        policies=given["policy"],
        seconds=SECONDS if unlimited else given["seconds"],
        examples=given["examples"],
        seed=SystemRandom().randrange(SEEDS) if given["seed"] is None else given["seed"],
        arenas=given["arenas"],
        faults=given["faults"],
    )


def campaign(options: FuzzOptions, store: Store) -> Run:
    """Run a campaign and show how far it is."""
    with Meter(f"fuzz {options.target}") as meter:
        run = fuzz(options, lambda progress: meter.show(_fraction(options, progress), _state(progress)), store)
        rate = run.ops / run.seconds if run.seconds else 0.0
        meter.close(f"{run.ops:,} operations in {run.seconds:.1f} s, {rate:,.0f} a second")
    return replace(run, extra={**run.extra, "not_checked": _not_checked(options)})


def _fraction(options: FuzzOptions, progress: Progress) -> float | None:
    if options.seconds:
        return progress.seconds / options.seconds
    return progress.examples / options.examples if options.examples else None


def _state(progress: Progress) -> str:
    return f"{progress.ops:,} operations, {progress.findings} findings"


def _not_checked(options: FuzzOptions) -> list[str]:
    """What no campaign with these options says anything about."""
    silent = []
    if absent := [policy for policy in POLICIES if policy not in options.policies]:
        silent.append(f"policies {', '.join(absent)} (--policy all)")
    if not options.faults:
        silent.append("refusals of the system (--faults)")
    compiled = "" if options.target == "native" else ", and the compiled library (heapster fuzz native)"
    silent.append(f"threads that run at the same time{compiled}")
    return silent
