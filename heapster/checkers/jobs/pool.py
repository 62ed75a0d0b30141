"""Pools of workers: pieces of work go in, their answers come out in the order of the pieces.

A piece is a value, and the work a function of it: both can be pickled, so that they can go to another machine.
What comes of a piece depends on the piece alone, and what a run makes of the answers not on how many work.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from heapster.checkers.jobs.forked import Tell

Piece = TypeVar("Piece")
Answer = TypeVar("Answer")


class Pool(Protocol):
    """Workers."""

    @property
    def jobs(self) -> int:
        """How many pieces they work on at once."""

    @property
    def shares(self) -> int:
        """Into how many pieces that take long a run is best split."""

    @property
    def is_here(self) -> bool:
        """Whether they work on this machine, with its files."""

    def in_order(self, pieces: Iterable[Piece], work: Callable[[Piece], Answer]) -> Iterator[Answer]:
        """The answers to all pieces, in their order. Pieces are asked for as they can be begun.

        An error of the work's is raised here; whoever stops asking, or is interrupted, ends the work.
        Requires: answers can be pickled.
        """

    def telling(self, pieces: Iterable[Piece], work: Callable[[Piece, Tell], Answer],
                hear: Callable[[Any], None]) -> Iterator[Answer]:
        """Likewise; and what the work tells before it answers is heard as it comes."""


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def silent(work: Callable[[Piece], Answer], piece: Piece, tell: Tell) -> Answer:
    """Work that tells nothing, as work that could."""
    del tell
    return work(piece)


def unheard(told: Any) -> None:
    """Pass over what is told."""
