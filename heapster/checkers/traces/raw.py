"""What the recorder wrote, as a trace: records in their order, addresses as handles."""

import struct
from collections.abc import Iterator
from heapq import merge
from pathlib import Path
from typing import BinaryIO, NamedTuple

from heapster.checkers.traces.compact import VERB_NUMBER, Compact
from heapster.checkers.traces.errors import TraceFileError
from heapster.model.operation import NO_HANDLE

MAGIC = 0x3130636552706548
HEADER, RECORD = struct.Struct("<6Q16x"), struct.Struct("<4Q")
FIRST_CHUNK = 4096                      # offset
ORDER_SHIFT, THREAD_SHIFT = 24, 8
MALLOC, CALLOC, MEMALIGN, FREE, REALLOC_BEGINS, REALLOC_ENDS, REALLOC_ARRAY_ENDS = range(1, 8)     # recorder.h
VERBS = {MALLOC: VERB_NUMBER["malloc"], CALLOC: VERB_NUMBER["calloc"], MEMALIGN: VERB_NUMBER["memalign"],
         REALLOC_ENDS: VERB_NUMBER["realloc"], REALLOC_ARRAY_ENDS: VERB_NUMBER["reallocarray"]}
FREES, THREAD = VERB_NUMBER["free"], VERB_NUMBER["thread"]

Record = tuple[int, int, int, int]      # order, first, second, pointer


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


def records(found: Image) -> Iterator[Record]:
    """All records of an image, in their order."""
    with found.path.open("rb") as file:
        chunk_bytes = HEADER.unpack(file.read(HEADER.size))[5]
        threads: dict[int, list[int]] = {}
        place = FIRST_CHUNK
        while head := _at(file, place, RECORD.size):
            order = RECORD.unpack(head)[0] if len(head) == RECORD.size else 0
            if order:
                threads.setdefault(order >> THREAD_SHIFT & 0xffff, []).append(place)
            place += chunk_bytes
        yield from merge(*[_of_thread(file, places, chunk_bytes) for places in threads.values()])


def _at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _of_thread(file: BinaryIO, places: list[int], chunk_bytes: int) -> Iterator[Record]:
    """A thread's records; a chunk's rest that was not filled is zero."""
    for place in places:
        data = _at(file, place, chunk_bytes)
        for record in RECORD.iter_unpack(data[:len(data) & -RECORD.size]):
            if not record[0]:
                break
            yield record


def trace_of(sources: list[tuple[Image, int]]) -> Compact:
    """The trace of an image: of its ancestors up to the forks, each with the place where to stop, and of itself."""
    naming = _Naming()
    for found, stop in sources:
        for record in records(found):
            if stop and record[0] >> ORDER_SHIFT >= stop:
                break
            naming.take(*record)
    trace = naming.trace
    lost = sum(found.lost for found, _ in sources)
    if lost:
        trace.warnings.append(f"{lost} operations are missing: the disk was full")
    if naming.strangers:
        trace.warnings.append(f"{naming.strangers} frees of blocks that nobody was seen to allocate are left out")
    return trace


class _Naming:
    """Gives live addresses handles, the lowest that are free."""

    def __init__(self) -> None:
        self.trace = Compact()
        self.strangers = 0
        self._handles: dict[int, int] = {}
        self._free: list[int] = []
        self._resizing: dict[int, tuple[int, int]] = {}     # by thread: pointer and handle
        self._thread, self._next = 0, 0

    def take(self, order: int, first: int, second: int, pointer: int) -> None:
        """Add the step of a record."""
        kind, thread = order & 0xff, order >> THREAD_SHIFT & 0xffff
        if kind == REALLOC_BEGINS:
            self._resizing[thread] = pointer, self._handles.pop(pointer, NO_HANDLE)
            return
        if thread != self._thread:
            self._thread = thread
            self.trace.add(THREAD, NO_HANDLE, NO_HANDLE, thread)
        if kind == FREE:
            self._freed(pointer)
        elif kind in (REALLOC_ENDS, REALLOC_ARRAY_ENDS):
            self._resized(VERBS[kind], thread, first, second if kind == REALLOC_ARRAY_ENDS else 0, pointer)
        elif kind in VERBS:
            self.trace.add(VERBS[kind], self._fresh(pointer), NO_HANDLE, first, second)

    def _fresh(self, pointer: int) -> int:
        if self._free:
            handle = self._free.pop()
        else:
            handle = self._next
            self._next += 1
        self._handles[pointer] = handle
        return handle

    def _freed(self, pointer: int) -> None:
        handle = self._handles.pop(pointer, NO_HANDLE)
        if handle == NO_HANDLE:
            self.strangers += 1
            return
        self._free.append(handle)
        self.trace.add(FREES, NO_HANDLE, handle)

    def _resized(self, verb: int, thread: int, first: int, second: int, pointer: int) -> None:
        old, handle = self._resizing.pop(thread, (0, NO_HANDLE))
        if not pointer:         # it failed, or the size was 0
            gone = first == 0 or verb == VERBS[REALLOC_ARRAY_ENDS] and second == 0
            if handle != NO_HANDLE and gone:
                self._free.append(handle)
                self.trace.add(FREES, NO_HANDLE, handle)
            elif handle != NO_HANDLE:
                self._handles[old] = handle
            return
        result = self._fresh(pointer)
        self.trace.add(verb, result, handle, first, second)
        if handle != NO_HANDLE:
            self._free.append(handle)
