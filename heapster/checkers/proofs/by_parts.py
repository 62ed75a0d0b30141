"""Functions that pass on what they are asked, on any heap: who is asked for what, where lists have any length.

What is asked stands in `notes`, that each does what it promises is proved of it; loops are cut.
"""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    CACHE,
    CLASS,
    CORRUPT_LIST,
    IDLE,
    KEPT,
    LEAD,
    MAPPED_LEAD,
    MAX_ARENAS,
    MAX_REQUEST,
    MOST,
    NEXT,
    PAGE,
    PAYLOAD,
    PREV,
    STATICS,
    TOTALS,
    WORD,
    a_size,
    aborts,
    header,
    mapped_header,
    only,
)
from heapster.checkers.proofs.local_heap import Window, no_longer_first
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.notes import Notes, or_null
from heapster.checkers.proofs.passing_on import PassedCall
from heapster.checkers.proofs.placement import Over
from heapster.checkers.proofs.retained import RetainedList
from heapster.machine.symbolic import HIGHEST, LOWEST

REALLOC = 2                         # a kind of call
CALLOC = 1


def note_release(source: Any, path: Any) -> None:
    """Whatever was used, any block, an epoch of any length."""
    w, notes, total = Window(path), Notes(), a_size(path)
    used, recent, turnover = w.word("used_bytes"), w.word("recent"), w.word("turnover")
    length = path.word("length of the epoch", IDLE["epoch"], TOTALS)
    with replaced(source.purge, epoch_length=lambda *_: length, **notes.answering(end_epoch=0)):
        source.purge.note_release(w.m, w.arena, total)
    steps = turnover + 1 + (total >> 12)
    path.claim("each_page_that_becomes_free_is_a_step", lambda: w.m.load(w.at("turnover")) == steps
               and w.m.load(w.at("recent")) == (used if used > recent else recent)
               and only(w.m, w.at("turnover"), w.at("recent")))
    path.claim("an_epoch_ends_when_it_is_long_enough", lambda: notes.are(
        *[("end_epoch", w.arena)] * bool(steps >= length)))


def attach(source: Any, path: Any) -> None:
    """A thread that has an arena, or gets one."""
    w, notes, has, thread = Window(path), Notes(), path.choose(2), path.word("thread", LOWEST, HIGHEST, ALIGN)
    w.reserve(thread, WORD)
    w.m.use_thread(thread)
    w.m.put(thread, w.arena if has else 0, "my arena")
    with replaced(source.settings, **notes.answering(attach_anew=LOWEST)):
        arena = source.settings.attach(w.m)
    path.claim("who_has_an_arena_asks_nobody", lambda: only(w.m) and arena == (w.arena if has else LOWEST)
               and notes.are(*[("attach_anew",)] * (not has)))


def attach_anew(source: Any, path: Any) -> None:
    """A thread that gets an arena of any number."""
    w, notes, index = Window(path), Notes(), path.word("chosen", 0, MAX_ARENAS - 1)
    thread, limit = path.word("thread", LOWEST, HIGHEST, ALIGN), path.word("limit", 0, MAX_ARENAS)
    w.reserve(thread, WORD)
    w.m.use_thread(thread)
    ends: list[int] = []
    w.m.put(thread, 0, "my arena")
    w.m.put(w.statics + STATICS["arena_limit"], limit, "arena limit")
    w.m.at_thread_end = lambda: ends.append(1)
    with replaced(source.settings, **notes.answering(least_attached=index, count_thread=0)):
        arena = source.settings.attach_anew(w.m)
    chosen = w.statics + STATICS["arenas"] + ARENA_BYTES * index
    path.claim("a_new_thread_gets_the_emptiest_arena", lambda: arena == chosen and w.m.load(thread) == chosen
               and only(w.m, thread) and not w.m.held and notes.held == [1, 1] and notes.are(
                   ("least_attached", 8 if limit == 0 else limit), ("count_thread", index, 1)))
    path.claim("a_new_thread_is_to_be_told_when_it_ends", lambda: ends == [1])


def take_retained(source: Any, path: Any) -> None:
    """Whatever is retained, and was set aside."""
    w, notes, length = RetainedList(path), Notes(), path.word("least", PAGE, MOST, PAGE)
    (k, here), which = w.piece(), path.choose(3)
    path.require(length, "<=", here)
    with replaced(source.retained, **notes.answering(
            smallest=k if which == 0 else 0, reclaim=k if which == 1 else 0, take_from=0)):
        taken = source.retained.take_retained(w.m, w.arena, length)
    asked = [("smallest", length), *[("reclaim", w.arena, length)] * (which > 0)]
    if which == 2:
        path.claim("what_nobody_retained_is_not_taken", lambda: taken == 0 and only(w.m) and notes.are(*asked))
        return
    given = here if bool(here - length <= length >> KEPT["spare_shift"]) else length
    path.claim("a_retained_mapping_is_cut_unless_little_would_be_left", lambda: taken == k and w.m.load(k) == given
               and only(w.m, k) and notes.are(*asked, ("take_from", w.arena, k, given)))


def take_from(source: Any, path: Any) -> None:
    """Any mapping, all of it or a part."""
    w, notes = RetainedList(path), Notes()
    (k, here), length = w.piece(), path.word("taken", PAGE, MOST, PAGE)
    path.require(length, "<=", here)
    with replaced(source.retained, **notes.answering(delist=here, enlist=0)):
        source.retained.take_from(w.m, w.arena, k, length)
    path.claim("what_is_left_of_a_retained_mapping_stays", lambda: only(w.m) and notes.are(
        ("delist", w.arena, k), *[("enlist", w.arena, k + length, here - length)] * bool(here != length)))


def release_oldest(source: Any, path: Any) -> None:
    """Any list, whatever the system answers."""
    w, notes, taken = RetainedList(path), Notes(), bool(path.choose(2))
    k, length = w.piece()
    w.m.put(w.kept_head + PREV, k, "oldest")
    with replaced(source.retained, **notes.answering(delist=length, release_mapping=taken, set_aside=0)):
        done = source.retained.release_oldest(w.m, w.arena)
    path.claim("the_oldest_goes_back_or_is_set_aside", lambda: bool(done) == taken and only(w.m) and notes.are(
        ("delist", w.arena, k), ("release_mapping", w.arena, k, length), *[("set_aside", k, length)] * (not taken)))


class RepeatedRelease:
    """A loop that goes on while there is something to release, cut."""

    def __init__(self, path: Any, first: str, turn: str, *, back: bool = True) -> None:
        self.path, self.w, self.names, self.back = path, RetainedList(path), (first, turn), back
        self.m, self.notes = self.w.m, Notes()
        self.taken = bool(path.choose(2))

    def enter(self, **words: Any) -> list[Any]:
        """It begins with nothing taken; then anything may have been."""
        self.path.claim(self.names[0], lambda: not any(words.values()) and only(self.m))
        return [self.taken] * len(words)


class TrimmedList(RepeatedRelease):
    """As too much is kept."""

    def again(self, taken: Any) -> None:
        """The oldest was released; whether the system took any is known."""
        self.path.claim(self.names[1], lambda: bool(taken) == (self.taken or self.back) and only(self.m)
                        and self.notes.are(("too_much", self.w.arena), ("release_oldest", self.w.arena)))
        raise Over


def trim(source: Any, path: Any) -> None:
    """Any list, a mapping at a time."""
    t = TrimmedList(path, "trimming_begins_with_nothing_taken", "what_is_too_much_is_released_the_oldest_first",
                 back=bool(path.choose(2)))
    more = bool(path.choose(2))
    try:
        with replaced(source.retained, **t.notes.answering(too_much=more, release_oldest=t.back, offer_again=1)):
            cut(source.retained.trim, t)(t.m, t.w.arena)
    except Over:
        return
    path.claim("who_took_some_is_offered_one_that_it_had_not_taken", lambda: not more and only(t.m) and t.notes.are(
        ("too_much", t.w.arena), *[("offer_again", t.w.arena, 1)] * t.taken))


class ReleasedList(RepeatedRelease):
    """As all is released when memory is out."""

    def again(self) -> None:
        """The oldest was released, under the lock."""
        self.path.claim(self.names[1], lambda: self.notes.are(("release_oldest", self.w.arena)) and only(self.m)
                        and self.notes.held == [1])
        raise Over


def release_retained(source: Any, path: Any) -> None:
    """Any list, a mapping at a time."""
    r = ReleasedList(path, "releasing_all_begins_with_all", "all_that_is_retained_is_offered_the_oldest_first")
    w, held, now = r.w, r.w.word("held"), path.word("held now", 0, TOTALS)

    def offer_again(m: Any, *words: Any) -> int:
        """See `impl.retained.offer_again`; so many bytes are held after it."""
        r.notes.done.append(("offer_again", *words))
        m.store(w.at("held"), now)
        return 0

    try:
        with replaced(source.retained, offer_again=offer_again, **r.notes.answering(release_oldest=True)):
            taken = cut(source.retained.release_retained, r)(r.m)
    except Over:
        return
    path.claim("whether_memory_came_back_is_told", lambda: bool(taken) == bool(now < held) and not r.m.held
               and r.m.load(w.at("free_blocks")) == 0 and r.notes.are(("offer_again", w.arena, KEPT["most"])))


class OfferedList:
    """The loop of `offer_again`, cut: any was set aside longest ago, or none is left."""

    def __init__(self, path: Any) -> None:
        self.path, self.w, self.notes = path, RetainedList(path), Notes()
        self.m = self.w.m
        (self.k, self.length), self.newer = self.w.piece(), path.word("newer", LOWEST, HIGHEST, WORD)
        self.m.find(self.w.aside_head + PREV).now = self.m.find(self.w.aside_head + PREV).was = self.k
        self.most, self.before, self.back = path.choose(3), path.word("taken", 0, TOTALS), bool(path.choose(2))

    def enter(self, k: Any, taken: Any) -> list[Any]:
        """It begins with the oldest."""
        self.path.claim("the_oldest_is_offered_again_first", lambda: taken == 0 and k == self.k)
        return [self.k if self.path.choose(2) else self.w.aside_head, self.before]

    def again(self, k: Any, taken: Any) -> None:
        """The system took it; the next oldest is next."""
        self.path.claim("what_was_set_aside_is_offered_one_by_one", lambda: self.back and taken == self.before + 1
                        and k == self.k and only(self.m) and self.notes.are(
                            ("take_off", self.k), ("release_mapping", self.w.arena, self.k, self.length)))
        raise Over


def offer_again(source: Any, path: Any) -> None:
    """Any list of what was set aside, one at a time."""
    o = OfferedList(path)
    try:
        with replaced(source.retained, **o.notes.answering(take_off=0, release_mapping=o.back, insert=0)):
            taken = cut(source.retained.offer_again, o)(o.m, o.w.arena, o.most)
    except Over:
        return
    refused = [("take_off", o.k), ("release_mapping", o.w.arena, o.k, o.length), ("insert", o.w.aside_head, o.k)]
    path.claim("offering_ends_with_a_refusal_or_so_many", lambda: taken == o.before and only(o.m) and (
        o.notes.are(*refused) if o.notes.done else True))


def stretch(source: Any, path: Any) -> None:
    """Any list, whatever is the largest, whatever the system answers, links that are true or false."""
    w, length = RetainedList(path), path.word("wanted", PAGE, MOST, PAGE)
    (k, here), held, none = w.piece(), w.word("held"), path.choose(2)
    path.require(here, "<", length)
    before, after, true = w.span("before", PAGE), w.span("after", PAGE), path.choose(2)
    for place, word in ((k + NEXT, after), (k + PREV, before), (before + NEXT, k if true else after),
                        (after + PREV, k)):
        w.m.put(place, word, "link")
    answers: list[Any] = []
    with replaced(source.retained, largest=lambda *_: 0 if none else k):
        code = aborts(w.m, lambda: answers.append(source.retained.stretch(w.m, w.arena, length)), k)
    if none or here < length - here:
        path.claim("too_little_is_not_stretched", lambda: answers == [0] and only(w.m) and not w.m.calls)
    elif not true:
        path.claim("a_false_link_of_a_kept_mapping_aborts", lambda: code == CORRUPT_LIST)
    elif w.m.calls[0].answer == -1:
        path.claim("what_the_system_does_not_stretch_stays", lambda: answers == [0] and only(w.m))
    else:
        start = w.m.calls[0].answer
        path.claim("a_stretched_mapping_leaves_the_list_wherever_it_is", lambda: answers == [start]
                   and w.m.calls[0].arguments == (k, here, length) and w.m.load(start) == length
                   and w.m.load(before + NEXT) == after and w.m.load(after + PREV) == before
                   and w.counted(-here, -1) and w.m.load(w.at("held")) == held + length - here
                   and only(w.m, start, before + NEXT, after + PREV, w.at("held"), *w.counts()))


def acquire(source: Any, path: Any) -> None:
    """Any request of an arena, whatever it has."""
    c, b, taken = PassedCall(path), or_null(path, "found"), a_size(path, "size of what is taken")
    want, at = a_size(path, "want"), c.span("taken", ALIGN)
    c.m.put(at, header(taken, c.owner), "header of what is taken")
    with replaced(source.arena, **c.notes.answering(
            owner_of=7, open_record=0, find_or_grow=b, take=at, count_used=0, count_call=0)):
        got = source.arena.acquire(c.m, c.arena, want, c.alignment, c.kind)
    room = want + (0 if c.alignment == ALIGN else c.alignment + ALIGN)
    given = [("take", c.arena, b, want, c.alignment), ("count_used", c.arena, taken, 1),
             ("count_call", c.arena, c.kind)]
    path.claim("a_block_is_found_taken_and_counted_under_the_lock", lambda: got == (at if b != 0 else 0)
               and c.is_alone() and set(c.notes.held) == {1} and c.notes.are(
                   ("owner_of", c.arena), ("open_record", c.arena, 7), ("find_or_grow", c.arena, room),
                   *(given if b != 0 else ())))


def map_block(source: Any, path: Any) -> None:
    """Whatever is retained, could be stretched, or the system gives."""
    c, which = PassedCall(path), path.choose(4)
    record, length, b = c.statics + STATICS["mappings"], path.word("length", PAGE, MOST, PAGE), c.span("b", ALIGN)
    start, got = c.span("start", PAGE), path.word("bytes", PAGE, MOST, PAGE)
    c.m.put(start, got, "length")
    with replaced(source.mapping, mapping_length=lambda *_: length, **c.notes.answering(
            open_record=0, open_list=0, take_retained=start if which == 0 else 0, stretch=start if which == 1 else 0,
            map_anew=start if which == 2 else 0, write_mapped=b, list_mapped=0, make_zero=0)):
        answer = source.mapping.map_block(c.m, c.request, c.alignment, c.kind)
    sought = ["take_retained", "stretch", "map_anew"][:min(which, 2) + 1]
    made = [("write_mapped", start, got, c.alignment), ("list_mapped", record, b, c.kind),
            *[("make_zero", b, which == 2)] * (c.kind == CALLOC)]
    path.claim("a_mapping_is_retained_stretched_or_new", lambda: answer == (b if which < 3 else 0) and c.is_alone()
               and c.notes.are(("open_record", record, 0), ("open_list", c.statics + STATICS["kept"]),
                               ("open_list", c.statics + STATICS["untaken"]),
                               *((name, record, length) for name in sought), *(made if which < 3 else ())))


def resize_mapped(source: Any, path: Any) -> None:
    """Any block and request, whether or not it can grow."""
    c, length = PassedCall(path), path.word("length", PAGE, MOST, PAGE)
    record, lead = c.statics + STATICS["mappings"], path.word("lead", MAPPED_LEAD, MOST, ALIGN, PAYLOAD)
    b, now = c.span("b", ALIGN), or_null(path, "now")
    c.m.put(b, mapped_header(length), "header of b")
    c.m.put(b + LEAD, lead, "lead of b")
    path.require(1, "<=", c.request)
    with replaced(source.mapping, **c.notes.answering(
            check_mapped=0, grow_mapped=now, cut_off=0, count_call=0, step=0)):
        answer = source.mapping.resize_mapped(c.m, b, c.request, REALLOC)
    need = lead + PAYLOAD + c.request + PAGE - 1 & -PAGE
    more = [("grow_mapped", record, b, need - length)] if need > length else (
        [("cut_off", record, b, length - need)] if need < length else [])
    got = now if bool(need > length) else b
    done = [("count_call", record, REALLOC), ("step", record)] if got != 0 else []
    path.claim("a_mapping_gets_the_pages_that_its_request_needs", lambda: answer == got and c.is_alone()
               and c.notes.are(("check_mapped", record, b), *more, *done))


def move(source: Any, path: Any) -> None:
    """Any block, whether or not another can be had."""
    c, usable, room = PassedCall(path), *(path.word(name, 1, MAX_REQUEST) for name in ("usable", "room"))
    path.require(c.request, "<=", room)
    p, new = c.span("p", usable), path.choose(2) * c.span("new", room)
    with replaced(source.malloc, **c.notes.answering(allocate=new, usable_bytes=[usable, room], free_block=0)):
        q = source.malloc.move(c.m, p, c.request)
    shrinks = bool(usable > c.request)
    given = [("usable_bytes", p), *[("usable_bytes", new)] * shrinks, ("free_block", p, REALLOC)] if new != 0 else []
    count = room if shrinks and bool(room < usable) else usable
    path.claim("a_block_moves_with_all_that_is_usable", lambda: q == new and c.is_alone()
               and c.m.copies == [(new, p, count)] * bool(given)
               and c.notes.are(("allocate", c.request, ALIGN, REALLOC), *given))


class SearchedBins:
    """The loop of `is_cached`, cut: any thread is next, or none; the block was found or not."""

    def __init__(self, path: Any) -> None:
        self.path, self.w, self.notes = path, Window(path), Notes()
        self.m, self.index = self.w.m, path.word("class", 0, CLASS["cached"] - 1)
        self.head, self.thread = self.w.statics + STATICS["caching"], self.w.span("thread", CACHE["thread_bytes"])
        self.after, self.word = path.word("after", LOWEST, HIGHEST, ALIGN), path.word("bin", 0, 1 << 62)
        for place, word in ((self.head + NEXT, self.thread), (self.thread + NEXT, self.after),
                            (self.thread + CACHE["bins"] + 2 * WORD * self.index, self.word)):
            self.m.put(place, word, "word")
        self.found, self.here = bool(path.choose(2)), bool(path.choose(2))

    def enter(self, found: Any, thread: Any) -> list[Any]:
        """It begins with the first, and nothing found."""
        self.path.claim("bins_are_searched_from_the_first_thread", lambda: not found and thread == self.thread)
        no_longer_first(self.path, self.m, self.head + NEXT)
        return [self.found, self.thread if self.path.choose(2) else self.head]

    def again(self, found: Any, thread: Any) -> None:
        """Its bin was searched, and the next is next."""
        self.path.claim("each_threads_bin_is_searched_until_it_is_found", lambda: not self.found and only(self.m)
                        and bool(found) == self.here and thread == self.after and self.notes.held == [1]
                        and self.notes.are(("holds", self.word, 16)))
        raise Over


def is_cached(source: Any, path: Any) -> None:
    """Any list of threads, one at a time."""
    s = SearchedBins(path)
    try:
        with replaced(source.thread_cache, **s.notes.answering(holds=s.here)):
            found = cut(source.thread_cache.is_cached, s)(s.m, s.index, 16)
    except Over:
        return
    path.claim("a_search_of_bins_releases_the_lock", lambda: bool(found) == s.found and not s.m.held and only(s.m))


PROOFS = (
    Proof("purge.note_release", ANY_HEAP, note_release, more={
        "each_page_that_becomes_free_is_a_step": "and one more; the most that was used is noted",
        "an_epoch_ends_when_it_is_long_enough": "and not before",
    }, suffix="_by_its_parts"),
    Proof("settings.attach", ANY_HEAP, attach, more={
        "who_has_an_arena_asks_nobody": "it is answered; else what another way gets, and nothing changes",
    }, suffix="_of_any_number"),
    Proof("settings.attach_anew", ANY_HEAP, attach_anew, more={
        "a_new_thread_gets_the_emptiest_arena": "of those that may be, under the lock, and is counted",
        "a_new_thread_is_to_be_told_when_it_ends": "once",
    }),
    Proof("retained.take_retained", ANY_HEAP, take_retained, more={
        "what_nobody_retained_is_not_taken": "NULL, and no word changes",
        "a_retained_mapping_is_cut_unless_little_would_be_left": "at most a quarter; its first word says what it has",
    }, suffix="_by_its_parts"),
    Proof("retained.take_from", ANY_HEAP, take_from, more={
        "what_is_left_of_a_retained_mapping_stays": "all behind what is taken; nothing, where all is",
    }, suffix="_by_its_parts"),
    Proof("retained.release_oldest", ANY_HEAP, release_oldest, more={
        "the_oldest_goes_back_or_is_set_aside": "true exactly if the system took it",
    }, suffix="_by_its_parts"),
    Proof("retained.trim", ANY_HEAP, trim, more={
        "trimming_begins_with_nothing_taken": "no word changes before",
        "what_is_too_much_is_released_the_oldest_first": "each turn releases one while too much is kept",
        "who_took_some_is_offered_one_that_it_had_not_taken": "it ends when no more is kept than may be",
    }, suffix="_turn_by_turn"),
    Proof("retained.release_retained", ANY_HEAP, release_retained, more={
        "releasing_all_begins_with_all": "no word changes before",
        "all_that_is_retained_is_offered_the_oldest_first": "each turn releases one while any is kept",
        "whether_memory_came_back_is_told": "after what was set aside was offered too; the lock is released",
    }, suffix="_turn_by_turn"),
    Proof("retained.offer_again", ANY_HEAP, offer_again, more={
        "the_oldest_is_offered_again_first": "it begins with the oldest",
        "what_was_set_aside_is_offered_one_by_one": "each turn that the system takes one goes on to the next",
        "offering_ends_with_a_refusal_or_so_many": "one that is refused is the newest then",
    }, suffix="_turn_by_turn"),
    Proof("retained.stretch", ANY_HEAP, stretch, more={
        "too_little_is_not_stretched": "NULL, and nobody is asked, where less than half is kept",
        "a_false_link_of_a_kept_mapping_aborts": "before the system is asked",
        "what_the_system_does_not_stretch_stays": "NULL, and no word changes",
        "a_stretched_mapping_leaves_the_list_wherever_it_is": "its length stands there; it counts as held, no more as "
                                                              "free",
    }, suffix="_of_any_list"),
    Proof("arena.acquire", ANY_HEAP, acquire, more={
        "a_block_is_found_taken_and_counted_under_the_lock": "with room for its alignment; NULL if none is found",
    }, suffix="_by_its_parts"),
    Proof("mapping.map_block", ANY_HEAP, map_block, more={
        "a_mapping_is_retained_stretched_or_new": "the first that there is, written, listed and for calloc zeroed; "
                                                  "NULL if there is none; the lock is released",
    }, suffix="_by_its_parts"),
    Proof("mapping.resize_mapped", ANY_HEAP, resize_mapped, more={
        "a_mapping_gets_the_pages_that_its_request_needs": "no more and no fewer, and is counted; NULL if it cannot "
                                                           "grow; the lock is released",
    }, suffix="_by_its_parts"),
    Proof("malloc.move", ANY_HEAP, move, more={
        "a_block_moves_with_all_that_is_usable": "and is freed then, once; NULL, and nothing is copied, if there is "
                                                 "no other",
    }, suffix="_by_its_parts"),
    Proof("thread_cache.is_cached", ANY_HEAP, is_cached, more={
        "bins_are_searched_from_the_first_thread": "it begins with the first",
        "each_threads_bin_is_searched_until_it_is_found": "each turn searches the bin of one, under the lock",
        "a_search_of_bins_releases_the_lock": "and no word changes",
    }, suffix="_turn_by_turn"),
)
