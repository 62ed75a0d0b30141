"""No data race on any heap: each access of a call is one that may meet whatever other threads do to that word.

Words are of these kinds, and no more than this is ever done to them:

- what an arena has, its record, its regions and its blocks, is accessed under its lock; but
- a used block's owner, its caller or its bin, has the payload for itself, and reads the header atomically without the
  lock: so who has the lock writes to the header of a block of others atomically;
- settings and remote lists are accessed atomically alone;
- a thread's own storage and the key are as `OwningThread` has them.

So of two threads that keep to it no two accesses conflict of which one is plain (C11, 5.1.2.4). And a call may rely on
no more than others leave to it: of a header that it reads without the lock only whether the left neighbour is used may
change meanwhile, and it reads either.
"""

from typing import Any

from heapster.checkers.proofs.any_heap import AnyHeap
from heapster.checkers.proofs.heap_clauses import MetBlock
from heapster.checkers.proofs.layout_spec import ARENA_RECORD, PAYLOAD, PREV_USED, STATICS, WORD
from heapster.checkers.proofs.owned import OwningThread
from heapster.machine.symbolic import form_of

SETTINGS = ("policy", "threshold", "growth", "cache")

RACES_WITH_NOBODY = "no access conflicts with what others may do meanwhile, but where both are atomic"
TAKES_EFFECT_AT_ONCE = ("all that it changes of what the lock guards it changes in one critical section: there it is "
                        "linearized")


class ThreadWithLock(OwningThread):
    """The machine as a thread uses it that calls where one lock guards all that the record behind it leads to."""

    def __init__(self, m: Any, record: Any, *blocks: tuple[Any, Any]) -> None:
        """See `OwningThread`; all is put that the thread's storage has in the proof."""
        super().__init__(m, *blocks)
        self._record = record
        self._atomic = {form_of(record + ARENA_RECORD["remote"]), *(
            form_of(m.statics() + STATICS[name]) for name in SETTINGS)}
        self._own = {id(cell) for cell in m.cells if self._lies_in(
            cell.address, WORD, (*self._storage, *self._constant))}
        self.sections = 0               # critical sections in which it changed what the record leads to
        self._is_changed = False        # whether it did in this one

    def own(self, p: Any, size: Any) -> None:
        """The thread has got a block of `size` bytes with this payload."""
        self._blocks.append((p, size - PAYLOAD))

    # What a heap says of its words. Of a word that was accessed there is a cell, so that no path parts here.

    def _is_header_of_others(self, address: Any) -> bool:
        """Whether others may be reading the word atomically without the lock."""
        return False

    def _may_look(self, address: Any) -> bool:
        """Whether the thread may read the word atomically without the lock."""
        return False

    def _looked(self, address: Any, word: Any) -> Any:
        """What it reads so, where others may change the word meanwhile."""
        return word

    # What may be accessed, and how.

    def _has_lock(self) -> bool:
        return any(form_of(mutex) == form_of(self._record) for mutex in self._m.held)

    def _is_guarded(self, address: Any) -> bool:
        return form_of(address) not in self._atomic and id(self._m.find(address)) not in self._own

    def _plainly(self, address: Any, writes: bool) -> None:
        """Note a plain access that others may race with."""
        if not self._has_lock() or not self._is_guarded(address):
            (self._writes if writes else self._reads)(address)
        elif writes:
            self._is_changed = True
            if self._is_header_of_others(address):
                self.strays.append(address)

    def _atomically(self, address: Any, writes: bool) -> None:
        """Note an atomic access to what others access plainly."""
        if not self._is_guarded(address):
            if writes and self._lies_in(address, WORD, self._constant):
                self.strays.append(address)
        elif self._has_lock():
            self._is_changed = self._is_changed or writes
        elif writes or not self._may_look(address):
            self.strays.append(address)

    # The accesses.

    def load(self, address: Any) -> Any:
        """See `Machine.load`."""
        word = self._m.load(address)
        self._plainly(address, writes=False)
        return word

    load_any = load

    def store(self, address: Any, value: Any) -> None:
        """See `Machine.store`."""
        self._m.store(address, value)
        self._plainly(address, writes=True)

    def load_relaxed(self, address: Any) -> Any:
        """See `Machine.load_relaxed`."""
        word = self._m.load_relaxed(address)
        self._atomically(address, writes=False)
        return word if self._has_lock() else self._looked(address, word)

    load_acquire = load_relaxed

    def store_relaxed(self, address: Any, value: Any) -> None:
        """See `Machine.store_relaxed`."""
        self._m.store_relaxed(address, value)
        self._atomically(address, writes=True)

    store_release = store_relaxed

    def exchange_acquire(self, address: Any, value: Any) -> Any:
        """See `Machine.exchange_acquire`."""
        found = self._m.exchange_acquire(address, value)
        self._atomically(address, writes=True)
        return found

    def cas_release(self, address: Any, expected: Any, value: Any) -> Any:
        """See `OwningThread.cas_release`."""
        found = super().cas_release(address, expected, value)
        self._atomically(address, writes=True)
        return found

    def unlock(self, mutex: Any) -> None:
        """See `Machine.unlock`."""
        self._m.unlock(mutex)
        if not self._has_lock():
            self.sections += self._is_changed
            self._is_changed = False


def check_locks(path: Any, caller: ThreadWithLock, name: str, where: str = "") -> None:
    """What is claimed of a call, as other threads see it."""
    path.claim(f"{name}_races_with_nobody{where}", lambda: not caller.strays, caller.races)
    path.claim(f"{name}_takes_effect_at_once{where}", lambda: caller.sections <= 1)


def claims_of_locks(name: str, where: str = "") -> dict[str, str]:
    """The claims of `check_locks`."""
    return {f"{name}_races_with_nobody{where}": RACES_WITH_NOBODY,
            f"{name}_takes_effect_at_once{where}": TAKES_EFFECT_AT_ONCE}


class LockingThread(ThreadWithLock):
    """And one that calls on any heap of an arena."""

    def __init__(self, heap: AnyHeap, *blocks: tuple[Any, Any]) -> None:
        """See `OwningThread`."""
        super().__init__(heap.m, heap.arena, *blocks)
        self.heap = heap

    def _in_hand(self, address: Any) -> MetBlock | None:
        """The block that the caller handed over, if this is its header."""
        in_hand = self.heap.in_hand
        return in_hand if in_hand is not None and self._m.find(address).address is in_hand.b else None

    def _is_header_of_others(self, address: Any) -> bool:
        where = self._m.find(address).address
        return self._in_hand(address) is None and any(
            where is seen.b and seen.used and not seen.is_fence for seen in self.heap.seen)

    def _may_look(self, address: Any) -> bool:
        return self._in_hand(address) is not None

    def _looked(self, address: Any, word: Any) -> Any:
        """Of a header in hand: as the owner of the left neighbour may have left it by then."""
        in_hand = self._in_hand(address)
        return word if in_hand is None else word + PREV_USED * (
            self._m.path.word("left is used", 0, 1) - in_hand.prev_used)
