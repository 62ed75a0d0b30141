"""Thread caches: the freed blocks that a thread retains, in the reference.

A bin is a list of payloads, the last to come the first to go. It may hold as many blocks as its limit says;
a bin that is empty when asked, or full when given to, doubles it while it is small; beyond that, as long as the
setting allows, one that is empty and was full since.
"""

from heapster.model.geometry import CALLS, MOST_COUNTED, MOST_MOVED
from heapster.model.heap import Bin, Cache, Stack


class CacheState:
    """One thread's."""

    def __init__(self) -> None:
        self.bins: dict[int, list[int]] = {}        # by the size of their blocks; the top last
        self.limits: dict[int, int] = {}            # by size: blocks
        self.overflowed: set[int] = set()           # sizes of which there were too many since their limit changed
        self.calls = [0] * len(CALLS)
        self.ended = False

    def bin(self, size: int) -> list[int]:
        """The blocks of that size."""
        return self.bins.setdefault(size, [])

    def limit(self, size: int) -> int:
        """How many of them there may be."""
        return self.limits.get(size, 0)

    def grow_limit(self, size: int, most: int, enough: int) -> int:
        """Double the limit if `most` bytes and `enough` allow that, or lower it to what `most` allow; the new one."""
        limit = max(1, self.limit(size))
        if 2 * limit * size <= min(most, enough) and limit < MOST_COUNTED:
            limit *= 2
        while limit * size > most:
            limit //= 2
        if limit != self.limit(size):
            self.limits[size] = limit
            self.overflowed.discard(size)
        return limit

    def make_room(self, size: int, slots: int) -> None:
        """Let the bin of that size, if it may hold any, hold so many slots that it gets at once."""
        if 0 < self.limit(size) < slots:
            self.limits[size] = slots
            self.overflowed.discard(size)

    def batch_size(self, size: int) -> int:
        """How many blocks the bin of that size gets when it is empty, or gives up when it is full."""
        blocks = (self.limit(size) + 1) // 2
        while blocks > 1 and blocks * size > MOST_MOVED:
            blocks //= 2
        return blocks

    def clear(self) -> None:
        """It keeps nothing, may keep nothing and has served no call."""
        self.bins.clear()
        self.limits.clear()
        self.overflowed.clear()
        self.calls = [0] * len(CALLS)

    def value(self, arena: int) -> Cache:
        """The cache at rest."""
        bins = []
        for size in sorted(self.bins.keys() | self.limits.keys()):
            blocks, limit = self.bins.get(size, ()), self.limits.get(size, 0)
            if blocks or limit:
                bins.append(Bin(size, limit, size in self.overflowed, Stack(len(blocks), tuple(reversed(blocks)))))
        return Cache(arena, tuple(bins), tuple(self.calls))
