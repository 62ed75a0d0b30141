"""A walk under a budget: pieces on all cores, ways to answer judged as they come, the frontier kept when time is up.

Of several walks the one goes on whose next length has the fewest programs, about.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter
from typing import NamedTuple, Protocol

from heapster.checkers.exhaust.frontier import KeptFrontier, StoppedWalk
from heapster.checkers.exhaust.layers import AnswerWay, Counted, Expanded, Layers, Piece
from heapster.checkers.exhaust.scope import Scope
from heapster.checkers.jobs.local import PIPED, Local
from heapster.checkers.jobs.pool import Pool
from heapster.children import worked_elsewhere

SHARES = 16                     # pieces for each child, at least: some take twenty times as long as others
WORTH = 0.3                     # seconds of work that children are worth, which have to be started
PIECE_SECONDS = 1.0             # that a piece is to take, about: so long nobody asks whether time is up


class ProgramEngine(Protocol):
    """An engine that runs programs."""

    @property
    def size(self) -> int:
        """Programs of a piece, at most."""

    @property
    def apart(self) -> int:
        """Programs of a piece that is worth a child of its own, at least."""

    def expand(self, piece: Piece) -> Expanded | None:
        """Run a piece here; None if the engine has to be another."""

    def expand_apart(self, piece: Piece) -> Expanded | None:
        """Run a piece in a child of this process, or on another machine: the engine can be pickled."""


class WalkProgress(NamedTuple):
    """How far a walk is."""

    calls: int                  # of the programs at hand
    done: float                 # of the layer at hand, up to 1
    runs: int
    ahead: int                  # programs that the layer still has to run, about


@dataclass
class ScopeWalk:
    """A walk, from the start or from where it stopped."""

    scope: Scope
    engine: ProgramEngine
    pool: Pool
    layers: Layers = field(default_factory=Layers)
    met: set[int] = field(default_factory=set)
    strayed: bool = False           # the engine has to be another: nothing that was run counts
    _each: float = 0.0              # seconds that going on from a program took last, with every call

    @property
    def is_over(self) -> bool:
        """Whether all of the scope is run."""
        return self.layers.depth == self.scope.calls

    @property
    def ahead(self) -> int:
        """About how many programs there are of the next length."""
        return len(self.layers.programs) * len(self.scope.alphabet) * (1 + self.layers.depth)

    def lengthen(self, is_late: Callable[[], bool], judge: Callable[[AnswerWay], None],
                 progress: Callable[[WalkProgress], None]) -> bool:
        """Run the programs that have a call more; whether all are, before it was late."""
        heaps = self.layers.depth + 1 < self.scope.calls
        if not self._finish_layer(is_late, judge, progress, heaps=heaps):
            return False
        self.layers.close()
        return True

    def _finish_layer(self, is_late: Callable[[], bool], judge: Callable[[AnswerWay], None],
                      progress: Callable[[WalkProgress], None], *, heaps: bool) -> bool:
        with closing(self._expanded(heaps=heaps)) as expanded:
            for piece, found in expanded:
                if found is None:
                    self.strayed = True
                    return False
                worked_elsewhere(found.seconds)
                self.layers.absorb(piece, found)
                for way in found.ways:
                    if way.key not in self.met:
                        self.met.add(way.key)
                        judge(way)
                progress(self._progress(found, piece))
                if is_late():
                    break
        return self.layers.done == len(self.layers.programs)

    def _expanded(self, *, heaps: bool) -> Generator[tuple[Piece, Expanded | None]]:
        """The pieces that are left of the layer, and what became of each, in order.

        On other machines all of them are run there: where heaps lie is the same there, and need not be as here.
        """
        pool = self.pool
        if isinstance(pool, Local):
            while self.layers.done < len(self.layers.programs) and not self._is_worth_children(pool.jobs):
                piece = next(self.layers.pieces(self._size(), heaps=heaps))
                found, self._each = _timed(self.engine.expand, piece)
                yield piece, found
            pool = replace(pool, ahead=2 * SHARES, waiting=1)
        left = len(self.layers.programs) - self.layers.done
        most = min(self._size(), PIPED // (8 + self.layers.programs.itemsize * self.layers.depth))
        size = max(self.engine.apart, min(most, left // (SHARES * pool.jobs)))
        pieces = list(self.layers.pieces(size, heaps=heaps))
        expanded = pool.in_order(pieces, partial(_timed, self.engine.expand_apart))
        for piece, (found, self._each) in zip(pieces, expanded, strict=True):
            yield piece, found

    def _is_worth_children(self, jobs: int) -> bool:
        """Whether what is left of the layer is for several."""
        left = len(self.layers.programs) - self.layers.done
        return jobs > 1 and left >= 2 * self.engine.apart and left * self._each >= WORTH

    def _size(self) -> int:
        """Programs of the next piece."""
        return max(1, min(self.engine.size, int(PIECE_SECONDS / self._each))) if self._each else self.engine.apart

    def _progress(self, found: Expanded, piece: Piece) -> WalkProgress:
        layers = self.layers
        left = len(layers.programs) - layers.done
        each = float(found.moves.sum()) / max(1, len(piece.programs))
        return WalkProgress(layers.depth + 1, layers.done / len(layers.programs), layers.runs, round(left * each))

    def counted(self) -> list[Counted]:
        """How many programs there are of each length that is done."""
        return self.layers.counted(self.layers.depth)

    def stop(self, frontier: KeptFrontier, failing: tuple[tuple[int, ...], ...]) -> None:
        """Keep where it stands. Raises Unwritable."""
        frontier.write(StoppedWalk(self.layers, frozenset(self.met), failing))


def _timed(expand: Callable[[Piece], Expanded | None], piece: Piece) -> tuple[Expanded | None, float]:
    """What becomes of a piece, and how many seconds each of its programs took."""
    began = perf_counter()
    found = expand(piece)
    return found, (perf_counter() - began) / len(piece.programs)


def run_all(walks: Sequence[ScopeWalk], is_late: Callable[[], bool], judge: Callable[[AnswerWay], None],
            progress: Callable[[WalkProgress], None]) -> bool:
    """Go on with all walks until they are over or it is late; whether they are over."""
    while left := [walk for walk in walks if not walk.is_over]:
        if not min(left, key=lambda walk: walk.ahead).lengthen(is_late, judge, progress) or is_late():
            break
    return all(walk.is_over for walk in walks)
