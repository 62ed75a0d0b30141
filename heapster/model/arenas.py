"""The arenas that are open, in the reference, and which thread has which."""

from collections import Counter
from collections.abc import Callable, Iterator

from heapster.model.arena import ArenaState
from heapster.model.free_blocks import Settings
from heapster.model.region import RegionState
from heapster.model.system import System


class Arenas:
    """All arenas, as the calling thread meets them."""

    def __init__(self, settings: Settings, make: Callable[[int], ArenaState]) -> None:
        self.thread = 0                                 # who calls
        self.opened: dict[int, ArenaState] = {}         # by index
        self.attached: Counter[int] = Counter()         # threads of each
        self.of_thread: dict[int, int] = {}             # index, by thread
        self._settings, self._make = settings, make

    def in_order(self) -> list[ArenaState]:
        """Those that are open, by their index."""
        return [arena for _, arena in sorted(self.opened.items())]

    def mine(self) -> ArenaState:
        """The calling thread's arena, open; it gets one when it first needs one, and keeps it."""
        return self.open(self.attach())

    def open(self, index: int) -> ArenaState:
        """The arena of that index."""
        if index not in self.opened:
            self.opened[index] = self._make(index)
        return self.opened[index]

    def attach(self) -> int:
        """Index of the calling thread's arena, which need not be open."""
        index = self.of_thread.get(self.thread)
        if index is None:
            index = min(range(self._settings.arena_limit), key=lambda i: self.attached[i])
            self.of_thread[self.thread] = index
            self.attached[index] += 1
        return index

    def detach(self) -> None:
        """The calling thread has no arena any more."""
        index = self.of_thread.pop(self.thread, None)
        if index is not None:
            self.attached[index] -= 1

    def detach_others(self) -> dict[int, int]:
        """No other thread has one any more: which each had."""
        others = {thread: self.of_thread.pop(thread) for thread in [*self.of_thread] if thread != self.thread}
        self.attached = Counter(self.of_thread.values())
        return others

    def close(self, system: System, unmap: Callable[[System, int, int], None]) -> Iterator[tuple[int, int]]:
        """Give all regions back, newest first, by `unmap` or to the break; the pieces that the break keeps are told."""
        for arena in self.in_order():
            for region in arena.regions:
                if region.kind == "mmap":
                    unmap(system, region.start, region.end)
                elif region is not arena.top or not _returned_to_the_break(system, region, arena.brk):
                    yield region.start, region.end
        self.opened.clear()


def _returned_to_the_break(system: System, top: RegionState, brk: int) -> bool:
    return system.sbrk(0) == brk and system.sbrk(top.start - top.end) == brk
