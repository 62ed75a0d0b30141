"""The real memory, break and mappings of this process, beside the C library that uses them too.

Python allocates between any two calls, so the C library moves the same break at moments that nobody
chose: the allocator meets a real foreigner. Neither harms the other: each takes the other's share of
the break for a gap. The break is lowered only over what the allocator got, after looking once more;
where the C library was faster, the call is refused.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable, Mapping
from types import TracebackType

from .checked_memory import FUEL, STATICS_BYTES, THREAD_BYTES
from .guards import Guards, check_pages, joined
from .libc import (
    LIBC,
    Break,
    errno_kept,
    map_pages,
    protect_pages,
    purge_pages,
    remap_pages,
    unmap_pages,
    unprotect_pages,
)
from .protocol import MUTEX_BYTES, REFUSED, Aborted, Call, MachineFault
from .sequential import PlannedRefusals, SequentialAtomics
from .simulated import SCRATCH_BYTES
from .windows import Windows

MEMORY = 1 << 26                # bytes that the allocator may hold at a time
OUTSIDE_BYTES = 1 << 20         # for the caller's own words and the threads' storage
CHECKED_ZERO = 1 << 16          # bytes at either end of a range that known_zero looks at


class Process(SequentialAtomics, PlannedRefusals):
    """The machine that is this process; see `protocol.Machine` for the laws.

    Threads are logical: one at a time runs, on the caller's. `close` returns to the system all that
    was taken, as leaving a `with` does.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        super().__init__()
        self._memory = memory
        self._windows = Windows()                   # all that may be touched
        self._break = Break()
        self._mappings: list[tuple[int, int]] = []  # the allocator's
        self._abandoned: list[tuple[int, int]] = []     # mappings that it gave up without unmapping them
        self._asked = REFUSED                       # the break, if the last call asked for it
        self._own = mmap.mmap(-1, STATICS_BYTES + OUTSIDE_BYTES)
        self._statics = ctypes.addressof(ctypes.c_char.from_buffer(self._own))
        self._outside = self._statics + STATICS_BYTES
        self._windows.add(self._statics, self._statics + len(self._own))
        self.guards = Guards()                     # of the mappings, what has no access
        self._fixed = [self._statics]               # where windows start that the system did not give
        self._storage: dict[int, int] = {}          # logical thread: its storage
        self.calls: list[Call] = []
        self.shown: list[tuple[int, int, int, int]] = []
        self.fuel = self._allowed = FUEL                # loads until a call counts as hung; see `refuel`
        self.running = 0                            # the logical thread
        self.owners: dict[int, int] = {}            # mutex: thread that holds it
        self.scratch = self.outside(SCRATCH_BYTES)  # the caller's, for results

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> int:
        """Give everything back; bytes below the break that must stay, as others took memory above."""
        self._windows.clear()
        for start, end in self._mappings + self._abandoned:
            unmap_pages(start, end - start)
        self._mappings, self._abandoned = [], []
        with errno_kept():
            return self._break.close()

    # Memory.

    def load(self, address: int) -> int:
        """See `Machine.load`; faults on words that are misaligned or not the allocator's."""
        self.fuel -= 1
        if self.fuel < 0:
            raise MachineFault("hang", f"no end after {self._allowed} loads", address)
        return self._windows.load(address)

    def store(self, address: int, value: int) -> None:
        """See `Machine.store`; faults on words that are misaligned, not the allocator's or too large."""
        self._windows.store(address, value)

    load_relaxed = load_acquire = load
    store_relaxed = store_release = store
    load_any = load                             # real memory holds some word everywhere

    def refuel(self, loads: int = FUEL) -> None:
        """A new call starts, which may need so many loads."""
        self.fuel = self._allowed = loads

    def reader(self) -> Callable[[int], int]:
        """Reads words for an onlooker; Fault where the allocator has none."""
        return self._windows.load

    def peek(self, address: int) -> int | None:
        """The word at `address` for an onlooker: None where the allocator has none."""
        try:
            return self._windows.load(address)
        except MachineFault:
            return None

    def nonzero(self, start: int, end: int) -> dict[int, int]:
        """The words from `start` to `end`, whole words, that are not zero, for an onlooker."""
        if not self._windows.holding(start, end):
            raise self._windows.fault("load", start)
        held = ctypes.string_at(start, end - start)
        words = memoryview(held).cast("q") if held.strip(b"\0") else ()
        return {start + 8 * place: word for place, word in enumerate(words) if word}

    def write(self, words: Mapping[int, int]) -> None:
        """Let the caller write words of its own payloads; Fault where nothing is mapped."""
        for address, word in words.items():
            self._windows.store(address, word)

    def first_difference(self, words: Mapping[int, int]) -> int | None:
        """The lowest address of `words` where memory holds something else, or None."""
        return self._windows.first_difference(words)

    first_change = first_difference     # real memory may change behind our back: all of it is looked at

    def copy(self, target: int, source: int, count: int) -> None:
        """See `Machine.copy`."""
        self._check_range("copy", target, count)
        self._check_range("copy", source, count)
        if target < source + count and source < target + count:
            raise MachineFault("overlapping_copy", f"copy of {count} bytes from {source:#x} to {target:#x}", target)
        ctypes.memmove(target, source, count)

    def fill(self, target: int, byte: int, count: int) -> None:
        """See `Machine.fill`."""
        self._check_range("fill", target, count)
        ctypes.memset(target, byte, count)

    def prefetch(self, address: int) -> None:
        """See `Machine.prefetch`: all memory is as near."""

    def known_zero(self, target: int, count: int) -> None:
        """See `Machine.known_zero`; faults if a byte near either end of the range is not zero."""
        self._check_range("known_zero", target, count)
        if count and not any(start <= target < end for start, end in self._mappings):
            raise MachineFault("not_known_zero", f"{target:#x} is not in a mapping", target)
        part = min(count, CHECKED_ZERO)
        for start in (target, target + count - part):
            written = part - len(ctypes.string_at(start, part).lstrip(b"\0"))
            if written < part:
                raise MachineFault("not_known_zero", f"claimed zero, but {start + written:#x} was written", target)

    def _check_range(self, verb: str, address: int, count: int) -> None:
        if count < 0:
            raise MachineFault("negative_count", f"{verb} of {count} bytes at {address:#x}", address)
        if count and (address % 8 or not self._windows.holding(address, address + count)):
            raise self._windows.fault(verb, address)

    # The system.

    def _left(self) -> int:
        return self._memory - sum(end - start for start, end in self._given())

    def _log(self, name: str, arguments: tuple[int, ...], answer: int) -> int:
        self._asked = answer if (name, arguments) == ("sbrk", (0,)) else REFUSED
        self.calls.append(Call(name, arguments, answer))
        return answer

    def sbrk(self, delta: int) -> int:
        """See `Machine.sbrk`; giving back what is not the allocator's is a fault."""
        if self._is_refused("sbrk") or delta > self._left():
            return self._log("sbrk", (delta,), REFUSED)
        with errno_kept():
            answer = self._rise(delta) if delta >= 0 else self._fall(-delta)
        return self._log("sbrk", (delta,), answer)

    def _rise(self, delta: int) -> int:
        old = self._break.rise(delta, ours=True)
        if delta and old != REFUSED:
            self._windows.extend(old, old + delta)
        return old

    def _fall(self, extra: int) -> int:
        now = self._break.fall(extra, ours=True)
        if now != REFUSED:
            self._windows.cut(now - extra, now)
        else:
            self._check_not_overtaken(extra)
        return now

    def _check_not_overtaken(self, extra: int) -> None:
        """Whoever asked for the break and found it moved since cannot have known better."""
        at = self._break.now()
        if self._asked in (REFUSED, at):
            raise MachineFault("not_yours", f"lowers the break by {extra} bytes, not all of which it got", at)

    def foreign_sbrk(self, delta: int) -> bool:
        """Let a foreigner move the break; it may lower it only over what is its own."""
        with errno_kept():
            move = self._break.rise if delta >= 0 else self._break.fall
            return move(abs(delta), ours=False) != REFUSED

    def mmap(self, length: int) -> int:
        """See `Machine.mmap`."""
        check_pages("mmap", 0, length)
        answer = REFUSED
        if not self._is_refused("mmap") and length <= self._left():
            answer = map_pages(length)
        if answer != REFUSED:
            self._open(answer, answer + length)
        return self._log("mmap", (length,), answer)

    def _open(self, start: int, end: int) -> None:
        """A new mapping is one with those that it touches: the system does not tell them apart either."""
        first, last = start, end
        for low, high in [piece for piece in self._mappings if piece[1] == start or piece[0] == end]:
            self._mappings.remove((low, high))
            first, last = min(low, first), max(high, last)
            if not self.guards.touch(low, high):
                self._windows.cut(low, high)
                start, end = min(low, start), max(high, end)
        self._windows.add(start, end)
        self._mappings.append((first, last))

    def munmap(self, address: int, length: int) -> int:
        """See `Machine.munmap`; unmapping what is not in one of the allocator's mappings is a fault."""
        check_pages("munmap", address, length)
        end = address + length
        mapping = self._mapping(address, end, "unmaps")
        answer = REFUSED if self._is_refused("munmap") else unmap_pages(address, length)
        if answer != REFUSED:
            self._shut(mapping, address, end)
        return self._log("munmap", (address, length), answer)

    def _shut(self, mapping: tuple[int, int], start: int, end: int) -> None:
        """[start, end), a part of that mapping, is gone."""
        for piece in tuple(self.guards.between([(start, end)])):
            self._windows.cut(*piece)
        self.guards.open(start, end)
        self._mappings.remove(mapping)
        pieces = ((mapping[0], start), (end, mapping[1]))
        self._mappings += [piece for piece in pieces if piece[0] < piece[1]]

    def remap(self, address: int, length: int, longer: int) -> int:
        """See `Machine.remap`; what is not in one of the allocator's mappings is a fault."""
        check_pages("remap", address, length, longer)
        mapping = self._mapping(address, address + length, "remaps")
        answer = REFUSED
        if not self._is_refused("remap") and longer - length <= self._left():
            answer = remap_pages(address, length, longer)
        if answer != REFUSED:
            self._shut(mapping, address, address + length)
            self._open(answer, answer + longer)
        return self._log("remap", (address, length, longer), answer)

    def purge(self, address: int, length: int) -> int:
        """See `Machine.purge`; what the allocator has not got from the system is a fault."""
        check_pages("purge", address, length)
        if not any(low <= address and address + length <= high for low, high in self.system()):
            raise MachineFault("not_yours", f"purges {length} bytes at {address:#x}, not all of which it holds",
                               address)
        answer = REFUSED if self._is_refused("purge") else purge_pages(address, length)
        return self._log("purge", (address, length), answer)

    def protect(self, address: int, length: int) -> int:
        """See `Machine.protect`; what is not in one of the allocator's mappings is a fault."""
        check_pages("protect", address, length)
        self._mapping(address, address + length, "protects")
        answer = REFUSED if self._is_refused("protect") else protect_pages(address, length)
        if answer != REFUSED:
            for piece in tuple(self.guards.between([(address, address + length)])):
                self._windows.cut(*piece)
            self.guards.close(address, address + length)
        return self._log("protect", (address, length), answer)

    def unprotect(self, address: int, length: int) -> int:
        """See `Machine.unprotect`; what has access is a fault."""
        self.guards.check(address, length)
        answer = REFUSED if self._is_refused("unprotect") else unprotect_pages(address, length)
        if answer != REFUSED:
            self.guards.open(address, address + length)
            self._windows.add(address, address + length)
        return self._log("unprotect", (address, length), answer)

    def _mapping(self, start: int, end: int, doing: str) -> tuple[int, int]:
        """The mapping that has all of [start, end); a fault if none has."""
        for low, high in self._mappings:
            if low <= start and end <= high:
                return low, high
        raise MachineFault("not_yours", f"{doing} [{start:#x}, {end:#x}), not all of which it has mapped", start)

    def system(self) -> tuple[tuple[int, int], ...]:
        """[start, end) of all that the allocator has got and not given back, by address."""
        return tuple(joined([*self._given(), *self.guards])) if any(self.guards) else tuple(self._given())

    def _given(self) -> list[tuple[int, int]]:
        """[start, end) of what the system gave and has access, by address."""
        return [extent for extent in self._windows.extents() if extent[0] not in self._fixed]

    def disown(self) -> None:
        """Give all memory that is still held to a foreigner."""
        for start, end in self._given():
            self._windows.cut(start, end)
        self.guards = Guards()
        self._break.disown()
        self._abandoned += self._mappings
        self._mappings = []

    # Threads.

    def on_thread(self, thread: int) -> None:
        """Run what follows as another logical thread."""
        self.running = thread

    def lock(self, mutex: int) -> None:
        """See `Machine.lock`; a second lock by anyone is a fault: no other thread runs meanwhile."""
        self._check_range("lock", mutex, MUTEX_BYTES)
        if mutex in self.owners:
            owner = self.owners[mutex]
            raise MachineFault("relock", f"thread {self.running} locks {mutex:#x}, held by thread {owner}", mutex)
        self._check_mutex("lock", mutex, LIBC.pthread_mutex_lock(mutex))
        self.owners[mutex] = self.running

    def unlock(self, mutex: int) -> None:
        """See `Machine.unlock`; only the owner may."""
        self._check_range("unlock", mutex, MUTEX_BYTES)
        if self.owners.get(mutex) != self.running:
            raise MachineFault("stranger_unlock", f"thread {self.running} unlocks {mutex:#x}, not held by it", mutex)
        self._check_mutex("unlock", mutex, LIBC.pthread_mutex_unlock(mutex))
        del self.owners[mutex]

    def renew(self, mutex: int) -> int:
        """See `Machine.renew`."""
        self._check_range("renew", mutex, MUTEX_BYTES)
        ctypes.memset(mutex, 0, MUTEX_BYTES)
        return int(self.owners.pop(mutex, None) is not None)

    def leave_alone(self) -> None:
        """The process was forked: there is no other thread any more, and others get new storage."""
        for thread, storage in self._storage.items():
            if thread != self.running:
                ctypes.memset(storage, 0, THREAD_BYTES)

    def _check_mutex(self, verb: str, mutex: int, error: int) -> None:
        if error:
            raise MachineFault("bad_mutex", f"{verb} of {mutex:#x} answers errno {error}", mutex)

    def held(self) -> tuple[int, ...]:
        """The mutexes that are locked."""
        return tuple(sorted(self.owners))

    def thread(self) -> int:
        """See `Machine.thread`."""
        if self.running not in self._storage:
            self._storage[self.running] = self.outside(THREAD_BYTES)
        return self._storage[self.running]

    def at_thread_end(self) -> None:
        """See `Machine.at_thread_end`: logical threads end where a trace says so."""

    def new_thread(self) -> None:
        """The logical thread has ended, and another begins under its number."""
        ctypes.memset(self.thread(), 0, THREAD_BYTES)

    def statics(self) -> int:
        """See `Machine.statics`."""
        return self._statics

    def outside(self, count: int) -> int:
        """Address of `count` bytes, zero, of the caller's own memory."""
        address = self._outside
        self._outside += count + -count % 64
        if self._outside > self._statics + len(self._own):
            raise MachineFault("outside_exhausted", f"{count} bytes more of the caller's memory", address)
        return address

    @property
    def errno(self) -> int:
        """The calling thread's errno, as foreign functions see it."""
        return ctypes.get_errno()

    @errno.setter
    def errno(self, code: int) -> None:
        ctypes.set_errno(code)

    def set_errno(self, code: int) -> None:
        """See `Machine.set_errno`."""
        ctypes.set_errno(code)

    def show(self, kind: int, address: int, size: int, used: int) -> None:
        """See `Machine.show`: kept in `shown`."""
        self.shown.append((kind, address, size, used))

    def abort(self, code: int, address: int) -> int:
        """See `Machine.abort`."""
        raise Aborted(code, address)
