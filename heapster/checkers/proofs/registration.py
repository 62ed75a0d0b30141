"""Threads that get a cache, and threads that end: what more is proved of `impl/thread_cache.py`."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.cache import COUNTS, FREE, MALLOC, Caching, a_stack
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import CACHE, CALL_KINDS, CLASS, NEXT, PREV, STATICS, TOTALS, WORD, only


def register(source: Any, path: Any) -> None:
    """A thread that is on the list of those that have caches, and one that is not; any list."""
    has = path.choose(2)
    c, state = Caching(path, 0, registered=has), path.choose(3)
    m, head = c.m, c.w.statics + STATICS["caching"]
    first = c.w.span("first", CACHE["thread_bytes"]) if state == 2 else head
    m.put(head + NEXT, first if state else 0, "first thread")
    if state:
        m.put(first + PREV, head, "before the first thread")
    source.thread_cache.register(m, c.thread)
    if has:
        path.claim("a_thread_is_registered_once", lambda: only(m) and not m.held)
        return
    path.claim("a_thread_is_registered_once", lambda: m.load(c.thread + CACHE["registered"]) != 0 and not m.held)
    path.claim("who_is_registered_is_first_on_the_list", lambda: m.load(head + NEXT) == c.thread
               and m.load(c.thread + PREV) == head and m.load(c.thread + NEXT) == first
               and m.load(first + PREV) == c.thread
               and only(m, head + NEXT, head + PREV, first + PREV, c.thread + NEXT, c.thread + PREV,
                        c.thread + CACHE["registered"]))


class ThreadEnd:
    """A thread with blocks in some of its bins, or without a cache; and what it leaves to others."""

    def __init__(self, path: Any) -> None:
        full = BINS_WITH_BLOCKS[path.choose(len(BINS_WITH_BLOCKS))]
        self.has = full is not None
        c = Caching(path, 0, registered=self.has)
        self.m, self.w, self.thread = c.m, c.w, c.thread
        self.slots = [c.thread + CACHE["bins"] + 16 * index for index in range(CLASS["cached"])]
        self.full = [self.slots[index] for index in full or ()]
        for slot in self.slots:
            self.m.put(slot, a_stack(path, 1)[0] if slot in self.full else 0, "bin")
            self.m.put_lazily(slot + WORD, lambda: path.word("limit", 0, COUNTS) << 48, "limit")
        self.before, self.after = (self.w.span(name, CACHE["thread_bytes"]) for name in ("before", "after"))
        for place, word in ((NEXT, self.after), (PREV, self.before), (CACHE["ended"], 0)):
            self.m.put(c.thread + place, word, "the thread's place on the list")
        self.m.put(self.w.head + NEXT, self.w.head, "the arena is open")
        self.threads, self.count = path.word("threads", 1, TOTALS), self.w.statics + STATICS["attached"] + (
            WORD * self.w.index)
        self.m.put(self.count, self.threads, "threads of the arena")
        self.calls = [self._calls(path, kind, c) for kind in range(CALL_KINDS)]

    def _calls(self, path: Any, kind: int, c: Caching) -> Any:
        """How many calls of a kind the arena is to have counted in the end."""
        of_arena, place = path.word("calls", 0, TOTALS), c.thread + CACHE["my_calls"] + WORD * kind
        self.m.put(self.w.at("calls") + WORD * kind, of_arena, "calls")
        if kind not in (MALLOC, FREE):
            self.m.put(place, path.word("my calls", 0, TOTALS), "my calls")
        return of_arena + self.m.load(place) if self.has else of_arena


def thread_end(source: Any, path: Any) -> None:
    """A thread with blocks in some of its bins, or without a cache."""
    e = ThreadEnd(path)
    m, flushed = e.m, []

    def flush(_: Any, slot: Any, most: int) -> None:
        """See `impl.thread_cache.flush`."""
        flushed.append((slot, most))
        m.store(slot, 0)

    with replaced(source.thread_cache, flush=flush):
        source.thread_cache.thread_end(m)
    path.claim("an_ending_thread_gives_up_what_it_keeps", lambda: flushed == [(slot, 0) for slot in e.full])
    path.claim("an_ended_thread_keeps_nothing", lambda: m.load(e.thread + CACHE["ended"]) != 0
               and m.load(e.thread + CACHE["registered"]) == 0
               and all(m.load(slot) == 0 and (not e.has or m.load(slot + WORD) == 0) for slot in e.slots))
    path.claim("an_ended_thread_has_no_arena", lambda: m.load(e.thread) == 0 and not m.held
               and m.load(e.count) == e.threads - 1)
    path.claim("calls_outlive_their_thread", lambda: all(
        m.load(e.w.at("calls") + WORD * kind) == calls for kind, calls in enumerate(e.calls)))
    path.claim("an_ending_thread_writes_no_more", lambda: only(
        m, *[e.thread + WORD * word for word in range(CACHE["ended"] // WORD + 1)], *e.slots,
        *[slot + WORD for slot in e.slots], e.count, e.before + NEXT, e.after + PREV,
        *[e.w.at("calls") + WORD * kind for kind in range(CALL_KINDS)]))
    if e.has:
        path.claim("an_ended_thread_leaves_the_list", lambda: m.load(e.before + NEXT) == e.after
                   and m.load(e.after + PREV) == e.before)


ALL_BINS = tuple(range(CLASS["cached"]))
BINS_WITH_BLOCKS = (None, (), ALL_BINS, ALL_BINS[::2], ALL_BINS[:1], ALL_BINS[-1:])     # None: no cache
PROOFS = (
    Proof("thread_cache.register", ANY_HEAP, register, more={
        "a_thread_is_registered_once": "who is registered stays as it is; another is now; the lock is released",
        "who_is_registered_is_first_on_the_list": "it is first on the list of those that have caches; "
                                                "no other word changes",
    }),
    Proof("thread_cache.thread_end", f"{ANY_HEAP}, blocks in all bins, half, one or none", thread_end, more={
        "an_ending_thread_gives_up_what_it_keeps": "each bin that has blocks is flushed of all, once, and no other",
        "an_ended_thread_keeps_nothing": "it has no cache any more, no bin has blocks or room, and it is marked",
        "an_ended_thread_has_no_arena": "its arena counts one thread less",
        "an_ending_thread_writes_no_more": "no word but its own, its neighbours' links and its arena's counts changes",
        "an_ended_thread_leaves_the_list": "its neighbours on the list of those that have caches are linked both ways",
        "calls_outlive_their_thread": "its arena counts the calls that its cache served",
    }),
)
