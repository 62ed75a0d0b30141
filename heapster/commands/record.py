"""`heapster record`."""

from pathlib import Path

from heapster import signals
from heapster.checkers.traces.recording import record
from heapster.checkers.traces.writing import write_trace
from heapster.native.preload import Wishes, check, find, settings
from heapster.reports.output import note, warn
from heapster.results import UsageError


def command(output: Path, kind: str, everyone: bool, server: str, policy: str | None, arenas: int | None,
            mmap_threshold: int | None, program: tuple[str, ...]) -> int:
    """Record every allocation of a program as a trace. Its exit code is the program's."""
    if not output.parent.is_dir():
        raise UsageError(f"{output} cannot be written: there is no folder {output.parent}")
    found = find(program[0])
    check(found)
    preload, wanted = None, dict[str, str]()
    if server == "heapster":
        from heapster.native.library import PRELOAD, libraries  # noqa: PLC0415  may have to be compiled
        preload = libraries() / PRELOAD
        wanted = settings(Wishes(policy, arenas, mmap_threshold), preload)
    with signals.held():                # but for the time that the program runs
        return _record(program, found, preload, wanted, output, kind, everyone)


def _record(command: tuple[str, ...], found: Path, preload: Path | None, wanted: dict[str, str], output: Path,
            kind: str, everyone: bool) -> int:
    """Run and record it, and write the traces; the program's exit code."""
    done = record(command, found, preload, wanted, everyone=everyone)
    for number, trace in enumerate((done.trace, *done.others)):
        path = output.with_name(f"{output.name}.{number}") if number else output
        write_trace(trace, path, kind)
        note(f"{path}: {len(trace):,} steps")
        for warning in trace.warnings:
            warn(f"{path}: {warning}")
    if done.unread:
        note(f"{done.unread} other processes are not kept (--all)")
    return done.exit_code
