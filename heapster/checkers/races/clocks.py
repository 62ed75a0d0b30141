"""Data races by vector clocks, and cycles in the order of locks.

Accesses are ordered by what each thread does in turn, by a release and the acquisition that follows
it (locks, atomics, hand-overs) and by the start of the threads. Lamport, CACM 21(7), 1978; the epochs
are those of FastTrack: Flanagan and Freund, PLDI 2009, section 3.
"""

from collections.abc import Sequence

from heapster.machine.traced import Broken

Epoch = tuple[int, int]             # a thread, and its own clock when it acted
NEVER: Epoch = (0, 0)


class Clocks:
    """A `traced.Watch` that raises Broken for the first race or lock-order cycle of a run."""

    def __init__(self, threads: int) -> None:
        self._now = [[int(t == u) for u in range(threads)] for t in range(threads)]
        self._released: dict[int, list[int]] = {}
        self._writes: dict[int, Epoch] = {}
        self._reads: dict[int, Epoch] = {}
        self._more_reads: dict[int, dict[int, int]] = {}    # by threads other than that in `_reads`
        self._soft_writes: dict[int, Epoch] = {}            # atomic ones
        self._soft_reads: dict[int, dict[int, int]] = {}
        self._order: dict[int, set[int]] = {}               # mutex: those locked while it was held
        self.turn(0)

    def turn(self, thread: int) -> None:
        """See `Watch.turn`."""
        self._me, self._mine = thread, self._now[thread]
        self._epoch = (thread, self._mine[thread])

    # Order.

    def acquire(self, target: int) -> None:
        """See `Watch.acquire`."""
        released = self._released.get(target)
        if released is not None:
            self._mine[:] = map(max, self._mine, released)

    def release(self, target: int) -> None:
        """See `Watch.release`."""
        self._released[target] = self._mine.copy()
        self._mine[self._me] += 1
        self._epoch = (self._me, self._mine[self._me])

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
        write = self._writes.get(address, NEVER)
        if write[1] > self._mine[write[0]]:
            self._race("reads", "wrote", address, write[0])
        if address in self._soft_writes:
            self._after("reads", "wrote", address, self._soft_writes[address])
        read = self._reads.get(address)
        if read is self._epoch:
            return
        if read is not None and read[1] > self._mine[read[0]]:
            self._more_reads.setdefault(address, {})[read[0]] = read[1]
        self._reads[address] = self._epoch

    def write(self, address: int) -> None:
        """See `Watch.write`."""
        write = self._writes.get(address, NEVER)
        if write[1] > self._mine[write[0]]:
            self._race("writes", "wrote", address, write[0])
        read = self._reads.get(address, NEVER)
        if read[1] > self._mine[read[0]]:
            self._race("writes", "read", address, read[0])
        if address in self._more_reads:
            self._after_all("writes", "read", address, self._more_reads.pop(address))
        if address in self._soft_writes:
            self._after("writes", "wrote", address, self._soft_writes[address])
        if address in self._soft_reads:
            self._after_all("writes", "read", address, self._soft_reads[address])
        self._writes[address] = self._epoch

    def read_atomic(self, address: int) -> None:
        """See `Watch.read_atomic`."""
        self._after("reads", "wrote", address, self._writes.get(address, NEVER))
        self._soft_reads.setdefault(address, {})[self._me] = self._epoch[1]
        self.acquire(address)

    def write_atomic(self, address: int) -> None:
        """See `Watch.write_atomic`."""
        self._after("writes", "wrote", address, self._writes.get(address, NEVER))
        self._after("writes", "read", address, self._reads.get(address, NEVER))
        self._after_all("writes", "read", address, self._more_reads.get(address, {}))
        self._soft_writes[address] = self._epoch
        self.release(address)

    def unmap(self, start: int, end: int) -> None:
        """See `Watch.unmap`: as if every word of it were written; then it is as new."""
        tables = (self._writes, self._reads, self._soft_writes, self._more_reads, self._soft_reads)
        touched = {a for table in tables for a in table if start <= a < end}
        for address in sorted(touched):
            self.write(address)
            for table in tables:
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


