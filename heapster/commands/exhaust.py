"""`heapster exhaust`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from heapster.checkers.exhaust import ours, strangers
from heapster.checkers.exhaust.running import ExhaustPlan, Listener
from heapster.checkers.exhaust.walking import WalkProgress
from heapster.checkers.findings.store import Store
from heapster.checkers.targets.target import Target
from heapster.commands.delivery import Delivery
from heapster.commands.foreign import options_of
from heapster.commands.options import not_for
from heapster.commands.selection import Selection
from heapster.commands.targets import is_called, target_of
from heapster.commands.workers import pool_of
from heapster.reports.output import note, say, warn
from heapster.reports.progress import Meter
from heapster.reports.terminal import PLAIN, finding_lines
from heapster.results import Finding, Run
from heapster.wording import counted

OF_STRANGERS = ("prefix", "alignment", "cc", "cflags", "build", "heap_limit", "adapter", "sandbox", "strict")


def command(target: str, more: tuple[str, ...], json: str | None, junit: str | None, sarif: str | None, store: str,
            **_: Any) -> int:
    """Run every program of at most N calls, each call judged."""
    ctx = click.get_current_context()
    delivery = Delivery(json, junit, sarif, Selection.of(ctx.params), ctx.params["docs"] or "")
    delivery.check()
    aimed = target_of(" ".join((target, *more)), "exhaust")
    if not is_called(aimed, "exhaust"):
        not_for(ctx, OF_STRANGERS, f"{aimed} is our own allocator")
    given, told = ctx.params, list[Finding]()
    needs = (*aimed.paths, *([Path(given["adapter"])] if given["adapter"] else []))
    plan = ExhaustPlan(given["calls"], given["sizes"], given["seconds"], pool_of(given, needs=needs), given["faults"])

    def announce(finding: Finding) -> None:
        if delivery.selection.takes(finding):
            told.append(finding)
            say([*finding_lines(finding), ("", PLAIN)])

    return delivery.deliver(exhausted(aimed, plan, given, Store(Path(store), warn), announce), told)


def exhausted(target: Target, plan: ExhaustPlan, given: dict[str, Any], store: Store,
              announce: Callable[[Finding], None] = lambda _: None) -> Run:
    """Exhaust a target and show how far it is; `given` says how it is compiled and named."""
    with Meter(f"exhaust {target}") as meter:

        def progress(walk: WalkProgress) -> None:
            ahead = f", about {walk.ahead:,} ahead" if walk.ahead else ""
            meter.show(walk.done, f"{counted(walk.calls, 'call')}: {counted(walk.runs, 'program', 'were')} run{ahead}")

        listener = Listener(announce, note, progress)
        if is_called(target, "exhaust"):
            run = strangers.exhaust(options_of(target, given), plan, listener, store, store.folder)
        else:
            run = ours.exhaust(target, plan, listener, store, store.folder)
        rate = run.ops / run.seconds if run.seconds else 0.0
        meter.close(f"{counted(run.ops, 'program', 'were')} run in {run.seconds:.1f} s, {rate:,.0f} a second")
    return run
