"""The way of a call behind the C names, function by function: who asks whom for what, and in which order.

What is asked stands in `notes`; that each does what it promises is proved of it. See `any_heap_calls` for whole calls.
"""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    CACHE,
    CALL_KINDS,
    CLASS,
    DOUBLE_FREE,
    LOST,
    MAPPED,
    MAX_ARENAS,
    MAX_REQUEST,
    MOST,
    PAGE,
    PAYLOAD,
    STATICS,
    USE_AFTER_FREE,
    WORD,
    a_size,
    beyond,
    header,
    longer,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.notes import Notes, or_null
from heapster.machine.symbolic import HIGHEST, LOWEST

ENOMEM, REALLOC, FREE = 12, 2, 4
ALIGNMENTS = (ALIGN, 2 * ALIGN, PAGE, MAX_REQUEST)


class PassedCall(Window):
    """A request of any size, alignment and kind, at any settings, by a thread that has a cache or none."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.notes = Notes()
        self.thread = path.word("thread", LOWEST, HIGHEST, ALIGN)
        self.reserve(self.thread, CACHE["thread_bytes"])
        self.m.use_thread(self.thread)
        self.request, self.kind = path.word("request", 0, MAX_REQUEST), path.choose(CALL_KINDS)
        self.alignment = ALIGNMENTS[path.choose(len(ALIGNMENTS))]
        self.words = (self.request, self.alignment, self.kind)
        self.threshold = path.word("threshold", PAGE, MAX_REQUEST)
        self.m.put(self.statics + STATICS["threshold"], self.threshold, "threshold")

    def is_alone(self) -> bool:
        """Whether no word changed but by whom was asked, no lock is held, and nobody else was asked."""
        return not self.m.held and not self.m.calls and only(self.m)

    def is_refused(self, answer: Any) -> bool:
        """Whether it answers NULL, and says that memory is out."""
        return bool(answer == 0) and self.m.errno == ENOMEM and self.is_alone()


def allocate(source: Any, path: Any) -> None:
    """Whatever the cache has, whatever is found without it."""
    c, cached, found = PassedCall(path), or_null(path, "cached"), or_null(path, "found")
    with replaced(source.malloc, **c.notes.answering(cached=cached, malloc_slow=found)):
        p = source.malloc.allocate(c.m, *c.words)
    path.claim("what_is_cached_is_handed_out_at_once", lambda: p == (cached if cached != 0 else found) and c.is_alone()
               and c.notes.are(("cached", *c.words), *[("malloc_slow", *c.words)] * (cached == 0)))


def cached(source: Any, path: Any) -> None:
    """Any class that has it, whatever is in its bin."""
    c, is_small, popped = PassedCall(path), bool(path.choose(2)), or_null(path, "popped")
    index = path.word("class", 0, CLASS["cached"] - 1)
    with replaced(source.malloc, **c.notes.answering(is_small=is_small, class_for_request=index, pop_cached=popped)):
        p = source.malloc.cached(c.m, *c.words)
    asked = [note for note in c.notes.done if note[0] == "pop_cached"]
    fits = is_small and c.alignment == ALIGN
    path.claim("small_requests_that_every_block_is_aligned_for_ask_the_cache", lambda: c.is_alone() and (
        asked == [("pop_cached", index, c.kind)] and p == popped if fits else p == 0 and not asked))


def malloc_slow(source: Any, path: Any) -> None:
    """A request that may be refused, whatever is placed for it."""
    c, refused, b = PassedCall(path), bool(path.choose(2)), or_null(path, "placed")
    with replaced(source.malloc, is_refused=lambda _: refused, **c.notes.answering(place=b)):
        p = source.malloc.malloc_slow(c.m, *c.words)
    path.claim("what_is_placed_is_answered_by_its_payload", lambda: c.notes.are(
        *[("place", *c.words)] * (not refused)) and (
            c.is_refused(p) if refused or b == 0 else p == b + PAYLOAD and c.m.errno == 0 and c.is_alone()))


def place(source: Any, path: Any) -> None:
    """Whatever is found, and found at last, in a heap that is hardened or not."""
    c, first, second = PassedCall(path), or_null(path, "first"), or_null(path, "second")
    hardened, beyond = bool(path.choose(2)), or_null(path, "beyond")
    with replaced(source.malloc, is_hardened=lambda _: hardened, **c.notes.answering(
            attach=0, place_beyond=beyond, allocate_block=first, retry_after_trim=second)):
        b = source.malloc.place(c.m, *c.words)
    if hardened:
        path.claim("a_hardened_heap_places_elsewhere", lambda: b == beyond and c.is_alone()
                   and c.notes.are(("attach",), ("place_beyond", *c.words)))
        return
    path.claim("what_cannot_be_placed_is_tried_again", lambda: b == (first if first != 0 else second) and c.is_alone()
               and c.notes.are(("attach",), ("allocate_block", *c.words),
                               *[("retry_after_trim", *c.words)] * (first == 0)))


def allocate_block(source: Any, path: Any) -> None:
    """Whatever is found."""
    c, is_small, b = PassedCall(path), bool(path.choose(2)), or_null(path, "placed")
    with replaced(source.malloc, is_small=lambda *_: is_small, **c.notes.answering(place_small=b, place_large=b)):
        found = source.malloc.allocate_block(c.m, *c.words)
    asked = ("place_small", c.request, c.kind) if is_small and c.alignment == ALIGN else (
        "place_large", *c.words)
    path.claim("small_requests_are_placed_by_their_class", lambda: found == b and c.notes.are(asked) and c.is_alone())


def retry(source: Any, path: Any) -> None:
    """Whatever was retained, and whether or not the thread's arena is lost."""
    c, released, lost = PassedCall(path), bool(path.choose(2)), bool(path.choose(2))
    found, mapped = or_null(path, "found"), or_null(path, "mapped")
    with replaced(source.malloc, **c.notes.answering(
            release_retained=released, allocate_block=found, has_lost_arena=lost, map_block=mapped)):
        b = source.malloc.retry_after_trim(c.m, *c.words)
    has_it = released and found != 0
    path.claim("what_was_retained_serves_when_memory_is_out", lambda: c.is_alone()
               and b == (found if has_it else mapped if lost else 0) and c.notes.are(
        ("release_retained",), *[("allocate_block", *c.words)] * released, *[("has_lost_arena",)] * (not has_it),
        *[("map_block", *c.words)] * (not has_it and lost)))


def has_lost_arena(source: Any, path: Any) -> None:
    """An arena that is lost, or not."""
    c, lost = PassedCall(path), path.choose(2)
    c.m.find(c.head).was = c.m.find(c.head).now = header(0, c.owner) + LOST * lost
    with replaced(source.malloc, **c.notes.answering(attach=c.arena)):
        answer = source.malloc.has_lost_arena(c.m)
    path.claim("whether_an_arena_is_lost_is_told", lambda: bool(answer) == bool(lost) and c.is_alone())


def place_large(source: Any, path: Any) -> None:
    """Every threshold, whether or not it could be mapped."""
    c, mapped, found = PassedCall(path), or_null(path, "mapped"), or_null(path, "found")
    with replaced(source.malloc, **c.notes.answering(map_block=mapped, acquire=found, attach=c.arena)):
        b = source.malloc.place_large(c.m, *c.words)
    room = c.request + (0 if c.alignment == ALIGN else c.alignment + ALIGN)
    is_large = bool(room >= c.threshold)
    wanted = (c.arena, source.block.block_size(c.request), c.alignment, c.kind)
    path.claim("what_the_threshold_reaches_is_mapped", lambda: (("map_block", *c.words) in c.notes.done) == is_large)
    served = is_large and bool(mapped != 0)
    path.claim("what_is_not_mapped_is_asked_of_the_arena", lambda: b == (mapped if served else found) and c.is_alone()
               and [note[1:] for note in c.notes.done if note[0] == "acquire"] == ([] if served else [wanted]))


def place_small(source: Any, path: Any) -> None:
    """Each class, whether or not threads may keep blocks."""
    c, caches, b = PassedCall(path), path.choose(2) * path.word("cache", 1, CACHE["max_cache"]), or_null(path, "placed")
    index, request = path.word("class", 0, CLASS["cached"] - 1), path.word("request", 0, CACHE["most_cached"])
    c.m.put(c.statics + STATICS["cache"], caches, "cache")
    with replaced(source.malloc, class_for_request=lambda _: index, least_of_class=lambda _: 3 * ALIGN,
                  **c.notes.answering(check_top=0, attach=c.arena, acquire=b, refill=b)):
        found = source.malloc.place_small(c.m, request, c.kind)
    slot = c.thread + CACHE["bins"] + 2 * WORD * index
    path.claim("where_threads_keep_blocks_a_class_is_refilled", lambda: found == b and c.is_alone() and c.notes.are(
        ("check_top", slot), *([("refill", 3 * ALIGN, c.kind)] if caches != 0 else [
            ("attach",), ("acquire", c.arena, source.block.block_size(request), ALIGN, c.kind)])))


class GivenBlock(PassedCall):
    """A used block, of an arena or mapped, that is given back or resized."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.mapped = bool(path.choose(2))
        self.size, self.of = a_size(path), path.word("its arena", 0, MAX_ARENAS - 1)
        self.b = self.span("b", ALIGN)
        self.p, self.word_of_b = self.b + PAYLOAD, header(self.size, self.of) + MAPPED * self.mapped
        self.m.put(self.b, self.word_of_b, "header of b")
        self.home = self.statics + STATICS["arenas"] + ARENA_BYTES * self.of


def free_block(source: Any, path: Any) -> None:
    """A block that a bin takes at once, or not."""
    g, done = GivenBlock(path), bool(path.choose(2))
    with replaced(source.malloc, **g.notes.answering(cache_plain=done, free_slow=0)):
        source.malloc.free_block(g.m, g.p, g.kind)
    path.claim("what_no_bin_takes_at_once_is_freed_slowly", lambda: g.is_alone() and g.notes.are(
        ("cache_plain", g.p, g.kind), *[("free_slow", g.p, g.kind)] * (not done)))


def cache_plain(source: Any, path: Any) -> None:
    """A used block of an arena; one that is mapped, free or too large; or where no program has memory."""
    g, done, nowhere = GivenBlock(path), bool(path.choose(2)), path.choose(3)
    used = path.choose(2)
    g.m.find(g.b).was = g.m.find(g.b).now = g.word_of_b - 1 + used
    path.require(g.size, "<", 1 << 48)
    p = (g.p, g.p + PAYLOAD, path.word("p", -1 << 62, 1 << 16, ALIGN))[nowhere]
    with replaced(source.malloc, **g.notes.answering(cache_block=done)):
        went = source.malloc.cache_plain(g.m, p, g.kind)
    path.claim("only_a_plain_used_block_goes_into_a_bin", lambda: g.is_alone() and (
        not went and not g.notes.done if nowhere or g.mapped or not used or g.size >= CACHE["least_large"] else
        bool(went) == done and g.notes.are(("cache_block", p, g.size - longer(source), g.kind))))


def free_slow(source: Any, path: Any) -> None:
    """Any used block, whether or not a bin takes it now."""
    g, done = GivenBlock(path), bool(path.choose(2))
    with replaced(source.malloc, **g.notes.answering(
            header_of=g.word_of_b, check_in_use=0, cache_block_slow=done, free_to_arena=0)):
        source.malloc.free_slow(g.m, g.p, g.kind)
    path.claim("what_no_bin_takes_is_given_to_its_owner_once", lambda: g.is_alone() and g.notes.are(
        ("header_of", g.p, DOUBLE_FREE), *([] if g.mapped else [
            ("check_in_use", g.p, g.word_of_b, DOUBLE_FREE),
            ("cache_block_slow", g.p, g.size - longer(source), g.kind)]),
        *[("free_to_arena", g.b, g.word_of_b, g.kind)] * (g.mapped or not done)))


def free_to_arena(source: Any, path: Any) -> None:
    """Any used block, of any arena or mapped."""
    g = GivenBlock(path)
    with replaced(source.malloc, **g.notes.answering(unmap_block=0, count_call=0, release=0)):
        source.malloc.free_to_arena(g.m, g.b, g.word_of_b, g.kind)
    of_arena = [*[("count_call", g.home, FREE)] * (g.kind == FREE), ("release", g.home, g.b)]
    path.claim("a_block_goes_to_its_arena_under_its_lock_or_is_unmapped", lambda: g.is_alone() and (
        g.notes.are(("unmap_block", g.b, g.kind)) if g.mapped else
        g.notes.are(*of_arena) and g.notes.held == [1] * len(of_arena)))


def usable_bytes(source: Any, path: Any) -> None:
    """Any used block."""
    g, usable = GivenBlock(path), path.word("usable", 1, MOST)
    with replaced(source.malloc, **g.notes.answering(header_of=g.word_of_b, mapped_usable=usable)):
        answer = source.malloc.usable_bytes(g.m, g.p)
    path.claim("what_is_usable_ends_with_the_block", lambda: answer == (usable if g.mapped else g.size - PAYLOAD)
               and g.is_alone() and g.notes.are(("header_of", g.p, USE_AFTER_FREE),
                                                *[("mapped_usable", g.b)] * g.mapped))


def resize_mapping(source: Any, path: Any) -> None:
    """A mapped block that stays, moves, or cannot be resized."""
    g, now = GivenBlock(path), or_null(path, "now")
    with replaced(source.malloc, **g.notes.answering(resize_mapped=now)):
        q = source.malloc.resize_mapping(g.m, g.p, g.request)
    path.claim("a_resized_mapping_is_answered_by_its_payload", lambda: q == (now + PAYLOAD if now != 0 else 0)
               and g.is_alone() and g.notes.are(("resize_mapped", g.b, g.request, REALLOC)))


def size_for(source: Any, path: Any) -> None:
    """Any request, whether or not threads may keep blocks."""
    c, is_small, caches = PassedCall(path), bool(path.choose(2)), path.choose(2)
    c.m.put(c.statics + STATICS["cache"], caches, "cache")
    with replaced(source.malloc, is_small=lambda *_: is_small, **_classes()):
        size = source.malloc.size_for(c.m, c.request)
    of_class = source.block.block_size(c.request - PAYLOAD + beyond(source)) + ALIGN + longer(source)
    path.claim("a_resized_block_gets_what_malloc_gives", lambda: c.is_alone() and size == (
        of_class if is_small and caches else source.block.block_size(c.request)))


def _classes() -> dict[str, Any]:
    """Classes of which the size that is asked for is the least of none."""
    return {"class_for": lambda total: total, "least_of_class": lambda total: total + ALIGN}


def resize_in_arena(source: Any, path: Any) -> None:
    """Whatever malloc would give, and whatever there is room for."""
    g, done = GivenBlock(path), [bool(path.choose(2)), bool(path.choose(2))]
    need = source.block.block_size(g.request)
    want = need + ALIGN * path.choose(2)
    first, second = done
    with replaced(source.malloc, size_for=lambda *_: want, **g.notes.answering(resize=done)):
        resized = source.malloc.resize_in_arena(g.m, g.arena, g.b, g.request)
    again = not first and bool(want != need)
    path.claim("where_a_class_does_not_fit_what_is_needed_may", lambda: bool(resized) == (first or (again and second))
               and g.is_alone() and g.notes.are(("resize", g.arena, g.b, want, REALLOC),
                                                *[("resize", g.arena, g.b, need, REALLOC)] * again))


def is_left(source: Any, path: Any) -> None:
    """A thread that has a cache, or none; a block that could serve the request, or not."""
    g, registered, serves = GivenBlock(path), path.choose(2), bool(path.choose(2))
    g.m.put(g.thread + CACHE["registered"], registered, "registered")
    asked: list[Any] = []

    def could_serve(*words: Any) -> bool:
        """See `impl.sized.could_serve`."""
        asked.append(words)
        return serves

    with replaced(source.malloc, could_serve=could_serve):
        left = source.malloc.is_left(g.m, g.size, g.request)
    path.claim("realloc_leaves_what_malloc_could_give", lambda: bool(left) == bool(registered and serves)
               and g.is_alone() and asked == [(g.size, g.request, ALIGN)] * registered)


def zero_payload(source: Any, path: Any) -> None:
    """Any used block, small or large, of an arena or mapped."""
    g = GivenBlock(path)
    usable = g.size - PAYLOAD
    with replaced(source.api, **g.notes.answering(usable_bytes=usable)):
        source.api.zero_payload(g.m, g.p)
    path.claim("all_of_a_payload_is_zeroed_but_a_mapping", lambda: g.m.fills == [(g.p, 0, usable)] * (not g.mapped)
               and g.is_alone())


def realloc_slow(source: Any, path: Any) -> None:
    """Whatever can be resized, whatever can move."""
    g, in_place, moved = GivenBlock(path), or_null(path, "in place"), or_null(path, "moved")
    path.require(1, "<=", g.request)
    with replaced(source.api, **g.notes.answering(resize_uncopied=in_place, move=moved)):
        q = source.api.realloc_slow(g.m, g.p, g.request)
    path.claim("what_cannot_be_resized_moves", lambda: q == (in_place if in_place != 0 else moved) and g.is_alone()
               and g.notes.are(("resize_uncopied", g.p, g.request), *[("move", g.p, g.request)] * (in_place == 0)))


def init(source: Any, path: Any) -> None:
    """Each word as a size, and as a policy."""
    notes, size, policy, answer = Notes(), path.word("size"), path.word("policy"), -path.choose(2)
    with replaced(source.api, **notes.answering(set_policy=answer, set_growth=0)):
        said = source.api.init(path.machine(), size, policy)
    path.claim("init_sets_growth_unless_the_policy_is_unknown", lambda: said == answer and notes.are(
        ("set_policy", policy), *[("set_growth", size)] * (answer == 0)))


def aligned_calls(source: Any, path: Any) -> None:
    """memalign and valloc."""
    notes, p, alignment, request = Notes(), or_null(path, "p"), path.word("alignment"), path.word("request")
    m = path.machine()
    with replaced(source.api, **notes.answering(aligned_alloc=p)):
        answers = [source.api.memalign(m, alignment, request), source.api.valloc(m, request)]
    path.claim("memalign_and_valloc_are_aligned_alloc", lambda: answers == [p, p] and notes.are(
        ("aligned_alloc", alignment, request), ("aligned_alloc", PAGE, request)))


PROOFS = (
    Proof("malloc.allocate", ALL_WORDS, allocate, more={
        "what_is_cached_is_handed_out_at_once": "a cached block, and where there is none, what is found without"}),
    Proof("malloc.cached", ALL_WORDS, cached, more={
        "small_requests_that_every_block_is_aligned_for_ask_the_cache": "of the class of the request; no others do"}),
    Proof("malloc.malloc_slow", ALL_WORDS, malloc_slow, more={
        "what_is_placed_is_answered_by_its_payload": "else NULL and ENOMEM; for what is refused nobody is asked"}),
    Proof("malloc.place", ALL_WORDS, place, more={
        "a_hardened_heap_places_elsewhere": "and asks nobody else",
        "what_cannot_be_placed_is_tried_again": "once, with what is retained"}, suffix="_by_its_parts"),
    Proof("malloc.allocate_block", ALL_WORDS, allocate_block, more={
        "small_requests_are_placed_by_their_class": "those that every block is aligned for; others as large ones"}),
    Proof("malloc.retry_after_trim", ALL_WORDS, retry, more={
        "what_was_retained_serves_when_memory_is_out": "once more if the system took any; of a lost arena a mapping"}),
    Proof("malloc.has_lost_arena", ANY_HEAP, has_lost_arena, more={
        "whether_an_arena_is_lost_is_told": "by its head, under its lock, which is released"}),
    Proof("malloc.place_large", ALL_WORDS, place_large, more={
        "what_the_threshold_reaches_is_mapped": "what needs as many bytes as the threshold, or more",
        "what_is_not_mapped_is_asked_of_the_arena": "and all else is: the thread's, for a block that holds it"}),
    Proof("malloc.place_small", ALL_WORDS, place_small, more={
        "where_threads_keep_blocks_a_class_is_refilled": "else the arena is asked for the block alone"},
          suffix="_by_its_parts"),
    Proof("malloc.free_block", ALL_WORDS, free_block, more={
        "what_no_bin_takes_at_once_is_freed_slowly": "once; else nobody else is asked"}),
    Proof("malloc.cache_plain", ANY_HEAP, cache_plain, more={
        "only_a_plain_used_block_goes_into_a_bin": "of an arena, used, not too large; of others nothing is done"}),
    Proof("malloc.free_slow", ANY_HEAP, free_slow, more={
        "what_no_bin_takes_is_given_to_its_owner_once": "after it was seen to be used, and not to wait"}),
    Proof("malloc.free_to_arena", ANY_HEAP, free_to_arena, more={
        "a_block_goes_to_its_arena_under_its_lock_or_is_unmapped": "and a call of free is counted there; the lock is "
                                                                   "released"}),
    Proof("malloc.usable_bytes", ANY_HEAP, usable_bytes, more={
        "what_is_usable_ends_with_the_block": "all of it but its header; of a mapping what that says"}),
    Proof("malloc.resize_mapping", ALL_WORDS, resize_mapping, more={
        "a_resized_mapping_is_answered_by_its_payload": "NULL if it cannot be resized"}),
    Proof("malloc.size_for", ALL_WORDS, size_for, more={
        "a_resized_block_gets_what_malloc_gives": "the least size of a class that holds it, where threads keep blocks; "
                                                  "else what it needs"}),
    Proof("malloc.resize_in_arena", ALL_WORDS, resize_in_arena, more={
        "where_a_class_does_not_fit_what_is_needed_may": "what malloc would give is tried, then what is needed"}),
    Proof("malloc.is_left", ALL_WORDS, is_left, more={
        "realloc_leaves_what_malloc_could_give": "true exactly in a thread that has a cache, of such a block"}),
    Proof("api.zero_payload", ANY_HEAP, zero_payload, more={
        "all_of_a_payload_is_zeroed_but_a_mapping": "every usable byte of a block of an arena, and none of a mapping"}),
    Proof("api.realloc_slow", ALL_WORDS, realloc_slow, more={
        "what_cannot_be_resized_moves": "what is resized where it is, or else what it moved to"}),
    Proof("api.init", ALL_WORDS, init, more={
        "init_sets_growth_unless_the_policy_is_unknown": "the growth that is asked for; REFUSED, and nothing is set"}),
    Proof("api.memalign", ALL_WORDS, aligned_calls, more={
        "memalign_and_valloc_are_aligned_alloc": "of the alignment, and of a page"}),
)
