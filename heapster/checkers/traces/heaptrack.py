"""heaptrack's files: a line of one letter and hexadecimal numbers for each event, as a rule compressed.

    v 10400 3           heaptrack's version, the format's
    a 28 8              a kind of allocation: 0x28 bytes, from stack 8; numbered from 0
    + 1                 a block of kind 1 is allocated
    - 1                 and one is freed; which of them, only `+ SIZE STACK ADDRESS`, `- ADDRESS` of raw files say

So of the blocks of a kind the oldest counts as freed. A realloc is a free and an allocation.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from pathlib import Path

from heapster.checkers.traces.addresses import Addresses
from heapster.checkers.traces.compact import Compact
from heapster.checkers.traces.errors import TraceFileError


def is_heaptrack(start: bytes) -> bool:
    """Whether a file that starts so is heaptrack's."""
    words = start.partition(b"\n")[0].split()
    return len(words) in (2, 3) and words[0] == b"v" and all(_is_hex(word) for word in words[1:])


def read_heaptrack(lines: Iterable[bytes], path: Path) -> Compact:
    """The trace in a file, TraceFileError where a line is none of heaptrack's."""
    reader = _AllocationReader()
    for number, line in enumerate(lines, 1):
        kind, *words = line.split() or [b""]
        if kind in (b"a", b"+", b"-"):
            if not all(map(_is_hex, words)) or not reader.read(kind, [int(word, 16) for word in words]):
                raise TraceFileError(path, f"line {number}", "this is no line of heaptrack's")
            if reader.heap.trace.is_full:
                break
    trace = reader.heap.finish(str(path))
    trace.warnings.append(f"{path}: heaptrack keeps sizes only: calloc, memalign and realloc are read as malloc, free")
    if reader.sizes:
        trace.warnings.append(f"{path}: of blocks of one size and stack, the oldest is read as the one freed")
    return trace


class _AllocationReader:
    """The kinds of allocations so far, and the blocks of each that are live."""

    def __init__(self) -> None:
        self.heap, self.sizes = Addresses(), list[int]()
        self._live: defaultdict[int, deque[int]] = defaultdict(deque)      # kind: places of its blocks, oldest first
        self._next = 1                                                  # stands for a block's address

    def read(self, kind: bytes, numbers: list[int]) -> bool:
        """Take one event; False if it cannot be one."""
        if kind == b"a" and len(numbers) == 2:
            self.sizes.append(numbers[0])
        elif kind == b"+" and len(numbers) == 3:
            self.heap.allocate("malloc", numbers[:1], numbers[2])
        elif kind == b"-" and len(numbers) == 1 and not self.sizes:
            self.heap.free(numbers[0])
        elif len(numbers) == 1 and numbers[0] < len(self.sizes):
            self._of_kind(kind, numbers[0])
        else:
            return False
        return True

    def _of_kind(self, kind: bytes, index: int) -> None:
        live = self._live[index]
        if kind == b"+":
            live.append(self._next)
            self.heap.allocate("malloc", (self.sizes[index],), self._next)
            self._next += 1
        else:
            self.heap.free(live.popleft() if live else self._next)


def _is_hex(word: bytes) -> bool:
    return 0 < len(word) <= 16 and all(letter in b"0123456789abcdef" for letter in word)
