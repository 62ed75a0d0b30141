"""Pages that were taken all access: which they are, of memory that is held still."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Extent = tuple[int, int]                # [start, end)


class Guards:
    """Disjoint pieces of memory without access, by address."""

    def __init__(self, pieces: Iterable[Extent] = ()) -> None:
        self._pieces = list(pieces)

    def __iter__(self) -> Iterator[Extent]:
        return iter(self._pieces)

    def copy(self) -> Guards:
        """Another with the same pieces."""
        return Guards(self._pieces)

    def held(self) -> int:
        """How many bytes they are."""
        return sum(end - start for start, end in self._pieces)

    def close(self, start: int, end: int) -> None:
        """Take [start, end) access, all or what it has."""
        self.open(start, end)
        self._pieces.insert(bisect_left(self._pieces, (start, end)), (start, end))

    def open(self, start: int, end: int) -> None:
        """Let [start, end) be what it is to others: nothing here, or memory with access."""
        first = self._first(start)
        last = bisect_left(self._pieces, (end, end))
        left = [piece for low, high in self._pieces[first:last] for piece in ((low, start), (end, high))
                if low <= piece[0] < piece[1] <= high]
        self._pieces[first:last] = left

    def touch(self, start: int, end: int) -> bool:
        """Whether any byte of [start, end) is without access."""
        first = self._first(start)
        return first < len(self._pieces) and self._pieces[first][0] < end

    def between(self, extents: Iterable[Extent]) -> Iterator[Extent]:
        """What the extents have beside these pieces."""
        for start, end in extents:
            at = start
            for low, high in self._pieces[self._first(start):]:
                if low >= end:
                    break
                if at < low:
                    yield at, low
                at = high
            if at < end:
                yield at, end

    def _first(self, start: int) -> int:
        """The first piece that ends after `start`."""
        return bisect_right(self._pieces, start, key=lambda piece: piece[1])


def joined(extents: Iterable[Extent]) -> Iterator[Extent]:
    """The extents by address, those that touch as one."""
    start = end = None
    for low, high in sorted(extents):
        if low == end:
            end = high
            continue
        if start is not None and end is not None:
            yield start, end
        start, end = low, high
    if start is not None and end is not None:
        yield start, end
