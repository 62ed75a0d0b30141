"""Data races by vector clocks, and cycles in the order of locks.

Accesses are ordered by what each thread does in turn, by a release and the acquisition that follows
it (locks, hand-overs, atomics as their orders say: `weak_memory`) and by the start of the threads.
Lamport, CACM 21(7), 1978; the epochs are those of FastTrack: Flanagan and Freund, PLDI 2009, section 3.
"""

from collections.abc import Sequence
from typing import Any

from heapster.machine.checked_memory import WORD
from heapster.machine.orders import ATOMICS, SEQUENTIAL
from heapster.machine.sc_order import Clock, Write
from heapster.machine.traced import Broken
from heapster.machine.weak_memory import Location, WeakMemory, join

Epoch = tuple[int, int]             # a thread, and its own clock when it acted
NEVER: Epoch = (0, 0)
USES_SEQUENTIAL = any(atomic.order & SEQUENTIAL for atomic in ATOMICS.values())


class Clocks:
    """A `traced.Watch` that raises Broken for the first race or lock-order cycle of a run."""

    def __init__(self, threads: int) -> None:
        self._memory = WeakMemory(threads, USES_SEQUENTIAL)
        self._atomic: dict[int, Location] = self._memory.locations
        self._released: dict[int, Clock] = {}
        self._writes: dict[int, Epoch] = {}
        self._reads: dict[int, Epoch] = {}
        self._more_reads: dict[int, dict[int, int]] = {}    # by threads other than that in `_reads`
        self._tables: tuple[dict[int, Any], ...] = (self._writes, self._reads, self._more_reads, self._atomic)
        self._order: dict[int, set[int]] = {}               # mutex: those locked while it was held
        self.turn(0)

    def turn(self, thread: int) -> None:
        """See `Watch.turn`."""
        self._me, self._mine = thread, self._memory.now[thread]
        self._epoch = (thread, self._mine[thread])

    # Order.

    def acquire(self, target: int) -> None:
        """See `Watch.acquire`."""
        join(self._mine, self._released.get(target))

    def release(self, target: int) -> None:
        """See `Watch.release`."""
        self._released[target] = self._memory.hand_over(self._me)
        self.turn(self._me)

    def locked(self, mutex: int, held: Sequence[int]) -> None:
        """See `Watch.locked`; Broken if elsewhere the locks nest the other way round."""
        if not held:
            return
        for outer in held:
            self._order.setdefault(outer, set()).add(mutex)
        inner = self._reached(mutex, frozenset(held))
        if inner is not None:
            raise Broken("lock_order", f"the mutex at {mutex:#x} is locked inside that at {inner:#x}, "
                                       "and the other way round elsewhere", mutex)

    def _reached(self, start: int, goals: frozenset[int]) -> int | None:
        """The first of the goals that is locked, at any depth, inside `start`."""
        todo, seen = [start], {start}
        while todo:
            for inner in sorted(self._order.get(todo.pop(), ())):
                if inner in goals:
                    return inner
                if inner not in seen:
                    seen.add(inner)
                    todo.append(inner)
        return None

    # Accesses.

    def read(self, address: int) -> None:
        """See `Watch.read`."""
        read = self._reads.get(address)
        if read is self._epoch:                             # nobody else has run since
            return
        write = self._writes.get(address, NEVER)
        if write[1] > self._mine[write[0]]:
            self._race("reads", "wrote", address, write[0])
        if address in self._atomic:
            self._after_all("reads", "wrote", address, self._atomic[address].wrote)
        if read is not None and read[1] > self._mine[read[0]]:
            self._more_reads.setdefault(address, {})[read[0]] = read[1]
        self._reads[address] = self._epoch

    def write(self, address: int) -> None:
        """See `Watch.write`."""
        write = self._writes.get(address, NEVER)
        if write is self._epoch:                            # nobody else has run since
            return
        if write[1] > self._mine[write[0]]:
            self._race("writes", "wrote", address, write[0])
        read = self._reads.get(address, NEVER)
        if read[1] > self._mine[read[0]]:
            self._race("writes", "read", address, read[0])
        if address in self._more_reads:
            self._after_all("writes", "read", address, self._more_reads.pop(address))
        if address in self._atomic:
            self._after_all("writes", "wrote", address, self._atomic[address].wrote)
            self._after_all("writes", "read", address, self._atomic.pop(address).read)
        self._writes[address] = self._epoch

    def write_range(self, start: int, count: int) -> None:
        """See `Watch.write_range`: one by one where somebody was before."""
        for address in self._touched(start, start + count):
            self.write(address)
        self._writes.update(dict.fromkeys(range(start, start + count, WORD), self._epoch))

    def _touched(self, start: int, end: int) -> list[int]:
        """The addresses in [start, end) that anything is known of, ascending."""
        some = range(start + -start % WORD, end, WORD)
        return sorted({a for table in self._tables for a in (
            filter(some.__contains__, table) if len(table) < len(some) else filter(table.__contains__, some))})

    # Atomic accesses.

    def may_read(self, address: int, order: int, value: int) -> Sequence[Write]:
        """See `Watch.may_read`."""
        self._open(address, value, "reads")
        return self._memory.readable(self._me, address, order)

    def may_write(self, address: int, order: int, value: int) -> Sequence[Write]:
        """See `Watch.may_write`."""
        self._open(address, value, "writes")
        return self._memory.placeable(self._me, address, order)

    def may_swap(self, address: int, orders: tuple[int, int], value: int, expected: int | None) -> Sequence[Write]:
        """See `Watch.may_swap`."""
        self._open(address, value, "reads")
        if expected is None:
            return self._memory.swappable(self._me, address, orders[0])
        return self._memory.comparable(self._me, address, expected, *orders)

    def _open(self, address: int, value: int, verb: str) -> None:
        self._after(verb, "wrote", address, self._writes.get(address, NEVER))
        self._memory.open(address, value)

    def load(self, address: int, write: Write, order: int) -> int:
        """See `Watch.load`."""
        value = self._memory.load(self._me, address, write, order)
        self.turn(self._me)
        return value

    def store(self, address: int, value: int, after: Write, order: int) -> bool:
        """See `Watch.store`."""
        self._expect_no_reader(address)
        newest = self._memory.store(self._me, address, value, after, order)
        self.turn(self._me)
        return newest

    def swap(self, address: int, value: int, found: Write, order: int) -> bool:
        """See `Watch.swap`."""
        self._expect_no_reader(address)
        newest = self._memory.swap(self._me, address, value, found, order)
        self.turn(self._me)
        return newest

    def _expect_no_reader(self, address: int) -> None:
        """Broken if a plain read of the word is not before what is about to be written."""
        self._after("writes", "read", address, self._reads.get(address, NEVER))
        self._after_all("writes", "read", address, self._more_reads.get(address, {}))

    def unmap(self, start: int, end: int) -> None:
        """See `Watch.unmap`: as if every word of it were written; then it is as new."""
        for address in self._touched(start, end):
            self.write(address)
            for table in self._tables:
                table.pop(address, None)

    def _after(self, verb: str, earlier: str, address: int, epoch: Epoch) -> None:
        if epoch[1] > self._mine[epoch[0]]:
            self._race(verb, earlier, address, epoch[0])

    def _after_all(self, verb: str, earlier: str, address: int, epochs: dict[int, int]) -> None:
        for epoch in epochs.items():
            self._after(verb, earlier, address, epoch)

    def _race(self, verb: str, earlier: str, address: int, other: int) -> None:
        raise Broken("data_race", f"thread {self._me} {verb} the word at {address:#x} that thread {other} "
                                  f"{earlier}, and nothing orders the two", address, other)


