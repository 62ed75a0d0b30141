"""The machine that is simulated: memory is checked, every system call can be refused, every step is repeatable."""

from bisect import bisect_right

from .checked_memory import (
    LIMIT,
    MAPPINGS,
    OUTSIDE,
    OUTSIDE_BYTES,
    STATICS,
    THREAD_BYTES,
    THREAD_STRIDE,
    THREADS,
    WORD,
    CheckedMemory,
    part,
)
from .guards import PAGE, Guards, check_pages
from .protocol import MUTEX_BYTES, REFUSED, Aborted, Call, MachineFault
from .sequential import PlannedRefusals

SCRATCH_BYTES = 256
MEMORY = 1 << 24                # bytes; more would take long to fill, word by word
BREAK = 0x10000000
BREAK_LIMIT = BREAK + (1 << 40)


class Simulated(CheckedMemory, PlannedRefusals):
    """Checked memory, and a system and threads that are simulated; see `protocol.Machine` for the laws it checks."""

    def __init__(self, memory: int = MEMORY) -> None:
        CheckedMemory.__init__(self)
        PlannedRefusals.__init__(self)
        self._memory = memory                           # bytes that the system has to give
        self.brk = BREAK
        self.calls: list[Call] = []
        self.shown: list[tuple[int, int, int, int]] = []
        self.errno = 0
        self.running = 0                                # the logical thread
        self.owners: dict[int, int] = {}                # mutex: thread that holds it
        self.scratch = self.outside(SCRATCH_BYTES)      # the caller's, for results

    def close(self) -> None:
        """Nothing to give back: the memory was never real."""

    def state(self) -> dict[str, object]:
        """All that it is, by name; nothing is shared."""
        return {name: value.copy() if isinstance(value, dict | set | list | Guards) else value
                for name, value in vars(self).items()}

    def difference(self) -> tuple[object, ...]:
        """What was made of memory, since `changed` was cleared, of locks and system: who left the same is equal."""
        words = frozenset(zip(self.changed, map(self.words.get, self.changed), strict=True))
        return (words, frozenset(self.owners.items()), self.brk, tuple(self.extents), tuple(self.guards),
                tuple(self.zeroed), tuple(self.cleared), tuple(self._made.items()), frozenset(self._refuse),
                frozenset(self._refuses_all))

    # The system.

    def _left(self) -> int:
        return self._memory - sum(end - start for start, end in self.extents) + self.guards.held()

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
        check_pages("mmap", 0, length)
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
        check_pages("munmap", address, length)
        self._check_mapped_by_us(address, address + length, "unmaps")
        answer = REFUSED
        if not self._is_refused("munmap"):
            self._cut(address, address + length)
            answer = 0
        self.calls.append(Call("munmap", (address, length), answer))
        return answer

    def remap(self, address: int, length: int, longer: int) -> int:
        """See `Machine.remap`: in place where an unmapped page is left after it, else as `mmap`."""
        check_pages("remap", address, length, longer)
        self._check_mapped_by_us(address, address + length, "remaps")
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

    def purge(self, address: int, length: int) -> int:
        """See `Machine.purge`: the words were never written."""
        check_pages("purge", address, length)
        self._holding(address, address + length, "purges")
        answer = REFUSED
        if not self._is_refused("purge"):
            self._lose(address, address + length)
            answer = 0
        self.calls.append(Call("purge", (address, length), answer))
        return answer

    def protect(self, address: int, length: int) -> int:
        """See `Machine.protect`: the words are lost, and an access is a fault."""
        check_pages("protect", address, length)
        self._check_mapped_by_us(address, address + length, "protects")
        answer = REFUSED
        if not self._is_refused("protect"):
            self._lose(address, address + length)
            self.guards.close(address, address + length)
            answer = 0
        self.calls.append(Call("protect", (address, length), answer))
        return answer

    def unprotect(self, address: int, length: int) -> int:
        """See `Machine.unprotect`; what has access is a fault."""
        self.guards.check(address, length)
        answer = REFUSED
        if not self._is_refused("unprotect"):
            self.guards.open(address, address + length)
            answer = 0
        self.calls.append(Call("unprotect", (address, length), answer))
        return answer

    def _has_room(self, start: int, end: int) -> bool:
        i = bisect_right(self.extents, (start - 1, LIMIT))
        return self.extents[i - 1][1] == start and (i == len(self.extents) or end + PAGE <= self.extents[i][0])

    def _carry(self, start: int, length: int, target: int) -> None:
        """Copy the words written in `length` bytes at `start`, and what is zero there, to `target`."""
        moved = self._moved(start, length, target)
        self.changed.update(moved)
        self.write(moved)
        self.zeroed += part(self.zeroed, start, length, target)
        self.cleared += part(self.cleared, start, length, target)

    def system(self) -> tuple[tuple[int, int], ...]:
        """[start, end) of all that the allocator has got and not given back, by address."""
        return tuple(self.extents)

    def accessible(self) -> tuple[tuple[int, int], ...]:
        """As `system`, but for what is protected."""
        return tuple(self.guards.between(self.extents))

    def disown(self) -> None:
        """Give all memory that is still held to a foreigner, who may unmap it."""
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

    def _check_mapped_by_us(self, start: int, end: int, doing: str) -> None:
        """A fault unless a mapping has all of [start, end)."""
        if start < MAPPINGS:
            raise MachineFault("not_yours", f"{doing} [{start:#x}, {end:#x}), which is no mapping", start)
        self._holding(start, end, doing)

    def _cut(self, start: int, end: int) -> None:
        i = self._holding(start, end, "gives back")
        low, high = self.extents.pop(i)
        for piece in ((end, high), (low, start)):
            if piece[0] < piece[1]:
                self.extents.insert(i, piece)
        self._forget(start, end)

    def _forget(self, start: int, end: int) -> None:
        self.guards.open(start, end)
        self._lose(start, end)

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

    def threads(self) -> list[int]:
        """The logical threads that have storage."""
        return [thread for thread in range((OUTSIDE - THREADS) // THREAD_STRIDE)
                if THREADS + thread * THREAD_STRIDE in self.words]

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
