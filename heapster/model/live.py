"""Live blocks: those given out and not yet freed, by payload address."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from heapster.model.operations import Asks, stated


class Held(NamedTuple):
    """A block in the caller's hands."""

    pointer: int                # its payload
    request: int                # bytes the caller asked for
    usable: int | None = None   # bytes the allocator said may be used, if it was asked
    alignment: int | None = None    # that the caller asked for, if any

    @property
    def extent(self) -> int:
        """Bytes that are the caller's; an empty block still has an address of its own."""
        return max(1, self.request, self.usable or 0)

    def is_misstated(self, call: Asks) -> bool:
        """Whether the call, which frees the block, says of it what is not so."""
        said = stated(call)
        return said is not None and said != (self.alignment, self.request)


class Live:
    """A set of held blocks that no two of overlap, unless the allocator is broken."""

    __slots__ = ("_at", "_ends", "_longest", "_pointers")

    def __init__(self, blocks: Iterable[Held] = ()) -> None:
        self._at: dict[int, Held] = {}
        self._ends: dict[int, int] = {}         # where each ends, by where it starts
        self._pointers: list[int] = []          # ascending
        self._longest = 0                       # no extent was ever greater
        for held in blocks:
            self.add(held)

    def __contains__(self, pointer: object) -> bool:
        return pointer in self._at

    def __getitem__(self, pointer: int) -> Held:
        return self._at[pointer]

    def __iter__(self) -> Iterator[Held]:
        """By address."""
        return (self._at[pointer] for pointer in self._pointers)

    def __len__(self) -> int:
        return len(self._at)

    def get(self, pointer: int) -> Held | None:
        """The block whose payload starts there."""
        return self._at.get(pointer)

    def add(self, held: Held) -> None:
        """The caller got a block; one already held at that address is forgotten."""
        if held.pointer not in self._at:
            insort(self._pointers, held.pointer)
        self._at[held.pointer] = held
        extent = held.extent
        self._ends[held.pointer] = held.pointer + extent
        self._longest = max(self._longest, extent)

    def remove(self, pointer: int) -> None:
        """The caller gave a block back."""
        del self._at[pointer], self._ends[pointer]
        del self._pointers[bisect_left(self._pointers, pointer)]

    def clear(self) -> None:
        """The caller holds nothing any more."""
        self._at.clear()
        self._ends.clear()
        self._pointers.clear()

    def copy(self) -> "Live":
        """An independent set of the same blocks."""
        return Live(self)

    def overlapping(self, pointer: int, extent: int, besides: int = 0) -> Held | None:
        """A block that shares a byte with [pointer, pointer + extent), other than `besides`."""
        index = bisect_left(self._pointers, pointer + extent)
        while index > 0:
            index -= 1
            start = self._pointers[index]
            if start + self._longest <= pointer:
                return None
            if start != besides and self._ends[start] > pointer:
                return self._at[start]
        return None

    def containing(self, address: int) -> Held | None:
        """The block that the byte at `address` belongs to."""
        return self.overlapping(address, 1)
