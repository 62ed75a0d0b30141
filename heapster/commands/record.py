"""`heapster record`."""

from pathlib import Path
from time import monotonic

from heapster import signals
from heapster.checkers.traces.recording import Recording, record
from heapster.checkers.traces.sites import as_value
from heapster.checkers.traces.writing import write_trace
from heapster.children import processor_seconds
from heapster.commands.delivery import check_writable
from heapster.commands.pages import write_page
from heapster.files import Unwritable
from heapster.native.preload import Wishes, check, find, settings
from heapster.reports import jsonfile
from heapster.reports.output import note, warn
from heapster.results import Run, UsageError, Verdict
from heapster.wording import counted


def command(output: Path, kind: str, everyone: bool, server: str, json: str | None, html: str | None,
            policy: str | None, arenas: int | None, mmap_threshold: int | None, program: tuple[str, ...]) -> int:
    """Record every allocation of a program as a trace. Its exit code is the program's."""
    for name in filter(None, (json, html)):
        check_writable(Path(name))
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
        began = monotonic()
        done = record(program, found, preload, wanted, everyone=everyone, stacks=bool(json or html))
        _write_traces(done, output, kind)
        if json or html:
            _write_sites(_run(done, program, monotonic() - began), json, html)
    return done.exit_code


def _write_traces(done: Recording, output: Path, kind: str) -> None:
    for number, trace in enumerate((done.trace, *done.others)):
        path = output.with_name(f"{output.name}.{number}") if number else output
        write_trace(trace, path, kind)
        note(f"{path}: {counted(len(trace), 'step')}")
        for warning in trace.warnings:
            warn(f"{path}: {warning}")
    if done.unread:
        note(f"{counted(done.unread, 'other process', 'are')} not kept (--all)")


def _run(done: Recording, program: tuple[str, ...], seconds: float) -> Run:
    """What was recorded, as a run that judges nothing."""
    return Run("record", Path(program[0]).name, 0, Verdict.PASSED, seconds, len(done.trace), extra={
        "program": list(program), "exit_code": done.exit_code, "sites": as_value(done.trace, done.stacks),
        "warnings": list(done.trace.warnings),
        "not_checked": ["nothing is judged: the trace is recorded; heapster diff and score play it"]},
               cpu_seconds=processor_seconds())


def _write_sites(run: Run, json: str | None, html: str | None) -> None:
    peak = run.extra["sites"]["peak"]
    note(f"peak: {counted(peak['bytes'], 'byte')} in {counted(peak['blocks'], 'block')} after step {peak['step']:,}")
    try:
        if json:
            jsonfile.write(run, Path(json))
        if html:
            write_page(Path(html), [jsonfile.as_value(run)], {})
    except Unwritable as error:
        raise UsageError(str(error)) from None
