"""What the caller keeps in its blocks: a pattern that no two blocks and no two words share."""

from collections import deque
from collections.abc import Iterable
from typing import Any

from heapster.impl.layout import WORD

WHOLE = 128                     # words; larger payloads are sampled
EDGE = 32                       # words at either end of a sampled payload
BETWEEN = 32                    # words between them
STEP = 2 * WORD                 # between the patterns of neighbouring words
SERIAL_SHIFT = 40               # words a payload may have before patterns could meet
assert 2 * EDGE + BETWEEN <= WHOLE, "there is something between the ends"


def sampled(words: int) -> Iterable[int]:
    """Indices of the words of a payload that are written and watched: all, or ends and a comb."""
    if words <= WHOLE:
        return range(words)
    comb = range(EDGE, words - EDGE, (words - 2 * EDGE) // BETWEEN)
    return (*range(EDGE), *comb, *range(words - EDGE, words))


def watched(pointer: int, words: int) -> Iterable[int]:
    """Addresses of these words of the payload at `pointer`."""
    if words <= WHOLE:
        return range(pointer, pointer + WORD * words, WORD)
    return [pointer + WORD * i for i in sampled(words)]


class Contents:
    """The payloads of all live blocks, as they were last written."""

    def __init__(self, m: Any) -> None:
        self._m = m
        self._serial = 0
        self._payloads: dict[int, tuple[int, int]] = {}         # pointer: words, pattern of word 0
        self._expected: dict[int, int] = {}
        self._poked: dict[int, int] = {}        # words that the caller wrote itself since

    def write(self, pointer: int, size: int) -> None:
        """Fill a new payload of `size` bytes with a pattern of its own.

        The patterns are negative with low bits set: as headers, impossible.
        """
        self._serial += 1
        words, first = size // WORD, -(self._serial << SERIAL_SHIFT) - 1
        self._payloads[pointer] = words, first
        pattern = self._pattern(pointer, words, first)
        self._m.write(pattern)
        self._expected.update(pattern)

    def _pattern(self, pointer: int, words: int, first: int) -> dict[int, int]:
        if words <= WHOLE:
            return dict(zip(watched(pointer, words), range(first, first - STEP * words, -STEP), strict=True))
        return {pointer + WORD * i: first - STEP * i for i in sampled(words)}

    def poked(self, address: int, word: int) -> None:
        """The caller wrote a word of a payload itself."""
        if address in self._expected:
            self._expected[address] = self._poked[address] = word

    def drop(self, pointer: int) -> None:
        """The payload is no longer the caller's."""
        addresses = watched(pointer, self._payloads.pop(pointer)[0])
        deque(map(self._expected.__delitem__, addresses), 0)
        if self._poked:
            for address in addresses:
                self._poked.pop(address, None)

    def drop_all(self) -> None:
        """No payload is the caller's any more."""
        self._payloads.clear()
        self._expected.clear()
        self._poked.clear()

    def damaged(self) -> tuple[int, int] | None:
        """A damaged payload and the offset of its first changed word, or None."""
        address = self._m.first_change(self._expected)
        if address is None:
            return None
        pointer = max(p for p in self._payloads if p <= address)
        return pointer, address - pointer

    def prefix_lost(self, old: int, new: int, size: int) -> int | None:
        """Offset of the first word below `size` bytes that a move from `old` to `new` did not keep."""
        words, first = self._payloads[old]
        kept = {new + WORD * i: self._poked.get(old + WORD * i, first - STEP * i)
                for i in sampled(words) if WORD * (i + 1) <= size}
        address = self._m.first_difference(kept)
        return None if address is None else address - new

    def not_zero(self, pointer: int, size: int) -> int | None:
        """Offset of the first watched word of a payload that is not zero."""
        load = self._m.peek
        return next((WORD * i for i in sampled(size // WORD) if load(pointer + WORD * i) != 0), None)
