"""Traces from a seed: the synthetic workloads that the literature measures allocators with.

Sizes and lifetimes as in Wilson, Johnstone, Neely and Boles, "Dynamic storage allocation: a survey and
critical review" (IWMM 1995): ramps, peaks and plateaus; and what malloc labs' generated traces do.
"""

from collections.abc import Callable, Iterator
from random import Random

from heapster.checkers.traces.compact import Compact
from heapster.model.operation import NO_HANDLE
from heapster.model.operations import NUMBER

MALLOC, FREE, REALLOC = (NUMBER[verb] for verb in ("malloc", "free", "realloc"))
LIVE = 2000                     # blocks that a workload keeps, about
SMALL, LARGE = 512, 8192        # bytes
COALESCING = 4095               # bytes, as the malloc lab's coalescing trace
BINARY = (64, 448)              # bytes, as its binary trace: small ones stay, large ones are freed


class Pen:
    """Writes a trace; blocks are freed by their place among the live ones."""

    def __init__(self) -> None:
        self.trace = Compact()
        self.live: list[int] = []
        self._next = 0
        self._free: list[int] = []

    def malloc(self, size: int) -> int:
        """Allocate; the handle."""
        handle = self._free.pop() if self._free else self._next
        self._next += handle == self._next
        self.trace.add(MALLOC, handle, NO_HANDLE, size)
        self.live.append(handle)
        return handle

    def free(self, place: int) -> None:
        """Free the live block at that place; the last takes the place."""
        handle = self.live[place]
        self.live[place] = self.live[-1]
        self.live.pop()
        self.drop(handle)

    def drop(self, handle: int) -> None:
        """Free a block that is not among the live ones any more."""
        self.trace.add(FREE, NO_HANDLE, handle)
        self._free.append(handle)

    def resize(self, place: int, size: int) -> None:
        """Resize the live block at that place; it keeps its handle."""
        self.trace.add(REALLOC, self.live[place], self.live[place], size)


def random_churn(rng: Random, pen: Pen) -> Iterator[None]:
    """Any size, any lifetime: malloc lab's random trace."""
    while True:
        if len(pen.live) > rng.randrange(2 * LIVE):
            pen.free(rng.randrange(len(pen.live)))
        else:
            pen.malloc(rng.randint(1, LARGE if rng.random() < 0.05 else SMALL))
        yield


def exponential(rng: Random, pen: Pen) -> Iterator[None]:
    """Many small sizes, few large, most blocks short-lived: as Zorn and Grunwald found programs (1992)."""
    while True:
        if len(pen.live) > LIVE:
            newest = rng.random() < 0.8
            pen.free(len(pen.live) - 1 - rng.randrange(16) if newest else rng.randrange(len(pen.live)))
        else:
            pen.malloc(1 + int(rng.expovariate(1 / 80)))
        yield


def ramp(rng: Random, pen: Pen) -> Iterator[None]:
    """All is kept: an interpreter's tables, or a compiler's tree."""
    while True:
        pen.malloc(rng.choice((16, 24, 32, 48, 64, 120)))
        yield


def peaks(rng: Random, pen: Pen) -> Iterator[None]:
    """Phases that build much, of sizes of their own, and drop all but a little."""
    while True:
        sizes = [rng.randint(8, 600) for _ in range(4)]
        for _ in range(LIVE):
            pen.malloc(rng.choice(sizes))
            yield
        while len(pen.live) > LIVE // 10:
            pen.free(rng.randrange(len(pen.live)))
            yield


def plateau(rng: Random, pen: Pen) -> Iterator[None]:
    """A queue: as many live as before, the oldest freed first, sizes as messages have."""
    queue: list[int] = []
    while True:
        queue.append(pen.malloc(int(rng.lognormvariate(5, 1)) + 1))
        pen.live.clear()
        yield
        if len(queue) > LIVE:
            pen.drop(queue.pop(0))
            yield


def binary(rng: Random, pen: Pen) -> Iterator[None]:
    """Small and large by turns, the large ones freed, larger ones wanted: malloc lab's binary trace."""
    while True:
        small, large = BINARY
        ours = []
        for _ in range(LIVE // 4):
            pen.malloc(small)
            yield
            ours.append(pen.malloc(large))
            pen.live.pop()
            yield
        for handle in ours:
            pen.drop(handle)
            yield
        for _ in range(LIVE // 4):
            pen.malloc(large + small)
            yield
        while pen.live:
            pen.free(rng.randrange(len(pen.live)))
            yield


def coalescing(rng: Random, pen: Pen) -> Iterator[None]:
    """Two blocks, both freed, then one of the size of both: malloc lab's coalescing trace."""
    while True:
        for _ in range(2):
            pen.malloc(COALESCING)
            yield
        for _ in range(2):
            pen.free(rng.randrange(len(pen.live)))
            yield
        pen.malloc(2 * COALESCING)
        yield
        pen.free(0)
        yield


def growing(rng: Random, pen: Pen) -> Iterator[None]:
    """Blocks that grow by realloc, with others between: malloc lab's realloc trace."""
    size = 512
    pen.malloc(size)
    while True:
        size = size + rng.randint(1, 128) if size < 1 << 20 else 512
        pen.resize(0, size)
        yield
        pen.malloc(rng.randint(1, 128))
        yield
        if len(pen.live) > 2:
            pen.free(1)
            yield


WORKLOADS: dict[str, Callable[[Random, Pen], Iterator[None]]] = {
    "random": random_churn, "exponential": exponential, "ramp": ramp, "peaks": peaks, "plateau": plateau,
    "binary": binary, "coalescing": coalescing, "growing": growing}


def generate(workload: str, steps: int, seed: int) -> Compact:
    """A trace of so many steps; the same for the same seed."""
    pen = Pen()
    walk = WORKLOADS[workload](Random(f"{workload} {seed}"), pen)
    while len(pen.trace) < steps:
        next(walk)
    return pen.trace
