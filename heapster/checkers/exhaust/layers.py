"""The walk: heaps by layers, a call more in each. What is reached in several ways is gone on from once.

Each program of a layer stands for all that reach its heap. How many these are is counted along the ways, so that what
was covered is said of programs, though most of them were never run by themselves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from heapster.results import HarnessError

Rows = np.ndarray[Any, np.dtype[np.uint32]]         # programs, a row of moves each
Words = np.ndarray[Any, np.dtype[np.uint64]]
MOST_COUNTED = float(1 << 63)   # programs; of more it is said that they are more


class AnswerWay(NamedTuple):
    """A way to answer: the first program of a piece at whose last call it was met."""

    key: int                    # of all that the specification asks about it
    program: tuple[int, ...]    # its moves
    suspicion: int              # what the engine thinks of it; 0: nothing
    spoils: bool                # longer programs are not run


@dataclass(frozen=True)
class Expanded:
    """Programs, each with every move more, and how they went."""

    moves: Words                # of each program: how many there were,
    spoilt: Words               # and after how many nothing follows
    source: Words               # of each heap that was reached, as far as heaps were asked for: its program's place,
    digest: Words               # what it is known by,
    move: Words                 # and the move that led there
    ways: tuple[AnswerWay, ...]
    refusals: int               # programs in which the system refused at their last call
    by_children: int            # programs that a child of their own ran
    root: int                   # what the heap before any call is known by
    seconds: float = 0.0        # of processor time, by who goes on after it


class Piece(NamedTuple):
    """Programs that are run together."""

    programs: Rows
    heaps: bool                 # what they reach is asked for


@dataclass
class Layers:
    """How far a walk is."""

    programs: Rows = field(default_factory=lambda: np.zeros((1, 0), np.uint32))     # of the layer at hand
    states: Words = field(default_factory=lambda: np.zeros(1, np.uint64))           # the heap that each stands for
    done: int = 0                                   # of them
    reached: list[Rows] = field(default_factory=list)       # programs of the next layer,
    reached_states: list[Words] = field(default_factory=list)
    known: dict[int, int] = field(default_factory=dict)            # digests of heaps, and their numbers
    edges: list[Words] = field(default_factory=list)        # rows: from a heap, to a heap, by how many moves
    moves: list[Words] = field(default_factory=list)        # rows: of a heap, how many moves, how many of them spoil
    runs: int = 0
    refusals: int = 0
    by_children: int = 0

    @property
    def depth(self) -> int:
        """Calls of each program of the layer."""
        return int(self.programs.shape[1])

    def pieces(self, size: int, *, heaps: bool) -> Iterator[Piece]:
        """The rest of the layer, in pieces of that many programs."""
        for start in range(self.done, len(self.programs), size):
            yield Piece(self.programs[start:start + size], heaps)

    def absorb(self, piece: Piece, expanded: Expanded) -> None:
        """Take in what became of the next piece; HarnessError if it is not of that piece."""
        count = len(piece.programs)
        if len(expanded.moves) != count:
            raise HarnessError(f"{len(expanded.moves)} programs were run of {count}")
        self.known.setdefault(expanded.root, 0)
        states = self.states[self.done:self.done + count]
        self.moves.append(np.stack([states, expanded.moves, expanded.spoilt], axis=1).astype(np.uint64))
        self.runs += int(expanded.moves.sum())
        self.refusals += expanded.refusals
        self.by_children += expanded.by_children
        if piece.heaps and len(expanded.digest):
            self._reach(piece, states, expanded)
        self.done += count

    def _reach(self, piece: Piece, states: Words, expanded: Expanded) -> None:
        unique, first, inverse = np.unique(expanded.digest, return_index=True, return_inverse=True)
        number = np.zeros(len(unique), np.uint64)
        fresh: list[int] = []
        for place in np.argsort(first, kind="stable"):
            digest = int(unique[place])
            if digest not in self.known:
                self.known[digest] = len(self.known)
                fresh.append(int(first[place]))
            number[place] = self.known[digest]
        pairs = np.stack([states[expanded.source.astype(np.int64)], number[inverse]], axis=1)
        ways, times = np.unique(pairs, axis=0, return_counts=True)
        self.edges.append(np.column_stack([ways, times]).astype(np.uint64))
        rows = piece.programs[expanded.source[fresh].astype(np.int64)]
        self.reached.append(np.column_stack([rows, expanded.move[fresh]]).astype(np.uint32))
        self.reached_states.append(number[inverse[fresh]])

    def close(self) -> None:
        """The layer is done: what it reached is the next."""
        width = self.depth + 1
        self.programs = np.concatenate([np.zeros((0, width), np.uint32), *self.reached])
        self.states = np.concatenate([np.zeros(0, np.uint64), *self.reached_states])
        self.reached, self.reached_states, self.done = [], [], 0

    def counted(self, calls: int) -> list["Counted"]:
        """How many programs there are of 1, 2, ... calls, as far as their heaps were gone on from."""
        if calls == 0:
            return []
        moves, spoilt = np.zeros(len(self.known), np.uint64), np.zeros(len(self.known), np.uint64)
        for rows in self.moves:
            moves[rows[:, 0].astype(np.int64)] = rows[:, 1]
            spoilt[rows[:, 0].astype(np.int64)] = rows[:, 2]
        edges = np.concatenate([np.zeros((0, 3), np.uint64), *self.edges])
        source, target = edges[:, 0].astype(np.int64), edges[:, 1].astype(np.int64)
        ways = np.zeros(len(self.known), np.uint64)
        ways[0] = 1
        about = ways.astype(float)                  # the same, without an end to what it can hold
        found = []
        for _ in range(calls):
            fits = float(np.dot(about, moves.astype(float))) < MOST_COUNTED
            found.append(Counted(int(np.dot(ways, moves)), int(np.dot(ways, spoilt))) if fits else Counted(None, None))
            after, about_after = np.zeros_like(ways), np.zeros_like(about)
            np.add.at(after, target, ways[source] * edges[:, 2])
            np.add.at(about_after, target, about[source] * edges[:, 2])
            ways, about = after, about_after
        return found


class Counted(NamedTuple):
    """Programs of one length; None: more than can be counted."""

    programs: int | None
    failing: int | None         # of these: at the last call


def total(counted: Sequence[Counted]) -> int | None:
    """All of them together."""
    numbers = [one.programs for one in counted]
    return None if None in numbers else sum(number for number in numbers if number)
