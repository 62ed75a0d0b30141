"""The simulated machine with threads that take turns: a switch point before every shared access.

Threads are greenlets. Whoever runs meets a *switch point* before each load, store, copy, fill, lock,
unlock and system call that others could notice; `steps` counts them over all threads. At points that
synchronise (locks, atomics, system calls, waits) the machine asks its `Chooser` who goes on; at plain
accesses it asks only when `steps` has come to `stop`. A `Watch` hears of every access, so that
nothing is missed where nobody was asked.

Atomic accesses meet a weak memory (`weak_memory`): where an access may meet more than the newest write, the `Chooser`
picks one. Plain ones need no choice: of what they could read but the newest, all would be data races.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from greenlet import getcurrent, greenlet

from heapster.results import HeapsterError

from .checked_memory import OUTSIDE, STATICS, STATICS_BYTES, THREAD_BYTES, THREADS, WORD, WORD_MAX, WORD_MIN
from .orders import ATOMICS
from .sc_order import Write
from .simulated import BREAK, Simulated
from .watch import Chooser, Watch

STEP_LIMIT = 1 << 17            # no run that ends is as long; as `stop`: plain accesses are passed over
NOBODY = -1                     # as the thread that arrives: it has ended
BREAK_OBJECT = 1                # what sbrk synchronises on; no address is as low
MAPPINGS_OBJECT = 2             # what mmap, munmap and remap synchronise on
FORK_OBJECT = 3                 # what a fork synchronises on: it sees all memory and all locks
WAIT_OBJECT = 16                # from here: what threads wait for, by key

READS = frozenset({"load", "wait", *(name for name, atomic in ATOMICS.items() if atomic.kind == "load")})


class Broken(HeapsterError):
    """The threads broke a law of concurrency; `code` names it."""

    def __init__(self, code: str, message: str, address: int = 0, other: int = NOBODY) -> None:
        super().__init__(message)
        self.code, self.message, self.address, self.other = code, message, address, other


class Segment(NamedTuple):
    """A stretch of switch points passed by one thread."""

    thread: int
    points: int | None          # how many; None: until it ended or had to wait


class Old(NamedTuple):
    """An atomic access that met another write than the newest."""

    question: int               # which of those that could: from 1
    back: int                   # which of what it could meet, counted back from the newest


def _arriving(name: str, target: int) -> Any:
    """The call of the system of that name, at a switch point."""
    def call(self: "Traced", *words: int) -> Any:
        self.arrive(name, target)
        return getattr(Simulated, name)(self, *words)
    return call


class Traced(Simulated):
    """A simulated machine whose threads interleave; it starts as a copy of `base`, at rest."""

    def __init__(self, base: Simulated, threads: int, chooser: Chooser, watch: Watch) -> None:
        self.chooser, self.watch = chooser, watch
        self._errnos = [0] * threads
        vars(self).update(base.state())
        self.changed.clear()                                # from here on: words that differ from the base's
        self.steps = 0
        self.stop = STEP_LIMIT
        self.begun = 0                                      # step at which the running thread took over
        self.segments: list[Segment] = []
        self.questions = 0                                  # atomic accesses that could meet more than the newest write
        self.old: list[Old] = []                            # of them, those that did
        self.back = 0                                       # of the last one: how far back from the newest
        self.pending: list[tuple[str, int]] = [("start", 0)] * threads
        self.live = set(range(threads))
        self.known: set[int] = set()                        # what waits are over for
        self.entered = [0] * threads                        # step of the first access of each thread's call
        self._fibers: list[Any] = []
        self._read, self._write = watch.read, watch.write

    @property
    def errno(self) -> int:
        """The running thread's errno."""
        return self._errnos[self.running]

    @errno.setter
    def errno(self, code: int) -> None:
        self._errnos[self.running if "running" in vars(self) else 0] = code

    # Threads.

    def run(self, bodies: Sequence[Callable[[], None]]) -> None:
        """Run the threads until all have ended; Broken if those that have not can never go on."""
        hub = getcurrent()
        self._fibers = [greenlet(body, hub) for body in bodies]
        self._hand_to(self.chooser.choose(self, NOBODY, "start", 0))
        while True:
            self._fibers[self.running].switch()
            self.live.discard(self.running)
            self._close_segment(None)
            if not self.live:
                return
            if not self.enabled():
                raise self.deadlock()
            self._hand_to(self.chooser.choose(self, NOBODY, "end", 0))

    def enabled(self) -> list[int]:
        """The threads that could go on, in order."""
        return [thread for thread in sorted(self.live) if self.may_go(thread)]

    def may_go(self, thread: int) -> bool:
        """Whether nothing that the thread waits for is missing."""
        kind, target = self.pending[thread]
        if kind == "lock":
            return target not in self.owners
        return kind != "wait" or target in self.known

    def deadlock(self) -> Broken:
        """The error to raise when no thread can go on."""
        waits = [f"thread {t} waits for {self._awaited(t)}" for t in sorted(self.live)]
        stuck = min(self.live)
        return Broken("deadlock", "; ".join(waits), self.pending[stuck][1])

    def _awaited(self, thread: int) -> str:
        kind, target = self.pending[thread]
        if kind == "lock":
            return f"the mutex at {target:#x} of thread {self.owners[target]}"
        return "what another thread never gave it"

    def arrive(self, kind: str, target: int) -> None:
        """The running thread is about to do something that others could notice."""
        if self.steps >= STEP_LIMIT:
            raise Broken("fault_hang", f"no end after {self.steps} accesses of all threads")
        me = self.running
        self.pending[me] = (kind, target)
        chosen = self.chooser.choose(self, me, kind, target)
        if chosen != me:
            at_entry = self.steps == self.entered[me]
            self._close_segment(self.steps - self.begun if self.may_go(me) else None)
            self._hand_to(chosen)
            self._fibers[chosen].switch()
            if at_entry:
                self.entered[me] = self.steps
        self.steps += 1

    def enter(self) -> None:
        """The running thread begins a call; until its first access, that has not begun for others."""
        self.entered[self.running] = self.steps

    def _hand_to(self, thread: int) -> None:
        self.running = thread
        self.begun = self.steps
        self.watch.turn(thread)

    def _close_segment(self, points: int | None) -> None:
        self.segments.append(Segment(self.running, points))

    def wait(self, key: int) -> None:
        """The running thread goes on only after `announce(key)`."""
        target = WAIT_OBJECT + key
        self.arrive("wait", target)
        self.watch.acquire(target)

    def announce(self, key: int) -> None:
        """Those that wait for `key` may go on."""
        self.known.add(WAIT_OBJECT + key)
        self.watch.release(WAIT_OBJECT + key)

    # Memory. The caller's own words are private: no switch point, no watch.

    def load(self, address: int) -> int:
        """See `Machine.load`."""
        if OUTSIDE <= address < BREAK:
            return super().load(address)
        if self.steps == self.stop:
            self.arrive("load", address)
        else:
            self.steps += 1
        self._read(address)
        try:
            return self.words[address]
        except KeyError:
            return self._load_unwritten(address)

    def store(self, address: int, value: int) -> None:
        """See `Machine.store`."""
        if not OUTSIDE <= address < BREAK:
            if self.steps == self.stop:
                self.arrive("store", address)
            else:
                self.steps += 1
            self._write(address)
        if address in self.words and WORD_MIN <= value <= WORD_MAX:
            self.words[address] = value
            self.changed.add(address)
        else:
            super().store(address, value)

    def load_any(self, address: int) -> int:
        """See `Machine.load_any`."""
        if self.peek(address) is not None:
            return self.load(address)
        self._plain("load", address)
        return super().load_any(address)

    def load_relaxed(self, address: int) -> int:
        """See `Machine.load_relaxed`."""
        return self._load("load_relaxed", address)

    def load_acquire(self, address: int) -> int:
        """See `Machine.load_acquire`."""
        return self._load("load_acquire", address)

    def store_relaxed(self, address: int, value: int) -> None:
        """See `Machine.store_relaxed`."""
        self._store("store_relaxed", address, value)

    def store_release(self, address: int, value: int) -> None:
        """See `Machine.store_release`."""
        self._store("store_release", address, value)

    def cas_relaxed(self, address: int, expected: int, value: int) -> int:
        """See `Machine.cas_relaxed`."""
        return self._cas("cas_relaxed", address, expected, value)

    def cas_release(self, address: int, expected: int, value: int) -> int:
        """See `Machine.cas_release`."""
        return self._cas("cas_release", address, expected, value)

    def exchange_relaxed(self, address: int, value: int) -> int:
        """See `Machine.exchange_relaxed`."""
        return self._exchange("exchange_relaxed", address, value)

    def exchange_acquire(self, address: int, value: int) -> int:
        """See `Machine.exchange_acquire`."""
        return self._exchange("exchange_acquire", address, value)

    def _load(self, name: str, address: int) -> int:
        self.arrive(name, address)
        order = ATOMICS[name].order
        return self.watch.load(address, self._met(self.watch.may_read(address, order, super().load(address))), order)

    def _store(self, name: str, address: int, value: int) -> None:
        self.arrive(name, address)
        order = ATOMICS[name].order
        after = self._met(self.watch.may_write(address, order, self.words.get(address, 0)))
        if self.watch.store(address, value, after, order):
            super().store(address, value)

    def _cas(self, name: str, address: int, expected: int, value: int) -> int:
        """One switch point; a swap that fails only reads."""
        self.arrive(name, address)
        orders = (ATOMICS[name].order, ATOMICS[name].failed)
        found = self._met(self.watch.may_swap(address, orders, super().load(address), expected))
        if found.value != expected:
            return self.watch.load(address, found, orders[1])
        self._swap(address, value, found, orders[0])
        return expected

    def _exchange(self, name: str, address: int, value: int) -> int:
        """One switch point."""
        self.arrive(name, address)
        order = ATOMICS[name].order
        found = self._met(self.watch.may_swap(address, (order, order), super().load(address), None))
        self._swap(address, value, found, order)
        return found.value

    def _swap(self, address: int, value: int, found: Write, order: int) -> None:
        if self.watch.swap(address, value, found, order):
            super().store(address, value)

    def _met(self, writes: Sequence[Write]) -> Write:
        """The write that an access meets, of those that it may."""
        self.back = 0
        if len(writes) > 1:
            self.questions += 1
            self.back = self.chooser.pick(self, len(writes))
        if self.back:
            self.old.append(Old(self.questions, self.back))
        return writes[self.back]

    def copy(self, target: int, source: int, count: int) -> None:
        """See `Machine.copy`: one switch point."""
        self._plain("copy", target)
        for address in () if OUTSIDE <= source < BREAK else range(source, source + count, WORD):
            self._read(address)
        self._write_range(target, count)
        super().copy(target, source, count)

    def fill(self, target: int, byte: int, count: int) -> None:
        """See `Machine.fill`: one switch point."""
        self._plain("fill", target)
        self._write_range(target, count)
        super().fill(target, byte, count)

    def _plain(self, kind: str, address: int) -> None:
        if OUTSIDE <= address < BREAK:
            return
        if self.steps == self.stop:
            self.arrive(kind, address)
        else:
            self.steps += 1

    def _write_range(self, start: int, count: int) -> None:
        if count > 0 and not OUTSIDE <= start < BREAK:
            self.watch.write_range(start, count)

    # The system.

    sbrk = _arriving("sbrk", BREAK_OBJECT)
    mmap = _arriving("mmap", MAPPINGS_OBJECT)
    munmap = _arriving("munmap", MAPPINGS_OBJECT)
    remap = _arriving("remap", MAPPINGS_OBJECT)
    unprotect = _arriving("unprotect", MAPPINGS_OBJECT)

    def new_thread(self) -> None:
        """See `Simulated.new_thread`: to others, as if the old thread's storage were given back."""
        self.watch.unmap(self.thread(), self.thread() + THREAD_BYTES)
        self.changed.update(range(self.thread(), self.thread() + THREAD_BYTES, WORD))
        super().new_thread()

    def purge(self, address: int, length: int) -> int:
        """See `Machine.purge`: as if it wrote."""
        self.arrive("purge", MAPPINGS_OBJECT)
        self._write_range(address, length)
        return super().purge(address, length)

    def protect(self, address: int, length: int) -> int:
        """See `Machine.protect`: as if it unmapped."""
        self.arrive("protect", MAPPINGS_OBJECT)
        self.watch.unmap(address, address + length)
        return super().protect(address, length)

    def _forget(self, start: int, end: int) -> None:
        self.watch.unmap(start, end)
        super()._forget(start, end)

    # Locks.

    def lock(self, mutex: int) -> None:
        """See `Machine.lock`; waits while another thread owns it."""
        self._check_mutex("lock", mutex)
        me = self.running
        if self.owners.get(mutex) == me:
            raise Broken("fault_relock", f"thread {me} locks the mutex at {mutex:#x}, which it already owns", mutex)
        self.watch.locked(mutex, [m for m, owner in self.owners.items() if owner == me])
        self.arrive("lock", mutex)
        self.owners[mutex] = me
        self.watch.acquire(mutex)

    def unlock(self, mutex: int) -> None:
        """See `Machine.unlock`."""
        self.arrive("unlock", mutex)
        owner = self.owners.get(mutex)
        if owner != self.running:
            whose = "which nobody owns" if owner is None else f"which thread {owner} owns"
            what = f"thread {self.running} unlocks the mutex at {mutex:#x}, {whose}"
            raise Broken("fault_stranger_unlock", what, mutex)
        super().unlock(mutex)
        self.watch.release(mutex)

    # For onlookers.

    def at_rest(self) -> Simulated:
        """The same memory, without switch points."""
        return _as_simulated(vars(self))

    def let_go(self) -> None:
        """End the threads that have not ended."""
        self._fibers.clear()

    def finished_segments(self) -> list[Segment]:
        """The schedule that was run, to its end."""
        return [*self.segments, Segment(self.running, None)] if self.live else self.segments


def _as_simulated(state: dict[str, Any]) -> Simulated:
    still = Simulated.__new__(Simulated)
    vars(still).update(state, errno=0)
    return still


def forked(m: Simulated) -> Simulated:
    """The machine of a child forked now: the same memory and locks, and the running thread alone."""
    return _as_simulated(m.state())


assert WAIT_OBJECT < STATICS < STATICS + STATICS_BYTES <= THREADS < OUTSIDE
