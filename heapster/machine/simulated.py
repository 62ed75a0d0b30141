"""Checked memory: every access is checked, every system call can be refused, every step is repeatable."""

from bisect import bisect_right
from collections.abc import Callable
from itertools import chain

from .protocol import MUTEX_BYTES, REFUSED, SYSTEM_CALLS, Aborted, Call, MachineFault

WORD = 8
PAGE = 4096
LINE = 256                      # bytes of which it is noted together whether any was written
WORD_MIN, WORD_MAX = -(1 << 63), (1 << 63) - 1

STATICS = 0x10000               # where things lie; each far from the others
STATICS_BYTES = 0x20B00         # just what the allocator's layout has, so that a word more is a fault
THREADS = 0x100000
THREAD_STRIDE = 0x1000
THREAD_BYTES = 1488
OUTSIDE = 0x200000
OUTSIDE_BYTES = 0x10000
SCRATCH_BYTES = 256
MEMORY = 1 << 24                # bytes; more would take long to fill, word by word
ANY_WORD = 0x5EED_5EED_5EED    # what never-written memory is said to hold, to who takes any word
FUEL = 200_000                  # loads; no call on a heap that a checker makes needs as many
BREAK = 0x10000000
MAPPINGS = 0x700000000000
LIMIT = 0x7F0000000000          # no address above
BREAK_LIMIT = BREAK + (1 << 40)

_ZERO_STATICS = dict.fromkeys(range(STATICS, STATICS + STATICS_BYTES, WORD), 0)


def signed(value: int) -> int:
    """The signed 64-bit word with the low 64 bits of `value`."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value > WORD_MAX else value


class Simulated:
    """The machine as a dictionary of written words; see `protocol.Machine` for the laws it checks."""

    def __init__(self, memory: int = MEMORY) -> None:
        self._memory = memory                           # bytes that the system has to give
        self.words: dict[int, int] = dict(_ZERO_STATICS)
        self.changed: set[int] = set()                  # words written or lost since `first_change` looked
        self._lines: set[int] = set()                   # that had a word written, beyond what is fixed
        self.extents: list[tuple[int, int]] = []        # what sbrk and mmap gave, by address
        self.zeroed: list[tuple[int, int]] = []         # claimed by known_zero
        self.brk = BREAK
        self.calls: list[Call] = []
        self.shown: list[tuple[int, int, int, int]] = []
        self.errno = 0
        self.fuel = FUEL                                # loads until a call counts as hung; see `refuel`
        self.running = 0                                # the logical thread
        self.owners: dict[int, int] = {}                # mutex: thread that holds it
        self._made = dict.fromkeys(SYSTEM_CALLS, 0)
        self._refuse: set[tuple[str, int]] = set()
        self._refuses_all: set[str] = set()
        self._outside = OUTSIDE
        self.scratch = self.outside(SCRATCH_BYTES)      # the caller's, for results

    def close(self) -> None:
        """Nothing to give back: the memory was never real."""

    # Memory.

    def load(self, address: int) -> int:
        """See `Machine.load`; faults on words that are unmapped, misaligned or were never written."""
        self.fuel -= 1
        if self.fuel < 0:
            raise MachineFault("hang", f"no end after {FUEL} loads", address)
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

    def cas_relaxed(self, address: int, expected: int, value: int) -> int:
        """See `Machine.cas_relaxed`."""
        found = self.load(address)
        if found == expected:
            self.store(address, value)
        return found

    def exchange_relaxed(self, address: int, value: int) -> int:
        """See `Machine.exchange_relaxed`."""
        found = self.load(address)
        self.store(address, value)
        return found

    cas_release = cas_relaxed
    exchange_acquire = exchange_relaxed

    def refuel(self) -> None:
        """A new call starts."""
        self.fuel = FUEL

    def reader(self) -> Callable[[int], int]:
        """Reads words for an onlooker, fast; LookupError where none was written."""
        return self.words.__getitem__

    def peek(self, address: int) -> int | None:
        """The word at `address` for an onlooker: None where none was written."""
        word = self.words.get(address)
        if word is None and self._is_zeroed(address):
            return 0
        return word

    def copy(self, target: int, source: int, count: int) -> None:
        """See `Machine.copy`; words never written stay so."""
        self._check_range("copy", target, count)
        self._check_range("copy", source, count)
        if target < source + count and source < target + count:
            raise MachineFault("overlapping_copy", f"copy of {count} bytes between {source:#x} and {target:#x}", target)
        whole = count & -WORD
        self._note(target, count)
        for offset in range(0, whole, WORD):
            word = self.peek(source + offset)
            if word is None:
                self.words.pop(target + offset, None)
            else:
                self.words[target + offset] = word
        if count > whole:
            self._merge(target + whole, self.load(source + whole), count - whole)

    def fill(self, target: int, byte: int, count: int) -> None:
        """See `Machine.fill`."""
        self._check_range("fill", target, count)
        word = signed(byte * 0x0101010101010101)
        whole = count & -WORD
        self._note(target, count)
        self.words.update(dict.fromkeys(range(target, target + whole, WORD), word))
        if count > whole:
            self._merge(target + whole, word, count - whole)

    def _note(self, target: int, count: int) -> None:
        """The allocator writes, or carries what was never written, there."""
        self.changed.update(range(target, target + count, WORD))
        self._lines.update(range(target // LINE, (target + count - 1) // LINE + 1))

    def write(self, words: dict[int, int]) -> None:
        """Let the caller write words of its own payloads, which are mapped."""
        self.words.update(words)
        self._lines.update({address // LINE for address in words})

    def first_difference(self, words: dict[int, int]) -> int | None:
        """The lowest address of `words` where memory holds something else, or None."""
        if words.items() <= self.words.items():
            return None
        return min(a for a, word in words.items() if self.words.get(a) != word)

    def first_change(self, words: dict[int, int]) -> int | None:
        """As `first_difference`, of the words written or lost since this was last asked."""
        changed, self.changed = self.changed & words.keys(), set()
        return min((a for a in changed if self.words.get(a) != words[a]), default=None)

    def known_zero(self, target: int, count: int) -> None:
        """See `Machine.known_zero`; faults if a word of it was written."""
        self._check_range("known_zero", target, count)
        self._check_mapping(target, count)
        written = min(self._written(target, target + count), default=None)
        if written is not None:
            raise MachineFault("not_known_zero", f"claimed zero, but {written:#x} was written", written)
        self.zeroed.append((target, target + count))

    def _written(self, start: int, end: int) -> list[int]:
        """Addresses in [start, end) of words that were written; nothing there is fixed."""
        first = start + -start % WORD
        lines = [range(max(first, line * LINE), min(end, (line + 1) * LINE), WORD)
                 for line in self._lines.intersection(range(start // LINE, (end - 1) // LINE + 1))]
        return list(filter(self.words.__contains__, chain.from_iterable(lines)))

    def _merge(self, address: int, word: int, count: int) -> None:
        mask = (1 << 8 * count) - 1
        old = self.peek(address) or 0
        self.words[address] = signed(old & ~mask | word & mask)

    def _load_unwritten(self, address: int) -> int:
        self._check_mapped("load", address, WORD)
        if self._is_zeroed(address):
            return 0
        raise MachineFault("never_written", f"load of {address:#x}, never written", address)

    def _is_zeroed(self, address: int) -> bool:
        return any(start <= address < end for start, end in self.zeroed)

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
        if not inside and not self._is_fixed(address, count):
            raise MachineFault("unmapped", f"{verb} at {address:#x}, {self._nearest(address)}", address)

    def _is_fixed(self, address: int, count: int) -> bool:
        if address in self.words and THREADS <= address < OUTSIDE:
            return True
        return any(low <= address and address + count <= high
                   for low, high in ((STATICS, STATICS + STATICS_BYTES), (OUTSIDE, self._outside)))

    def _nearest(self, address: int) -> str:
        if not self.extents:
            return "and nothing is mapped"
        start, end = min(self.extents, key=lambda e: max(e[0] - address, address - e[1]))
        if address < start:
            return f"{start - address} bytes before the mapping [{start:#x}, {end:#x})"
        if address >= end:
            return f"{address - end} bytes past the mapping [{start:#x}, {end:#x})"
        return f"across the end of the mapping [{start:#x}, {end:#x})"

    # The system.

    def refuse(self, name: str, nth: int) -> None:
        """Plan that the `nth` call of `name` from now on (1 is the next) is refused; 0: each, until one is planned."""
        self._refuses_all.discard(name)
        if nth == 0:
            self._refuses_all.add(name)
        self._refuse.add((name, self._made[name] + nth))

    def _is_refused(self, name: str) -> bool:
        self._made[name] += 1
        return name in self._refuses_all or (name, self._made[name]) in self._refuse

    def _left(self) -> int:
        return self._memory - sum(end - start for start, end in self.extents)

    def sbrk(self, delta: int) -> int:
        """See `Machine.sbrk`; giving back what is not the caller's is a fault."""
        old, answer = self.brk, self.brk
        if self._is_refused("sbrk") or delta > self._left():
            answer = REFUSED
        elif delta < 0:
            self._cut(old + delta, old)
            self.brk = old + delta
        elif delta > 0:
            self._extend(old, old + delta)
            self.brk = old + delta
        self.calls.append(Call("sbrk", (delta,), answer))
        return answer

    def foreign_sbrk(self, delta: int) -> bool:
        """Let a foreigner move the break; it may lower it only over what is not the allocator's."""
        if self.brk + delta < self._floor():
            return False
        self.brk += delta
        return True

    def _floor(self) -> int:
        i = bisect_right(self.extents, (BREAK_LIMIT, LIMIT)) - 1
        return self.extents[i][1] if i >= 0 else BREAK

    def mmap(self, length: int) -> int:
        """See `Machine.mmap`: the lowest gap that leaves an unmapped page on either side."""
        if length <= 0 or length % PAGE:
            raise MachineFault("bad_length", f"mmap of {length} bytes", 0)
        answer = REFUSED
        if not self._is_refused("mmap") and length <= self._left():
            answer = self._gap(length)
        if answer != REFUSED:
            self._insert(answer, answer + length)
        self.calls.append(Call("mmap", (length,), answer))
        return answer

    def _gap(self, length: int) -> int:
        start = MAPPINGS
        for low, high in self.extents[bisect_right(self.extents, (MAPPINGS - 1, LIMIT)):]:
            if start + length + PAGE <= low:
                break
            start = high + PAGE
        return start

    def munmap(self, address: int, length: int) -> int:
        """See `Machine.munmap`; unmapping what is not one of the caller's mappings is a fault."""
        if address % PAGE or length <= 0 or length % PAGE or address < MAPPINGS:
            raise MachineFault("bad_unmap", f"munmap of {length} bytes at {address:#x}", address)
        answer = REFUSED
        if not self._is_refused("munmap"):
            self._cut(address, address + length)
            answer = 0
        self.calls.append(Call("munmap", (address, length), answer))
        return answer

    def remap(self, address: int, length: int, longer: int) -> int:
        """See `Machine.remap`: in place where an unmapped page is left after it, else as `mmap`."""
        self._check_remap(address, length, longer)
        answer = REFUSED
        if not self._is_refused("remap") and longer - length <= self._left():
            answer = address if self._has_room(address + length, address + longer) else self._gap(longer)
        if answer == address:
            self._extend(address + length, address + longer)
        elif answer != REFUSED:
            self._insert(answer, answer + longer)
            self._carry(address, length, answer)
            self._cut(address, address + length)
        self.calls.append(Call("remap", (address, length, longer), answer))
        return answer

    def _check_remap(self, address: int, length: int, longer: int) -> None:
        if address % PAGE or length <= 0 or length % PAGE or longer <= length or longer % PAGE or address < MAPPINGS:
            raise MachineFault("bad_remap", f"remap of {length} bytes at {address:#x} to {longer}", address)
        self._holding(address, address + length, "remaps")

    def purge(self, address: int, length: int) -> int:
        """See `Machine.purge`: the words were never written."""
        if address % PAGE or length <= 0 or length % PAGE:
            raise MachineFault("bad_purge", f"purge of {length} bytes at {address:#x}", address)
        self._holding(address, address + length, "purges")
        answer = REFUSED
        if not self._is_refused("purge"):
            self._lose(address, address + length)
            answer = 0
        self.calls.append(Call("purge", (address, length), answer))
        return answer

    def _has_room(self, start: int, end: int) -> bool:
        i = bisect_right(self.extents, (start - 1, LIMIT))
        return self.extents[i - 1][1] == start and (i == len(self.extents) or end + PAGE <= self.extents[i][0])

    def _carry(self, start: int, length: int, target: int) -> None:
        """What was written in `length` bytes at `start`, or claimed to be zero, is also at `target`."""
        written = self._written(start, start + length)
        moved = {target + address - start: self.words[address] for address in written}
        self.changed.update(moved)
        self.write(moved)
        pieces = [(max(low, start), min(high, start + length)) for low, high in self.zeroed]
        self.zeroed += [(low - start + target, high - start + target) for low, high in pieces if low < high]

    def system(self) -> tuple[tuple[int, int], ...]:
        """[start, end) of all that the allocator has got and not given back, by address."""
        return tuple(self.extents)

    def disown(self) -> None:
        """What is still held was given up by its owner: from here on it is a foreigner's, who may unmap it."""
        for start, end in self.extents:
            self._forget(start, end)
        self.extents.clear()

    def _insert(self, start: int, end: int) -> None:
        self.extents.insert(bisect_right(self.extents, (start, end)), (start, end))

    def _extend(self, start: int, end: int) -> None:
        i = bisect_right(self.extents, (start, LIMIT)) - 1
        if i >= 0 and self.extents[i][1] == start:
            self.extents[i] = (self.extents[i][0], end)
        else:
            self._insert(start, end)

    def _holding(self, start: int, end: int, doing: str) -> int:
        """Which extent has all of [start, end); a fault if none has."""
        i = bisect_right(self.extents, (start, LIMIT)) - 1
        if i < 0 or end > self.extents[i][1]:
            raise MachineFault("not_yours", f"{doing} [{start:#x}, {end:#x}), not all of which it holds", start)
        return i

    def _cut(self, start: int, end: int) -> None:
        i = self._holding(start, end, "gives back")
        low, high = self.extents.pop(i)
        for piece in ((end, high), (low, start)):
            if piece[0] < piece[1]:
                self.extents.insert(i, piece)
        self._forget(start, end)

    def _forget(self, start: int, end: int) -> None:
        self._lose(start, end)

    def _lose(self, start: int, end: int) -> None:
        """What was written there, or claimed to be zero, is known no more."""
        lost = self._written(start, end)
        for address in lost:
            del self.words[address]
        self.changed.update(lost)
        self._lines.difference_update(range(start // LINE + 1, end // LINE))
        pieces = (((low, min(high, start)), (max(low, end), high)) for low, high in self.zeroed)
        self.zeroed = [piece for piece in chain.from_iterable(pieces) if piece[0] < piece[1]]

    # Threads.

    def on_thread(self, thread: int) -> None:
        """Run what follows on another logical thread."""
        self.running = thread

    def lock(self, mutex: int) -> None:
        """See `Machine.lock`; a second lock by anyone is a fault: no other thread runs meanwhile."""
        self._check_mutex("lock", mutex)
        if mutex in self.owners:
            raise MachineFault("relock", f"thread {self.running} locks {mutex:#x}, still held by "
                                  f"thread {self.owners[mutex]}", mutex)
        self.owners[mutex] = self.running

    def unlock(self, mutex: int) -> None:
        """See `Machine.unlock`; only the owner may."""
        self._check_mutex("unlock", mutex)
        if self.owners.get(mutex) != self.running:
            raise MachineFault("stranger_unlock", f"thread {self.running} unlocks {mutex:#x}, which it does not hold",
                               mutex)
        del self.owners[mutex]

    def renew(self, mutex: int) -> int:
        """See `Machine.renew`."""
        self._check_mutex("renew", mutex)
        return int(self.owners.pop(mutex, None) is not None)

    def leave_alone(self) -> None:
        """The process was forked: there is no other thread any more, and others get new storage."""
        running = self.running
        for address in [word for word in self.words if THREADS <= word < OUTSIDE]:
            if (address - THREADS) // THREAD_STRIDE != running:
                self.words[address] = 0

    def _check_mutex(self, verb: str, mutex: int) -> None:
        if mutex not in self.words or mutex + MUTEX_BYTES - WORD not in self.words:
            self._check_mapped(verb, mutex, MUTEX_BYTES)

    def held(self) -> tuple[int, ...]:
        """The mutexes that are locked."""
        return tuple(sorted(self.owners))

    def thread(self) -> int:
        """See `Machine.thread`."""
        address = THREADS + self.running * THREAD_STRIDE
        if address not in self.words:
            self.words.update(dict.fromkeys(range(address, address + THREAD_BYTES, WORD), 0))
        return address

    def at_thread_end(self) -> None:
        """See `Machine.at_thread_end`: threads end where a trace says so."""

    def new_thread(self) -> None:
        """The logical thread has ended, and another begins under its number."""
        start = self.thread()
        self.words.update(dict.fromkeys(range(start, start + THREAD_BYTES, WORD), 0))

    def statics(self) -> int:
        """See `Machine.statics`."""
        return STATICS

    def outside(self, count: int) -> int:
        """Address of `count` bytes, zero, of the caller's own memory."""
        address = self._outside
        self._outside += count + -count % 64
        if self._outside > OUTSIDE + OUTSIDE_BYTES:
            raise MachineFault("outside_exhausted", f"{count} bytes more of the caller's memory", address)
        self.words.update(dict.fromkeys(range(address, self._outside, WORD), 0))
        return address

    def set_errno(self, code: int) -> None:
        """See `Machine.set_errno`."""
        self.errno = code

    def show(self, kind: int, address: int, size: int, used: int) -> None:
        """See `Machine.show`: kept in `shown`."""
        self.shown.append((kind, address, size, used))

    def abort(self, code: int, address: int) -> int:
        """See `Machine.abort`."""
        raise Aborted(code, address)
