"""Traces that hurt a policy: a construction that watches where blocks land, and a search over its choices.

The construction is Robson's for the lower bound that holds for every allocator that never moves a block
(J. M. Robson, "An estimate of the store size necessary for dynamic storage allocation", JACM 18(3), 1971):
in stage i, blocks of size 2**i are allocated as far as M live bytes permit; before it, all are freed but
those that cover one chosen place modulo 2**i, so that what is free is in pieces too small.
The search tries other places, growth of sizes and densities, from a seed, and keeps the worst.
"""

from math import log2
from random import Random
from typing import NamedTuple

from heapster.checkers.diffing.watching import Watched
from heapster.checkers.traces.compact import Compact
from heapster.checkers.traces.generating import Pen
from heapster.model.geometry import HEADER
from heapster.model.operation import Step
from heapster.model.quick import Quick

LIVE_BYTES = 1 << 17            # M
LEAST, MOST = 32, 1 << 12       # bytes of blocks; n is their ratio
ROUNDS = 8                      # of the search
GROWTH = 4096                   # bytes: what the heap grows by, lest its granularity hide the waste
BREAK = 1 << 28


class Bounds(NamedTuple):
    """What is proven of blocks of 1 to n units and at most M live units, as a multiple of M."""

    any_allocator: float        # no allocator that does not move blocks needs less in the worst case
    best_possible: float        # and one exists that never needs more
    first_fit: float            # address-ordered first fit, in the worst case
    best_fit: float


def bounds(n: int) -> Bounds:
    """Robson 1971 and 1974, then Robson 1977 (Computer Journal 20(3)) for the policies; about, for large M."""
    return Bounds(0.5 * log2(n) + 1, 0.84 * log2(n) + 1, log2(n), n - 2)


class Attack(NamedTuple):
    """A trace, and what it does to the policy."""

    trace: Compact
    peak_live: int
    peak_heap: int

    @property
    def factor(self) -> float:
        """Heap over live bytes, at their largest."""
        return self.peak_heap / self.peak_live


class _World(Watched):
    """A system that always gives what it is asked for, at places that follow each other."""

    __slots__ = ("_brk", "_top")

    def __init__(self) -> None:
        super().__init__()
        self._brk, self._top = BREAK, 1 << 44

    def _answer(self, name: str, arguments: tuple[int, ...]) -> int:
        self.bytes += -arguments[1] if name == "munmap" else arguments[0]
        if name == "sbrk":
            self._brk += arguments[0]
            return self._brk - arguments[0]
        if name == "mmap":
            self._top += arguments[0]
            return self._top - arguments[0]
        return 0


class _Duel:
    """The adversary's pen, and the policy's heap under it."""

    def __init__(self, policy: str) -> None:
        self.pen, self._quick, self.world = Pen(), Quick(policy), _World()
        self.at: dict[int, tuple[int, int]] = {}        # live handle: address of the block and its size
        self.live = self.peak_live = self.peak_heap = 0
        for step in (Step("growth", (GROWTH,)), Step("threshold", (1 << 40,))):
            self.pen.trace.append(step)
            self._quick.predict(self.world, step)

    def malloc(self, block: int) -> None:
        """Allocate a block of that many bytes, header included."""
        request = block - HEADER
        handle = self.pen.malloc(request)
        self.pen.live.pop()
        self.at[handle] = self._quick.malloc(self.world, request) - HEADER, block
        self.live += request
        self.peak_live = max(self.peak_live, self.live)
        self.peak_heap = max(self.peak_heap, self.world.bytes)

    def free(self, handle: int) -> None:
        """Free a block."""
        address, block = self.at.pop(handle)
        self.pen.drop(handle)
        self._quick.free(self.world, address + HEADER)
        self.live -= block - HEADER


def robson(policy: str, offsets: dict[int, int], step: int = 2, density: float = 1.0) -> Attack:
    """The construction: sizes grow by `step`; at size s, blocks that cover `offsets[s]` modulo s are kept."""
    duel, size = _Duel(policy), LEAST
    while size <= MOST:
        place = offsets.get(size, 0) % size
        for handle, (address, block) in list(duel.at.items()):
            if (place - address) % size >= block:
                duel.free(handle)
        while duel.live + size - HEADER <= LIVE_BYTES * density:
            duel.malloc(size)
        size *= step
    return Attack(duel.pen.trace, duel.peak_live, duel.peak_heap)


def adversary(policy: str, seed: int = 0, rounds: int = ROUNDS) -> Attack:
    """The worst trace found for the policy; the same for the same seed."""
    rng = Random(f"{policy} {seed}")
    sizes = [LEAST << stage for stage in range((MOST // LEAST).bit_length())]
    offsets, step = dict.fromkeys(sizes, HEADER), 2
    worst = robson(policy, offsets, step)
    for _ in range(rounds):
        tried = offsets | {rng.choice(sizes): 16 * rng.randrange(64) + HEADER}
        pace = rng.choice((step, 2, 4))
        attack = robson(policy, tried, pace)
        if attack.factor > worst.factor:
            worst, offsets, step = attack, tried, pace
    return worst


