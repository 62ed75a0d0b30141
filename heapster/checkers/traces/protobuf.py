"""Traces of malloc-bench: a protobuf message `Tracefile`, as a rule gzipped.

    Tracefile:  lines = 1 (repeated TraceLine), max_simultaneous_allocs = 2
    TraceLine:  one of malloc = 1 {result_id 1, input_size 2, input_alignment 3}
                       free = 2 {input_id 1, size_hint 2, alignment_hint 3}
                       realloc = 3 {result_id 1, input_id 2, input_size 3}
                       calloc = 4 {result_id 1, nmemb 2, size 3}

All are varints. An id that is missing is a null pointer, 0 is an id like any other; a size that is missing is 0.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from heapster.checkers.traces.compact import Compact
from heapster.checkers.traces.errors import TraceFileError
from heapster.model.operation import NO_HANDLE
from heapster.model.operations import NUMBER

VARINT, BYTES = 0, 2                    # wire types
FIXED = {1: 8, 5: 4}                    # wire type: bytes
LINES = 1                               # field of Tracefile
MALLOC, FREE, REALLOC, CALLOC = KINDS = 1, 2, 3, 4
MOST_LINE = 256                         # bytes of a TraceLine; ours need 40
MOST_ALIGNMENT = 16                     # malloc's own
VERBS = {name: NUMBER[name] for name in ("malloc", "free", "realloc", "calloc", "memalign")}


def is_tracefile(start: bytes) -> bool:
    """Whether a file that starts so may be one: its first line is a TraceLine of one message, of whatever kind."""
    line, size, kind, inner = (*start[:4], 0, 0, 0, 0)[:4]
    return (line, size) == (LINES << 3 | BYTES, inner + 2) and kind & 7 == BYTES


def read_protobuf(file: BinaryIO, path: Path) -> Compact:
    """The trace in a file, TraceFileError where it stops being one."""
    reader = _Lines(path)
    try:
        for number, line in enumerate(_messages(_Bytes(file), path), 1):
            reader.read(number, line)
            if reader.trace.is_full:
                break
    except (OSError, EOFError, zlib.error) as error:
        raise TraceFileError(path, f"line {len(reader.trace) + 1}", f"the trace is damaged: {error}") from None
    return reader.trace


class _Bytes:
    """A stream read a byte at a time, in large pieces, that knows where it is."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._piece, self._at, self._before = file, b"", 0, 0

    @property
    def position(self) -> int:
        return self._before + self._at

    def take(self, count: int) -> bytes:
        """The next bytes, fewer at the end."""
        if self._at + count > len(self._piece):
            self._before += self._at
            self._piece, self._at = self._piece[self._at:] + self._file.read(1 << 20), 0
        taken = self._piece[self._at:self._at + count]
        self._at += len(taken)
        return taken

    def varint(self) -> int:
        """The next varint; -1 at the end of the stream."""
        number = shift = 0
        while shift < 70:
            byte = self.take(1)
            if not byte:
                if shift:
                    raise EOFError("it ends within a number")
                return -1
            number |= (byte[0] & 0x7f) << shift
            if byte[0] < 0x80:
                return number
            shift += 7
        raise EOFError("a number has no end")


def _messages(stream: _Bytes, path: Path) -> Iterator[bytes]:
    """The TraceLines of a Tracefile."""
    while (key := stream.varint()) >= 0:
        kind = key & 7
        if kind == VARINT:
            stream.varint()
            continue
        size = stream.varint() if kind == BYTES else FIXED.get(kind, -1)
        if size < 0 or size > MOST_LINE and key >> 3 == LINES:
            raise TraceFileError(path, f"byte {stream.position}", "this is no Tracefile of malloc-bench")
        data = stream.take(size)
        if len(data) < size:
            raise EOFError("it is truncated")
        if kind == BYTES and key >> 3 == LINES:
            yield data


class _Lines:
    """The steps read so far, and which handle each id is."""

    def __init__(self, path: Path) -> None:
        self.trace = Compact()
        self._path = path
        self._handles: dict[int, int] = {}
        self._free: list[int] = []          # handles that are free again
        self._next = 0

    def read(self, number: int, line: bytes) -> None:
        """Add the step that a TraceLine says."""
        outer = _fields(line)
        if len(outer) != 1 or next(iter(outer)) not in KINDS:
            raise TraceFileError(self._path, f"line {number}", "it is none of malloc, free, realloc and calloc")
        (kind, body), = outer.items()
        fields = _fields(body) if isinstance(body, bytes) else {}
        ids = [self._number(fields[n], number) if n in fields else None for n in (1, 2)]
        second, third = (self._number(fields.get(n, 0), number) for n in (2, 3))
        add = self.trace.add
        if kind == MALLOC and third > MOST_ALIGNMENT:
            add(VERBS["memalign"], self._fresh(ids[0]), NO_HANDLE, third, second)
        elif kind == MALLOC:
            add(VERBS["malloc"], self._fresh(ids[0]), NO_HANDLE, second)
        elif kind == CALLOC:
            add(VERBS["calloc"], self._fresh(ids[0]), NO_HANDLE, second, third)
        elif kind == REALLOC:
            operand = self._gone(ids[1], number)
            add(VERBS["realloc"], self._fresh(ids[0]), operand, third)
        else:
            add(VERBS["free"], NO_HANDLE, self._gone(ids[0], number))

    def _number(self, value: int | bytes, line: int) -> int:
        if isinstance(value, bytes) or value >> 64:
            raise TraceFileError(self._path, f"line {line}", "a field is no number")
        return value

    def _fresh(self, name: int | None) -> int:
        """A handle; of a block that has no name, as nobody will free it."""
        if self._free:
            handle = self._free.pop()
        else:
            handle, self._next = self._next, self._next + 1
        if name is not None:
            self._handles[name] = handle
        return handle

    def _gone(self, name: int | None, line: int) -> int:
        if name is None:
            return NO_HANDLE
        handle = self._handles.pop(name, None)
        if handle is None:
            raise TraceFileError(self._path, f"line {line}", f"id {name} is freed twice or was never allocated")
        self._free.append(handle)
        return handle


def _fields(message: bytes) -> dict[int, int | bytes]:
    """The fields of a message by number."""
    stream = _Bytes(_Piece(message))        # type: ignore[arg-type]
    found: dict[int, int | bytes] = {}
    while (key := stream.varint()) >= 0:
        kind = key & 7
        if kind == VARINT:
            found[key >> 3] = stream.varint()
            continue
        size = stream.varint() if kind == BYTES else FIXED.get(kind, -1)
        found[key >> 3] = stream.take(size)
        if size < 0 or len(found[key >> 3]) < size:     # type: ignore[arg-type]
            raise EOFError("a field is cut off")
    return found


class _Piece:
    """A few bytes as a file."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, _count: int) -> bytes:
        """All at once, then nothing."""
        data, self._data = self._data, b""
        return data
