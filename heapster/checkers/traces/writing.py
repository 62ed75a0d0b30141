"""Traces to files, whole or not at all."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from heapster.checkers.traces.binary import write_binary
from heapster.checkers.traces.compact import Compact
from heapster.checkers.traces.rep import write_rep
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
        if path.exists() and not path.is_file():        # a pipe, or /dev/stdout
            with path.open("wb") as file:
                WRITERS[kind](trace, file)
            return
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                WRITERS[kind](trace, file)
            mask = os.umask(0)
            os.umask(mask)
            Path(temporary).chmod(0o666 & ~mask)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
