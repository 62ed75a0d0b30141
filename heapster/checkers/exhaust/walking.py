"""A walk under a budget: pieces on all cores, ways to answer judged as they come, the frontier kept when time is up."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from heapster.checkers.exhaust.frontier import KeptFrontier, StoppedWalk
from heapster.checkers.exhaust.layers import AnswerWay, Counted, Expanded, Layers, Piece
from heapster.checkers.exhaust.scope import Scope
from heapster.checkers.jobs.local import Local

SHARES = 2                      # pieces for each child, at least, so that none waits long for another


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
        """Run a piece in a child of this process."""


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
    jobs: int
    layers: Layers = field(default_factory=Layers)
    met: set[int] = field(default_factory=set)
    strayed: bool = False           # the engine has to be another: nothing that was run counts

    def run(self, is_late: Callable[[], bool], judge: Callable[[AnswerWay], None],
            progress: Callable[[WalkProgress], None]) -> bool:
        """Go on until all is run or it is late; whether all is."""
        while self.layers.depth < self.scope.calls:
            heaps = self.layers.depth + 1 < self.scope.calls
            if not self._finish_layer(is_late, judge, progress, heaps=heaps):
                return False
            self.layers.close()
            if is_late():
                break
        return self.layers.depth == self.scope.calls

    def _finish_layer(self, is_late: Callable[[], bool], judge: Callable[[AnswerWay], None],
                      progress: Callable[[WalkProgress], None], *, heaps: bool) -> bool:
        with closing(self._expanded(heaps=heaps)) as expanded:
            for piece, found in expanded:
                if found is None:
                    self.strayed = True
                    return False
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
        """The pieces that are left of the layer, and what became of each, in order."""
        left = len(self.layers.programs) - self.layers.done
        if self.jobs == 1 or left < 2 * self.engine.apart:
            for piece in self.layers.pieces(self.engine.size, heaps=heaps):
                yield piece, self.engine.expand(piece)
            return
        size = min(self.engine.size, max(self.engine.apart, left // (SHARES * self.jobs)))
        pieces = list(self.layers.pieces(size, heaps=heaps))
        yield from zip(pieces, Local(self.jobs).in_order(pieces, self.engine.expand_apart), strict=True)

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
