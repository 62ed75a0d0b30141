"""Where a run's results go, and the exit code that they come to."""

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click

from heapster import signals
from heapster.checkers.findings.codes import explained
from heapster.children import processor_seconds
from heapster.commands.options import starting
from heapster.commands.selection import ALL, Selection
from heapster.files import Unwritable
from heapster.reports import jsonfile, junit, sarif
from heapster.reports.output import say, warn
from heapster.reports.terminal import run_lines
from heapster.results import Finding, Run, UsageError, Verdict

USAGE, TARGET_UNUSABLE, NOTHING_RAN = 2, 4, 5


@dataclass(frozen=True)
class Delivery:
    """The files that a run is written to, and the terminal."""

    json: str | None = None
    junit: str | None = None
    sarif: str | None = None
    selection: Selection = ALL
    docs: str = ""              # where the documentation is published, if anywhere

    def check(self, *others: str | None) -> None:
        """UsageError, before the run, if one of its files, or of the others, could not be written after it."""
        for name in (self.json, self.junit, self.sarif, *others):
            if name is not None:
                check_writable(Path(name))
        _awaited[:] = [(self, click.get_current_context(silent=True))]

    def deliver(self, run: Run, told: Collection[Finding] = ()) -> int:
        """Write and print what is selected of the run, but for findings that are told already; its exit code."""
        run = self.selection.applied(run)
        with signals.held():
            code = self.write(run)
            say(run_lines(run, told))
        return code

    def write(self, run: Run) -> int:
        """Write the run to its files, which no signal interrupts; its exit code."""
        run = run if run.cpu_seconds else replace(run, cpu_seconds=processor_seconds())
        files = ((self.json, jsonfile.write), (self.junit, junit.write), (self.sarif, self._write_sarif))
        with signals.held():
            _awaited.clear()
            kept = [written(partial(write, run, Path(name))) for name, write in files if name]
        code = exit_code(run)
        return code if code or all(kept) else USAGE

    def _write_sarif(self, run: Run, path: Path) -> None:
        sarif.write(run, path, explained(finding.code for finding in run.findings), self.docs)


_awaited: list[tuple[Delivery, click.Context | None]] = []      # a run whose results are still to come, and its command


def deliver_unfinished(why: str) -> None:
    """Write, of a run that ended before it had results, or before it was loaded, that it did, and why."""
    loading = [(Delivery(ctx.params.get("json"), ctx.params.get("junit"), ctx.params.get("sarif")), ctx)
               for ctx in starting]
    starting.clear()
    for delivery, ctx in (*loading, *_awaited):
        given = ctx.params if ctx else {}
        delivery.write(Run(ctx.info_name or "" if ctx else "", str(given.get("target") or ""), given.get("seed") or 0,
                           Verdict.INCONCLUSIVE, 0.0, 0, extra={"interrupted": True, "unfinished": why}))


def written(write: Callable[[], None]) -> bool:
    """Write a file of a run that is over; whether it could be. What could not is told, and the run is still printed."""
    try:
        write()
    except Unwritable as error:
        warn(str(error))
        return False
    return True


def check_writable(path: Path) -> None:
    """UsageError if there could be no such file."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{path} cannot be written: permission denied")


def exit_code(run: Run) -> int:
    """What the run comes to, as the process's exit code."""
    if run.extra.get("interrupted"):
        return signals.exit_code()
    if not run.ops and not run.findings:
        return NOTHING_RAN
    return run.verdict.exit_code
