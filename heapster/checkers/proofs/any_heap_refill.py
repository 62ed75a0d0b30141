"""malloc where the thread's bin is empty, on any heap: what others freed is collected, else a batch is carved.

What `collect_remote` does to the heap and the bins is proved turn by turn: after each, the heap has every clause. So
what follows it starts from any heap, and from a bin that is empty or not.
"""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.any_heap import AnyHeap
from heapster.checkers.proofs.any_heap_calls import check, of_arenas, out_of_bins, whole
from heapster.checkers.proofs.cache import COUNTS, a_stack
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.heap_after import After
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    CACHE,
    CLASS,
    MAX_ARENAS,
    MAX_REQUEST,
    MIN_BLOCK,
    PAYLOAD,
    STATICS,
    TOTALS,
    WORD,
    beyond,
    header,
    key_of,
    let_wait,
    longer,
    only,
    waits,
)
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.placement import Over
from heapster.checkers.proofs.under_lock import LockingThread
from heapster.machine.symbolic import HIGHEST, LOWEST

MALLOC = 0                          # a kind of call
MOST_CARVED = 3                     # blocks of a batch; of longer runs see `runs_of_any_length_are_used`


class Refilling:
    """A thread whose bin for blocks of `total` bytes is empty, and what stands for the parts of `refill`."""

    def __init__(self, path: Any) -> None:
        self.path, self.heap = path, AnyHeap(path, is_new=bool(path.choose(2)))
        self.total = path.word("total", MIN_BLOCK, CACHE["most_cached"], ALIGN)
        self.index = path.word("class", 0, CLASS["cached"] - 1)
        self.slot = self.heap.thread + CACHE["bins"] + 2 * WORD * self.index
        self.batch, self.collected = path.choose(MOST_CARVED + 1), 0
        self.longer = 0
        self.below: Any = 0
        self.limit: Any = 0
        self.m = self.heap.m
        self.m.put(self.slot, 0, "bin")
        self.m.put(self.slot + WORD, path.word("limit", 0, COUNTS) << 48, "limit")
        self.m.put(self.heap.statics + STATICS["cache"], path.word("cache", 1, CACHE["max_cache"]), "cache")
        self.calls, self.count = path.word("my calls", 0, TOTALS), self.heap.thread + CACHE["my_calls"] + WORD * MALLOC
        self.m.put(self.count, self.calls, "my calls")
        self.caller = LockingThread(self.heap)

    def grow_bin(self, m: Any, thread: Any, total: Any, _: Any) -> Any:
        """See `impl.thread_cache.grow_bin`; on which list the thread is registered has no part in this."""
        if thread != self.heap.thread or total != self.total:
            m.broken("a bin grows that is not refilled")
        self.limit = self.path.word("grown limit", 0, COUNTS)
        m.store(self.slot + WORD, self.limit << 48)
        return self.limit

    def batch_size(self, limit: Any, total: Any) -> Any:
        """See `impl.bins.batch_size`."""
        if limit != self.limit or total != self.total:
            self.m.broken("a batch is for a bin that is not refilled")
        return self.batch

    def collect_remote(self, m: Any, arena: Any, kind: int) -> None:
        """See `impl.thread_cache.collect_remote`: it may have put blocks into the bin."""
        if not any(held == arena for held in m.held) or not only(m, self.slot + WORD, *self.heap.opening()):
            m.broken("what others freed is collected without the lock, or after the heap has changed")
        if self.path.choose(2):
            path = self.path
            b = path.word("collected", LOWEST, HIGHEST, ALIGN, PAYLOAD)
            self.heap.reserve(b, self.total + self.longer)
            self.below, count = a_stack(path)
            self.collected = b + PAYLOAD
            owner = path.word("owner", 0, MAX_ARENAS - 1)
            self.m.put(b, header(self.total + self.longer, owner), "header of a block in the bin")
            let_wait(self.m, self.collected, self.below)
            self.m.store(self.slot, self.collected + ((count + 1) << 48))
            self.caller.own(self.collected, self.total + self.longer)

    def malloc(self, source: Any, request: Any) -> Any:
        """The call; of `request` bytes, which a block of the bin's size holds."""
        self.longer = longer(source)
        self.path.require(request + beyond(source), "<=", self.total)
        with (of_arenas(source, self.heap), out_of_bins(source),
              replaced(source.malloc, is_small=lambda *_: True, class_for=lambda _: self.index,
                       class_for_request=lambda _: self.index, least_of_class=lambda _: self.total),
              replaced(source.bins, class_of=lambda _: self.index),
              replaced(source.thread_cache, class_of=lambda _: self.index, grow_bin=self.grow_bin,
                       batch_size=self.batch_size, collect_remote=self.collect_remote)):
            return source.api.malloc(self.caller, request)


def refill(source: Any, path: Any) -> None:
    """Each small request of which the bin has no block: whatever was collected, whatever the system answers."""
    r = Refilling(path)
    m, heap = r.m, r.heap
    p = r.malloc(source, path.word("request", 0, MAX_REQUEST))
    collected = [r.collected, r.collected + WORD] if r.collected != 0 else []
    after = check(path, r.caller, "refilling", r.slot, r.slot + WORD, r.count, *collected)
    if p == 0:
        path.claim("refilling_fails_only_with_the_system", lambda: len(m.calls) > 0 and all(
            call.answer == -1 for call in m.calls) and only(m, r.slot + WORD, *heap.opening()))
    elif r.collected != 0:
        path.claim("what_was_collected_is_handed_out", lambda: p == r.collected and m.load(r.slot) == r.below
                   and m.load(p) == m.load(p + WORD) == 0 and m.load(r.count) == r.calls + 1 and not after.fresh())
    else:
        path.claim("a_batch_is_for_the_caller_and_the_bin", lambda: _is_a_batch(r, after, p))


def _is_a_batch(r: Refilling, after: After, p: Any) -> bool:
    """Whether `p` is one of the fresh blocks, and all others are in the bin, marked, each of its size."""
    m, fresh, word = r.m, after.fresh(), r.m.load(r.slot)
    rest = [block.b + PAYLOAD for block in fresh if block.b + PAYLOAD != p]
    size = r.total + r.longer
    if len(fresh) > max(r.batch, 1) or len(rest) != len(fresh) - 1 or any(block.size < size for block in fresh):
        return False
    if rest and any(block.size != size for block in fresh):
        return False
    for left in range(len(rest), 0, -1):
        top = next((q for q in rest if word == q + (left << 48)), None)
        if top is None:
            return False
        word = m.load(top)
        if not waits(m, top, word):
            return False
    return bool(word == 0)


class Collecting:
    """The loop of `collect_remote`, cut: any stack is left, on top of which lies a block that others freed."""

    def __init__(self, path: Any) -> None:
        self.path, self.heap = path, AnyHeap(path)
        self.m = self.heap.m
        self.b = self.heap.in_hand = self.heap.block(1, "block")
        self.p = self.b.b + PAYLOAD
        self.index = path.word("class", 0, CLASS["cached"] - 1)
        self.slot = self.heap.thread + CACHE["bins"] + 2 * WORD * self.index
        self.kept, self.kept_count = a_stack(path)
        self.m.put(self.slot, self.kept, "bin")
        limit = path.word("limit", 0, COUNTS) << 48
        self.m.put(self.slot + WORD, limit, "limit")
        (self.rest, count), self.is_least = a_stack(path), path.choose(2)
        self.caller = LockingThread(self.heap, (self.p, self.b.size))
        if self.is_least:       # a bin without room takes none either, see `what_has_no_place_in_a_bin_stays`
            path.require(self.kept, "<", limit)
        self.m.store(self.p, self.rest)
        self.m.store(self.p + WORD, key_of(self.m) - self.rest - self.p)
        for cell in self.m.written():
            cell.was = cell.now
        self.word = self.p + ((count + 1) << 48)

    def enter(self, word: Any) -> list[Any]:
        """It begins with all that was taken off the list; and is at any of it, or at its end."""
        self.path.claim("collecting_begins_with_all_that_was_taken", lambda: word == self.word)
        return [self.word if self.path.choose(2) else 0]

    def again(self, word: Any) -> None:
        """The block on top went into the bin, or became free; the rest is left."""
        path, m = self.path, self.m
        self.caller.unlock(self.heap.arena)
        path.claim("collecting_goes_on_with_the_rest", lambda: word == self.rest)
        in_bin = m.load(self.slot) != self.kept
        after = check(path, self.caller, "collecting", *[self.slot] * in_bin, self.p, self.p + WORD)
        now = after.block_at(self.b.b)
        is_used = now is not None and bool(now.used)
        path.claim("a_collected_block_is_in_the_bin_or_free",
                   lambda: is_used and self._is_on_top() if in_bin else not is_used)
        raise Over

    def _is_on_top(self) -> bool:
        """Whether the block is on top of the bin, marked, and of its size."""
        load = self.m.load
        return bool(self.is_least and load(self.slot) == self.p + ((self.kept_count + 1) << 48)
                    and waits(self.m, self.p, self.kept))


def collect(source: Any, path: Any) -> None:
    """One turn, of any list of blocks of the arena that others freed, into any bin."""
    loop = Collecting(path)
    heap = loop.heap
    with of_arenas(source, heap), replaced(
            source.thread_cache, take_all=lambda *_: loop.word,
            class_entry=lambda _: 2 * (loop.index + 1) + (not loop.is_least)):
        heap.m.lock(heap.arena)
        try:
            cut(source.thread_cache.collect_remote, loop)(loop.caller, heap.arena, MALLOC)
        except Over:
            return
    path.claim("collecting_ends_with_the_last", lambda: only(heap.m))


PROOFS = (
    Proof("api.malloc", f"{ANY_HEAP}, batches of up to {MOST_CARVED}", refill, more={
        **whole("refilling"),
        "refilling_fails_only_with_the_system": "NULL only if the system refused, and then no word changed but the "
                                                "bin's limit and those that open the arena",
        "what_was_collected_is_handed_out": "the block on top of what others freed, which leaves the bin",
        "a_batch_is_for_the_caller_and_the_bin": "a block that nobody had, and in the bin, marked, the others of the "
                                                 "batch, each of its size",
    }, suffix="_from_an_empty_bin"),
    Proof("thread_cache.collect_remote", ANY_HEAP, collect, more={
        **whole("collecting"),
        "collecting_begins_with_all_that_was_taken": "it begins with all that was taken off the remote list",
        "collecting_goes_on_with_the_rest": "each turn takes the block on top, and leaves the rest",
        "a_collected_block_is_in_the_bin_or_free": "the block is on top of its bin, marked; or its bytes are free, or "
                                                   "back with the system",
        "collecting_ends_with_the_last": "at the end nothing changes",
    }, suffix="_turn_by_turn"),
)
