"""What threads keep and hand over, a step at a time: what is proved of `impl/stack.py`, `cache.py` and `remote.py`."""

from collections.abc import Iterable
from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.classes import a_size_of, least
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    CACHE,
    CLASS,
    CORRUPT_LIST,
    MAX_ARENAS,
    MIN_BLOCK,
    STATICS,
    TOTALS,
    a_size,
    aborts,
    draw_key,
    header,
    key_of,
    let_wait,
    only,
    waits,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.machine.symbolic import HIGHEST, LOWEST

COUNTS = 1 << 14                    # no stack counts more
MOST_REMOTE = 256                   # blocks on a remote list, from which on it is too long
MALLOC, REALLOC, FREE = 0, 2, 4     # kinds of calls
FULL, LOOKS_KEPT, BETWEEN_SIZES = range(3)      # why a block has no place in a bin


def a_stack(path: Any, least: int = 0) -> tuple[Any, Any]:
    """A word that leads to any stack, and how many are on it."""
    count = path.word("count", least, COUNTS)
    return path.word("below", 0, HIGHEST, ALIGN) + (count << 48), count


def above(source: Any, path: Any) -> None:
    """Each stack and each payload."""
    word, count = a_stack(path)
    p = path.word("p", LOWEST, HIGHEST, ALIGN)
    result = source.stack.above(word, p)
    path.claim("what_is_put_on_a_stack_is_its_top", lambda: source.stack.top(result) == p)
    path.claim("a_stack_counts_what_is_put_on_it", lambda: source.stack.count(result) == count + 1)


def below(source: Any, path: Any) -> None:
    """A block that waits, and one that was written over since."""
    m, p = draw_key(path.machine()), path.word("p", LOWEST, HIGHEST, ALIGN)
    word, _ = a_stack(path)
    is_whole = path.choose(2)
    if is_whole:
        let_wait(m, p, word)
    else:
        show_nothing(path, m, p)
    led: list[Any] = []
    code = aborts(m, lambda: led.append(source.stack.below(m, p)), p)
    path.claim("what_was_written_over_is_not_followed", lambda: code == (0 if is_whole else CORRUPT_LIST)
               and (not is_whole or led[0] == word) and only(m))


def bin_at(source: Any, path: Any) -> None:
    """Each thread's storage and any two classes that have bins."""
    thread = path.word("thread", LOWEST, HIGHEST, ALIGN)
    one, other = (path.word(name, 0, CLASS["cached"] - 1) for name in ("one", "other"))
    bin_, another = source.bins.bin_at(thread, one), source.bins.bin_at(thread, other)
    path.claim("bins_lie_in_the_storage", lambda: bin_ - thread >= CACHE["bins"]
               and bin_ - thread + 2 * 8 <= CACHE["thread_bytes"])
    path.claim("classes_have_bins_of_their_own", lambda: bin_ - another == 2 * 8 * (one - other))


def grown_limit(source: Any, path: Any) -> None:
    """Each size, each limit that can arise, and each setting."""
    total = path.word("total", MIN_BLOCK, CACHE["most_cached"], ALIGN)
    power = path.choose(16)
    limit = 1 << power >> 1
    most = path.word("most", 0, CACHE["max_cache"])
    enough = path.word("enough", 0, CACHE["max_cache"])
    result = source.bins.grown_limit(limit, total, most, enough)
    path.claim("what_may_not_be_kept_has_no_room", lambda: most >= total or result == 0)
    path.claim("bins_keep_to_the_setting", lambda: result * total <= most)
    path.claim("limits_grow_by_doubling", lambda: result <= 2 * max(limit, 1) and result <= COUNTS)
    path.claim("limits_grow_to_what_is_enough", lambda: result <= max(limit, 1) or result * total <= enough)


def batch_size(source: Any, path: Any) -> None:
    """Each size and each limit that can arise."""
    total = path.word("total", MIN_BLOCK, CACHE["most_cached"], ALIGN)
    limit = 1 << path.choose(16) >> 1
    result = source.bins.batch_size(limit, total)
    path.claim("a_batch_is_half_a_bin_at_most", lambda: result <= (limit + 1) // 2 and (result > 0 or limit == 0))
    path.claim("batches_have_a_bound_in_bytes", lambda: result <= 1 or result * total <= CACHE["most_moved"])


def _a_bin(path: Any) -> tuple[Any, Any, Any]:
    """A machine, a bin and the payload of a block apart from it."""
    bin_, p = path.word("bin", LOWEST, HIGHEST, ALIGN), path.word("p", LOWEST, HIGHEST, ALIGN)
    path.apart(bin_, 16, p, 16)
    return draw_key(path.machine()), bin_, p


def _a_filled_bin(path: Any) -> tuple[Any, Any, Any, Any]:
    """A bin that is not empty: the machine, where it is, its top block, and the word that leads to those below."""
    m, bin_, p = _a_bin(path)
    word, count = a_stack(path)
    m.put(bin_, p + ((count + 1) << 48), "bin")
    let_wait(m, p, word)
    return m, bin_, p, word


def push(source: Any, path: Any) -> None:
    """Any bin and any block."""
    m, bin_, p = _a_bin(path)
    word, count = a_stack(path)
    m.put(bin_, word, "bin")
    source.bins.push(m, bin_, p)
    path.claim("a_kept_block_is_on_top_and_marked",
               lambda: m.load(bin_) == p + ((count + 1) << 48) and waits(m, p, word))
    path.claim("keeping_disturbs_none_below", lambda: only(m, bin_, p, p + 8))


def pop(source: Any, path: Any) -> None:
    """Any bin that is not empty."""
    m, bin_, p, word = _a_filled_bin(path)
    answer = source.bins.pop(m, bin_)
    path.claim("what_is_taken_is_no_longer_marked", lambda: answer == p and m.load(p) == 0 and m.load(p + 8) == 0)
    path.claim("taking_disturbs_none_below", lambda: m.load(bin_) == word and only(m, bin_, p, p + 8))


def pop_nothing(source: Any, path: Any) -> None:
    """An empty bin, and any whose top was written over."""
    m, bin_, p = _a_bin(path)
    has = path.choose(2)
    m.put(bin_, p + (path.word("count", 1, COUNTS) << 48) if has else 0, "bin")
    if has:
        show_nothing(path, m, p)
    path.claim("what_was_written_over_is_not_handed_out", lambda: source.bins.pop(m, bin_) == 0 and only(m))


def check_top(source: Any, path: Any) -> None:
    """An empty bin, any whose top is as it was, and any whose top was written over."""
    m, bin_, p = _a_bin(path)
    is_empty, is_whole = path.choose(2), path.choose(2)
    m.put(bin_, 0 if is_empty else p + (path.word("count", 1, COUNTS) << 48), "bin")
    if is_whole:
        let_wait(m, p, a_stack(path)[0])
    else:
        show_nothing(path, m, p)
    code = aborts(m, lambda: source.bins.check_top(m, bin_), p)
    path.claim("a_top_that_was_written_over_aborts", lambda: code == (
        0 if is_empty or is_whole else CORRUPT_LIST) and only(m))


def take_top(source: Any, path: Any) -> None:
    """Any bin that is not empty."""
    m, bin_, p, word = _a_filled_bin(path)
    answer = source.bins.take_top(m, bin_)
    path.claim("what_is_taken_off_leaves_those_below", lambda: answer == p and m.load(bin_) == word and only(m, bin_))


class Caching:
    """A thread that has a cache, or is not registered, and a bin of it with any blocks."""

    def __init__(self, path: Any, index: Any, *, registered: int = 1) -> None:
        self.w, self.index = Window(path), index
        self.thread = path.word("thread", LOWEST, HIGHEST, ALIGN)
        self.w.reserve(self.thread, CACHE["thread_bytes"])
        self.m = self.w.m
        self.m.use_thread(self.thread)
        self.slot = self.thread + CACHE["bins"] + 16 * index
        self.m.put(self.thread, self.w.arena, "my arena")
        self.m.put(self.thread + CACHE["registered"], registered, "registered")
        self.counts = [self.thread + CACHE["my_calls"] + 8 * kind for kind in (MALLOC, FREE)]
        self.calls = [path.word("calls", 0, TOTALS) for _ in self.counts]
        for place, calls in zip(self.counts, self.calls, strict=True):
            self.m.put(place, calls, "calls")


def cache_and_pop(source: Any, path: Any) -> None:
    """Each class that has bins, any bin with room, and any block that does not look kept."""
    index = path.choose(CLASS["cached"])
    c, total = Caching(path, index), least(index)
    m, p = c.m, c.w.span("p", total) + 8
    word, count = a_stack(path)
    path.require(count, "<", COUNTS)
    limit = path.word("limit", 1, COUNTS)
    path.require(count, "<", limit)
    m.put(c.slot, word, "bin")
    m.put(c.slot + 8, limit << 48, "limit")
    show_nothing(path, m, p)
    taken = source.thread_cache.cache_block(m, p, total, FREE)
    path.claim("a_bin_with_room_takes_a_block", lambda: taken and m.load(c.slot) == p + ((count + 1) << 48)
               and waits(m, p, word) and m.load(c.counts[1]) == c.calls[1] + 1)
    b = source.thread_cache.pop_cached(m, index, MALLOC)
    path.claim("what_was_kept_last_is_used_first", lambda: b == p and m.load(c.slot) == word
               and m.load(p) == 0 and m.load(p + 8) == 0 and m.load(c.counts[0]) == c.calls[0] + 1)
    path.claim("keeping_and_using_changes_no_more", lambda: only(m, c.slot, p, p + 8, *c.counts))


def cache_block_refusing(source: Any, path: Any) -> None:
    """Each class that has bins: a full bin, a block that looks kept, and each size that is not the class's least."""
    index, why = path.choose(CLASS["cached"]), path.choose(3)
    c, total = Caching(path, index), a_size_of(path, index)
    m, p = c.m, c.w.span("p", total) + 8
    word, count = a_stack(path)
    path.require(count, "<", COUNTS)
    m.put(c.slot, word, "bin")
    m.put(c.slot + 8, (count + (why != FULL)) << 48, "limit")
    if why == LOOKS_KEPT:
        let_wait(m, p, word)
    else:
        show_nothing(path, m, p)
    if why == BETWEEN_SIZES:
        path.require(least(index), "<", total)
    taken = source.thread_cache.cache_block(m, p, total, FREE)
    path.claim("what_has_no_place_in_a_bin_stays", lambda: not taken and only(m))


def cache_nothing(source: Any, path: Any) -> None:
    """Each used block, of a thread that has no cache and is to have none, freed or moved."""
    index = path.choose(CLASS["cached"] + 1)
    total = a_size_of(path, index) if index < CLASS["cached"] else a_size(path, "total", CACHE["most_cached"] + ALIGN)
    c = Caching(path, index, registered=0)
    c.m.put(c.slot, 0, "bin")
    c.m.put(c.slot + 8, 0, "limit")
    c.m.put(c.w.statics + STATICS["cache"], 0, "cache")
    p, kind = c.w.span("p", total) + 8, (FREE, REALLOC)[path.choose(2)]
    taken = source.thread_cache.cache_block(c.m, p, total, kind) or source.thread_cache.cache_block_slow(c.m, p, total,
                                                                                                         kind)
    path.claim("without_a_cache_nothing_is_put_away", lambda: not taken and only(c.m))


def show_nothing(path: Any, m: Any, p: Any) -> None:
    """Let the payload `p` hold any two words that do not show that it waits."""
    first, less = path.word("first", 0, HIGHEST), path.word("less", 1, 1 << 60)
    m.put(p, first, "what is where the link would be")
    m.put(p + 8, key_of(m) - first - p - less, "what is where the mark would be")


def two_words(payloads: Iterable[Any]) -> list[Any]:
    """The first two of each payload, where it says that it waits."""
    return [p + place for p in payloads for place in (0, 8)]


def walked(source: Any, m: Any, word: Any) -> list[Any]:
    """The blocks of a stack, top first."""
    blocks = []
    while word != 0:
        blocks.append(source.stack.top(word) - 8)
        word = source.stack.below(m, blocks[-1] + 8)
    return blocks


def a_batch(m: Any, blocks: list[Any], word: Any = 0, count: Any = 0) -> Any:
    """A stack of these blocks, the last on top, above what `word` leads to; the word that leads to it."""
    for place, b in enumerate(blocks):
        let_wait(m, b + 8, word)
        word = b + 8 + ((count + place + 1) << 48)
    return word


def flush(source: Any, path: Any) -> None:
    """Up to three blocks, each of the thread's own arena or of another, and each number that may stay."""
    c, count = Caching(path, 0), path.choose(4)
    m, most = c.m, path.choose(3)
    blocks = [c.w.span("b", MIN_BLOCK) for _ in range(count)]
    owners = [c.w.index if path.choose(2) else (c.w.index + 1) for _ in blocks]
    path.require(c.w.index + 1, "<", MAX_ARENAS)
    for b, owner in zip(blocks, owners, strict=True):
        m.put(b, header(MIN_BLOCK, owner), "header of a kept block")
    m.put(c.slot, a_batch(m, blocks), "bin")
    released: list[Any] = []
    sent: list[tuple[Any, Any]] = []

    def send_home(m: Any, home: Any, word: Any) -> int:
        """See `impl.thread_cache.send_home`; here all others are of one arena."""
        sent.extend([(home, b) for b in walked(source, m, word)])
        return 0

    def release_all(m: Any, arena: Any, word: Any) -> None:
        """See `impl.remote.release_all`."""
        released.extend([(b, arena, len(m.held)) for b in walked(source, m, word)])

    with replaced(source.thread_cache, release_all=release_all, send_home=send_home):
        source.thread_cache.flush(m, c.slot, most)
    gone = list(zip(blocks, owners, strict=True))[most:]
    path.claim("flushing_leaves_so_many", lambda: m.load(c.slot) >> 48 == min(count, most))
    path.claim("each_flushed_block_goes_home_once", lambda: not m.held
               and same([b for b, _, _ in released], [b for b, owner in gone if owner is c.w.index])
               and all(arena == c.w.arena and held == 1 for _, arena, held in released)
               and same([b for _, b in sent], [b for b, owner in gone if owner is not c.w.index])
               and all(arena == c.w.arena + ARENA_BYTES for arena, _ in sent))
    path.claim("flushing_writes_no_more", lambda: only(m, c.slot, *two_words(b + 8 for b in blocks)))


def send_home(source: Any, path: Any) -> None:
    """Up to three blocks of two arenas, of which two go at once."""
    w, batches = Window(path), []
    m, blocks = w.m, [w.span("b", MIN_BLOCK) for _ in range(path.choose(4))]
    are_home = [path.choose(2) for _ in blocks]
    path.require(w.index + 1, "<", MAX_ARENAS)
    for b, is_home in zip(blocks, are_home, strict=True):
        m.put(b, header(MIN_BLOCK, w.index + 1 - is_home), "header of a block")
    word = a_batch(m, blocks)
    with replaced(source.thread_cache, MOST_SENT=2,
                  send=lambda m, arena, batch: batches.append((arena, walked(source, m, batch)))):
        rest = source.thread_cache.send_home(m, w.arena, word)
    sent = [b for _, batch in batches for b in batch]
    path.claim("a_batch_is_of_one_arena", lambda: all(arena == w.arena for arena, _ in batches)
               and same(sent, [b for b, is_home in zip(blocks, are_home, strict=True) if is_home]))
    path.claim("a_batch_has_a_bound", lambda: all(0 < len(batch) <= 2 for _, batch in batches)
               and len(batches) == (len(sent) + 1) // 2)
    path.claim("what_is_not_sent_home_waits", lambda: same(
        walked(source, m, rest), [b for b, is_home in zip(blocks, are_home, strict=True) if not is_home]))
    path.claim("sending_home_writes_no_more", lambda: only(m, *two_words(b + 8 for b in blocks)))


def move(source: Any, path: Any) -> None:
    """Up to three blocks on top of any stack, moved to any other."""
    m, blocks = draw_key(path.machine()), [path.word("p", LOWEST, HIGHEST, ALIGN) for _ in range(path.choose(4))]
    for place, p in enumerate(blocks):
        for other in blocks[:place]:
            path.apart(p, 16, other, 16)
    (word, count), (onto, below) = a_stack(path), a_stack(path)
    result = source.stack.move(m, a_batch(m, [p - 8 for p in blocks], word, count), len(blocks), onto)
    path.claim("what_is_moved_is_on_top", lambda: is_on_top(m, result, blocks, onto, below))
    path.claim("moving_disturbs_no_other", lambda: only(m, *two_words(blocks)))


def is_on_top(m: Any, word: Any, payloads: list[Any], onto: Any, count: Any) -> bool:
    """Whether `word` leads to these, the first on top, and then to what `onto` leads to, which counts so many."""
    for place, p in enumerate(payloads):
        below = payloads[place + 1] + ((count + len(payloads) - place - 1) << 48) if place + 1 < len(payloads) else onto
        if word != p + ((count + len(payloads) - place) << 48) or not waits(m, p, below):
            return False
        word = below
    return bool(word == onto)


def same(found: list[Any], wanted: list[Any]) -> bool:
    """Whether these are the same blocks, each once, in whatever order."""
    return len(found) == len(wanted) and all(any(b == each for each in found) for b in wanted)


def set_cache(source: Any, path: Any) -> None:
    """Each word as a setting."""
    w = Window(path)
    most = path.word("most")
    w.m.put(w.statics + STATICS["cache"], path.word("before", 0, CACHE["max_cache"]), "cache")
    source.settings.set_cache(w.m, most)
    now = source.settings.get_cache(w.m)
    path.claim("caches_have_bounds", lambda: now >= 0 and now <= CACHE["max_cache"]
               and only(w.m, w.statics + STATICS["cache"]))
    path.claim("a_legal_cache_is_taken", lambda: most < 0 or most > CACHE["max_cache"] or now == most)


PROOFS = (
    Proof("stack.above", ALL_WORDS, above, {
        "what_is_put_on_a_stack_is_its_top": "its top is p",
        "a_stack_counts_what_is_put_on_it": "it counts one more",
    }),
    Proof("stack.below", ANY_HEAP, below, {
        "what_was_written_over_is_not_followed": "abort if somebody wrote over it since",
    }),
    Proof("bins.bin_at", ALL_WORDS, bin_at, {
        "bins_lie_in_the_storage": "it lies between BINS and the storage's end",
        "classes_have_bins_of_their_own": "classes have bins of their own",
    }),
    Proof("bins.grown_limit", ALL_WORDS, grown_limit, {
        "what_may_not_be_kept_has_no_room": "0 if not one block may be",
        "bins_keep_to_the_setting": "else the blocks have at most that many bytes",
        "limits_grow_by_doubling": "it at most doubles, and is at most MOST_COUNTED",
        "limits_grow_to_what_is_enough": "it does not grow beyond `enough` bytes",
    }),
    Proof("bins.batch_size", ALL_WORDS, batch_size, {
        "a_batch_is_half_a_bin_at_most": "they are at most half the limit, rounded up, and none only if that is 0",
        "batches_have_a_bound_in_bytes": "one, or at most MOST_MOVED bytes",
    }),
    Proof("bins.push", ANY_HEAP, push, {
        "a_kept_block_is_on_top_and_marked": "it is on top and marked",
        "keeping_disturbs_none_below": "those below keep their order",
    }),
    Proof("bins.take_top", ANY_HEAP, take_top, {
        "what_is_taken_off_leaves_those_below": "those below keep their order",
    }),
    Proof("bins.pop", ANY_HEAP, pop, {
        "what_is_taken_is_no_longer_marked": "it is no longer marked, nor linked",
        "taking_disturbs_none_below": "those below keep their order",
    }),
    Proof("bins.pop", ANY_HEAP, pop_nothing, {
        "what_was_written_over_is_not_handed_out": "nothing changes if there is none",
    }, suffix="_of_none"),
    Proof("bins.check_top", ANY_HEAP, check_top, more={
        "a_top_that_was_written_over_aborts": "it aborts exactly if a block is on top that was written over",
    }),
    Proof("thread_cache.cache_block", ANY_HEAP, cache_and_pop, more={
        "a_bin_with_room_takes_a_block": "a freed block of a bin's size goes on top of it, marked, the call counted",
        "keeping_and_using_changes_no_more": "no word but the bin's, the block's first two and the counts changes",
        "what_was_kept_last_is_used_first": "the next request of its size gets it, and the bin is as it was before",
    }),
    Proof("thread_cache.cache_block", ANY_HEAP, cache_block_refusing, more={
        "what_has_no_place_in_a_bin_stays": "a block that is larger than the least of its class, or looks kept, or "
                                            "whose bin is full is not taken, and nothing changes",
    }, suffix="_of_what_has_no_place"),
    Proof("thread_cache.cache_block", ANY_HEAP, cache_nothing, more={
        "without_a_cache_nothing_is_put_away": "a thread that keeps nothing takes no block, and nothing changes",
    }, suffix="_without_a_cache"),
    Proof("thread_cache.flush", "bins of up to 3 blocks", flush, more={
        "flushing_leaves_so_many": "at most so many blocks stay in the bin",
        "flushing_writes_no_more": "no word but the bin's and those of the flushed blocks changes",
        "each_flushed_block_goes_home_once": "each other is released if it is of the thread's arena, "
                                             "else sent to its own",
    }),
    Proof("thread_cache.send_home", "stacks of up to 3 blocks", send_home, more={
        "a_batch_is_of_one_arena": "each block that the arena owns is handed over to it, once",
        "a_batch_has_a_bound": "as many at once as may be",
        "what_is_not_sent_home_waits": "the result leads to all others",
        "sending_home_writes_no_more": "no word but those that link the blocks changes",
    }),
    Proof("stack.move", "up to 3 blocks, on any stacks", move, {
        "what_is_moved_is_on_top": "the last that was moved is on top",
        "moving_disturbs_no_other": "both stacks are else as they were",
    }),
    Proof("settings.set_cache", ALL_WORDS, set_cache, {
        "caches_have_bounds": "it is 0 to MAX_CACHE",
        "a_legal_cache_is_taken": "a legal value is taken as it is",
    }),
)
