"""Traces to files, whole or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from heapster.checkers.traces.binary import write_binary
from heapster.checkers.traces.compact import Compact
from heapster.checkers.traces.rep import write_rep
from heapster.files import Unwritable, whole_file
from heapster.model.trace import format_step, format_steps
from heapster.results import UsageError

Write = Callable[[Compact, BinaryIO], None]


def _write_text(trace: Compact, file: BinaryIO) -> None:
    for step in trace:
        file.write(format_step(step).encode() + b"\n")


def first_steps(trace: Compact, count: int) -> tuple[str, ...]:
    """The first steps, as text."""
    return format_steps(trace.steps(0, count))


WRITERS: dict[str, Write] = {"binary": write_binary, "text": _write_text, "rep": write_rep}
FORMATS = tuple(WRITERS)


def write_trace(trace: Compact, path: Path, kind: str) -> None:
    """Make the trace the content of `path`, in one of FORMATS; UsageError if that cannot be."""
    try:
        with whole_file(path) as file:
            WRITERS[kind](trace, file)
    except Unwritable as error:
        raise UsageError(str(error)) from None
