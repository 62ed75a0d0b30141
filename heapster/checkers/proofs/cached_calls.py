"""Whole operations that the calling thread's cache serves, on any heap: the fast paths of malloc and free.

Nothing is replaced: the source runs from the C name on. A bin is any stack; of the block on top no more is known than
that it is used, of the bin's size, of any arena, marked, and leads to the rest, which is never looked at.
"""

from typing import Any, NamedTuple

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.cache import COUNTS, MOST_REMOTE, a_stack, show_nothing
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.classes import a_size_of, least
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    ARENA_RECORD,
    CACHE,
    CLASS,
    MAPPED,
    MAX_ARENAS,
    MAX_REQUEST,
    MIN_BLOCK,
    MOST,
    PAGE,
    PAYLOAD,
    STATICS,
    STATICS_BYTES,
    TOTALS,
    WORD,
    beyond,
    draw_key,
    header,
    let_wait,
    longer,
    only,
    owner_in,
    waits,
)
from heapster.checkers.proofs.owned import OwningThread
from heapster.machine.symbolic import HIGHEST, LOWEST

MALLOC, CALLOC, REALLOC, ALIGNED, FREE = range(5)       # kinds of calls
SMALL_CLASSES = 56                              # that requests below a page have
ENOMEM = 12
NO_RACE = "what others may be touching is only touched atomically: there is no data race"
BY_CHANCE = (32, 1 << 20)
ALIGNMENTS = (1, 2, 4, 8, 16)                   # that every block has


class Caller:
    """A thread, one of its bins, and the settings; and a block of the bin's size."""

    def __init__(self, path: Any, index: int) -> None:
        self.path, self.index = path, index
        self.statics, self.thread = (path.word(name, LOWEST, HIGHEST, ALIGN) for name in ("statics", "thread"))
        self.m = path.machine(self.statics, self.thread)
        for start, length in ((self.statics, STATICS_BYTES), (self.thread, CACHE["thread_bytes"])):
            self.reserve(start, length)
        draw_key(self.m)
        self.m.most_unknown = 0                 # an access to what nothing explains refutes
        self.threshold = path.word("threshold", PAGE, MAX_REQUEST)
        self.m.put(self.statics + STATICS["threshold"], self.threshold, "threshold")
        self.slot = self.thread + CACHE["bins"] + 2 * WORD * index

    def reserve(self, start: Any, length: Any) -> None:
        """Nothing that is known lies in [start, start + length)."""
        self.path.require(start + length, "<=", HIGHEST)
        for other, count in self.m.spans:
            self.path.apart(start, length, other, count)
        self.m.spans.append((start, length))

    def block(self, size: Any, flags: int = 0) -> Any:
        """The payload of a used block of any arena, with more flags in its header."""
        path = self.path
        b = path.word("b", LOWEST, HIGHEST, ALIGN, PAYLOAD)
        self.reserve(b, size)
        self.m.put(b, header(size, path.word("owner", 0, MAX_ARENAS - 1), 1, path.choose(2)) + flags, "header of b")
        return b + PAYLOAD

    def count_of(self, kind: int) -> tuple[Any, Any]:
        """Where the thread counts calls of a kind, and how many there were."""
        calls, place = self.path.word("calls", 0, TOTALS), self.thread + CACHE["my_calls"] + WORD * kind
        self.m.put(place, calls, "calls")
        return place, calls

    def is_alone(self) -> bool:
        """Whether it neither took a lock, nor asked the system, nor set errno."""
        return not self.m.held and not self.m.calls and self.m.errno == 0


class Waiting(NamedTuple):
    """A thread whose bin has a block, and a request of the bin's class."""

    c: Caller
    class_index: int
    p: Any                  # the payload on top of the bin
    below: Any              # the word that leads to those below it
    want: Any               # bytes of a block that is just large enough
    request: Any


def a_waiting_block(source: Any, path: Any) -> Waiting:
    """Each class that has bins, with any blocks below the one on top, and each request of it."""
    index = path.choose(CLASS["cached"])
    c = Caller(path, index)
    p = c.block(least(index) + longer(source))
    below, count = a_stack(path)
    c.m.put(c.slot, p + ((count + 1) << 48), "bin")
    let_wait(c.m, p, below)
    want = path.word("want", least(index - 1) + ALIGN if index else MIN_BLOCK, least(index), ALIGN)
    taken = beyond(source)
    request = want - taken - path.word("to spare", 0, MIN_BLOCK - taken if index == 0 else ALIGN - 1)
    path.require(request, "<", c.threshold)
    path.require(request, "<=", CACHE["most_cached"] - WORD)
    return Waiting(c, index, p, below, want, request)


def from_a_bin(source: Any, path: Any) -> None:
    """Each class that has bins, each request of it, by malloc, calloc or for an alignment that every block has."""
    c, index, p, word, _, request = a_waiting_block(source, path)
    m, size = c.m, least(index) + longer(source)
    kind = (MALLOC, CALLOC, ALIGNED)[path.choose(3)]
    place, calls = c.count_of(kind)
    owning = OwningThread(m, (p, size))
    q = _asked(source, path, owning, kind, request)
    path.claim("a_call_that_a_bin_serves_races_with_nobody", lambda: not owning.strays, owning.races)
    path.claim("what_a_bin_has_is_handed_out", lambda: q == p and request <= size - PAYLOAD)
    path.claim("what_a_bin_hands_out_leaves_it", lambda: m.load(c.slot) == word and m.load(p) == 0
               and m.load(p + WORD) == 0)
    path.claim("a_call_that_a_bin_serves_is_counted", lambda: m.load(place) == calls + 1)
    path.claim("what_a_bin_hands_out_is_zeroed_for_calloc_alone", lambda: m.fills == (
        [(p, 0, size - PAYLOAD)] if kind == CALLOC else []))
    path.claim("a_call_that_a_bin_serves_touches_no_more", lambda: c.is_alone() and only(
        m, c.slot, place, p, p + WORD))


def aligned_from_a_bin(source: Any, path: Any) -> None:
    """Each class that has bins, each request of it, at multiples that a block may start at by chance."""
    c, index, p, word, want, request = a_waiting_block(source, path)
    m = c.m
    place, calls = c.count_of(ALIGNED)
    alignment = BY_CHANCE[path.choose(len(BY_CHANCE))]
    owning = OwningThread(m, (p, least(index)))
    q = source.malloc.cached_aligned(owning, request, alignment)
    path.claim("a_block_aligned_by_chance_is_looked_at_by_its_owner", lambda: not owning.strays, owning.races)
    if p & alignment - 1 == 0 and want == least(index):
        path.claim("a_block_that_is_aligned_by_chance_is_handed_out", lambda: q == p and m.load(c.slot) == word
                   and m.load(p) == 0 and m.load(p + WORD) == 0 and m.load(place) == calls + 1
                   and c.is_alone() and only(m, c.slot, place, p, p + WORD))
    else:
        path.claim("a_block_that_is_not_aligned_stays", lambda: q == 0 and c.is_alone() and only(m))


def _asked(source: Any, path: Any, m: Any, kind: int, request: Any) -> Any:
    if kind == MALLOC:
        return source.api.malloc(m, request)
    if kind == CALLOC:
        with replaced(source.api, product=lambda *_: request):      # see `the_product_guard_is_exact`
            return source.api.calloc(m, 1, request)
    return source.api.memalign(m, ALIGNMENTS[path.choose(len(ALIGNMENTS))], request)


UNREGISTERED, LOOKS_KEPT, OF_ANOTHER_CLASS, BETWEEN_SIZES, MAPPED_BLOCK = range(5)     # why realloc looks further


def _to_be_resized(source: Any, path: Any, why: int = -1) -> tuple[Caller, Any, Any]:
    """A thread that has a cache, a block, and a request of its class, unless there is a reason why not."""
    index = path.choose(SMALL_CLASSES)
    c = Caller(path, index)
    size = least(index)
    if why == BETWEEN_SIZES:
        size = a_size_of(path, index)
        path.require(least(index), "<", size)
    p = c.block(size + longer(source), MAPPED if why == MAPPED_BLOCK else 0)
    c.m.put(c.thread + CACHE["registered"], 0 if why == UNREGISTERED else 1, "registered")
    if why == LOOKS_KEPT:
        let_wait(c.m, p, a_stack(path)[0])
    else:
        show_nothing(path, c.m, p)
    asked = index
    if why == OF_ANOTHER_CLASS:
        asked = index + 1 if index == 0 or path.choose(2) else index - 1
    taken = beyond(source)
    request = path.word("request", least(asked - 1) - taken + 1 if asked else 1, least(asked) - taken)
    if why != OF_ANOTHER_CLASS:
        path.require(request, "<", PAGE)
    return c, p, request


def resized_in_its_class(source: Any, path: Any) -> None:
    """Each class that small requests have: a block of it, and each request that malloc would give such a block for."""
    c, p, request = _to_be_resized(source, path)
    place, calls = c.count_of(REALLOC)
    owning = OwningThread(c.m, (p, least(c.index) + longer(source)))
    q = source.api.realloc(owning, p, request)
    path.claim("realloc_within_a_class_races_with_nobody", lambda: not owning.strays, owning.races)
    path.claim("realloc_within_a_class_leaves_the_block", lambda: q == p and c.m.load(place) == calls + 1
               and c.is_alone() and only(c.m, place))


def leave_nothing(source: Any, path: Any) -> None:
    """A block that looks kept, is mapped, of another class, or of a size between two; or a thread without a cache."""
    c, p, request = _to_be_resized(source, path, path.choose(5))
    left = source.malloc.leave_plain(c.m, p, request)
    path.claim("what_cannot_be_left_at_once_is_looked_at_further", lambda: not left and only(c.m))


def into_a_bin(source: Any, path: Any) -> None:
    """Each class that has bins: any bin with room, any used block of its size that does not look as if it waited."""
    index = path.choose(CLASS["cached"])
    c, size = Caller(path, index), least(index) + longer(source)
    m, p = c.m, c.block(size)
    word, count = a_stack(path)
    limit = path.word("limit", 1, COUNTS)
    path.require(count, "<", limit)
    for place, held in ((c.slot, word), (c.slot + WORD, (limit << 48) + path.choose(2))):
        m.put(place, held, "bin")
    show_nothing(path, m, p)
    place, calls = c.count_of(FREE)
    owning = OwningThread(m, (p, size))
    source.api.free(owning, p)
    path.claim("a_free_into_a_bin_races_with_nobody", lambda: not owning.strays, owning.races)
    path.claim("what_is_freed_into_a_bin_is_on_top", lambda: m.load(c.slot) == p + ((count + 1) << 48)
               and waits(m, p, word))
    path.claim("a_free_into_a_bin_is_counted", lambda: m.load(place) == calls + 1)
    path.claim("a_free_into_a_bin_touches_no_more", lambda: c.is_alone() and only(m, c.slot, place, p, p + WORD))


class Growing(Caller):
    """A thread that frees a block for which its bin has no room, and may get some; its arena, and another."""

    def __init__(self, path: Any, index: int) -> None:
        super().__init__(path, index)
        self.mine = path.word("my arena", 0, MAX_ARENAS - 1)
        self.m.put(self.statics + STATICS["cache"], path.word("cache", 1, CACHE["max_cache"]), "cache")
        self.m.put(self.thread + CACHE["registered"], path.choose(2), "registered")
        self.grown = path.word("grown limit", 1, COUNTS)

    def arena_at(self, index: Any) -> Any:
        """Where the record of the arena with this index lies."""
        return self.statics + STATICS["arenas"] + index * ARENA_BYTES

    def grow_bin(self, m: Any, *_: Any) -> Any:
        """See `impl.thread_cache.grow_bin`; on which list the thread is registered has no part in this."""
        m.store(self.slot + WORD, self.grown << 48)
        return self.grown


def into_a_grown_bin(source: Any, path: Any) -> None:
    """Each class that has bins: any bin without room that gets some, any used block of its size, of any arena."""
    index = path.choose(CLASS["cached"])
    c, size = Growing(path, index), least(index) + longer(source)
    p = c.block(size)
    freed_past_a_full_bin(source, path, c, p, owner_in(c.m.load(p - PAYLOAD)), OwningThread(c.m, (p, size)))


def freed_past_a_full_bin(source: Any, path: Any, c: Growing, p: Any, owner: Any, owning: OwningThread) -> None:
    """What is used at `p` is freed, of the arena with that index."""
    m = c.m
    word, count = a_stack(path)
    had_room = path.choose(2)
    limit = path.word("limit", 1, COUNTS) if had_room else 0
    path.require(count, "==" if not had_room else "<=", 0 if not had_room else COUNTS - 1)
    path.require(limit, "<=", count)
    path.require(count + 1, "<=", c.grown)
    for place, held in ((c.slot, word), (c.slot + WORD, limit << 48)):
        m.put(place, held, "bin")
    show_nothing(path, m, p)
    place, calls = c.count_of(FREE)
    remote, waiting = a_stack(path)
    path.require(waiting, "<", MOST_REMOTE)
    m.put(c.arena_at(owner) + ARENA_RECORD["remote"], remote, "remote list")
    with replaced(source.thread_cache, grow_bin=c.grow_bin, attach=lambda _: c.arena_at(c.mine)):
        source.api.free(owning, p)
    path.claim("a_free_past_a_full_bin_races_with_nobody", lambda: not owning.strays, owning.races)
    goes_home = not had_room and bool(owner != c.mine)
    onto, below, on_it = (c.arena_at(owner) + ARENA_RECORD["remote"], remote, waiting) if goes_home else (
        c.slot, word, count)
    path.claim("what_a_bin_that_grew_does_not_take_goes_home", lambda: m.load(onto) == p + ((on_it + 1) << 48)
               and waits(m, p, below))
    path.claim("a_free_past_a_full_bin_is_counted", lambda: m.load(place) == calls + 1)
    path.claim("a_free_past_a_full_bin_touches_no_more", lambda: c.is_alone() and only(
        m, onto, c.slot + WORD, place, p, p + WORD))


def past_the_bins(source: Any, path: Any) -> None:
    """Each block that is of no bin's size, whatever the thread keeps; or of one of which no block may be kept."""
    index = path.choose(CLASS["cached"] + 1)
    large = index == CLASS["cached"]
    none_may_stay = not large and bool(path.choose(2))
    c = Caller(path, 0 if large else index)
    m = c.m
    total = path.word("total", CACHE["most_cached"] + ALIGN, MOST, ALIGN) if large else a_size_of(path, index)
    if none_may_stay:
        total = least(index)
        m.put(c.slot, 0, "bin")
        m.put(c.slot + WORD, 0, "limit")
    elif not large:
        path.require(least(index), "<", total)
    p = c.block(total + longer(source))
    m.put(c.thread + CACHE["registered"], path.choose(2), "registered")
    m.put(c.statics + STATICS["cache"], path.word("cache", 0, CACHE["max_cache"]), "cache")
    word = m.load(p - PAYLOAD)
    asked: list[Any] = []
    if none_may_stay:
        show_nothing(path, m, p)
    with (replaced(source.malloc, check_in_use=lambda *_: None,      # see `only_what_waits_aborts`
                   free_to_arena=lambda _, *words: asked.append(words)),
          replaced(source.thread_cache, grow_bin=lambda *_: 0)):    # see `bins_have_the_room_that_may_be_kept`
        source.api.free(m, p)
    path.claim("what_no_bin_takes_goes_to_its_arena", lambda: len(asked) == 1 and all(
        one == other for one, other in zip(asked[0], (p - PAYLOAD, word, FREE), strict=True)))
    path.claim("what_no_bin_takes_leaves_the_cache_alone", lambda: c.is_alone() and only(m))


def nothing_to_do(source: Any, path: Any) -> None:
    """Requests that no block could hold; and NULL, which nobody has."""
    m = path.machine(path.word("statics", LOWEST, HIGHEST, ALIGN), path.word("thread", LOWEST, HIGHEST, ALIGN))
    m.most_unknown = 0
    m.put(m.statics() + STATICS["threshold"], path.word("threshold", PAGE, MAX_REQUEST), "threshold")
    if path.choose(2):
        source.api.free(m, 0)
        path.claim("free_of_null_does_nothing", lambda: only(m) and m.errno == 0)
        return
    request = path.word("request", MAX_REQUEST + 1) if path.choose(2) else path.word("request", -1 << 63, -1)
    p = source.api.malloc(m, request)
    path.claim("what_no_block_could_hold_is_refused", lambda: p == 0 and m.errno == ENOMEM and only(m)
               and not m.held and not m.calls)


PROOFS = (
    Proof("api.malloc", ANY_HEAP, nothing_to_do, more={
        "what_no_block_could_hold_is_refused": "NULL and ENOMEM, and no word changes",
        "free_of_null_does_nothing": "free of NULL changes no word, and leaves errno alone",
    }, suffix="_of_what_is_refused"),
    Proof("api.realloc", ANY_HEAP, resized_in_its_class, more={
        "realloc_within_a_class_leaves_the_block": "in a thread with a cache, a block of the class that malloc would "
                                                   "give for the request stays as it is, the call counted; no other "
                                                   "word changes, and no lock is taken",
        "realloc_within_a_class_races_with_nobody": NO_RACE,
    }, suffix="_within_a_class"),
    Proof("malloc.leave_plain", ANY_HEAP, leave_nothing, {
        "what_cannot_be_left_at_once_is_looked_at_further": "no word changes if it is false",
    }),
    Proof("api.malloc", ANY_HEAP, from_a_bin, more={
        "what_a_bin_has_is_handed_out": "the block on top of the thread's bin, which holds the request",
        "what_a_bin_hands_out_leaves_it": "the bin has those below, and the block is marked no more",
        "a_call_that_a_bin_serves_is_counted": "the thread counts one call more of its kind",
        "what_a_bin_hands_out_is_zeroed_for_calloc_alone": "calloc zeroes all of the payload, others no byte of it",
        "a_call_that_a_bin_serves_touches_no_more": "no other word changes, no lock is taken, nobody is asked, and "
                                                    "errno is left alone",
        "a_call_that_a_bin_serves_races_with_nobody": NO_RACE,
    }, suffix="_from_a_bin"),
    Proof("malloc.cached_aligned", ANY_HEAP, aligned_from_a_bin, more={
        "a_block_that_is_aligned_by_chance_is_handed_out": "the block on top of the bin, if it starts at the multiple "
                                                           "and is of just the size that the request needs; no other "
                                                           "word changes but its marks, the bin and the count",
        "a_block_that_is_not_aligned_stays": "else NULL, and no word changes",
        "a_block_aligned_by_chance_is_looked_at_by_its_owner": NO_RACE,
    }),
    Proof("api.free", ANY_HEAP, into_a_bin, more={
        "what_is_freed_into_a_bin_is_on_top": "it is on top of the thread's bin, marked, above all that was there",
        "a_free_into_a_bin_is_counted": "the thread counts one call more",
        "a_free_into_a_bin_touches_no_more": "no other word changes, no lock is taken, nobody is asked, and errno is "
                                             "left alone",
        "a_free_into_a_bin_races_with_nobody": NO_RACE,
    }, suffix="_into_a_bin"),
    Proof("api.free", ANY_HEAP, into_a_grown_bin, more={
        "what_a_bin_that_grew_does_not_take_goes_home": "it is on top of the bin, which got room, marked; the first "
                                                        "for a bin goes home if it is another arena's",
        "a_free_past_a_full_bin_is_counted": "the thread counts one call more",
        "a_free_past_a_full_bin_touches_no_more": "no other word changes but the bin's limit, no lock is taken, nobody "
                                                  "is asked, and errno is left alone",
        "a_free_past_a_full_bin_races_with_nobody": NO_RACE,
    }, suffix="_into_a_grown_bin"),
    Proof("api.free", ANY_HEAP, past_the_bins, more={
        "what_no_bin_takes_goes_to_its_arena": "a block of which no bin may have any is given to its arena, once",
        "what_no_bin_takes_leaves_the_cache_alone": "before that, no word changes",
    }, suffix="_past_the_bins"),
)
