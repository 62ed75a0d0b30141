"""What a heap has shown to have room for, to tell when NULL cannot be for want of memory."""

from collections import Counter
from typing import NamedTuple

from heapster.model.live import Live
from heapster.model.operations import ALIGNING, PAGE_ALIGNING, REQUESTS, requested
from heapster.model.problem import Problem
from heapster.model.spec import Operation, Promises, Result
from heapster.wording import counted

FEW_BYTES = 64                  # that even the smallest heap has at the start
SLOT_BYTES = 8                  # that even the smallest block of a pool has: a link to the next that is free
USUAL_BYTES = 1 << 16           # that a heap has whose limit nobody knows, and which may be an array of its own
NEEDED = 64                     # bytes beside its payload that a block may take
PLAIN = ("malloc", "calloc", "realloc")         # asked when it was learnt
ALIGNED = ALIGNING | PAGE_ALIGNING      # they may need far more than their size
SIZE_CLASS = 16                 # bytes: requests that differ by as much may come from different pools


class _Held(NamedTuple):
    request: int
    taken: int                  # bytes that the block may keep from others: its size may be the next power of two

    @property
    def size_class(self) -> int:
        return -(-self.request // SIZE_CLASS)


class Room:
    """The bytes that live, and the most that ever did."""

    def __init__(self, most: int, merges: bool) -> None:
        self.refused = False            # the system was told to refuse
        self._merges = merges           # it is meant to merge what is free: no pool of equal blocks
        self._most = most               # bytes of the whole heap, 0 if only the system sets a limit
        self._held: dict[int, _Held] = {}
        self._live = self._peak = self._taken = self._largest = self._ever_asked = 0    # bytes
        self._ever = False
        self._alive, self._alive_once = Counter[int](), Counter[int]()      # blocks of each size class

    def note(self, operation: Operation, result: Result, live: Live) -> None:
        """An operation was taken, and the caller holds what is live now."""
        before = 0
        if operation.pointer in self._held and (operation.pointer not in live or operation.pointer == result.pointer):
            before = self._drop(operation.pointer)
        if not result.pointer or operation.verb not in REQUESTS:
            return
        request = requested(operation)
        self._ever, self._largest = True, max(self._largest, request)
        self._ever_asked += 2 * request + NEEDED
        if result.pointer in live:
            in_place = before if operation.pointer == result.pointer else 0     # it may be as large as it was
            self._add(result.pointer, _Held(request, max(in_place, _most_taken(operation, request))))

    def _drop(self, pointer: int) -> int:
        held = self._held.pop(pointer)
        self._live -= held.request
        self._taken -= held.taken
        self._alive[held.size_class] -= 1
        return held.taken

    def _add(self, pointer: int, held: _Held) -> None:
        if pointer in self._held:
            self._drop(pointer)
        self._held[pointer] = held
        self._live += held.request
        self._taken += held.taken
        self._peak = max(self._peak, self._live)
        self._alive[held.size_class] += 1
        self._alive_once[held.size_class] = max(self._alive_once[held.size_class], self._alive[held.size_class])

    def refused_nothing(self, operation: Operation, promises: Promises) -> list[Problem]:
        """NULL for 0 bytes of one that gives a block for them elsewhere, though the heap is all but empty."""
        if promises.zero != "pointer" or operation.verb not in PLAIN or requested(operation) or operation.pointer:
            return []
        if self.refused or 4 * (self._taken + NEEDED) > (self._most or max(self._peak, USUAL_BYTES)):
            return []
        return [Problem("zero_size_inconsistent", f"{operation.verb} of 0 bytes gave NULL, not a block as elsewhere")]

    def spurious(self, operation: Operation) -> list[Problem]:
        """NULL although there must be room."""
        request = requested(operation)
        if self.refused or operation.pointer or request == 0 or operation.verb in ALIGNED:
            return []
        why = self._why_there_is_room(request)
        said = f"{operation.verb} of {counted(request, 'byte')} answers NULL though {why}"
        return [Problem("spurious_null", said)] if why else []

    def _why_there_is_room(self, request: int) -> str:
        if not self._ever and request <= (FEW_BYTES if self._merges or not self._most else SLOT_BYTES):
            return "nothing was ever given"
        if self._has_gap(request):
            blocks = counted(len(self._held), "block") if self._held else "nothing"
            return f"{self._live:,} of the {counted(self._peak, 'byte')} that once were live still are ({blocks})"
        if self._merges and self._ever_asked + 2 * request < self._most // 4:
            return f"mem_sbrk would still have given most of its {counted(self._most, 'byte')}"
        return ""

    def _has_gap(self, request: int) -> bool:
        """Whether a gap must be large enough, if free blocks are used again.

        Live blocks leave at most one gap more than they are: the widest is no less than the mean.
        """
        if not self._held:
            return (self._merges or request <= self._largest) and 2 * request + 256 <= self._peak
        size_class = _Held(request, 0).size_class
        like_it = self._merges or self._alive[size_class] < self._alive_once[size_class]
        gap = (self._peak - self._taken) // (len(self._held) + 1)
        return like_it and request <= self._largest and 2 * request + 256 <= gap


def _most_taken(operation: Operation, request: int) -> int:
    return 2 * request + NEEDED + (operation.numbers[0] if operation.verb in ALIGNING else 0)
