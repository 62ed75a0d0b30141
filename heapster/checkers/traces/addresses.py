"""Handles for the addresses that a log of calls names."""

from collections.abc import Sequence

from heapster.checkers.traces.compact import Compact
from heapster.model.operation import NO_HANDLE
from heapster.model.operations import NUMBER
from heapster.wording import counted

FREE, REALLOC, THREAD = (NUMBER[verb] for verb in ("free", "realloc", "thread"))
NULL = 0


class Addresses:
    """A trace that grows by calls whose blocks are known by address.

    A call that was answered NULL is left out: another allocator may serve it, and the program did without.
    """

    def __init__(self) -> None:
        self.trace = Compact()
        self._live: dict[int, int] = {}         # address of a block: its handle
        self._handles = 0
        self._thread = 0
        self._threads: dict[str, int] = {}      # what the log calls a thread: its number
        self._odd = {("free", "of blocks that nobody was seen to allocate"): 0, ("call", "that failed"): 0}
        self._again = 0

    def switch_thread(self, name: str) -> None:
        """The calls from here on are made by the thread of that name; the first to call is thread 0."""
        number = self._threads.setdefault(name, len(self._threads))
        if number != self._thread:
            self._thread = number
            self.trace.add(THREAD, NO_HANDLE, NO_HANDLE, number)

    def allocate(self, verb: str, numbers: Sequence[int], address: int) -> None:
        """A call of malloc's family was answered `address`."""
        if address == NULL:
            self._odd["call", "that failed"] += 1
            return
        self.trace.add(NUMBER[verb], self._born(address), NO_HANDLE, *numbers)

    def allocate_unseen(self, verb: str, numbers: Sequence[int]) -> None:
        """A call was answered an address that the log does not show."""
        self.trace.add(NUMBER[verb], self._fresh(), NO_HANDLE, *numbers)

    def free(self, address: int) -> None:
        """`free(address)` was called."""
        handle = NO_HANDLE if address == NULL else self._live.pop(address, None)
        if handle is None:
            self._odd["free", "of blocks that nobody was seen to allocate"] += 1
        else:
            self.trace.add(FREE, NO_HANDLE, handle)

    def resize(self, old: int, size: int, address: int) -> None:
        """`realloc(old, size)` was answered `address`."""
        if address == NULL and size == 0:
            self.free(old)
        elif address == NULL:
            self._odd["call", "that failed"] += 1
        else:
            operand = self._live.pop(old, NO_HANDLE)
            self.trace.add(REALLOC, self._born(address), operand, size)

    def finish(self, path: str) -> Compact:
        """The trace, with a warning for each kind of call that it could not keep."""
        self.trace.warnings += [f"{path}: {counted(count, call)} {which}: left out"
                                for (call, which), count in self._odd.items() if count]
        if self._again:
            self.trace.warnings.append(f"{path}: {counted(self._again, 'address', 'were')} handed out again without "
                                       "a free between: their first blocks stay allocated")
        return self.trace

    def _born(self, address: int) -> int:
        self._again += address in self._live
        self._live[address] = self._fresh()
        return self._live[address]

    def _fresh(self) -> int:
        self._handles += 1
        return self._handles - 1
