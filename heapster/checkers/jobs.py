"""Pieces of work on several cores: a child for each, and their answers in the order of the pieces.

So what comes of a piece depends on the piece alone, and what a run makes of the answers not on how many work.
"""

import os
import select
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from heapster.checkers.lockstep.forked import CHUNK, Raised, answered, begin
from heapster.results import HarnessError
from heapster.signals import held

Piece = TypeVar("Piece")
Answer = TypeVar("Answer")

AHEAD = 4                       # pieces for each child that may be done before the one whose turn it is


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def in_order(pieces: Iterable[Piece], work: Callable[[Piece], Answer], jobs: int) -> Iterator[Answer]:
    """The answers to all pieces, in their order, from at most so many children at once; from here, if it is one.

    Pieces are asked for as they can be begun. An error of a child's is raised here; whoever stops asking, or is
    interrupted, ends the children. Requires: answers can be pickled.
    """
    if jobs == 1:
        yield from map(work, pieces)
        return
    todo, begun, open_ended = iter(pieces), deque[_Child](), True
    try:
        while begun or open_ended:
            while open_ended and sum(not child.ended for child in begun) < jobs and len(begun) < AHEAD * jobs:
                piece = next(todo, _NONE)
                if open_ended := piece is not _NONE:
                    with held():            # or nobody would end it
                        begun.append(_Child(*begin(partial(work, piece))))
            _hear([child for child in begun if not child.ended])
            while begun and begun[0].ended:
                yield begun.popleft().answer()
    finally:
        for child in begun:
            child.end()


_NONE: Any = object()


@dataclass
class _Child:
    """A piece under way."""

    pid: int
    reading: int
    parts: list[bytes] = field(default_factory=list)
    ended: bool = False
    status: int = 0

    def read(self) -> None:
        """Take what it says; nothing more: it has ended."""
        part = os.read(self.reading, CHUNK)
        self.parts.append(part)
        if not part:
            self._wait()

    def _wait(self) -> None:
        with held():
            os.close(self.reading)
            self.status, self.ended = os.waitpid(self.pid, 0)[1], True

    def end(self) -> None:
        """End it, if it has not."""
        if not self.ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._wait()

    def answer(self) -> Any:
        """What it answered; raises what it raised."""
        data = b"".join(self.parts)
        if self.status or not data:
            raise HarnessError(f"a worker ended without an answer, with status {self.status:#x}")
        answer = answered(data)
        if isinstance(answer, Raised):
            raise answer.error
        return answer


def _hear(running: list[_Child]) -> None:
    if running:
        ready = select.select([child.reading for child in running], [], [])[0]
        for child in running:
            if child.reading in ready:
                child.read()
