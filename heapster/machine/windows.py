"""Windows onto the real memory of this process: only through them may it be read or written."""

from __future__ import annotations

import ctypes
from bisect import bisect_right
from collections.abc import Mapping

from .protocol import MachineFault, beside

WORD = 8
_BELOW_ALL = -(1 << 64)         # no address is lower


class Windows:
    """Disjoint pieces of memory, by address, each with a view of its words.

    A word outside of every window is never touched: a stray access is a Fault, not a crash.
    """

    def __init__(self) -> None:
        self._starts = [_BELOW_ALL]                         # of the first whole word
        self._views: list[memoryview[int]] = [memoryview(bytearray()).cast("q")]
        self._extents = [(_BELOW_ALL, _BELOW_ALL)]          # as given, to the byte

    def extents(self) -> tuple[tuple[int, int], ...]:
        """[start, end) of every piece, by address."""
        return tuple(self._extents[1:])

    def load(self, address: int) -> int:
        """The word at `address`."""
        place = bisect_right(self._starts, address) - 1
        try:
            if not address % WORD:
                return self._views[place][address - self._starts[place] >> 3]
        except IndexError:
            pass
        raise self.fault("load", address)

    def store(self, address: int, value: int) -> None:
        """Make `value` the word at `address`."""
        place = bisect_right(self._starts, address) - 1
        try:
            if not address % WORD:
                self._views[place][address - self._starts[place] >> 3] = value
                return
        except IndexError:
            pass
        except ValueError:
            raise MachineFault("not_a_word", f"stored {value:#x}, more than 64 bits", address) from None
        raise self.fault("store", address)

    def first_difference(self, words: Mapping[int, int]) -> int | None:
        """The lowest address of `words` where memory holds something else or nothing, or None.

        Neighbours are mostly in one window, so that is looked up only where it changes.
        """
        lowest, low, high, view = None, 0, 0, self._views[0]
        for address, word in words.items():
            if not low <= address < high:
                place = bisect_right(self._starts, address) - 1
                low, view = self._starts[place], self._views[place]
                high = low + len(view) * WORD
            held = address < high and not address % WORD and view[address - low >> 3] == word
            if not held and (lowest is None or address < lowest):
                lowest = address
        return lowest

    def holding(self, start: int, end: int) -> tuple[int, int] | None:
        """The piece that holds all of [start, end), or None."""
        place = bisect_right(self._extents, (start, 1 << 64)) - 1
        low, high = self._extents[place]
        return (low, high) if low <= start and end <= high else None

    def add(self, start: int, end: int) -> None:
        """Open a window onto [start, end), which no other window shows."""
        first = start + -start % WORD
        count = max(0, end - first) // WORD
        place = bisect_right(self._extents, (start, end))
        words = (ctypes.c_int64 * count).from_address(first)
        self._starts.insert(place, first)
        self._views.insert(place, memoryview(words).cast("B").cast("q"))
        self._extents.insert(place, (start, end))

    def extend(self, start: int, end: int) -> None:
        """Open a window onto [start, end), in one piece with one that ends at `start`."""
        place = bisect_right(self._extents, (start, 0)) - 1
        low, high = self._extents[place]
        if high == start:
            self._drop(place)
            start = low
        self.add(start, end)

    def cut(self, start: int, end: int) -> None:
        """Close [start, end), a part of one window."""
        place = bisect_right(self._extents, (start, 1 << 64)) - 1
        low, high = self._extents[place]
        self._drop(place)
        for piece in ((low, start), (end, high)):
            if piece[0] < piece[1]:
                self.add(*piece)

    def clear(self) -> None:
        """Close every window."""
        del self._starts[1:], self._views[1:], self._extents[1:]

    def _drop(self, place: int) -> None:
        del self._starts[place], self._views[place], self._extents[place]

    def fault(self, verb: str, address: int) -> MachineFault:
        """The fault to raise for an access that no window allows."""
        if address % WORD:
            return MachineFault("misaligned", f"{verb} at {address:#x}, not a multiple of {WORD}", address)
        return MachineFault("unmapped", f"{verb} at {address:#x}, {beside(self.extents(), address)}", address)

