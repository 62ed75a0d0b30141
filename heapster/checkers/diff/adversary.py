"""Traces that hurt a policy: the constructions in Robson's papers, played against the model, and the proven bounds.

Both watch where blocks land and choose what to free by that:

    robson_1971   J. M. Robson, "An Estimate of the Store Size Necessary for Dynamic Storage Allocation",
                  JACM 18(3), 1971: hurts whatever never moves a block. In stage i, blocks of size 2**i fill what
                  may live; before it all are freed but those that cover one place modulo 2**i, so that what is
                  free is in pieces too small. Sizes, places, order and density may be others: `hunting` does that.
    robson_1977   "Worst Case Fragmentation of First Fit and Best Fit Storage Allocation Strategies", Computer
                  Journal 20(3), 1977, as Knuth tells it (TAOCP 1, 2.5, exercise 42): best fit is led to a heap
                  of holes of m - 3 units with a block of one unit between any two. So is a first fit that takes
                  what was freed last, as ours does; by address it would not be.
"""

from collections.abc import Sequence
from enum import Enum
from math import log
from typing import NamedTuple

from heapster.checkers.diff.recorded_system import FootprintSystem
from heapster.checkers.traces.compact import Compact
from heapster.checkers.traces.generating import Pen
from heapster.model.geometry import ALIGN, FENCE, FIRST_BLOCK, HEADER, MIN_BLOCK
from heapster.model.operation import Step
from heapster.model.quick import Quick
from heapster.model.system import gained

LIVE_BYTES = 1 << 16            # of payload, at most
LEAST, MOST = MIN_BLOCK, 1 << 12    # bytes of blocks
GROWTH = 4096                   # bytes: what the heap grows by, lest its granularity hide the waste
BREAK = 1 << 28
UNIT = MIN_BLOCK                # of robson_1977
HOLES = 100
SPAN = GROWTH // 4 // UNIT      # m - 2: what is free at the top is a multiple, so that no small block fits it best
LEAD = (GROWTH - FIRST_BLOCK - FENCE - HEADER) // UNIT % SPAN     # units before the first block that counts


class Bounds(NamedTuple):
    """Proven bounds of heap over live bytes in the worst case, for blocks of these sizes and so many live bytes."""

    any_allocator: float        # at least, whatever the allocator, if it does not move blocks: Robson 1971
    best_possible: float        # about, at most, of the best allocator there can be: Robson 1974
    first_fit: float            # at most, if by address, as ours is not: Robson 1977, TAOCP 2.5 exercise 43
    best_fit: float             # at least: Robson 1977, TAOCP 2.5 exercise 42


def bounds(least: int, most: int, live: int) -> Bounds:
    """The bounds for blocks of `least` to `most` bytes of which at most `live` bytes live."""
    doublings = (most // least).bit_length() - 1
    ratio, units = most // least, live / least
    harmonic = sum(1 / size for size in range(1, most // ALIGN + 1))
    return Bounds(doublings / 2 + 1 - ((1 << doublings) - 1) / units, 0.84 * doublings,
                  harmonic / log(2), max(1.0, (units - 4 * ratio + 11) * (ratio - 2) / units))


class Attack(NamedTuple):
    """A trace, and what it does to the policy."""

    trace: Compact
    peak_live: int              # bytes of payload
    peak_heap: int
    sizes: tuple[int, int]      # bytes of the least block and of the largest

    @property
    def factor(self) -> float:
        """Heap over live bytes, at their largest."""
        return self.peak_heap / self.peak_live

    @property
    def bounds(self) -> Bounds:
        """The proven bounds of such traces."""
        return bounds(*self.sizes, self.peak_live)


class _GenerousWorld(FootprintSystem):
    """A system that always gives what it is asked for, at places that follow each other."""

    __slots__ = ("_brk", "_top")

    def __init__(self) -> None:
        super().__init__()
        self._brk, self._top = BREAK, 1 << 44

    def _answer(self, name: str, arguments: tuple[int, ...]) -> int:
        self.bytes += gained(name, arguments)
        if name == "sbrk":
            self._brk += arguments[0]
            return self._brk - arguments[0]
        if name in ("mmap", "remap"):
            self._top += arguments[-1]
            return self._top - arguments[-1]
        return 0


class _Duel:
    """The adversary's pen, and the policy's heap under it. Sizes are of blocks, with their headers."""

    def __init__(self, policy: str) -> None:
        self._pen, self._quick, self._world = Pen(), Quick(policy), _GenerousWorld()
        self.at: dict[int, tuple[int, int]] = {}        # live handle: address of the block and its size
        self.live = self._peak_live = self._peak_heap = self._most = 0
        self._least = MOST
        for step in (Step("growth", (GROWTH,)), Step("threshold", (1 << 40,))):
            self._pen.trace.append(step)
            self._quick.predict(self._world, step)

    def malloc(self, block: int) -> int:
        """Allocate; the handle."""
        request = block - HEADER
        handle = self._pen.malloc(request)
        self._pen.live.pop()
        self.at[handle] = self._quick.malloc(self._world, request) - HEADER, block
        self.live += request
        self._least, self._most = min(self._least, block), max(self._most, block)
        self._peak_live = max(self._peak_live, self.live)
        self._peak_heap = max(self._peak_heap, self._world.bytes)
        return handle

    def free(self, *handles: int) -> None:
        """Free blocks."""
        for handle in handles:
            address, block = self.at.pop(handle)
            self._pen.drop(handle)
            self._quick.free(self._world, address + HEADER)
            self.live -= block - HEADER

    @property
    def end(self) -> int:
        """Where the last block ends, used or free."""
        return BREAK + self._world.bytes - FENCE - HEADER

    def is_last(self, handle: int) -> bool:
        """Whether there is no free block behind it."""
        return sum(self.at[handle]) == self.end

    def attack(self) -> Attack:
        """What has come of it."""
        return Attack(self._pen.trace, self._peak_live, self._peak_heap, (self._least, self._most))


class Keeping(Enum):
    """Which blocks a stage keeps, so that no hole is as large as its size."""

    PLACE = "those that cover one place modulo the size"
    FURTHEST = "of those that close a hole in time, the last"
    LIGHTEST = "of those that close a hole in time, the least"


class Variation(NamedTuple):
    """A variation of robson_1971."""

    sizes: tuple[int, ...]      # of the stages, ascending, in bytes
    keeping: tuple[Keeping, ...]    # of each stage
    places: tuple[int, ...]     # of each stage, in bytes, for Keeping.PLACE
    backwards: bool = False     # the order of frees: it is the order of the list of free blocks
    density: float = 1.0        # of what may live


DOUBLING = tuple(LEAST << stage for stage in range((MOST // LEAST).bit_length()))
PLAIN = Variation(DOUBLING, (Keeping.PLACE,) * len(DOUBLING), (HEADER,) * len(DOUBLING))


def robson_1971(policy: str, plan: Variation = PLAIN, live_bytes: int = LIVE_BYTES) -> Attack:
    """The construction for any allocator, varied as the plan says."""
    duel = _Duel(policy)
    for size, keeping, place in zip(plan.sizes, plan.keeping, plan.places, strict=True):
        blocks = sorted((address, block, handle) for handle, (address, block) in duel.at.items())
        kept = (covering(blocks, size, place) if keeping is Keeping.PLACE
                else spread(blocks, size, duel.end, lightest=keeping is Keeping.LIGHTEST))
        gone = [handle for _, _, handle in blocks if handle not in kept]
        duel.free(*(gone[::-1] if plan.backwards else gone))
        while duel.live + size - HEADER <= live_bytes * plan.density:
            duel.malloc(size)
    return duel.attack()


Blocks = Sequence[tuple[int, int, int]]         # address, size and handle, by address


def covering(blocks: Blocks, size: int, place: int) -> set[int]:
    """The handles of blocks that cover the place, modulo `size`."""
    return {handle for address, block, handle in blocks if (place - address) % size < block}


def spread(blocks: Blocks, size: int, end: int, *, lightest: bool) -> set[int]:
    """The handles of few, or of light, blocks that leave no hole of `size` bytes before `end`."""
    kept, first = set(), 0
    edge = blocks[0][0] if blocks else end
    while end - edge >= size and first < len(blocks):
        last = first
        while last + 1 < len(blocks) and blocks[last + 1][0] - edge < size:
            last += 1
        chosen = min(range(first, last + 1), key=lambda i: (blocks[i][1], -i)) if lightest else last
        address, block, handle = blocks[chosen]
        kept.add(handle)
        edge, first = address + block, chosen + 1
    return kept


def robson_1977(policy: str = "best_fit", holes: int = HOLES) -> Attack:
    """The construction against best fit, up to so many holes; another policy may place the blocks elsewhere.

    R_i and F_i are a block and a hole of i units. It makes R_{m-2} (F_{m-3} R_1)^k longer by one pair a round:
    two blocks at the top, one of which joins the last pair; then the hole of m units wanders down to the bottom.
    """
    duel, m = _Duel(policy), SPAN + 2
    duel.malloc(LEAD * UNIT)
    bottom = duel.malloc((m - 2) * UNIT)
    pairs: list[int] = []                               # the blocks of one unit, each behind its hole
    for _ in range(holes):
        joined, top = duel.malloc((m - 2) * UNIT), duel.malloc((m - 2) * UNIT)
        to_pass = [bottom, *pairs]
        whole, middle, last = _refill(duel, [to_pass.pop(), joined], m)
        kept = duel.is_last(top)                        # else what is free at the top would fit best
        duel.free(whole, *([] if kept else [top]))
        passed = []
        for one in reversed(to_pass):
            in_hole, rest = duel.malloc((m - 2) * UNIT), duel.malloc(2 * UNIT)
            passed.append(last)
            whole, new_middle, last = _refill(duel, [one, in_hole], m)
            duel.free(whole, rest, middle)
            middle = new_middle
        duel.free(middle)
        bottom = duel.malloc((m - 2) * UNIT)
        duel.free(*([top] if kept else []))
        pairs = [last, *passed[::-1]]
    return duel.attack()


def _refill(duel: _Duel, gone: Sequence[int], m: int) -> tuple[int, int, int]:
    """Make a hole of 2m - 4 units of what goes, and fill it: blocks of m, m - 5 and 1 units."""
    duel.free(*gone)
    return duel.malloc(m * UNIT), duel.malloc((m - 5) * UNIT), duel.malloc(UNIT)
