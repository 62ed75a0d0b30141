"""Traces of CS:APP's malloc lab (.rep): a header of numbers, then a request a line.

    20000           suggested heap size | or weight
    3               ids                 | ids
    5               operations          | operations
    1               weight              | most bytes that live at once
    a 0 512         p0 = malloc(512)
    r 0 640         p0 = realloc(p0, 640); of an id not seen before: realloc(NULL, 640)
    f 0             free(p0); f -1 is free(NULL)

Both headers have ids and operations in the same places. Some files have no suggested size, some only ids and
operations; some have all numbers on one line. Comments are `# ...`, `// ...` and `/* ... */` in one line.
`w ID SIZE` (the block is written to) allocates nothing and is left out.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

from heapster.checkers.traces.compact import Compact
from heapster.checkers.traces.errors import TraceFileError
from heapster.model.operation import NO_HANDLE, Step
from heapster.model.operations import NUMBER, RELEASING, RESIZING, requested
from heapster.wording import counted

MOST_ID = (1 << 31) - 2
REQUESTS = {"a": 3, "r": 3, "f": 2, "w": 3}     # words of a line
WRITE = "w"                                     # the request that is no step
COMMENT = re.compile(rb"#.*|//.*|/\*.*?\*/")
MALLOC, REALLOC, FREE = (NUMBER[verb] for verb in ("malloc", "realloc", "free"))


class RepHeader(NamedTuple):
    """The header of a file."""

    ids: int
    ops: int


def is_rep(start: bytes) -> bool:
    """Whether a file that starts so may be one: a few numbers, then a request, or nothing."""
    words = COMMENT.sub(b"", start).split(maxsplit=6)
    numbers = [word.isdigit() for word in words[:5]] + [False]
    first = numbers.index(False)
    return 0 < first <= 4 and (words[first:] == [] or words[first].decode(errors="replace") in REQUESTS)


def requests_in(line: str) -> int:
    """How many steps a line says: one, or none."""
    kind = line.split(maxsplit=1)[:1]
    return int(kind != [WRITE] and kind in ([known] for known in REQUESTS))


def read_rep(lines: Iterable[bytes], path: Path) -> Compact:
    """The trace in the lines of a file, TraceFileError where they stop being one."""
    numbered = ((number, words) for number, line in enumerate(lines, 1)
                if (words := COMMENT.sub(b"", line).split()))
    header, rest = _header(numbered, path)
    trace, seen, ops = Compact(), set[int](), 0
    for ops, (number, words) in enumerate(rest, 1):  # noqa: B007  the count is used after the loop
        _request(trace, seen, number, words, path)
        if trace.is_full:
            break
    if header.ops != ops:
        trace.warnings.append(f"{path}: the header announces {header.ops} operations, there are {ops}")
    if ops > len(trace):
        trace.warnings.append(f"{path}: {counted(ops - len(trace), 'write')} (w ID SIZE): left out")
    if seen and header.ids <= max(seen):
        trace.warnings.append(f"{path}: the header announces {header.ids} ids, there is an id {max(seen)}")
    return trace


Numbered = Iterator[tuple[int, list[bytes]]]


def _header(numbered: Numbered, path: Path) -> tuple[RepHeader, Numbered]:
    """The header, and the lines after it."""
    found: list[int] = []
    for number, words in numbered:
        if words[0].decode(errors="replace") in REQUESTS:
            return _understood(found, path, number), chain([(number, words)], numbered)
        if not all(word.isdigit() for word in words) or len(found) + len(words) > 4:
            raise TraceFileError(path, f"line {number}", f"{_shown(words)} is neither a header's number nor a request")
        found += map(int, words)
    return _understood(found, path, len(found) + 1), iter(())


def _understood(found: list[int], path: Path, line: int) -> RepHeader:
    if not 2 <= len(found) <= 4:
        raise TraceFileError(path, f"line {line}", f"a header has 2, 3 or 4 numbers, not {len(found)}")
    ids, ops = found[1:3] if len(found) == 4 else found[:2]
    return RepHeader(ids, ops)


def _request(trace: Compact, seen: set[int], line: int, words: list[bytes], path: Path) -> None:
    kind = words[0].decode(errors="replace")
    if REQUESTS.get(kind) != len(words):
        raise TraceFileError(path, f"line {line}", f"{_shown(words)} is no request: [arw] ID SIZE or f ID")
    try:
        numbers = [int(word) for word in words[1:]]
    except ValueError:
        raise TraceFileError(path, f"line {line}", f"{_shown(words)} holds what is no number") from None
    handle = numbers[0]
    if not -(kind == "f") <= handle <= MOST_ID or any(not 0 <= size < 1 << 64 for size in numbers[1:]):
        raise TraceFileError(path, f"line {line}", f"{_shown(words)}: out of range")
    if kind == WRITE:
        return
    if kind == "f":
        if handle != NO_HANDLE and handle not in seen:
            raise TraceFileError(path, f"line {line}", f"{_shown(words)}: id {handle} was never allocated")
        trace.add(FREE, NO_HANDLE, handle)
        return
    if kind == "r":
        trace.add(REALLOC, handle, handle if handle in seen else NO_HANDLE, numbers[1])
    else:
        trace.add(MALLOC, handle, NO_HANDLE, numbers[1])
    seen.add(handle)


def _shown(words: list[bytes]) -> str:
    return repr(b" ".join(words)[:40].decode(errors="replace"))


def write_rep(trace: Compact, file: BinaryIO) -> None:
    """Write the trace as a malloc lab has it; alignments, threads and settings, which a lab has not, are dropped.

    A handle that is defined again while it is live gets an id of its own.
    """
    lines = _Ids()
    body = [line for step in trace for line in lines.of(step)]
    file.write(f"0\n{lines.count}\n{len(body)}\n1\n".encode())
    file.writelines(f"{line}\n".encode() for line in body)


class _Ids:
    """An id for each block, from its allocation to its end."""

    def __init__(self) -> None:
        self.count = 0
        self._of: dict[int, int] = {}

    def of(self, step: Step) -> Iterator[str]:
        """The lines that a step becomes: one or none."""
        if step.verb in RESIZING:
            known = self._of.pop(step.operand, None)
            if known is None:
                known = self._fresh()
            self._of[step.result] = known
            yield f"r {known} {requested(step)}"
        elif step.verb in RELEASING:
            yield f"f {self._of.pop(step.operand, NO_HANDLE)}"
        elif step.result != NO_HANDLE:
            self._of[step.result] = self._fresh()
            yield f"a {self._of[step.result]} {requested(step)}"

    def _fresh(self) -> int:
        self.count += 1
        return self.count - 1
