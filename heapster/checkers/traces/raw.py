"""Recordings as traces: a compiled program puts records in their order and names addresses."""

import os
import struct
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from heapster import children
from heapster.checkers.traces.compact import CODES, Columns, Compact
from heapster.checkers.traces.errors import TraceFileError
from heapster.model.operations import ROWS
from heapster.native import shared_structs
from heapster.native.operations_header import OPERATIONS_H, operations_header
from heapster.native.shared_structs import U64, packing, structs
from heapster.results import TargetError
from heapster.wording import counted

MAGIC = 0x3130636552706548      # "HepRec01"


class RawHeader(NamedTuple):
    """The header of a recording."""

    magic: U64
    process: U64
    parent: U64
    forked_at: U64              # the parent's place when it forked; 0: the image began by exec
    lost: U64                   # records for which there was no room on the disk
    chunk_bytes: U64

HEADER = packing(RawHeader)
TOLD = struct.Struct("<4Q")     # of stacks: a record's kind, and what it holds
DEEPEST = 128                   # frames of a stack that are told
PART = 16                       # bytes of an object's name in one record
STACK_OBJECT = len(ROWS) + 1    # recorder.h


def headers() -> dict[str, str]:
    """The generated headers of the recorder and its reader, by their names."""
    recording = shared_structs.header("recording.h", "heapster/checkers/traces/raw.py", [
        f"#define RECORDER_MAGIC {MAGIC:#x}u", f"#define DEEPEST {DEEPEST}", *structs({"header": RawHeader})])
    return {OPERATIONS_H: operations_header(), "recording.h": recording}


class Image(NamedTuple):
    """One process image's recording."""

    path: Path
    process: int
    parent: int
    forked_at: int
    lost: int


def image(path: Path) -> Image:
    """The program that the recording at `path` is of."""
    with path.open("rb") as file:
        head = file.read(HEADER.size)
    if len(head) < HEADER.size or HEADER.unpack(head)[0] != MAGIC:
        raise TraceFileError(path, "byte 0", "this is no recording")
    said = RawHeader(*HEADER.unpack(head))
    return Image(path, said.process, said.parent, said.forked_at, said.lost)


class Stacks(NamedTuple):
    """Where the blocks of a trace come from."""

    numbers: "array[int]"       # of each step's stack; 0 where it answers no block, or nothing is known
    frames: dict[int, list[int]]        # of each stack: return addresses, from the inside
    objects: dict[int, Path]    # what lies where: programs and libraries by the address of their first byte


def trace_of(sources: Sequence[tuple[Image, int]], namer: Path) -> tuple[Compact, Stacks]:
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
    stacks = Stacks(_column(prefix.with_suffix(".columns.5"), "Q", steps),
                    *_told(prefix.with_suffix(".columns.stacks").read_bytes()))
    lost = sum(found.lost for found, _ in sources)
    if lost:
        trace.warnings.append(f"{counted(lost, 'operation', 'are')} missing: the disk was full")
    if strangers:
        trace.warnings.append(f"{counted(strangers, 'free')} of blocks that nobody was seen to allocate: left out")
    return trace, stacks


def _told(records: bytes) -> tuple[dict[int, list[int]], dict[int, Path]]:
    """The frames of stacks, and the objects."""
    frames, names = dict[int, list[int]](), dict[int, bytes]()
    for kind, first, second, third in TOLD.iter_unpack(records):
        if kind == STACK_OBJECT:
            names[first] = names.get(first, b"") + TOLD.pack(0, 0, second, third)[-PART:]
        else:
            frames.setdefault(first, []).extend(filter(None, (second, third)))
    return frames, {base: Path(os.fsdecode(name.split(b"\0")[0])) for base, name in names.items()}


def _column(path: Path, code: str, steps: int) -> "array[int]":
    column = array(code)
    with path.open("rb") as file:
        column.fromfile(file, steps)
    path.unlink()
    return column
