"""The C library of this process: what the process machine calls, and the break that both move."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from .protocol import REFUSED

PAGE = 4096
PROT_NONE = 0
PROT_READ_WRITE = 1 | 2                 # the same on every Linux, as are the next
MAP_PRIVATE_ANONYMOUS = 0x02 | 0x20
MAP_NORESERVE = 0x4000
LARGE = 1 << 30
MADV_DONTNEED = 4
MREMAP_MAYMOVE = 1
HEADROOM = 1 << 15                      # bytes; see `Break.fall`


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    word, number = ctypes.c_ssize_t, ctypes.c_int
    signatures: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "sbrk": (word, (word,)),
        "mmap": (word, (word, word, number, number, number, word)),
        "munmap": (number, (word, word)),
        "mremap": (word, (word, word, word, number)),
        "madvise": (number, (word, word, number)),
        "mprotect": (number, (word, word, number)),
        "malloc": (word, (word,)),
        "free": (None, (word,)),
        "pthread_mutex_lock": (number, (word,)),
        "pthread_mutex_unlock": (number, (word,)),
    }
    for name, (answer, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = answer, arguments
    return library


LIBC = _load()

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3     # mallopt(3)
MOST_KEPT, LARGEST_KEPT = 1 << 28, 1 << 25      # bytes


def keep_freed_memory() -> None:
    """Let this process keep what it frees: to give pages back and take them again is the system's time."""
    LIBC.mallopt(M_TRIM_THRESHOLD, MOST_KEPT)
    LIBC.mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)


@contextmanager
def errno_kept() -> Iterator[None]:
    """Restore errno after the calls within."""
    errno = ctypes.get_errno()
    try:
        yield
    finally:
        ctypes.set_errno(errno)


class BreakPiece(NamedTuple):
    """Memory that a raised break brought."""

    start: int
    end: int
    ours: bool              # the allocator's; else a foreigner's who shares its machine


class Break:
    """The break of this process, and which pieces below it were got through this object."""

    def __init__(self) -> None:
        self.pieces: list[BreakPiece] = []

    def now(self) -> int:
        """Where the break is; the next moment it may be elsewhere."""
        at: int = LIBC.sbrk(0)
        return at

    def rise(self, delta: int, ours: bool) -> int:
        """Raise the break by `delta` >= 0; the old break, or REFUSED."""
        old: int = LIBC.sbrk(delta)
        if old != REFUSED and delta:
            last = self.pieces[-1] if self.pieces else None
            start = old
            if last and last.end == old and last.ours is ours:
                start = self.pieces.pop().start
            self.pieces.append(BreakPiece(start, old + delta, ours))
        return old

    def fall(self, extra: int, ours: bool) -> int:
        """Lower the break by `extra`; the old break, or REFUSED if not all of that is the caller's.

        No call of the C library looks and lowers in one. Freeing a block first leaves it enough to
        serve the interpreter from, so that it does not move the break between the two calls.
        """
        LIBC.free(LIBC.malloc(HEADROOM))
        now = self.now()
        if not self._is_last(now - extra, now, ours):
            return REFUSED
        LIBC.sbrk(-extra)
        last = self.pieces.pop()
        if last.start < now - extra:
            self.pieces.append(last._replace(end=now - extra))
        return now

    def _is_last(self, start: int, end: int, ours: bool) -> bool:
        if not self.pieces:
            return False
        last = self.pieces[-1]
        return last.ours is ours and last.start <= start and last.end == end

    def disown(self) -> None:
        """Give our pieces to a foreigner."""
        pieces, self.pieces = self.pieces, []
        for piece in pieces:
            start = piece.start
            if self.pieces and self.pieces[-1].end == start:
                start = self.pieces.pop().start
            self.pieces.append(BreakPiece(start, piece.end, ours=False))

    def close(self) -> int:
        """Give back what can be given back; bytes that must stay, as someone's memory lies above."""
        self.disown()
        while self.pieces:
            last = self.pieces[-1]
            if self.fall(last.end - last.start, ours=False) == REFUSED:
                break
        for piece in self.pieces:
            _discard(piece.start, piece.end)
        return sum(piece.end - piece.start for piece in self.pieces)


def _discard(start: int, end: int) -> None:
    """Let the system have the pages behind [start, end); the addresses stay taken."""
    first = start + -start % PAGE
    if first < end - end % PAGE:
        LIBC.madvise(first, end - end % PAGE - first, MADV_DONTNEED)


def map_pages(length: int) -> int:
    """`length` bytes of new pages, or REFUSED; of more than a GiB few are used, and nothing is kept for the others."""
    flags = MAP_PRIVATE_ANONYMOUS | MAP_NORESERVE * (length > LARGE)
    with errno_kept():
        start: int = LIBC.mmap(0, length, PROT_READ_WRITE, flags, -1, 0)
    return start


def remap_pages(start: int, length: int, longer: int) -> int:
    """Where those pages and more are from here on, or REFUSED."""
    with errno_kept():
        answer: int = LIBC.mremap(start, length, longer, MREMAP_MAYMOVE)
    return answer


def purge_pages(start: int, length: int) -> int:
    """0, or REFUSED and nothing changed."""
    with errno_kept():
        answer: int = LIBC.madvise(start, length, MADV_DONTNEED)
    return answer


def protect_pages(start: int, length: int) -> int:
    """Take them all access; 0, or REFUSED and nothing changed."""
    with errno_kept():
        answer: int = LIBC.mprotect(start, length, PROT_NONE)
    return answer


def unprotect_pages(start: int, length: int) -> int:
    """Give them access again; 0, or REFUSED and nothing changed."""
    with errno_kept():
        answer: int = LIBC.mprotect(start, length, PROT_READ_WRITE)
    return answer


def unmap_pages(start: int, length: int) -> int:
    """0, or REFUSED and nothing changed."""
    with errno_kept():
        answer: int = LIBC.munmap(start, length)
    return answer
