"""Bins that grow, are filled anew and given up: what more is proved of `impl/thread_cache.py`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.cache import (
    COUNTS,
    FREE,
    MALLOC,
    REALLOC,
    Caching,
    a_stack,
    same,
    show_nothing,
    two_words,
)
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ALL_SIZE_BITS,
    ARENA_BYTES,
    CACHE,
    CLASS,
    FOOTER,
    MAX_ARENAS,
    MIN_BLOCK,
    NEXT,
    PAYLOAD,
    PREV,
    STATICS,
    TOTALS,
    WORD,
    header,
    longer,
    only,
    waits,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.remote import a_remote_list
from heapster.machine.symbolic import HIGHEST

MOST_RUN = 3                        # blocks that are cut at once
HUGE = 1 << 47
BETWEEN = 40                        # bytes before and after a block in a window


class CarvedRun:
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

    def places(self, blocks: list[Any], rest: Any) -> list[Any]:
        """Where carving these may write, links of the list aside; `rest` follows the last."""
        return [*blocks, rest, rest + NEXT, rest + PREV, self.right, self.right + FOOTER,
                *(self.w.at(name) for name in ("free_bytes", "free_blocks", "cursor"))]

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
    run, most = CarvedRun(path, w), path.choose(MOST_RUN + 1)
    links = w.links()
    last = source.arena.carve(w.m, w.arena, run.b, run.want, most)
    blocks = run.blocks(last)
    path.claim("what_is_carved_is_used", lambda: run.are_used(blocks))
    path.claim("no_more_is_carved_than_asked_for", lambda: 0 < len(blocks) <= max(most, 1))
    rest = last + (w.m.load(last) & ALL_SIZE_BITS)
    path.claim("what_is_left_of_a_run_is_listed", lambda: run.is_rest_listed(last)
               and w.m.load(w.at("free_bytes")) == free_bytes - run.total + (run.right - rest)
               and w.m.load(w.at("free_blocks")) == free_blocks - (rest == run.right))
    path.claim("carving_writes_no_more", lambda: only(w.m, *run.places(blocks, rest), *links, *w.links()))


def carve_batch(source: Any, path: Any) -> None:
    """Each size that is cached, any bin that is empty, up to so many blocks, any block that is found, or none."""
    index, most = path.word("class", 0, CLASS["cached"] - 1), path.choose(MOST_RUN + 1)
    c = Caching(path, index)
    w, m = c.w, c.w.m
    m.put(c.slot, 0, "bin")
    used_bytes, used_blocks = w.word("used_bytes"), w.word("used_blocks")
    w.word("free_bytes"), w.word("free_blocks")
    calls = path.word("calls of malloc", 0, TOTALS)
    m.put(w.at("calls"), calls, "calls")
    run, found = CarvedRun(path, w), path.choose(2)
    links = w.links()
    with in_class(source, index), replaced(source.thread_cache, find_or_grow=lambda *_: run.b if found else 0):
        b = source.thread_cache.carve_batch(m, w.arena, run.want - longer(source), most, MALLOC)
    if not found:
        path.claim("without_memory_nothing_is_kept", lambda: b == 0 and only(m))
        return
    kept = m.load(c.slot) >> 48
    blocks = [run.b + run.want * number for number in range(path.settled(kept) + 1)]
    path.claim("the_first_of_a_run_is_given", lambda: b == run.b and run.are_used(blocks))
    path.claim("the_others_of_a_run_are_kept", lambda: len(blocks) <= max(most, 1) and _holds(m, c.slot, blocks[1:]))
    end = blocks[-1] + (m.load(blocks[-1]) & ALL_SIZE_BITS)
    path.claim("a_run_is_counted", lambda: m.load(w.at("calls")) == calls + 1
               and m.load(w.at("used_bytes")) == used_bytes + (end - run.b)
               and m.load(w.at("used_blocks")) == used_blocks + len(blocks))
    path.claim("what_a_run_leaves_is_listed", lambda: run.is_rest_listed(blocks[-1]))
    path.claim("a_run_writes_no_more", lambda: only(
        m, *run.places(blocks, end), *links, *w.links(), c.slot, w.at("calls"), w.at("used_bytes"), w.at("used_blocks"),
        *[b + WORD * word for b in blocks[1:] for word in (1, 2)]))


def collect_remote(source: Any, path: Any) -> None:
    """A remote list of up to three blocks, of which any find room in bins."""
    w = Window(path)
    blocks = a_remote_list(path, w)
    has_room = [path.choose(2) for _ in blocks]
    sizes = [path.word("size", MIN_BLOCK, HUGE, ALIGN) for _ in blocks]
    for b, total in zip(blocks, sizes, strict=True):
        w.m.put(b, header(total, w.index), "header")
    kept: list[Any] = []
    released: list[Any] = []

    def cache_block(_: Any, p: Any, total: Any, kind: int) -> bool:
        """See `impl.thread_cache.cache_block`."""
        place = next(place for place, b in enumerate(blocks) if b + PAYLOAD == p)
        kept.extend([p] * (has_room[place] and total == sizes[place] - longer(source) and kind == MALLOC))
        return bool(has_room[place])

    with replaced(source.thread_cache, cache_block=cache_block, release=lambda m, arena, b: released.append(b)):
        source.thread_cache.collect_remote(w.m, w.arena, MALLOC)
    path.claim("each_block_that_others_freed_is_kept_or_released_once", lambda: (
        same(kept, [b + PAYLOAD for b, room in zip(blocks, has_room, strict=True) if room])
        and same(released, [b for b, room in zip(blocks, has_room, strict=True) if not room])))
    path.claim("what_was_taken_back_is_off_the_list", lambda: w.m.load(w.at("remote")) == 0
               and all(w.m.load(word) == 0 for word in two_words(b + WORD for b in blocks))
               and only(w.m, w.at("remote"), *two_words(b + WORD for b in blocks)))


@contextmanager
def in_class(source: Any, index: Any) -> Iterator[None]:
    """Let every size that is asked for be of one class."""
    with replaced(source.bins, class_of=lambda _: index), replaced(source.thread_cache, class_of=lambda _: index):
        yield


def refill(source: Any, path: Any) -> None:
    """Any bin and any room that it gets; others have freed blocks of the size, or the arena gives some, or none."""
    c = Caching(path, path.word("class", 0, CLASS["cached"] - 1))
    w, m = c.w, c.w.m
    total, limit = path.word("total", MIN_BLOCK, CACHE["most_cached"], ALIGN), path.choose(2 * MOST_RUN + 2)
    w.m.put(w.head + NEXT, w.head, "the arena is open")
    freed, b = path.choose(2), path.word("b", 0, HIGHEST, ALIGN)
    done: list[Any] = []

    def noting(name: str, answer: Any) -> Any:
        """A stand-in for a function of the cache, which notes what it is called with, and whether the lock is held."""
        def note(_: Any, *words: Any) -> Any:
            done.append((name, *words, bool(m.held)))
            return answer
        return note

    with in_class(source, c.index), replaced(
            source.thread_cache, batch_size=lambda *words: words[0], growth_cap=lambda _, slot: slot,
            grow_bin=noting("grow_bin", limit), collect_remote=noting("collect_remote", None),
            check_top=noting("check_top", None), pop_cached=noting("pop_cached", b + PAYLOAD if freed else 0),
            carve_batch=noting("cut", b)):
        answer = source.thread_cache.refill(m, total, MALLOC)
    path.claim("what_others_freed_is_taken_back_under_the_lock", lambda: not m.held and done[:4] == [
        ("grow_bin", c.thread, total, c.slot, False), ("collect_remote", w.arena, MALLOC, True),
        ("check_top", c.slot, True), ("pop_cached", c.index, MALLOC, True)])
    path.claim("what_nobody_freed_is_cut", lambda: answer == b and done[4:] == (
        [] if freed else [("cut", w.arena, total, limit, MALLOC, True)]))
    path.claim("a_refill_writes_no_more", lambda: only(m))


def send_if_remote(source: Any, path: Any) -> None:
    """A block of the thread's own arena, or of another."""
    c, is_foreign = Caching(path, 0), path.choose(2)
    b = c.w.span("b", MIN_BLOCK)
    path.require(c.w.index + is_foreign, "<", MAX_ARENAS)
    c.m.put(b, header(MIN_BLOCK, c.w.index + is_foreign), "header")
    sent: list[Any] = []
    with replaced(source.thread_cache, send=lambda _, arena, batch: sent.append((arena, batch))):
        was_sent = source.thread_cache.send_if_remote(c.m, b + PAYLOAD)
    path.claim("only_what_is_foreign_is_sent_home", lambda: was_sent == bool(is_foreign) and sent == [
        (c.w.arena + ARENA_BYTES, b + PAYLOAD + (1 << 48))] * is_foreign and (not is_foreign or (
            waits(c.m, b + PAYLOAD, 0)))
        and only(c.m, *[b + PAYLOAD, b + PAYLOAD + WORD][:2 * is_foreign]))


def resize_uncopied(source: Any, path: Any) -> None:
    """Any used block of an arena, of a thread that has a cache or none; any size is large enough, or is not."""
    registered, serves, fits, fits_exactly = (path.choose(2) for _ in range(4))
    c = Caching(path, 0, registered=registered)
    m, w, total = c.m, c.w, path.word("total", MIN_BLOCK, HUGE, ALIGN)
    b, place, calls = w.span("b", MIN_BLOCK), c.thread + CACHE["my_calls"] + 8 * REALLOC, path.word("calls", 0, TOTALS)
    m.put(b, header(total, w.index), "header")
    show_nothing(path, m, b + WORD)
    m.put(place, calls, "calls of realloc")
    request, want = path.word("request", 1, HUGE), path.word("want", MIN_BLOCK, HUGE, ALIGN)
    needed = path.word("needed", MIN_BLOCK, HUGE, ALIGN)
    asked: list[Any] = []

    def resize(m: Any, arena: Any, block: Any, size: Any, kind: int) -> bool:
        """See `impl.resize.resize`."""
        asked.append((arena, block, size, kind, len(m.held)))
        return bool(fits if len(asked) == 1 else fits_exactly)

    with replaced(source.malloc, could_serve=lambda *words: bool(serves), size_for=lambda *_: want,
                  block_size=lambda _: needed, resize=resize):
        q = source.malloc.resize_uncopied(m, b + PAYLOAD, request)
    if registered and serves:
        path.claim("what_malloc_could_give_is_left", lambda: q == b + PAYLOAD and not asked
                   and m.load(place) == calls + 1 and only(m, place))
        return
    path.claim("what_is_resized_gets_the_size_of_a_class_or_what_it_needs", lambda: not m.held and only(m)
               and asked == [(w.arena, b, size, REALLOC, 1) for size in (want, needed)][:len(asked)]
               and len(asked) >= 1 and (len(asked) == 1) == (bool(fits) or want == needed))
    path.claim("what_was_not_resized_is_told", lambda: q == (
        b + PAYLOAD if fits or (want != needed and fits_exactly) else 0))


def cache_block_slow(source: Any, path: Any) -> None:
    """Any block that does not look kept, any bin and the room that it gets; the block is another arena's or not."""
    index = path.word("class", 0, CLASS["cached"] - 1)
    c, total = Caching(path, index), path.word("total", MIN_BLOCK, CACHE["most_cached"], ALIGN)
    m, p = c.m, c.w.span("p", MIN_BLOCK) + PAYLOAD
    word, count = a_stack(path)
    limit, is_foreign, gets_room = path.word("limit", 0, COUNTS), path.choose(2), path.choose(2)
    kind = (FREE, REALLOC)[path.choose(2)]
    m.put(c.slot, word, "bin")
    m.put(c.slot + WORD, limit << 48, "limit")
    show_nothing(path, m, p)
    sent: list[Any] = []

    def send_if_remote(_: Any, block: Any) -> bool:
        """See `impl.thread_cache.send_if_remote`."""
        sent.extend([block] * is_foreign)
        return bool(is_foreign)

    with in_class(source, index), replaced(
            source.thread_cache, least_of_class=lambda _: total, send_if_remote=send_if_remote,
            flush_or_grow=lambda *_: bool(gets_room)):
        taken = source.thread_cache.cache_block_slow(m, p, total, kind)
    goes_home = bool(taken) and is_foreign and limit == 0
    path.claim("a_block_is_taken_if_there_is_room", lambda: taken == (count < limit or bool(gets_room)))
    path.claim("the_first_block_goes_home", lambda: same(sent, [p] if goes_home else []))
    path.claim("what_is_taken_and_not_sent_is_kept", lambda: m.load(c.slot) == (
        p + (count + 1 << 48) if taken and not goes_home else word))
    path.claim("what_is_put_away_is_counted", lambda: m.load(c.counts[1]) == c.calls[1] + (taken and kind == FREE))
    path.claim("putting_away_writes_no_more", lambda: only(m, c.slot, p, p + WORD, c.counts[1]))


def _holds(m: Any, slot: Any, blocks: list[Any]) -> bool:
    """Whether the bin has just these blocks, the first on top, each marked."""
    words = [b + PAYLOAD + (len(blocks) - place << 48) for place, b in enumerate(blocks)] + [0]
    return bool(m.load(slot) == words[0]) and all(
        waits(m, b + PAYLOAD, below) for b, below in zip(blocks, words[1:], strict=True))


def grow_bin(source: Any, path: Any) -> None:
    """Any bin, any limit that `grown_limit` may allow, any setting, a thread that ends or not."""
    c = Caching(path, path.word("class", 0, CLASS["cached"] - 1))
    total = path.word("total", MIN_BLOCK, CACHE["most_cached"], ALIGN)
    m, ends = c.m, path.choose(2)
    old, new, was_full = path.word("old", 1, COUNTS), path.word("new", 0, COUNTS), path.choose(2)
    most, enough = (path.word(name, 0, CACHE["max_cache"]) for name in ("most", "enough"))
    m.put(c.slot + WORD, (old << 48) + was_full, "limit")
    m.put(c.w.statics + STATICS["cache"], most + 1, "cache")
    m.put(c.thread + CACHE["ended"], ends, "ended")
    registered: list[Any] = []

    def grown_limit(*words: Any) -> Any:
        """See `impl.bins.grown_limit`."""
        path.claim("bins_have_the_room_that_may_be_kept", lambda: words == (old, total, 0 if ends else most, enough))
        return new

    with in_class(source, c.index), replaced(
            source.thread_cache, register=lambda _, thread: registered.append(thread), grown_limit=grown_limit,
            get_cache=lambda _: most):
        limit = source.thread_cache.grow_bin(m, c.thread, total, enough)
    path.claim("bins_have_the_room_that_may_be_kept", lambda: limit == new and m.load(c.slot + WORD) == (
        (old << 48) + was_full if old == new else new << 48) and only(m, c.slot + WORD))
    path.claim("whose_bins_have_room_is_registered", lambda: old == new or registered == [c.thread])


def growth_cap(source: Any, path: Any) -> None:
    """Any bin, that was full since it last got room or not."""
    c, was_full = Caching(path, path.word("class", 0, CLASS["cached"] - 1)), path.choose(2)
    c.m.put(c.slot + WORD, (path.word("limit", 1, COUNTS) << 48) + was_full, "limit")
    enough = source.bins.growth_cap(c.m, c.slot)
    path.claim("large_bins_were_full", lambda: enough == CACHE["max_cache" if was_full else "small_bin"] and only(c.m))


def flush_or_grow(source: Any, path: Any) -> None:
    """Any bin, any room that it gets, any batch."""
    c = Caching(path, path.word("class", 0, CLASS["cached"] - 1))
    total, limit = path.word("total", MIN_BLOCK, CACHE["most_cached"], ALIGN), path.word("limit", 0, COUNTS)
    word, kept = a_stack(path)
    c.m.put(c.slot, word, "bin")
    c.m.put(c.slot + WORD, limit << 48, "limit")
    batch = path.word("batch", 0, COUNTS)
    grown: list[Any] = []
    flushed: list[Any] = []

    def grow_bin(_: Any, *words: Any) -> Any:
        """See `impl.thread_cache.grow_bin`."""
        grown.append(words)
        return limit

    with in_class(source, c.index), replaced(
            source.thread_cache, batch_size=lambda *_: batch, grow_bin=grow_bin,
            flush=lambda _, *words: flushed.append(words)):
        has_room = source.thread_cache.flush_or_grow(c.m, c.thread, total)
    is_full = kept != 0 and kept >= limit
    path.claim("full_bins_get_room_while_they_are_small", lambda: grown == [
        (c.thread, total, CACHE["small_bin"])])
    path.claim("a_full_bin_gives_up_a_batch", lambda: flushed == ([(c.slot, limit - batch)] if is_full else []))
    path.claim("that_a_bin_was_full_is_noted", lambda: c.m.load(c.slot + WORD) == (
        limit << 48 if limit == 0 or not is_full else (limit << 48) + 1) and only(c.m, c.slot + WORD))
    path.claim("there_is_room_if_any_is_allowed", lambda: has_room == (limit != 0))


RUNS = f"runs of up to {MOST_RUN} blocks"
PROOFS = (
    Proof("arena.carve", f"{ANY_HEAP}, {RUNS}", carve, more={
        "what_is_carved_is_used": "each block of the run is used and of the size; an only one may be larger, "
                                  "by less than MIN_BLOCK",
        "no_more_is_carved_than_asked_for": "there are as many as were asked for, or fewer, at least one",
        "what_is_left_of_a_run_is_listed": "what is left is free, on the list and counted, or nothing",
        "carving_writes_no_more": "no word but headers of the run and what is left, links and counts changes",
    }),
    Proof("thread_cache.carve_batch", f"{ANY_HEAP}, {RUNS}", carve_batch, more={
        "without_memory_nothing_is_kept": "NULL if no block is found, and nothing changes",
        "the_first_of_a_run_is_given": "else the first of a run is the caller's, used and large enough",
        "the_others_of_a_run_are_kept": "the others are in the bin, marked; with the first they are at most so many",
        "a_run_is_counted": "the call, and all blocks of the run as used",
        "what_a_run_leaves_is_listed": "what is left of the block is free and on the list, or nothing",
        "a_run_writes_no_more": "no word but the bin's, those of the run, links and counts changes",
    }),
    Proof("thread_cache.collect_remote", "lists of up to 3 blocks", collect_remote, more={
        "each_block_that_others_freed_is_kept_or_released_once":
            "each block on the remote list is put away if there is room for its size, else released",
        "what_was_taken_back_is_off_the_list": "the list is empty, its blocks are no longer marked, and nothing else "
                                               "changes",
    }),
    Proof("thread_cache.refill", ANY_HEAP, refill, more={
        "what_others_freed_is_taken_back_under_the_lock": "the bin gets room, what others freed is taken back, then "
                                                          "the bin is looked into, under the lock, which is released",
        "what_nobody_freed_is_cut": "the block is the bin's, or where it is empty that of a run of a batch",
        "a_refill_writes_no_more": "no word changes but by those that are called",
    }),
    Proof("malloc.resize_uncopied", "blocks of arenas", resize_uncopied, more={
        "what_malloc_could_give_is_left": "in a thread with a cache, a block that malloc could give for the request is "
                                          "left as it is: no lock, and only the call is counted",
        "what_is_resized_gets_the_size_of_a_class_or_what_it_needs":
            "else it is resized under its arena's lock, to what malloc gives, or, if that cannot be, to what is needed",
        "what_was_not_resized_is_told": "NULL exactly if neither could be",
    }),
    Proof("thread_cache.send_if_remote", ANY_HEAP, send_if_remote, more={
        "only_what_is_foreign_is_sent_home": "a block of another arena than the thread's is sent there; no other is",
    }),
    Proof("thread_cache.cache_block_slow", ANY_HEAP, cache_block_slow, more={
        "a_block_is_taken_if_there_is_room": "a block is taken exactly if its bin has room or gets some",
        "the_first_block_goes_home": "if the bin had none, and the block is another arena's, it is sent there",
        "what_is_taken_and_not_sent_is_kept": "else it is on top of the bin",
        "what_is_put_away_is_counted": "a call of free is counted, and no other",
        "putting_away_writes_no_more": "no word but the bin's, the block's first two and the count changes",
    }),
    Proof("thread_cache.grow_bin", ANY_HEAP, grow_bin, more={
        "bins_have_the_room_that_may_be_kept": "the bin's limit is what `grown_limit` allows, and for a thread that "
                                               "has ended what it allows where nothing may be kept",
        "whose_bins_have_room_is_registered": "a thread of which a limit changes is registered",
    }),
    Proof("bins.growth_cap", ANY_HEAP, growth_cap, {
        "large_bins_were_full": "MAX_CACHE if it was full since it last got some, else SMALL_BIN",
    }),
    Proof("thread_cache.flush_or_grow", ANY_HEAP, flush_or_grow, more={
        "full_bins_get_room_while_they_are_small": "the bin grows, up to SMALL_BIN",
        "a_full_bin_gives_up_a_batch": "a bin that is full even so is flushed of a batch; no other is flushed",
        "that_a_bin_was_full_is_noted": "that it was full is noted, if it may hold a block; no other word changes",
        "there_is_room_if_any_is_allowed": "there is room exactly if the bin may hold a block",
    }),
)
