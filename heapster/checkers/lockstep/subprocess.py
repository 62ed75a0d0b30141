"""Work in a child process: a crash or a hang there is an answer here, and what it was doing is known."""

import mmap
import os
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from heapster.checkers.jobs.forked import CHUNK, Raised, answered, begin

T = TypeVar("T")

JOURNAL_BYTES = 1 << 20
COUNT_BYTES = 8
LOOKS = 8                       # at a child, before it counts as hung


class Journal:
    """What a child did last, in memory that outlives it."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, COUNT_BYTES + JOURNAL_BYTES)

    def clear(self) -> None:
        """Start anew."""
        self._memory[:COUNT_BYTES] = bytes(COUNT_BYTES)

    def note(self, line: str) -> None:
        """Add a line; those that do not fit are lost."""
        data = line.encode() + b"\n"
        length = self._length()
        if length + len(data) <= JOURNAL_BYTES:
            start = COUNT_BYTES + length
            self._memory[start:start + len(data)] = data
            self._memory[:COUNT_BYTES] = (length + len(data)).to_bytes(COUNT_BYTES, "little")

    def lines(self) -> list[str]:
        """All lines since the last `clear`."""
        return self._memory[COUNT_BYTES:COUNT_BYTES + self._length()].decode().splitlines()

    def progress(self) -> int:
        """A number that changes with every note."""
        return self._length()

    def _length(self) -> int:
        return int.from_bytes(self._memory[:COUNT_BYTES], "little")


@dataclass(frozen=True)
class Done(Generic[T]):
    """The child ended as it should."""

    value: T


@dataclass(frozen=True)
class Died:
    """The child did not."""

    how: str                        # "crashed" or "hung"
    words: str                      # for people


def contained(work: Callable[[], T], journal: Journal, seconds: float) -> Done[T] | Died:
    """The answer of `work`, which can be pickled, from a child that shares nothing but the journal.

    It hangs when for so many seconds it neither answers nor notes anything. An exception in the child,
    which would be a defect of ours, is raised here.
    """
    child, reading = begin(work)
    try:
        data = _read_all(reading, journal, seconds)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    finally:
        os.close(reading)
    if data is None:
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if data is None:
        return Died("hung", f"no end after {seconds:g} seconds")
    return _outcome(data, status)


def _read_all(reading: int, journal: Journal, seconds: float) -> bytes | None:
    """All that comes until the pipe closes, or None if nothing happens for so long."""
    parts: list[bytes] = []
    seen, until = journal.progress(), monotonic() + seconds
    while monotonic() < until:
        if select.select([reading], [], [], seconds / LOOKS)[0]:
            part = os.read(reading, CHUNK)
            if not part:
                return b"".join(parts)
            parts.append(part)
        if journal.progress() != seen:
            seen, until = journal.progress(), monotonic() + seconds
    return None


def _outcome(data: bytes, status: int) -> Done[T] | Died:
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return Died("crashed", f"the process died of {name}")
    if not data:
        return Died("crashed", "the process ended without an answer")
    answer = answered(data)
    if isinstance(answer, Raised):
        raise RuntimeError(f"in a child process: {answer.words}")
    return Done(answer)
