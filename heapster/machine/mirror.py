"""The compiled allocator in a mirror of the simulated machine: the same answers, the same memory, elsewhere.

The simulated machine goes first; its system calls are the script that the compiled allocator must follow.
What was at an address there is here at the same offset of a reservation.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from heapster.results import HeapsterError, TargetError

from .checked_memory import (
    FUEL,
    LIMIT,
    MAPPINGS,
    OUTSIDE,
    OUTSIDE_BYTES,
    STATICS,
    THREAD_BYTES,
    THREAD_STRIDE,
    THREADS,
    WORD,
)
from .guards import PAGE
from .libc import LIBC, MAP_PRIVATE_ANONYMOUS, PROT_READ_WRITE, errno_kept, unmap_pages
from .observed import Library
from .protocol import REFUSED, Aborted, Call, operands
from .simulated import BREAK, BREAK_LIMIT, Simulated

PROT_NONE = 0
TOP_MASK = (1 << 48) - 1        # the address in a word that has a count above it
FAR = 1 << 47                   # what is taken away of an address that is to be no address of a program
ALIGNED = 1 << 21               # bytes; what is as aligned there is so here
MAP_FIXED, MAP_NORESERVE = 0x10, 0x4000


class Difference(HeapsterError):
    """The compiled allocator did what the interpreted one did not."""


class Area(NamedTuple):
    """A range of the simulated machine's addresses and where it is in this process."""

    start: int
    end: int
    shift: int


class Mirror:
    """Answers a compiled allocator as `original` answered; see `follow` and `compare`."""

    def __init__(self, library: Library, original: Simulated) -> None:
        self.library, self._original = library, original
        library.answer_with(self)
        statics = library.call("statics")
        ctypes.memset(statics, 0, library.statics_bytes)
        self._threads = (ctypes.c_int64 * ((OUTSIDE - THREADS) // WORD))()
        self._outside = (ctypes.c_int64 * (OUTSIDE_BYTES // WORD))()
        self._areas = [
            Area(STATICS, STATICS + library.statics_bytes, statics - STATICS),
            Area(THREADS, OUTSIDE, ctypes.addressof(self._threads) - THREADS),
            Area(OUTSIDE, OUTSIDE + OUTSIDE_BYTES, ctypes.addressof(self._outside) - OUTSIDE),
            _reserve(BREAK, BREAK_LIMIT),
            _reserve(MAPPINGS, LIMIT)]
        self._script: list[Call] = []
        self.owners: dict[int, int] = {}
        self.shown: list[tuple[int, int, int, int]] = []
        self.scratch = self.there(original.scratch)
        self.on_thread(0)

    def close(self) -> None:
        """Give the reservations back."""
        for area in self._areas[3:]:
            LIBC.munmap(area.start + area.shift, area.end - area.start)

    # Addresses.

    def there(self, address: int) -> int:
        """Where in this process what the original has at `address` is; other words are themselves."""
        return next((address + area.shift for area in self._areas if area.start <= address < area.end), address)

    def alike(self, word: int, there: int, address: int = 0) -> bool:
        """Whether `there` is what the original's word `word` must be here: also where it leads to a stack, or less FAR.

        A block that waits has what is left of nothing without its link and its own address, where there is no key; a
        mapped block what is left without its address.
        """
        own = self.there(address)
        return self._leads_alike(word, there) or there == word + address - own or bool(address) and (
            self._leads_alike(-word - (address - WORD), -there - (own - WORD)))

    def _leads_alike(self, word: int, there: int) -> bool:
        top = word & TOP_MASK
        return there in (word, self.there(word), word - top + self.there(top), self.there(word + FAR) - FAR)

    def back(self, address: int) -> int:
        """The original's address for one of this process."""
        return next((address - area.shift for area in self._areas
                     if area.start <= address - area.shift < area.end), address)

    # What the compiled allocator asks.

    def follow(self, calls: Iterable[Call]) -> None:
        """From here on, these calls and no others are expected."""
        self._script = list(calls)

    def unanswered(self) -> tuple[Call, ...]:
        """The expected calls that did not come."""
        return tuple(self._script)

    def _answer(self, name: str, *arguments: int) -> int:
        if not self._script:
            raise Difference(f"calls {name}{arguments}, the interpreted one nothing")
        call = self._script.pop(0)
        first, *rest = call.arguments
        expected = (self.there(first) if operands(call.name)[0] == "address" else first, *rest)
        if (name, arguments) != (call.name, expected):
            raise Difference(f"calls {name}{arguments}, the interpreted one {call.name}{expected}")
        return self.there(call.answer)

    def sbrk(self, delta: int) -> int:
        """As the original; what it gave is mapped, what it took is not."""
        old = self._answer("sbrk", delta)
        if old != REFUSED and delta > 0:
            _open(_page(old), _up_page(old + delta))
        elif old != REFUSED and delta < 0:
            kept = _up_page(old + delta)
            ctypes.memset(old + delta, 0, min(kept, old) - (old + delta))
            _shut(kept, _up_page(old))
        return old

    def mmap(self, length: int) -> int:
        """As the original."""
        start = self._answer("mmap", length)
        if start != REFUSED:
            _open(start, start + length)
        return start

    def munmap(self, address: int, length: int) -> int:
        """As the original."""
        answer = self._answer("munmap", address, length)
        if answer != REFUSED:
            _shut(address, address + length)
        return answer

    def remap(self, address: int, length: int, longer: int) -> int:
        """As the original; what was there comes along."""
        start = self._answer("remap", address, length, longer)
        if start == address:
            _open(start + length, start + longer)
        elif start != REFUSED:
            _open(start, start + longer)
            ctypes.memmove(start, address, length)
            _shut(address, address + length)
        return start

    def purge(self, address: int, length: int) -> int:
        """As the original, where what was never written is taken for zero."""
        answer = self._answer("purge", address, length)
        if answer != REFUSED:
            ctypes.memset(address, 0, length)
        return answer

    def protect(self, address: int, length: int) -> int:
        """As the original."""
        answer = self._answer("protect", address, length)
        if answer != REFUSED:
            _shut(address, address + length)
        return answer

    def unprotect(self, address: int, length: int) -> int:
        """As the original."""
        answer = self._answer("unprotect", address, length)
        if answer != REFUSED:
            _open(address, address + length)
        return answer

    def lock(self, mutex: int) -> None:
        """Take a mutex that is free."""
        if mutex in self.owners:
            raise Difference(f"locks {self.back(mutex):#x}, which is locked")
        self.owners[mutex] = self._running

    def unlock(self, mutex: int) -> None:
        """Give up a mutex of this thread's."""
        if self.owners.pop(mutex, None) != self._running:
            raise Difference(f"unlocks {self.back(mutex):#x}, which it does not hold")

    def renew(self, mutex: int) -> int:
        """Make a mutex new."""
        return int(self.owners.pop(mutex, None) is not None)

    def leave_alone(self) -> None:
        """The process was forked: there is no other thread any more, and others get new storage."""
        kept = ctypes.string_at(self._storage, THREAD_BYTES)
        ctypes.memset(self._threads, 0, ctypes.sizeof(self._threads))
        ctypes.memmove(self._storage, kept, THREAD_BYTES)

    def held(self) -> tuple[int, ...]:
        """The mutexes that are locked."""
        return tuple(sorted(self.owners))

    def show(self, kind: int, address: int, size: int, used: int) -> None:
        """Keep a line of the status dump, with the original's address."""
        self.shown.append((kind, self.back(address), size, used))

    def abort(self, code: int, address: int) -> int:
        """End the call, with the original's address."""
        raise Aborted(code, self.back(address))

    # What the caller does.

    def load(self, address: int) -> int:
        """A word of the caller's or the allocator's."""
        return ctypes.c_int64.from_address(address).value

    def store(self, address: int, value: int) -> None:
        """Write a word of the caller's."""
        ctypes.c_int64.from_address(address).value = value

    def on_thread(self, thread: int) -> None:
        """Run what follows as another logical thread."""
        self._running = thread
        self._storage = self.there(THREADS + thread * THREAD_STRIDE)
        self.library.use_thread(self._storage)

    def new_thread(self) -> None:
        """The logical thread has ended, and another begins under its number."""
        ctypes.memset(self._storage, 0, THREAD_BYTES)

    def foreign_sbrk(self, delta: int) -> bool:
        """The original's break has moved, and its answers say so."""
        return True

    def refuse(self, name: str, nth: int) -> None:
        """The original's answers say so."""

    def refuel(self, loads: int = FUEL) -> None:
        """A new call starts; nothing counts its loads."""

    @property
    def errno(self) -> int:
        """The calling thread's errno, as foreign functions see it."""
        return ctypes.get_errno()

    @errno.setter
    def errno(self, code: int) -> None:
        ctypes.set_errno(code)

    # What is compared.

    def pieces(self) -> Iterator[tuple[int, int]]:
        """The original's addresses [start, end) of all memory that both have access to."""
        yield self._areas[0].start, self._areas[0].end
        yield from self._original.accessible()

    def thread_storage(self, thread: int) -> bytes:
        """The storage of a thread."""
        return ctypes.string_at(self.there(THREADS + thread * THREAD_STRIDE), THREAD_BYTES)


assert BREAK % ALIGNED == MAPPINGS % ALIGNED == 0


def _reserve(start: int, end: int) -> Area:
    """Addresses for all of [start, end), from a multiple of ALIGNED on, as `start` is."""
    with errno_kept():
        here: int = LIBC.mmap(0, end - start + ALIGNED, PROT_NONE, MAP_PRIVATE_ANONYMOUS | MAP_NORESERVE, -1, 0)
    if here == REFUSED:
        raise TargetError(f"the system does not reserve {end - start >> 30} GiB of addresses")
    first = here + -here % ALIGNED
    for unused, size in ((here, first - here), (first + end - start, here + ALIGNED - first)):
        if size:
            unmap_pages(unused, size)
    return Area(start, end, first - start)


def _open(start: int, end: int) -> None:
    """Let [start, end), whole pages, be used; what was written there stays."""
    with errno_kept():
        LIBC.mprotect(start, end - start, PROT_READ_WRITE)


def _shut(start: int, end: int) -> None:
    """Let no one use [start, end), whole pages, and forget what was written there."""
    if start < end:
        with errno_kept():
            LIBC.mmap(start, end - start, PROT_NONE, MAP_PRIVATE_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0)


def _page(address: int) -> int:
    return address - address % PAGE


def _up_page(address: int) -> int:
    return address + -address % PAGE
