"""What the recorder wrote, as a trace: a compiled program puts records in their order and names addresses."""

import struct
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from heapster import children
from heapster.checkers.traces.compact import CODES, Columns, Compact
from heapster.checkers.traces.errors import TraceFileError
from heapster.results import TargetError

MAGIC = 0x3130636552706548
HEADER = struct.Struct("<6Q16x")


class Image(NamedTuple):
    """One process image's recording."""

    path: Path
    process: int
    parent: int
    forked_at: int              # the parent's place when it forked; 0: the image began by exec
    lost: int                   # records for which there was no room on the disk


def image(path: Path) -> Image:
    """What the recording at `path` is of."""
    with path.open("rb") as file:
        head = file.read(HEADER.size)
    if len(head) < HEADER.size or HEADER.unpack(head)[0] != MAGIC:
        raise TraceFileError(path, "byte 0", "this is no recording")
    _, process, parent, forked_at, lost, _ = HEADER.unpack(head)
    return Image(path, process, parent, forked_at, lost)


def trace_of(sources: Sequence[tuple[Image, int]], namer: Path) -> Compact:
    """The trace of an image: of its ancestors up to the forks, each with the place where to stop, and of itself."""
    prefix = sources[-1][0].path.with_suffix(".columns")
    files = [str(word) for found, stop in sources for word in (found.path, stop)]
    done = children.run([namer, prefix, *files], capture_output=True, text=True)
    if done.returncode:
        raise TargetError(f"what was recorded cannot be read or written in {prefix.parent}: is the disk full?")
    steps, strangers = map(int, done.stdout.split())
    columns = [_column(prefix.with_suffix(f".columns.{number}"), code, steps)
               for number, code in enumerate(CODES[:-1])]
    trace = Compact(Columns(*[*columns, array("q", bytes(8 * steps))]))
    lost = sum(found.lost for found, _ in sources)
    if lost:
        trace.warnings.append(f"{lost} operations are missing: the disk was full")
    if strangers:
        trace.warnings.append(f"{strangers} frees of blocks that nobody was seen to allocate are left out")
    return trace


def _column(path: Path, code: str, steps: int) -> "array[int]":
    column = array(code)
    with path.open("rb") as file:
        column.fromfile(file, steps)
    path.unlink()
    return column
