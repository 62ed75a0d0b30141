r"""The binary form of traces: a line of magic, then chunks of columns, each compressed.

    "heapster trace 1\n"
    chunk: steps u32, bytes u32 | zlib of the columns verbs u8, results i32, operands i32, firsts u64,
           seconds u64, offsets i64, each little-endian and as long as `steps` says
    end:   0 u32, 0 u32

A file that does not end with the end is truncated.
"""

import struct
import sys
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from heapster.checkers.traces.compact import CODES, NAMES, VERBS, Columns, Compact
from heapster.checkers.traces.errors import TraceFileError
from heapster.model.operation import NO_HANDLE

MAGIC = b"heapster trace 1\n"
CHUNK = struct.Struct("<II")
CHUNK_STEPS = 1 << 16
MOST_BYTES = 1 << 24            # of a compressed chunk
STEP_BYTES = sum(array(code).itemsize for code in CODES)


def write_binary(trace: Compact, file: BinaryIO) -> None:
    """Write the trace."""
    file.write(MAGIC)
    for start in range(0, len(trace), CHUNK_STEPS):
        part = [column[start:start + CHUNK_STEPS] for column in trace.columns]
        data = zlib.compress(b"".join(_little(column).tobytes() for column in part), 6)
        file.write(CHUNK.pack(len(part[0]), len(data)) + data)
    file.write(CHUNK.pack(0, 0))


def read_binary(file: BinaryIO, path: Path) -> Compact:
    """The trace in a file whose magic has been read; TraceFileError if it is damaged."""
    trace = Compact()
    for number, part in enumerate(_chunks(file, path), 1):
        _check(part, path, number)
        for column, more in zip(trace.columns, part, strict=True):
            column.extend(more)
        if trace.is_full:
            break
    return trace


def _chunks(file: BinaryIO, path: Path) -> Iterator[Columns]:
    for number in range(1, sys.maxsize):
        head = file.read(CHUNK.size)
        if len(head) < CHUNK.size:
            raise TraceFileError(path, f"chunk {number}", "the trace is truncated")
        steps, size = CHUNK.unpack(head)
        if not steps:
            return
        if steps > CHUNK_STEPS or size > MOST_BYTES:
            raise TraceFileError(path, f"chunk {number}", "this is no chunk of a trace")
        yield _columns(file.read(size), steps, size, path, number)


def _columns(data: bytes, steps: int, size: int, path: Path, number: int) -> Columns:
    if len(data) < size:
        raise TraceFileError(path, f"chunk {number}", "the trace is truncated")
    try:
        inflater = zlib.decompressobj()
        plain = inflater.decompress(data, steps * STEP_BYTES + 1)
    except zlib.error:
        raise TraceFileError(path, f"chunk {number}", "it is damaged") from None
    if len(plain) != steps * STEP_BYTES:
        raise TraceFileError(path, f"chunk {number}", "it is damaged")
    columns, at = [], 0
    for code in CODES:
        column = array(code)
        column.frombytes(plain[at:at + steps * column.itemsize])
        at += steps * column.itemsize
        columns.append(_little(column))
    return Columns(*columns)


def _little(column: "array[int]") -> "array[int]":
    """The column with its bytes as a little-endian machine has them."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column


def _check(part: Columns, path: Path, number: int) -> None:
    """TraceFileError unless every verb, handle and name can be one."""
    if max(part.verbs) >= len(VERBS):
        raise TraceFileError(path, f"chunk {number}", f"it has an operation of number {max(part.verbs)}, and this "
                             f"Heapster knows those up to {len(VERBS) - 1}: read it with the newer one that wrote it, "
                             "or have that write it again by `heapster trace convert --to rep`")
    legal = min(part.results) >= NO_HANDLE and min(part.operands) >= NO_HANDLE
    named = legal and all(second < len(NAMES[verb]) for verb, second in zip(part.verbs, part.seconds, strict=True)
                          if NAMES[verb])
    if not named:
        raise TraceFileError(path, f"chunk {number}", "it has a step that no trace has")
