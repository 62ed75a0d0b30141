"""Memory as a dictionary of written words, of which each access is checked."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import chain

from .guards import Guards
from .protocol import MachineFault, beside
from .sequential import SequentialAtomics

WORD = 8
LINE = 256                      # bytes of which it is noted together whether any was written
STRETCH = 1 << 14               # bytes; zeroes of so many are noted as one
WORD_MIN, WORD_MAX = -(1 << 63), (1 << 63) - 1

STATICS = 0x10000               # where things lie; each far from the others
STATICS_BYTES = 0x20B00         # just what the allocator's layout has, so that a word more is a fault
THREADS = 0x100000
THREAD_STRIDE = 0x1000
THREAD_BYTES = 1488
OUTSIDE = 0x200000
OUTSIDE_BYTES = 0x10000
FIXED_END = OUTSIDE + OUTSIDE_BYTES    # below, each word has an entry, from the start or since it was first asked for
ANY_WORD = 0x5EED_5EED_5EED    # what never-written memory is said to hold, to who takes any word
FUEL = 200_000                  # loads; no call on a heap that a checker makes needs as many
MAPPINGS = 0x700000000000
LIMIT = 0x7F0000000000          # no address above

_ZERO_STATICS = dict.fromkeys(range(STATICS, STATICS + STATICS_BYTES, WORD), 0)


def signed(value: int) -> int:
    """The signed 64-bit word with the low 64 bits of `value`."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value > WORD_MAX else value


class CheckedMemory(SequentialAtomics):
    """Words that are mapped, aligned and written before they are read; see `protocol.Machine` for the laws."""

    def __init__(self) -> None:
        self.words: dict[int, int] = dict(_ZERO_STATICS)
        self.changed: set[int] = set()                  # words written or lost since `first_change` looked
        self._lines: set[int] = set()                   # that had a word written, beyond what is fixed
        self.extents: list[tuple[int, int]] = []        # what sbrk and mmap gave, by address
        self.zeroed: list[tuple[int, int]] = []         # claimed by known_zero
        self.cleared: list[tuple[int, int]] = []        # filled with zeroes, where no word was written since
        self.word_by_word = False                       # whether an onlooker wants each word of what is cleared
        self._blank = (0, 0)                            # zeroes that are mapped and have access: where one was read
        self._swept: list[tuple[int, int]] = []         # cleared since `first_change` looked
        self.fuel = self._allowed = FUEL                # loads until a call counts as hung; see `refuel`
        self._outside = OUTSIDE
        self.guards = Guards()                          # of the extents, what has no access

    def load(self, address: int) -> int:
        """See `Machine.load`; faults on words that are unmapped, misaligned or were never written."""
        self.fuel -= 1
        if self.fuel < 0:
            raise MachineFault("hang", f"no end after {self._allowed} loads", address)
        try:
            return self.words[address]
        except KeyError:
            return self._load_unwritten(address)

    def store(self, address: int, value: int) -> None:
        """See `Machine.store`; faults on words that are unmapped, misaligned or too large."""
        if address not in self.words:
            self._check_mapped("store", address, WORD)
            self._lines.add(address // LINE)
        if not WORD_MIN <= value <= WORD_MAX:
            raise MachineFault("not_a_word", f"stored {value:#x}, more than 64 bits, at {address:#x}", address)
        self.words[address] = value
        self.changed.add(address)

    load_relaxed = load_acquire = load
    store_relaxed = store_release = store

    def load_any(self, address: int) -> int:
        """See `Machine.load_any`; `ANY_WORD` where nothing was stored."""
        word = self.peek(address)
        if word is None:
            self._check_mapped("load", address, WORD)
            return ANY_WORD
        return self.load(address)

    def refuel(self, loads: int = FUEL) -> None:
        """A new call starts, which may need so many loads."""
        self.fuel = self._allowed = loads

    def reader(self) -> Callable[[int], int]:
        """Reads words for an onlooker, fast; LookupError where none was written."""
        return self.words.__getitem__

    def peek(self, address: int) -> int | None:
        """The word at `address` for an onlooker: None where none was written."""
        word = self.words.get(address)
        if word is None and self._is_zeroed(address):
            return 0
        return word

    def nonzero(self, start: int, end: int) -> dict[int, int]:
        """The words from `start` to `end`, whole words, that are not zero, for an onlooker."""
        return {address: word for address in self._written(start, end) if (word := self.words[address])}

    def copy(self, target: int, source: int, count: int) -> None:
        """See `Machine.copy`; words never written stay so."""
        self._check_range("copy", target, count)
        self._check_range("copy", source, count)
        if target < source + count and source < target + count:
            raise MachineFault("overlapping_copy", f"copy of {count} bytes between {source:#x} and {target:#x}", target)
        whole = count & -WORD
        if self._is_stretch(min(target, source), whole):
            self._copy_stretch(target, source, whole)
        else:
            self._copy_words(target, source, whole)
        if count > whole:
            self._note(target + whole, count - whole)
            self._merge(target + whole, self.load(source + whole), count - whole)

    def _copy_words(self, target: int, source: int, count: int) -> None:
        self._note(target, count)
        for offset in range(0, count, WORD):
            word = self.peek(source + offset)
            if word is None:
                self.words.pop(target + offset, None)
            else:
                self.words[target + offset] = word

    def _copy_stretch(self, target: int, source: int, count: int) -> None:
        """The same, of the words alone that were written."""
        self._lose(target, target + count)
        self._swept.append((target, target + count))
        self.write(self._moved(source, count, target))
        self.cleared += part(chain(self.zeroed, self.cleared), source, count, target)

    def _moved(self, start: int, length: int, target: int) -> dict[int, int]:
        """The words written in `length` bytes at `start`, by where they come to lie at `target`."""
        return {target + address - start: self.words[address] for address in self._written(start, start + length)}

    def fill(self, target: int, byte: int, count: int) -> None:
        """See `Machine.fill`."""
        self._check_range("fill", target, count)
        word = signed(byte * 0x0101010101010101)
        whole = count & -WORD
        if word == 0 and self._is_stretch(target, whole):
            self._clear(target, target + whole)
        else:
            self._note(target, whole)
            self.words.update(dict.fromkeys(range(target, target + whole, WORD), word))
        if count > whole:
            self._note(target + whole, count - whole)
            self._merge(target + whole, word, count - whole)

    def _is_stretch(self, start: int, count: int) -> bool:
        """Whether so many bytes from `start` on, or somewhere above, may be noted as one."""
        return count >= STRETCH and start >= FIXED_END and not self.word_by_word

    def _clear(self, start: int, end: int) -> None:
        """The words there are zero, without an entry for each."""
        self._lose(start, end)
        self.cleared.append((start, end))
        self._swept.append((start, end))

    def _lose(self, start: int, end: int) -> None:
        """Forget the words written there, and which are zeroes."""
        lost = self._written(start, end)
        for address in lost:
            del self.words[address]
        self.changed.update(lost)
        self._blank = (0, 0)
        self._lines -= self._lines_of(range(start // LINE + 1, end // LINE))
        self.zeroed, self.cleared = _outside_of(self.zeroed, start, end), _outside_of(self.cleared, start, end)

    def _note(self, target: int, count: int) -> None:
        """The allocator writes, or carries what was never written, there."""
        if count == 0:
            return
        self.changed.update(range(target, target + count, WORD))
        self._lines.update(range(target // LINE, (target + count - 1) // LINE + 1))

    def write(self, words: dict[int, int]) -> None:
        """Let the caller write words of its own payloads, which are mapped."""
        self.words.update(words)
        first, last = min(words, default=0), max(words, default=0)
        is_one_piece = last - first == WORD * (len(words) - 1)
        lines = range(first // LINE, last // LINE + 1) if is_one_piece else {address // LINE for address in words}
        self._lines.update(lines)

    def first_difference(self, words: dict[int, int]) -> int | None:
        """The lowest address of `words` where memory holds something else, or None."""
        if words.items() <= self.words.items():
            return None
        return min(a for a, word in words.items() if self.words.get(a) != word)

    def first_change(self, words: dict[int, int]) -> int | None:
        """As `first_difference`, of the words written or lost since this was last asked."""
        changed, self.changed = self.changed & words.keys(), set()
        swept, self._swept = self._swept, []
        changed.update(address for start, end in swept for address in words if start <= address < end)
        return min((a for a in changed if self.words.get(a) != words[a]), default=None)

    def prefetch(self, address: int) -> None:
        """See `Machine.prefetch`: all memory is as near."""

    def known_zero(self, target: int, count: int) -> None:
        """See `Machine.known_zero`; faults if a word of it was written."""
        self._check_range("known_zero", target, count)
        self._check_mapping(target, count)
        cleared = (max(low, target) for low, high in self.cleared if low < target + count and target < high)
        written = min(chain(self._written(target, target + count), cleared), default=None)
        if written is not None:
            raise MachineFault("not_known_zero", f"claimed zero, but {written:#x} was written", written)
        self.zeroed.append((target, target + count))

    def _written(self, start: int, end: int) -> list[int]:
        """Addresses in [start, end) of words that were written; nothing there is fixed."""
        first = start + -start % WORD
        if end - start <= LINE:
            return list(filter(self.words.__contains__, range(first, end, WORD)))
        lines = [range(max(first, line * LINE), min(end, (line + 1) * LINE), WORD)
                 for line in self._lines_of(range(start // LINE, (end - 1) // LINE + 1))]
        return list(filter(self.words.__contains__, chain.from_iterable(lines)))

    def _lines_of(self, among: range) -> set[int]:
        """Those lines of which a word was written: of a long stretch few are."""
        if len(among) > len(self._lines):
            return {line for line in self._lines if line in among}
        return self._lines.intersection(among)

    def _merge(self, address: int, word: int, count: int) -> None:
        mask = (1 << 8 * count) - 1
        old = self.peek(address) or 0
        self.words[address] = signed(old & ~mask | word & mask)

    def _load_unwritten(self, address: int) -> int:
        if self._blank[0] <= address < self._blank[1] and address % WORD == 0:
            return 0
        self._check_mapped("load", address, WORD)
        if not (end := self._zeroes_end(address)):
            raise MachineFault("never_written", f"load of {address:#x}, never written", address)
        self._blank = (address, min(end, self.guards.next(address, end), self._extent_end(address, end)))
        return 0

    def _extent_end(self, address: int, otherwise: int) -> int:
        """Where the extent ends that the address lies in, if it lies in one."""
        i = bisect_right(self.extents, (address, LIMIT)) - 1
        return self.extents[i][1] if i >= 0 and address < self.extents[i][1] else otherwise

    def _is_zeroed(self, address: int) -> bool:
        return self._zeroes_end(address) != 0

    def _zeroes_end(self, address: int) -> int:
        """Where a stretch of zeroes ends that the address lies in; 0 if it lies in none."""
        for stretches in (self.zeroed, self.cleared):       # a loop: onlookers ask of each word of large payloads
            for start, end in stretches:
                if start <= address < end:
                    return end
        return 0

    def _check_range(self, verb: str, address: int, count: int) -> None:
        if count < 0:
            raise MachineFault("negative_count", f"{verb} of {count} bytes at {address:#x}", address)
        if count:
            self._check_mapped(verb, address, count)

    def _check_mapping(self, address: int, count: int) -> None:
        if count and address < MAPPINGS:
            raise MachineFault("not_known_zero", f"{address:#x} is not in a mapping", address)

    def _check_mapped(self, verb: str, address: int, count: int) -> None:
        if address % WORD:
            raise MachineFault("misaligned", f"{verb} at {address:#x}, not a multiple of {WORD}", address)
        i = bisect_right(self.extents, (address, LIMIT)) - 1
        inside = i >= 0 and address + count <= self.extents[i][1]
        if inside and self.guards.touch(address, address + count):
            raise MachineFault("protected", f"{verb} at {address:#x}, which has no access any more", address)
        if not inside and not self._is_fixed(address, count):
            raise MachineFault("unmapped", f"{verb} at {address:#x}, {beside(self.extents, address)}", address)

    def _is_fixed(self, address: int, count: int) -> bool:
        if address in self.words and THREADS <= address < OUTSIDE:
            return True
        return any(low <= address and address + count <= high
                   for low, high in ((STATICS, STATICS + STATICS_BYTES), (OUTSIDE, self._outside)))


def _outside_of(stretches: Iterable[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """The stretches, [low, high) each, without what of them lies in [start, end)."""
    pieces = (((low, min(high, start)), (max(low, end), high)) for low, high in stretches)
    return [piece for piece in chain.from_iterable(pieces) if piece[0] < piece[1]]


def part(stretches: Iterable[tuple[int, int]], start: int, length: int, target: int) -> list[tuple[int, int]]:
    """What of the stretches lies in `length` bytes at `start`, as if these lay at `target`."""
    pieces = [(max(low, start), min(high, start + length)) for low, high in stretches]
    return [(low - start + target, high - start + target) for low, high in pieces if low < high]
