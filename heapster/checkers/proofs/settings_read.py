"""What settings are in force, which arena is whose, and small steps on lists and records, one by one."""

from functools import partial
from itertools import pairwise
from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, Proof
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    CACHE,
    CLASS,
    CROWDED,
    FENCE_REGION,
    LAYOUT,
    LEAST_KEY,
    MAX_ARENAS,
    MIN_BLOCK,
    MOST,
    NEXT,
    PAYLOAD,
    PREV,
    STATICS,
    TOTALS,
    WORD,
    a_size,
    header,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.placement import Over
from heapster.machine.symbolic import HIGHEST, LOWEST

READ = (("policy", 0), ("threshold", 128 * 1024), ("growth", 128 * 1024), ("cache", 0), ("keep", 0))


def getter(name: str, default: int, source: Any, path: Any) -> None:
    """Set to anything, or not set."""
    w, word = Window(path), path.word("setting", 0, TOTALS)
    w.m.put(w.statics + STATICS[name], word, name)
    read = getattr(source.settings, f"get_{name}")(w.m)
    path.claim(f"the_{name}_in_force_is_what_was_set", lambda: read == (default if word == 0 else word)
               and only(w.m))


def set_key(source: Any, path: Any) -> None:
    """Each word that is drawn whose bits are all kept, all dropped, or all set."""
    w, drawn = Window(path), (0, -1, 1, 2, (1 << 61) - 2, 1 << 61, -2)[path.choose(7)]
    source.settings.set_key(w.m, drawn)
    path.claim("a_key_is_odd_and_has_all_bits_that_were_drawn", lambda: w.m.load(w.statics + STATICS["key"]) == (
        LEAST_KEY + (drawn & ((1 << 61) - 2))) and only(w.m, w.statics + STATICS["key"]))


def set_arenas(source: Any, path: Any) -> None:
    """Each word."""
    w, count = Window(path), path.word("count")
    w.m.put(w.statics + STATICS["arena_limit"], path.word("before", 0, MAX_ARENAS), "arena limit")
    source.settings.set_arenas(w.m, count)
    now = w.m.load(w.statics + STATICS["arena_limit"])
    path.claim("there_are_as_many_arenas_as_was_said", lambda: not w.m.held and only(
        w.m, w.statics + STATICS["arena_limit"]) and now == (1 if count < 1 else MAX_ARENAS if count > MAX_ARENAS else
                                                           count))


def places(source: Any, path: Any) -> None:
    """Each arena, by its index, and by a header of its blocks."""
    s, index = path.word("statics", LOWEST, HIGHEST, ALIGN), path.word("index", 0, MAX_ARENAS - 1)
    m, arena = path.machine(s), s + STATICS["arenas"] + ARENA_BYTES * index
    path.claim("an_arena_has_its_record_and_its_count", lambda: source.settings.arena_at(s, index) == arena
               and source.settings.attached_at(s, index) == s + STATICS["attached"] + WORD * index
               and source.settings.arena_of(m, header(a_size(path), index, path.choose(2), path.choose(2))) == arena
               and only(m))


def count_thread(source: Any, path: Any) -> None:
    """Any arena, one thread more or less."""
    w, index, change = Window(path), path.word("index", 0, MAX_ARENAS - 1), path.choose(2) * 2 - 1
    place, threads = w.statics + STATICS["attached"] + WORD * index, path.word("threads", 1, CROWDED)
    w.m.put(place, threads, "threads")
    source.settings.count_thread(w.m, index, change)
    path.claim("one_thread_more_or_less_is_counted", lambda: w.m.load(place) == threads + change and only(w.m, place))


class LeastAttached:
    """The loop of `least_attached`, cut: of the arenas looked at one has the fewest threads, the first of equals."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, Window(path)
        w = self.w
        self.limit = path.word("limit", 1, MAX_ARENAS)
        self.least, self.index = path.word("least", 0, MAX_ARENAS - 1), path.word("index now", 1, MAX_ARENAS)
        path.require(self.least, "<", self.index)
        self.fewest, self.next = (path.word(name, 0, 2 * CROWDED) for name in ("fewest", "next"))
        w.m.put(self.place(self.least), self.fewest, "threads")
        if self.index < MAX_ARENAS:
            w.m.put(self.place(self.index), self.next, "threads")

    def place(self, index: Any) -> Any:
        """Where the threads of an arena are counted."""
        return self.w.statics + STATICS["attached"] + WORD * index

    def enter(self, index: Any, least: Any) -> list[Any]:
        """The first was looked at; or any number."""
        self.path.claim("the_first_arena_is_looked_at_first", lambda: index == 1 and least == 0)
        return [self.index, self.least]

    def again(self, index: Any, least: Any) -> None:
        """The next was looked at: it is the least if it has fewer."""
        self.path.claim("of_equal_arenas_the_first_stays", lambda: index == self.index + 1 and only(self.w.m)
                        and least == (self.index if self.next < self.fewest else self.least))
        raise Over


def least_attached(source: Any, path: Any) -> None:
    """Any number of arenas, and of threads that each has."""
    loop = LeastAttached(path)
    try:
        least = cut(source.settings.least_attached, loop)(loop.w.m, loop.limit)
    except Over:
        return
    below = loop.index < loop.limit
    path.claim("looking_ends_with_the_last_or_an_empty_one", lambda: least == loop.least and only(loop.w.m) and bool(
        loop.index == MAX_ARENAS or (loop.fewest == 0 if below else loop.fewest < CROWDED)))


def must_look_on(source: Any, path: Any) -> None:
    """Whether an arena must be passed over: so many threads, and the next below the limit or not."""
    threads, below = path.word("threads", 0, 2 * CROWDED), bool(path.choose(2))
    path.claim("an_empty_arena_is_taken_and_a_lost_one_never", lambda: bool(
        source.settings.must_look_on(threads, below)) == bool(threads > 0 if below else threads >= CROWDED))


def add(source: Any, path: Any) -> None:
    """Any word, any amount."""
    w, was, amount = Window(path), path.word("was", 0, TOTALS), path.word("amount", -TOTALS, TOTALS)
    place = w.span("word", WORD)
    w.m.put(place, was, "word")
    source.freelist.add(w.m, place, amount)
    path.claim("amounts_are_added", lambda: w.m.load(place) == was + amount and only(w.m, place))


def count_used(source: Any, path: Any) -> None:
    """Any totals, any bytes more or less, a block more or less or none."""
    w, total, blocks = Window(path), path.word("total", -MOST, MOST), path.choose(3) - 1
    used, count = w.word("used_bytes"), w.word("used_blocks")
    source.arena.count_used(w.m, w.arena, total, blocks)
    path.claim("used_blocks_and_their_bytes_are_counted", lambda: w.m.load(w.at("used_bytes")) == used + total
               and w.m.load(w.at("used_blocks")) == count + blocks
               and only(w.m, w.at("used_bytes"), w.at("used_blocks")))


def is_lost(source: Any, path: Any) -> None:
    """An arena that is lost, or not."""
    lost = path.choose(2)
    w = Window(path, lost=bool(lost))
    path.claim("a_lost_arena_is_told", lambda: bool(source.arena.is_lost(w.m, w.arena)) == bool(lost) and only(w.m))


def put_back(source: Any, path: Any) -> None:
    """A rest of any size, or none."""
    w, size, rest_size = Window(path), a_size(path), a_size(path, "size of the rest")
    b, has_rest, linked = w.span("b", 2 * MOST + ALIGN), path.choose(2), []
    end = b + size + rest_size * has_rest
    w.m.put(b, header(size, w.owner), "header of b")
    w.m.put(end, header(MIN_BLOCK, w.owner, 1, 0), "header of the right")
    if has_rest:
        w.m.put(b + size, header(rest_size, w.owner), "header of the rest")
    shipped, source.arena.link = source.arena.link, lambda m, *words: linked.append(words)
    try:
        source.arena.put_back(w.m, w.arena, b, b + size if has_rest else 0)
    finally:
        source.arena.link = shipped
    load = w.m.load
    path.claim("what_is_cut_off_becomes_free_or_the_right_is_told", lambda: only(w.m, b + size, end - WORD, end) and (
        linked == [(w.arena, b + size)] and load(b + size) == header(rest_size, w.owner, 0)
        and load(end) == header(MIN_BLOCK, w.owner, 1, 0) if has_rest else
        not linked and load(end) == header(MIN_BLOCK, w.owner)))


def write_fence(source: Any, path: Any) -> None:
    """Anywhere, of any region."""
    w = Window(path)
    fence, region = w.span("fence", ALIGN), path.word("region", LOWEST, HIGHEST, ALIGN)
    source.region.write_fence(w.m, w.arena, fence, region)
    path.claim("a_fence_names_its_region", lambda: w.m.load(fence) == header(0, w.owner)
               and w.m.load(fence + FENCE_REGION) == region and only(w.m, fence, fence + FENCE_REGION))


def lower_break(source: Any, path: Any) -> None:
    """Wherever the break is, whoever moves it meanwhile, whatever the system answers."""
    w, brk, extra = Window(path), path.word("break", LOWEST, HIGHEST, ALIGN), path.word("extra", 4096, MOST, 4096)
    path.require(LOWEST + extra, "<=", brk)
    w.reserve(brk - extra, extra)
    w.m.brk = brk if path.choose(2) else None
    done = source.region.lower_break(w.m, brk, extra)
    asked = [call.arguments[0] for call in w.m.calls]
    answers = [call.answer for call in w.m.calls]
    moved = bool(answers[0] != brk)
    path.claim("a_break_that_moved_is_left", lambda: bool(asked[0] == 0) and only(w.m) and (
        not done and len(asked) == 1 if moved else len(asked) > 1))
    if not moved:
        path.claim("the_break_is_lowered_where_it_is_ours", lambda: only(w.m) and bool(asked[1] == -extra)
                   and bool(done) == bool(answers[1] == brk)
                   and (len(asked) == 2 if done or bool(answers[1] == -1) else bool(asked[2] == extra)))


def classes_map(source: Any, path: Any) -> None:
    """Each class."""
    arena, index = path.word("arena", LOWEST, HIGHEST, ALIGN), path.choose(CLASS["count"])
    word, bit = index // CLASS["bits"], index % CLASS["bits"]
    path.claim("each_class_has_a_bit_of_its_own", lambda: source.classes.map_word(arena, index) == (
        arena + LAYOUT["CLASS_MAP"] + WORD * word) and source.classes.map_bit(index) == 1 << bit)


class AnyStack(Window):
    """Any payload, any key, and the word of any stack."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.p, self.key = self.span("b", MIN_BLOCK) + PAYLOAD, path.word("key", LEAST_KEY, LEAST_KEY + (1 << 61) - 2)
        place = self.m.find(self.statics + STATICS["key"])
        place.was = place.now = self.key
        self.count, self.top = path.word("count", 0, 1 << 14), path.word("top", 0, HIGHEST, ALIGN)
        self.led = self.top + (self.count << 48)


def top(source: Any, path: Any) -> None:
    """Any stack."""
    w = AnyStack(path)
    path.claim("a_stacks_word_has_its_top_and_its_count", lambda: source.stack.top(w.led) == w.top
               and source.stack.count(w.led) == w.count)


def put(source: Any, path: Any) -> None:
    """Any payload on any stack, whatever stood there."""
    w = AnyStack(path)
    m, p = w.m, w.p
    led = source.stack.put(m, w.led, p)
    path.claim("what_is_put_on_a_stack_waits", lambda: led == p + ((w.count + 1) << 48) and m.load(p) == w.led
               and m.load(p + WORD) == w.key - w.led - p and bool(source.stack.is_marked(m, p))
               and only(m, p, p + WORD))


def unmark(source: Any, path: Any) -> None:
    """Any payload, whatever stood there."""
    w = AnyStack(path)
    m, p = w.m, w.p
    source.stack.unmark(m, p)
    path.claim("what_waits_no_more_shows_nothing", lambda: m.load(p) == 0 and m.load(p + WORD) == 0
               and not source.stack.is_marked(m, p) and only(m, p, p + WORD))


def relink(source: Any, path: Any) -> None:
    """Up to two blocks of any size on a list, which go to another, of their class or the only one."""
    w = Window(path, segregated=False)
    blocks = [w.span("b", MIN_BLOCK) for _ in range(path.choose(3))]
    head = w.of_class(path.choose(2))
    around = [head, *blocks, head]
    for u, v in pairwise(around):
        w.m.put(u + NEXT, v, "next")
        w.m.put(v + PREV, u, "prev")
    w.circle = [w.head]
    w.listed([], gaps=2)
    known = w.links()
    source.freelist.relink(w.m, w.arena, head)
    w.circle[1:1] = blocks
    path.claim("what_is_relinked_keeps_its_order", lambda: w.is_linked() and w.m.load(head + NEXT) == head
               and w.m.load(head + PREV) == head and only(w.m, head + NEXT, head + PREV, *known, *w.links()))


def bin_of(source: Any, path: Any) -> None:
    """Each class that has bins."""
    index, thread = path.choose(CLASS["cached"]), path.word("thread", LOWEST, HIGHEST, ALIGN)
    total = source.classes.least_of_class(index)
    path.claim("a_size_has_the_bin_of_its_class", lambda: source.bins.bin_of(thread, total) == (
        thread + CACHE["bins"] + 2 * WORD * index))


PROOFS = (
    *(Proof(f"settings.get_{name}", ANY_HEAP, partial(getter, name, default), more={
        f"the_{name}_in_force_is_what_was_set": "or the default; no word changes"}) for name, default in READ),
    Proof("settings.set_key", ALL_WORDS, set_key, more={
        "a_key_is_odd_and_has_all_bits_that_were_drawn": "61 of them; no other word changes"}),
    Proof("settings.set_arenas", ALL_WORDS, set_arenas, more={
        "there_are_as_many_arenas_as_was_said": "at least one, at most MAX_ARENAS; the lock is released"}),
    Proof("settings.arena_of", ALL_WORDS, places, more={
        "an_arena_has_its_record_and_its_count": "the record that a header's owner leads to"}),
    Proof("settings.count_thread", ALL_WORDS, count_thread, more={
        "one_thread_more_or_less_is_counted": "of the arena with the index; no other word changes"}),
    Proof("settings.least_attached", ANY_HEAP, least_attached, more={
        "the_first_arena_is_looked_at_first": "it begins with the first",
        "of_equal_arenas_the_first_stays": "each turn looks at one more, which is the least only if it has fewer",
        "looking_ends_with_the_last_or_an_empty_one": "it ends with the last of the limit, or one that has no thread; "
                                                      "beyond with the first that is not lost",
    }, suffix="_turn_by_turn"),
    Proof("settings.must_look_on", ALL_WORDS, must_look_on, more={
        "an_empty_arena_is_taken_and_a_lost_one_never": "below the limit an empty one, else any that is not lost"}),
    Proof("arena.count_used", ANY_HEAP, count_used, more={
        "used_blocks_and_their_bytes_are_counted": "no other word changes"}),
    Proof("freelist.add", ANY_HEAP, add, more={"amounts_are_added": "to the word, and to no other"}),
    Proof("arena.is_lost", ANY_HEAP, is_lost, more={"a_lost_arena_is_told": "by its head; no word changes"}),
    Proof("arena.put_back", ANY_HEAP, put_back, more={
        "what_is_cut_off_becomes_free_or_the_right_is_told": "the rest is free and on the list; without one the right "
                                                             "neighbour knows that its left is used"}),
    Proof("region.write_fence", ANY_HEAP, write_fence, more={
        "a_fence_names_its_region": "a used block of size 0 with its arena's owner; no other word changes"}),
    Proof("region.lower_break", ANY_HEAP, lower_break, more={
        "a_break_that_moved_is_left": "a break that is elsewhere is not moved",
        "the_break_is_lowered_where_it_is_ours": "true exactly if the system lowered just that; else it is raised "
                                                 "again"}),
    Proof("classes.map_word", ALL_WORDS, classes_map, more={
        "each_class_has_a_bit_of_its_own": "in its word of the map"}),
    Proof("stack.put", ANY_HEAP, put, more={
        "what_is_put_on_a_stack_waits": "marked, above what was there, and counted"}),
    Proof("stack.top", ANY_HEAP, top, more={"a_stacks_word_has_its_top_and_its_count": "in bits of their own"}),
    Proof("stack.unmark", ANY_HEAP, unmark, more={
        "what_waits_no_more_shows_nothing": "neither a link nor a mark is left"}),
    Proof("freelist.relink", "lists of up to 2 blocks", relink, more={
        "what_is_relinked_keeps_its_order": "before all that were there; the list that they left is empty"}),
    Proof("bins.bin_of", ALL_WORDS, bin_of, more={
        "a_size_has_the_bin_of_its_class": "of each least size of a class"}),
)
