"""`heapster fuzz`: of a stranger's allocator `foreign` does it, of our own `fuzz_own`, which loads Hypothesis."""

from pathlib import Path
from typing import Any

import click

from heapster.checkers.findings.store import Store
from heapster.commands.delivery import Delivery
from heapster.commands.foreign import fuzz as fuzz_foreign
from heapster.commands.foreign import minimise
from heapster.commands.options import not_for, one_of
from heapster.commands.selection import Selection
from heapster.commands.targets import is_called, target_of
from heapster.reports.output import warn

OF_RUNS = ("json", "junit", "sarif", "seconds", "seed", "baseline", "coverage", "threads")
OF_OURS = ("policy", "examples", "arenas", "faults")
OF_STRANGERS = ("baseline", "prefix", "alignment", "cc", "cflags", "build", "threads", "heap_limit", "adapter",
                "sandbox", "strict", "coverage", "corpus",
                "minimise")


def command(target: str, more: tuple[str, ...], json: str | None, junit: str | None, sarif: str | None,
            store: str, **_: Any) -> int:
    """Hold an allocator against the model: generated programs, each step checked."""
    ctx = click.get_current_context()
    delivery = Delivery(json, junit, sarif, Selection.of(ctx.params), ctx.params["docs"] or "")
    delivery.check()
    aimed, kept = target_of(" ".join((target, *more)), "fuzz"), Store(Path(store), warn)
    if is_called(aimed, "fuzz"):
        not_for(ctx, OF_OURS, f"{aimed} is judged by its calls alone")
        if ctx.params["minimise"]:
            not_for(ctx, OF_RUNS, "--minimise makes a corpus small, and is no run")
            return minimise(aimed, ctx.params)
        return fuzz_foreign(aimed, ctx.params, delivery, kept)
    not_for(ctx, OF_STRANGERS, f"{aimed} is our own allocator")
    not_for(ctx, aimed.settings.given, f"{aimed} says it already")
    one_of(ctx, "seconds", "examples")
    from heapster.commands.fuzz_own import fuzz  # noqa: PLC0415  loads Hypothesis, which no stranger's run needs
    return fuzz(aimed, ctx.params, delivery, kept)
