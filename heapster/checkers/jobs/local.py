"""Pieces of work on the cores of this machine: a child for each, or none where one works at a time."""

import os
import select
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from heapster.checkers.jobs.forked import CHUNK, Raised, Said, Tell, answered, begin_telling, taken_frames
from heapster.checkers.jobs.pool import Answer, Piece, silent, unheard
from heapster.results import HarnessError
from heapster.signals import held

AHEAD = 4                       # pieces for each child that may be done before the one whose turn it is


@dataclass(frozen=True)
class Local:
    """See `Pool`: children of this process, and itself if there is but one job."""

    jobs: int = 1

    @property
    def shares(self) -> int:
        """See `Pool`: a piece for each."""
        return self.jobs

    @property
    def is_here(self) -> bool:
        """See `Pool`."""
        return True

    def in_order(self, pieces: Iterable[Piece], work: Callable[[Piece], Answer]) -> Iterator[Answer]:
        """See `Pool`."""
        return self.telling(pieces, partial(silent, work), unheard)

    def telling(self, pieces: Iterable[Piece], work: Callable[[Piece, Tell], Answer],
                hear: Callable[[Any], None]) -> Iterator[Answer]:
        """See `Pool`."""
        if self.jobs == 1:
            for piece in pieces:
                yield work(piece, hear)
        else:
            yield from _in_children(pieces, work, hear, self.jobs)


ALONE = Local()


def _in_children(pieces: Iterable[Piece], work: Callable[[Piece, Tell], Answer], hear: Callable[[Any], None],
                 jobs: int) -> Iterator[Answer]:
    todo, begun, open_ended = iter(pieces), deque[_Child](), True
    try:
        while begun or open_ended:
            while open_ended and sum(not child.ended for child in begun) < jobs and len(begun) < AHEAD * jobs:
                piece = next(todo, _NONE)
                if open_ended := piece is not _NONE:
                    with held():            # or nobody would end it
                        begun.append(_Child(*begin_telling(partial(work, piece))))
            _hear([child for child in begun if not child.ended], hear)
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
    data: bytearray = field(default_factory=bytearray)
    ended: bool = False
    status: int = 0
    said: list[Any] = field(default_factory=list)       # its answer, once that is there

    def read(self, hear: Callable[[Any], None]) -> None:
        """Take what it says; nothing more: it has ended."""
        part = os.read(self.reading, CHUNK)
        self.data += part
        for frame in taken_frames(self.data):
            value = answered(frame)
            if isinstance(value, Said):
                hear(value.value)
            else:
                self.said.append(value)
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
        """Its answer; raises what it raised."""
        if self.status or not self.said:
            raise HarnessError(f"a worker ended without an answer, with status {self.status:#x}")
        [answer] = self.said
        if isinstance(answer, Raised):
            raise answer.error
        return answer


def _hear(running: list[_Child], hear: Callable[[Any], None]) -> None:
    if running:
        ready = select.select([child.reading for child in running], [], [])[0]
        for child in running:
            if child.reading in ready:
                child.read(hear)
