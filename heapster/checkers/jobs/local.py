"""Pieces of work on the cores of this machine: by children, or by none where one works at a time."""

import os
import pickle
import select
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from heapster import children
from heapster.checkers.jobs.forked import CHUNK, Raised, Said, Tell, answered, begin_serving, taken_frames, write_frame
from heapster.checkers.jobs.pool import Answer, Piece, silent, unheard
from heapster.results import HarnessError
from heapster.signals import held

AHEAD = 4                       # pieces for each child, usually
PIPED = 1 << 15                 # bytes: so many can be written though nobody reads them yet


@dataclass(frozen=True)
class Local:
    """See `Pool`: children of this process, and itself if there is but one job."""

    jobs: int = 1
    ahead: int = AHEAD          # pieces for each child that may be done before the one whose turn it is
    waiting: int = 0            # pieces of at most PIPED bytes that each child has at hand while it does another

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
            yield from _in_children(pieces, work, hear, self)


ALONE = Local()


def _in_children(pieces: Iterable[Piece], work: Callable[[Piece, Tell], Answer], hear: Callable[[Any], None],
                 pool: Local) -> Iterator[Answer]:
    todo, begun, open_ended = iter(pieces), deque[_Begun](), True
    workers: list[_Worker] = []
    most = pool.jobs * (1 + pool.waiting)
    try:
        while begun or open_ended:
            while open_ended and sum(not one.done for one in begun) < most and len(begun) < pool.ahead * pool.jobs:
                piece = next(todo, _NONE)
                if open_ended := piece is not _NONE:
                    begun.append(_least_busy(workers, work, pool.jobs).begin(piece))
            _hear([worker for worker in workers if worker.busy], hear)
            while begun and begun[0].done:
                yield begun.popleft().answer()
    finally:
        with held():
            for worker in workers:
                worker.end()


_NONE: Any = object()


@dataclass
class _Begun:
    """A piece that a worker was given."""

    done: bool = False
    said: list[Any] = field(default_factory=list)       # its answer and its processor time, once they are there
    status: int = 0                                     # of the worker, if it ended

    def answer(self) -> Any:
        """Its answer; raises what it raised."""
        if not self.said:
            raise HarnessError(f"a worker ended without an answer, with status {self.status:#x}")
        answer = self.said[0]
        if isinstance(answer, Raised):
            raise answer.error
        return answer


class _Worker:
    """A child that does one piece after the other, in the order in which they were handed to it."""

    def __init__(self, work: Callable[[Any, Tell], Any]) -> None:
        self.pid, asking, self.reading = begin_serving(work)
        self._asking = os.fdopen(asking, "wb")
        self._data, self._seconds = bytearray(), 0.0
        self._pieces, self.ended = deque[_Begun](), False
        children.serves(self.pid, self._seconds)

    @property
    def busy(self) -> int:
        """How many pieces it has to do."""
        return len(self._pieces)

    def begin(self, piece: Any) -> _Begun:
        """Hand it a piece."""
        frame = pickle.dumps(piece)
        if self.busy and len(frame) > PIPED:
            raise HarnessError(f"a piece of {len(frame):,} bytes cannot wait in a pipe")
        self._pieces.append(_Begun())
        with suppress(BrokenPipeError):                 # it has died, which is noticed where it is read
            write_frame(self._asking, frame)
        return self._pieces[-1]

    def read(self, hear: Callable[[Any], None]) -> None:
        """Take what it says; nothing more: it has ended."""
        part = os.read(self.reading, CHUNK)
        self._data += part
        for frame in taken_frames(self._data):
            self._take(answered(frame), hear)
        if not part:
            self._wait()

    def _take(self, value: Any, hear: Callable[[Any], None]) -> None:
        if isinstance(value, Said):
            hear(value.value)
            return
        piece = self._pieces[0]
        piece.said.append(value)
        if len(piece.said) == 2:
            self._pieces.popleft().done = True
            self._seconds += value
            children.serves(self.pid, self._seconds)

    def _wait(self) -> None:
        """Its processor time is that of an ended child from here on."""
        with held():                                    # its number may be another's once it was waited for
            os.close(self.reading)
            status, self.ended = os.waitpid(self.pid, 0)[1], True
            while self._pieces:
                piece = self._pieces.popleft()
                piece.status, piece.done = status, True
            children.serves_no_longer(self.pid)
            with suppress(BrokenPipeError):
                self._asking.close()

    def end(self) -> None:
        """End it, if it has not."""
        if not self.ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._wait()


def _least_busy(workers: list[_Worker], work: Callable[[Any, Tell], Any], jobs: int) -> _Worker:
    """One that has nothing to do; a new one, if none is there; if there are all, who has least."""
    there = [worker for worker in workers if not worker.ended]
    least = min(there, key=lambda worker: worker.busy, default=None)
    if least is not None and (not least.busy or len(there) >= jobs):
        return least
    with held():                                        # or nobody would end it
        workers.append(_Worker(work))
    return workers[-1]


def _hear(working: list[_Worker], hear: Callable[[Any], None]) -> None:
    if working:
        ready = select.select([worker.reading for worker in working], [], [])[0]
        for worker in working:
            if worker.reading in ready:
                worker.read(hear)
