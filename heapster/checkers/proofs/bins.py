"""Bins that are widened, filled anew and given up: what more is proved of `impl/cache.py`."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.cache import COUNTS, FREE, MALLOC, Caching, a_stack
from heapster.checkers.proofs.choosing import replaced
from heapster.checkers.proofs.drawing import (
    ALIGN,
    ALL_SIZE_BITS,
    CACHE,
    CALL_KINDS,
    CLASS,
    FOOTER,
    MIN_BLOCK,
    NEXT,
    PAYLOAD,
    PREV,
    STATICS,
    TOTALS,
    WORD,
    header,
    only,
)
from heapster.checkers.proofs.window import Window

MOST_RUN = 3                        # blocks that are cut at once
HUGE = 1 << 47
BETWEEN = 40                        # bytes before and after a block in a window


class Run:
    """A free block on a list of any length, from which blocks of one size are cut."""

    def __init__(self, path: Any, w: Window) -> None:
        self.w, m = w, w.m
        self.want = path.word("want", MIN_BLOCK, CACHE["most_cached"], ALIGN)
        self.total = path.word("total", MIN_BLOCK, HUGE, ALIGN)
        path.require(self.want, "<=", self.total)
        self.b = w.span("b", self.total + PAYLOAD)
        w.free_block(self.b, self.total, "b")
        self.right, self.after = self.b + self.total, path.word("after", 0, HUGE, ALIGN)
        m.put(self.right, header(self.after, w.owner, 1, 0), "header of the right")
        w.listed([self.b])
        m.put(w.at("cursor"), w.head, "cursor")

    def blocks(self, last: Any) -> list[Any]:
        """Where blocks of the size should lie, from b to the last; none if that is none of them."""
        places = [self.b + self.want * number for number in range(MOST_RUN)]
        count = next((number for number, place in enumerate(places, 1) if place == last), 0)
        return places[:count]

    def are_used(self, blocks: list[Any]) -> bool:
        """Whether these are used, of the size and the owner; an only one may be larger, but by no whole block."""
        m, owner = self.w.m, self.w.owner
        if len(blocks) == 1:
            size = m.load(self.b) & ALL_SIZE_BITS
            return bool(self.want <= size < self.want + MIN_BLOCK and m.load(self.b) == header(size, owner))
        return bool(blocks) and all(m.load(b) == header(self.want, owner) for b in blocks)

    def is_rest_listed(self, last: Any) -> bool:
        """Whether what follows the last is free and first on the list, or is the right neighbour, which knows."""
        w, m = self.w, self.w.m
        rest = last + (m.load(last) & ALL_SIZE_BITS)
        w.without(self.b)
        if rest == self.right:
            return w.is_linked() and m.load(self.right) == header(self.after, w.owner, 1, 1)
        w.with_first(rest)
        total = self.right - rest
        return (w.is_linked() and m.load(rest) == header(total, w.owner, 0, 1) and m.load(self.right + FOOTER) == total
                and m.load(self.right) == header(self.after, w.owner, 1, 0))


def carve(source: Any, path: Any) -> None:
    """Any free block, any size that is cached, up to so many."""
    w = Window(path)
    free_bytes, free_blocks = w.word("free_bytes"), w.word("free_blocks")
    run, most = Run(path, w), path.choose(MOST_RUN + 1)
    last = source.arena.carve(w.m, w.arena, run.b, run.want, most)
    blocks = run.blocks(last)
    path.claim("what_is_carved_is_used", lambda: run.are_used(blocks))
    path.claim("no_more_is_carved_than_asked_for", lambda: 0 < len(blocks) <= max(most, 1))
    rest = last + (w.m.load(last) & ALL_SIZE_BITS)
    path.claim("what_is_left_of_a_run_is_listed", lambda: run.is_rest_listed(last)
               and w.m.load(w.at("free_bytes")) == free_bytes - run.total + (run.right - rest)
               and w.m.load(w.at("free_blocks")) == free_blocks - (rest == run.right))


def refill(source: Any, path: Any) -> None:
    """Each size that is cached, any bin that is empty, any block that is found, or none."""
    index, limit = path.word("class", 0, CLASS["cached"] - 1), path.choose(2 * MOST_RUN + 2)
    c = Caching(path, index)
    w, m = c.w, c.w.m
    m.put(c.slot, 0, "bin")
    used_bytes, used_blocks = w.word("used_bytes"), w.word("used_blocks")
    w.word("free_bytes"), w.word("free_blocks")
    calls = path.word("calls of malloc", 0, TOTALS)
    m.put(w.at("calls"), calls, "calls")
    run, found, drained = Run(path, w), path.choose(2), []
    with replaced(source.cache, widen=lambda *_: limit, class_of=lambda _: index,
                  drain=lambda _, arena: drained.append((arena, bool(m.held))),
                  find_or_grow=lambda *_: run.b if found else 0):
        b = source.cache.refill(m, run.want, MALLOC)
    path.claim("refilling_drains_under_the_lock", lambda: not m.held and len(drained) == 1
               and drained[0][0] == w.arena and drained[0][1])
    if not found:
        path.claim("without_memory_nothing_is_kept", lambda: b == 0 and only(m))
        return
    kept = m.load(c.slot) >> 48
    blocks = [run.b + run.want * number for number in range(path.settled(kept) + 1)]
    path.claim("a_refill_gives_the_first_of_a_run", lambda: b == run.b and run.are_used(blocks))
    path.claim("a_refill_keeps_the_others", lambda: len(blocks) <= max(limit + 1 >> 1, 1)
               and _holds(m, c.slot, blocks[1:]))
    end = blocks[-1] + (m.load(blocks[-1]) & ALL_SIZE_BITS)
    path.claim("a_refill_is_counted", lambda: m.load(w.at("calls")) == calls + 1
               and m.load(w.at("used_bytes")) == used_bytes + (end - run.b)
               and m.load(w.at("used_blocks")) == used_blocks + len(blocks))
    path.claim("what_a_refill_leaves_is_listed", lambda: run.is_rest_listed(blocks[-1]))


def _holds(m: Any, slot: Any, blocks: list[Any]) -> bool:
    """Whether the bin has just these blocks, the first on top, each marked."""
    word, count = m.load(slot), len(blocks)
    for place, b in enumerate(blocks):
        p = b + PAYLOAD
        if not (word == p + (count - place << 48) and m.load(p + WORD) == CACHE["mark"]):
            return False
        word = m.load(p)
    return bool(word == 0)


def widen(source: Any, path: Any) -> None:
    """Any bin, any limit that `widened` may allow, any setting, a thread that ends or not."""
    c = Caching(path, path.word("class", 0, CLASS["cached"] - 1))
    total = path.word("total", MIN_BLOCK, CACHE["most_cached"], ALIGN)
    m, ends = c.m, path.choose(2)
    old, new = path.word("old", 0, COUNTS), path.word("new", 0, COUNTS)
    most, enough = (path.word(name, 0, CACHE["max_cache"]) for name in ("most", "enough"))
    m.put(c.slot + WORD, old << 48, "limit")
    m.put(c.w.statics + STATICS["cache"], most + 1, "cache")
    m.put(c.thread + CACHE["ended"], ends, "ended")
    enrolled: list[Any] = []

    def widened(*words: Any) -> Any:
        """See `impl.cache.widened`."""
        path.claim("bins_have_the_room_that_may_be_kept", lambda: words == (old, total, 0 if ends else most, enough))
        return new

    with replaced(source.cache, class_of=lambda _: c.index, enroll=lambda _, thread: enrolled.append(thread),
                  widened=widened, get_cache=lambda _: most):
        limit = source.cache.widen(m, c.thread, total, enough)
    path.claim("bins_have_the_room_that_may_be_kept", lambda: limit == new and m.load(c.slot + WORD) == new << 48
               and only(m, c.slot + WORD))
    path.claim("whose_bins_have_room_is_enrolled", lambda: old == new or enrolled == [c.thread])


def enroll(source: Any, path: Any) -> None:
    """A thread that is on the list of those that have caches, and one that is not; any list."""
    has = path.choose(2)
    c, state = Caching(path, 0, enrolled=has), path.choose(3)
    m, head = c.m, c.w.statics + STATICS["caching"]
    first = c.w.span("first", CACHE["thread_bytes"]) if state == 2 else head
    m.put(head + NEXT, first if state else 0, "first thread")
    if state:
        m.put(first + PREV, head, "before the first thread")
    source.cache.enroll(m, c.thread)
    if has:
        path.claim("a_thread_is_enrolled_once", lambda: only(m) and not m.held)
        return
    path.claim("a_thread_is_enrolled_once", lambda: m.load(c.thread + CACHE["enrolled"]) != 0 and not m.held)
    path.claim("who_is_enrolled_is_first_on_the_list", lambda: m.load(head + NEXT) == c.thread
               and m.load(c.thread + PREV) == head and m.load(c.thread + NEXT) == first
               and m.load(first + PREV) == c.thread
               and only(m, head + NEXT, head + PREV, first + PREV, c.thread + NEXT, c.thread + PREV,
                        c.thread + CACHE["enrolled"]))


class Ending:
    """A thread with blocks in some of its bins, or without a cache; and what it leaves to others."""

    def __init__(self, path: Any) -> None:
        full = BINS_WITH_BLOCKS[path.choose(len(BINS_WITH_BLOCKS))]
        self.has = full is not None
        c = Caching(path, 0, enrolled=self.has)
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
    e = Ending(path)
    m, flushed = e.m, []

    def flush(_: Any, slot: Any, most: int) -> None:
        """See `impl.cache.flush`."""
        flushed.append((slot, most))
        m.store(slot, 0)

    with replaced(source.cache, flush=flush):
        source.cache.thread_end(m)
    path.claim("an_ending_thread_gives_up_what_it_keeps", lambda: flushed == [(slot, 0) for slot in e.full])
    path.claim("an_ended_thread_keeps_nothing", lambda: m.load(e.thread + CACHE["ended"]) != 0
               and m.load(e.thread + CACHE["enrolled"]) == 0
               and all(m.load(slot) == 0 and (not e.has or m.load(slot + WORD) == 0) for slot in e.slots))
    path.claim("an_ended_thread_has_no_arena", lambda: m.load(e.thread) == 0 and not m.held
               and m.load(e.count) == e.threads - 1)
    path.claim("calls_outlive_their_thread", lambda: all(
        m.load(e.w.at("calls") + WORD * kind) == calls for kind, calls in enumerate(e.calls)))
    if e.has:
        path.claim("an_ended_thread_leaves_the_list", lambda: m.load(e.before + NEXT) == e.after
                   and m.load(e.after + PREV) == e.before)


ALL_BINS = tuple(range(CLASS["cached"]))
BINS_WITH_BLOCKS = (None, (), ALL_BINS, ALL_BINS[::2], ALL_BINS[:1], ALL_BINS[-1:])     # None: no cache
RUNS = f"runs of up to {MOST_RUN} blocks"
PROOFS = (
    Proof("arena.carve", f"{ANY_HEAP}, {RUNS}", carve, more={
        "what_is_carved_is_used": "each block of the run is used and of the size; an only one may be larger, "
                                  "by less than MIN_BLOCK",
        "no_more_is_carved_than_asked_for": "there are as many as were asked for, or fewer, at least one",
        "what_is_left_of_a_run_is_listed": "what is left is free, on the list and counted, or nothing",
    }),
    Proof("cache.refill", f"{ANY_HEAP}, {RUNS}", refill, more={
        "refilling_drains_under_the_lock": "the arena's remote list is drained under its lock, which is released",
        "without_memory_nothing_is_kept": "NULL if no block is found, and nothing changes",
        "a_refill_gives_the_first_of_a_run": "else the first of a run is the caller's, used and large enough",
        "a_refill_keeps_the_others": "the others are in the bin, marked, at most half of what it may hold, rounded up",
        "a_refill_is_counted": "the call, and all blocks of the run as used",
        "what_a_refill_leaves_is_listed": "what is left of the block is free and on the list, or nothing",
    }),
    Proof("cache.widen", ANY_HEAP, widen, more={
        "bins_have_the_room_that_may_be_kept": "the bin's limit is what `widened` allows, and for a thread that "
                                               "has ended what it allows where nothing may be kept",
        "whose_bins_have_room_is_enrolled": "a thread of which a limit changes is enrolled",
    }),
    Proof("cache.enroll", ANY_HEAP, enroll, more={
        "a_thread_is_enrolled_once": "a thread that is enrolled stays as it is; another is now; the lock is released",
        "who_is_enrolled_is_first_on_the_list": "it is first on the list of those that have caches; "
                                                "no other word changes",
    }),
    Proof("cache.thread_end", f"{ANY_HEAP}, blocks in all bins, half, one or none", thread_end, more={
        "an_ending_thread_gives_up_what_it_keeps": "each bin that has blocks is flushed of all, once, and no other",
        "an_ended_thread_keeps_nothing": "it has no cache any more, no bin has blocks or room, and it is marked",
        "an_ended_thread_has_no_arena": "its arena counts one thread less",
        "an_ended_thread_leaves_the_list": "its neighbours on the list of those that have caches are linked both ways",
        "calls_outlive_their_thread": "its arena counts the calls that its cache served",
    }),
)
