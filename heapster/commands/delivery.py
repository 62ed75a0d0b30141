"""Where a run's results go, and the exit code that they come to."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from heapster.reports import jsonfile, junit, sarif
from heapster.reports.output import say, warn
from heapster.reports.terminal import run_lines
from heapster.results import Run, UsageError

USAGE, TARGET_UNUSABLE, NOTHING_RAN, INTERRUPTED = 2, 4, 5, 130

Write = Callable[[Run, Path], None]


@dataclass(frozen=True)
class Delivery:
    """The files that a run is written to, and the terminal."""

    json: str | None = None
    junit: str | None = None
    sarif: str | None = None

    def check(self) -> None:
        """UsageError, before the run, if a file could not be written after it."""
        for name in (self.json, self.junit, self.sarif):
            if name is not None:
                _check_writable(Path(name))

    def deliver(self, run: Run) -> int:
        """Write and print the run; its exit code."""
        code = self.write(run)
        say(run_lines(run))
        return code

    def write(self, run: Run) -> int:
        """Write the run to its files; its exit code."""
        files = ((self.json, jsonfile.write), (self.junit, junit.write), (self.sarif, sarif.write))
        written = [self._write(name, write, run) for name, write in files if name]
        code = exit_code(run)
        return code if code or all(written) else USAGE

    def _write(self, name: str, write: Write, run: Run) -> bool:
        try:
            write(run, Path(name))
        except OSError as error:
            warn(f"{name} cannot be written: {error.strerror or error}")
            return False
        return True


def _check_writable(path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{path} cannot be written: permission denied")


def exit_code(run: Run) -> int:
    """What the run comes to, as the process's exit code."""
    if run.extra.get("interrupted"):
        return INTERRUPTED
    if not run.ops and not run.findings:
        return NOTHING_RAN
    return run.verdict.exit_code
