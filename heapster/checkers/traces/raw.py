"""What the recorder wrote, as a trace: a compiled program puts records in their order and names addresses."""

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from heapster import children
from heapster.checkers.traces.compact import CODES, Columns, Compact
from heapster.checkers.traces.errors import TraceFileError
from heapster.native import shared_structs
from heapster.native.operations_header import OPERATIONS_H, operations_header
from heapster.native.shared_structs import U64, packing, structs
from heapster.results import TargetError

MAGIC = 0x3130636552706548      # "HepRec01"


class RawHeader(NamedTuple):
    """What a recording begins with."""

    magic: U64
    process: U64
    parent: U64
    forked_at: U64              # the parent's place when it forked; 0: the image began by exec
    lost: U64                   # records for which there was no room on the disk
    chunk_bytes: U64


HEADER = packing(RawHeader)


def headers() -> dict[str, str]:
    """What the recorder and its reader include and nobody has written, by their names."""
    recording = shared_structs.header("recording.h", "heapster/checkers/traces/raw.py", [
        f"#define RECORDER_MAGIC {MAGIC:#x}u", *structs({"header": RawHeader})])
    return {OPERATIONS_H: operations_header(), "recording.h": recording}


class Image(NamedTuple):
    """One process image's recording."""

    path: Path
    process: int
    parent: int
    forked_at: int
    lost: int


def image(path: Path) -> Image:
    """What the recording at `path` is of."""
    with path.open("rb") as file:
        head = file.read(HEADER.size)
    if len(head) < HEADER.size or HEADER.unpack(head)[0] != MAGIC:
        raise TraceFileError(path, "byte 0", "this is no recording")
    said = RawHeader(*HEADER.unpack(head))
    return Image(path, said.process, said.parent, said.forked_at, said.lost)


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
