"""The machine: everything the allocator may touch, with the laws that every machine keeps.

Words are signed 64-bit integers; addresses are words. `checkers` prove and explore the allocator
against these laws, and the conformance suite holds every machine to them. What orders mean is RC11: `weak_memory`.
"""

from collections.abc import Sequence
from inspect import signature
from typing import NamedTuple, Protocol

from heapster.results import HeapsterError

SYSTEM_CALLS = {            # what the allocator may ask of the system, and by which of libc's functions a process does
    "sbrk": "sbrk", "mmap": "mmap", "munmap": "munmap", "remap": "mremap", "purge": "madvise", "protect": "mprotect",
    "unprotect": "mprotect",
}
REFUSED = -1                # what they answer when the system says no
MUTEX_BYTES = 64            # room for a pthread_mutex_t (40 bytes on x86-64, 48 on aarch64)


class Machine(Protocol):
    """Memory, locks and system calls, as the allocator sees them."""

    def load(self, address: int) -> int:
        """The word last stored at `address`, a multiple of 8 in mapped and written memory."""

    def store(self, address: int, value: int) -> None:
        """Make `value` the word at `address`, a multiple of 8 in mapped memory."""

    def load_relaxed(self, address: int) -> int:
        """As `load`; may be concurrent with atomic operations. Orders nothing."""

    def load_acquire(self, address: int) -> int:
        """As `load_relaxed`; acquires what whoever stored the word released by it."""

    def store_relaxed(self, address: int, value: int) -> None:
        """As `store`; may be concurrent with atomic operations. Orders nothing."""

    def store_release(self, address: int, value: int) -> None:
        """As `store_relaxed`; releases all before it."""

    def load_any(self, address: int) -> int:
        """As `load`; where nothing was ever stored in mapped memory, any word at all."""

    def cas_relaxed(self, address: int, expected: int, value: int) -> int:
        """Store `value` if the word is `expected`; the word that was there. At once for all threads. Orders nothing."""

    def cas_release(self, address: int, expected: int, value: int) -> int:
        """As `cas_relaxed`; releases all before it, if it stores."""

    def exchange_relaxed(self, address: int, value: int) -> int:
        """Store `value`; the word that was there. At once for all threads. Orders nothing."""

    def exchange_acquire(self, address: int, value: int) -> int:
        """As `exchange_relaxed`; acquires what whoever stored the word released by it."""

    def copy(self, target: int, source: int, count: int) -> None:
        """Copy `count` >= 0 bytes; both addresses are multiples of 8, the ranges are disjoint."""

    def fill(self, target: int, byte: int, count: int) -> None:
        """Set `count` >= 0 bytes from `target`, a multiple of 8, to `byte` (0..255)."""

    def known_zero(self, target: int, count: int) -> None:
        """Claim that `count` bytes of a mapping were never written, so that they read as zero."""

    def prefetch(self, address: int) -> None:
        """Say that the word at `address`, which may be any, will be asked for soon: nothing changes."""

    def sbrk(self, delta: int) -> int:
        """Move the break by `delta` bytes (0 asks); the old break, or REFUSED and nothing moved.

        The new bytes are mapped, not yet written. A foreigner may move the break at any time but
        between a call with 0 and the negative call that follows it. errno is left alone.
        """

    def mmap(self, length: int) -> int:
        """Map `length` bytes, a positive multiple of the page, zeroed; its address, or REFUSED.

        The address is a multiple of the page. errno is left alone.
        """

    def munmap(self, address: int, length: int) -> int:
        """Unmap whole pages of a mapping, or of several that touch; 0, or REFUSED and nothing changed.

        errno is left alone.
        """

    def remap(self, address: int, length: int, longer: int) -> int:
        """Make `length` bytes at `address`, whole pages of one mapping, `longer`, more whole pages.

        Their address from here on, which may be the same; or REFUSED and nothing changed. What was there is
        there, the new pages are zeroed, and what was left behind is unmapped. errno is left alone.
        """

    def purge(self, address: int, length: int) -> int:
        """Let the system have what whole pages that it gave hold; 0, or REFUSED and nothing changed.

        They stay mapped. Until it is stored again, a word of theirs is what it was, or zero, and no longer
        counts as written. errno is left alone.
        """

    def protect(self, address: int, length: int) -> int:
        """Take whole pages of a mapping all access, until they get it back; 0, or REFUSED and nothing changed.

        errno is left alone.
        """

    def unprotect(self, address: int, length: int) -> int:
        """Give whole pages access again that were purged, and have none since; 0, or REFUSED and nothing changed.

        They are zeroed, as new ones are. errno is left alone.
        """

    def lock(self, mutex: int) -> None:
        """Own the mutex, MUTEX_BYTES at `mutex`, zero when new. Its owner must not lock it again."""

    def unlock(self, mutex: int) -> None:
        """Give up the mutex; only its owner may."""

    def renew(self, mutex: int) -> int:
        """Make the mutex new, in the child of a fork, where the calling thread is alone; not 0 if one owned it."""

    def thread(self) -> int:
        """Address of the calling thread's own storage, zero when the thread starts."""

    def at_thread_end(self) -> None:
        """Ask that the allocator be told when the calling thread ends, by `cache.thread_end`."""

    def statics(self) -> int:
        """Address of the allocator's static storage, zero when the program starts."""

    def set_errno(self, code: int) -> None:
        """Set the calling thread's errno."""

    def show(self, kind: int, address: int, size: int, used: int) -> None:
        """Write a line of the status dump."""

    def abort(self, code: int, address: int) -> int:
        """End the program: the caller misused the heap at `address`. Never returns."""


def operands(name: str) -> tuple[str, ...]:
    """The operands of an operation of the machine."""
    return tuple(signature(getattr(Machine, name)).parameters)[1:]


class Call(NamedTuple):
    """A system call that the allocator made and what it was answered."""

    name: str                       # a key of SYSTEM_CALLS
    arguments: tuple[int, ...]
    answer: int


class MachineFault(HeapsterError):
    """The allocator broke a law of the machine."""

    def __init__(self, code: str, message: str, address: int = 0) -> None:
        super().__init__(message)
        self.code, self.address = code, address


def beside(mappings: Sequence[tuple[int, int]], address: int) -> str:
    """Where an address lies that is in none of the mappings, each [start, end), in words."""
    if not mappings:
        return "and nothing is mapped"
    start, end = min(mappings, key=lambda one: max(one[0] - address, address - one[1]))
    if start <= address < end:
        return f"across the end of the mapping [{start:#x}, {end:#x})"
    away, side = (start - address, "before") if address < start else (address - end, "past")
    return f"{away} byte{'s' * (away != 1)} {side} the mapping [{start:#x}, {end:#x})"


class Aborted(HeapsterError):
    """The allocator noticed misuse and ended the program."""

    def __init__(self, code: int, address: int) -> None:
        super().__init__(f"abort {code} at {address:#x}")
        self.code, self.address = code, address
