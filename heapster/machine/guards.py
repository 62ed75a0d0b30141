"""Pages: what calls about them must be told, and which were taken all access, of memory that is held still."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from .protocol import MachineFault

Extent = tuple[int, int]                # [start, end)
PAGE = 4096
NO_WHOLE_PAGES = {              # the fault, by the call that is told of something else than whole pages
    "mmap": "bad_length", "munmap": "bad_unmap", "remap": "bad_remap", "purge": "bad_purge", "protect": "bad_protect",
    "unprotect": "bad_unprotect",
}


def check_pages(name: str, address: int, length: int, longer: int | None = None) -> None:
    """A fault unless that system call is told of whole pages, and of more of them where they are to be `longer`."""
    grows = longer is None or longer > length and longer % PAGE == 0
    if address % PAGE or length <= 0 or length % PAGE or not grows:
        at = "" if name == "mmap" else f" at {address:#x}"
        to = "" if longer is None else f" to {longer}"
        raise MachineFault(NO_WHOLE_PAGES[name], f"{name} of {length} bytes{at}{to}", address)


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

    def check(self, address: int, length: int) -> None:
        """A fault unless these are whole pages without access."""
        check_pages("unprotect", address, length)
        if any(self.between([(address, address + length)])):
            raise MachineFault("bad_unprotect", f"unprotect of {length} bytes at {address:#x}, which have access",
                               address)

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

    def next(self, address: int, otherwise: int) -> int:
        """Where the next of these pieces begins after an address that has access, if there is one."""
        first = self._first(address)
        return self._pieces[first][0] if first < len(self._pieces) else otherwise

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
