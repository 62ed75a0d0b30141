"""A weak memory: what atomic loads may answer, what stores may come before, and what happens before what.

The model is RC11 (Lahav, Vafeiadis, Kang, Hur and Dreyer, "Repairing sequential consistency in C/C++11", PLDI
2017), as an operational machine: each location keeps its writes in modification order, and a thread's view bounds
from below which of them it may read or write after (Kang and others, "A promising semantics", POPL 2017, without
promises; Luo and Demsky, "C11Tester", ASPLOS 2021). So a load may answer an old write, and a store may come before
another that was made earlier. Two things to know:

- No load buffering: no load answers a store that is yet to come (program order and reads-from have no cycle).
- A release sequence goes on by read-modify-writes only, as in C++20 (P0982): RC11 lets stores of the same thread
  go on with it too.

Who asks picks one of what `readable`, `swappable` or `placeable` answer, newest first, and says so.
"""

from collections.abc import Callable, Sequence

from .orders import ACQUIRE, RELEASE
from .sc_order import AtomicEvent, Clock, Write, has_cycle


class Location:
    """The writes and reads of one location since it was last written plainly."""

    __slots__ = ("read", "seen", "writes", "wrote")

    def __init__(self, threads: int, value: int) -> None:
        self.writes = [Write(0, 0, value, 0, None)]     # in modification order
        self.seen: list[list[tuple[int, Write]]] = [[] for _ in range(threads)]     # by each thread, from which tick on
        self.read: dict[int, int] = {}                  # thread: its tick when it last read
        self.wrote: dict[int, int] = {}

    def floor(self, now: Clock) -> float:
        """The place of the latest write that one who knows as much must know of."""
        latest: float = 0
        for seen, known in zip(self.seen, now, strict=True):
            for tick, write in reversed(seen):
                if tick <= known:
                    latest = max(latest, write.time)
                    break
        return latest

    def see(self, thread: int, tick: int, write: Write) -> None:
        """The thread read or wrote it."""
        seen = self.seen[thread]
        if not seen or seen[-1][1] is not write:
            seen.append((tick, write))

    def put(self, write: Write, after: Write) -> None:
        """Let the write come next after another."""
        place = self.writes.index(after) + 1
        self.writes.insert(place, write)
        for time in range(place, len(self.writes)):
            self.writes[time].time = time


def join(one: Clock, other: Clock | None) -> None:
    """Let who knows one know the other."""
    if other is not None:
        one[:] = map(max, one, other)


class WeakMemory:
    """The atomic locations of a run, and what each of its threads knows.

    `sequential`: whether accesses or fences may be sequentially consistent; that takes an account of all of them.
    """

    def __init__(self, threads: int, sequential: bool = True) -> None:
        self.threads = threads
        self.now: list[Clock] = [[int(t == u) for u in range(threads)] for t in range(threads)]
        self.locations: dict[int, Location] = {}
        self._read: list[Clock] = [[0] * threads for _ in range(threads)]       # an acquire fence would acquire it
        self._fenced: list[Clock | None] = [None] * threads                     # known at the last release fence
        self._sequential = sequential
        self._events: list[AtomicEvent] = []

    def open(self, location: int, value: int) -> Location:
        """The location; new, with this value that all know of, if nothing is kept of it."""
        if location not in self.locations:
            self.locations[location] = Location(self.threads, value)
        return self.locations[location]

    # What may be.

    def readable(self, thread: int, location: int, order: int) -> Sequence[Write]:
        """The writes that a load of the thread may answer, newest first."""
        found = self._from_floor(thread, location)
        return self._consistent(found, lambda write: self._event(thread, location, order, write))

    def placeable(self, thread: int, location: int, order: int) -> Sequence[Write]:
        """The writes that a store of the thread may come next after, newest first."""
        found = [write for write in self._from_floor(thread, location) if not write.swapped]
        return self._consistent(found, lambda write: self._event(thread, location, order, None, write))

    def swappable(self, thread: int, location: int, order: int) -> Sequence[Write]:
        """The writes that a read-modify-write of the thread may read, newest first."""
        found = [write for write in self._from_floor(thread, location) if not write.swapped]
        return self._consistent(found, lambda write: self._event(thread, location, order, write, write))

    def comparable(self, thread: int, location: int, expected: int, order: int, failed: int) -> Sequence[Write]:
        """The writes that a compare-and-swap may read, newest first: it is a load if it finds another value."""
        swaps = {write for write in self.swappable(thread, location, order) if write.value == expected}
        return [write for write in self.readable(thread, location, failed)
                if write.value != expected or write in swaps]

    def _from_floor(self, thread: int, location: int) -> Sequence[Write]:
        """The writes that the thread need not know to be overwritten, newest first."""
        place, now = self.locations[location], self.now[thread]
        newest = place.writes[-1]
        if newest.tick <= now[newest.thread]:
            return [newest]
        floor = place.floor(now)
        return [write for write in reversed(place.writes) if write.time >= floor]

    def _consistent(self, found: Sequence[Write], event: Callable[[Write], AtomicEvent]) -> Sequence[Write]:
        """Those that leave an order for all that is sequentially consistent; the newest does."""
        if len(found) < 2 or not self._sequential:
            return found
        return [found[0], *(write for write in found[1:] if not has_cycle([*self._events, event(write)]))]

    # What is.

    def load(self, thread: int, location: int, write: Write, order: int) -> int:
        """The thread reads what was written there."""
        self._note(self._event(thread, location, order, write))
        self._learn(thread, write, order)
        self.locations[location].see(thread, self._ticked(thread), write)
        self.locations[location].read[thread] = self.now[thread][thread] - 1
        return write.value

    def store(self, thread: int, location: int, value: int, after: Write, order: int) -> bool:
        """The thread writes a value, next after another; whether it is the newest."""
        made = Write(thread, self.now[thread][thread], value, after.time + 0.5, self._released(thread, order))
        self._note(AtomicEvent(thread, self.now[thread].copy(), order, location, None, made))
        return self._put(location, made, after)

    def swap(self, thread: int, location: int, value: int, read: Write, order: int) -> bool:
        """The thread reads a write and puts a value next after it; whether that is the newest."""
        self._learn(thread, read, order)
        released = self._released(thread, order)
        if read.released is not None:
            released = [*map(max, released, read.released)] if released is not None else read.released
        made = Write(thread, self.now[thread][thread], value, read.time + 0.5, released)
        self._note(AtomicEvent(thread, self.now[thread].copy(), order, location, read, made))
        read.swapped = True
        self.locations[location].read[thread] = made.tick
        return self._put(location, made, read)

    def fence(self, thread: int, order: int) -> None:
        """The thread passes a fence."""
        if order & ACQUIRE:
            join(self.now[thread], self._read[thread])
        self._note(AtomicEvent(thread, self.now[thread].copy(), order, None))
        if order & RELEASE:
            self._fenced[thread] = self.now[thread].copy()
        self._ticked(thread)

    def hand_over(self, thread: int) -> Clock:
        """The thread's clock, for others to acquire, as by an unlock."""
        known = self.now[thread].copy()
        self._ticked(thread)
        return known

    # How.

    def _ticked(self, thread: int) -> int:
        now = self.now[thread]
        now[thread] += 1
        return now[thread] - 1

    def _put(self, location: int, made: Write, after: Write) -> bool:
        place = self.locations[location]
        place.put(made, after)
        place.see(made.thread, made.tick, made)
        place.wrote[made.thread] = made.tick
        self._ticked(made.thread)
        return made is place.writes[-1]

    def _learn(self, thread: int, write: Write, order: int) -> None:
        join(self.now[thread] if order & ACQUIRE else self._read[thread], write.released)

    def _released(self, thread: int, order: int) -> Clock | None:
        return self.now[thread].copy() if order & RELEASE else self._fenced[thread]

    def _event(self, thread: int, location: int, order: int, read: Write | None,
               after: Write | None = None) -> AtomicEvent:
        """An access that reads one write, or puts another after one."""
        known = self.now[thread].copy()
        if read is not None and order & ACQUIRE:
            join(known, read.released)
        made = Write(thread, known[thread], 0, after.time + 0.5, None) if after is not None else None
        return AtomicEvent(thread, known, order, location, read, made)

    def _note(self, event: AtomicEvent) -> None:
        if self._sequential:
            self._events.append(event)
