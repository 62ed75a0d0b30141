"""What grows and what grows old, step by step: the rest of `resize.py` and `purge.py`, and what was set aside."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    CORRUPT_HEADER,
    IDLE,
    MAX_ARENAS,
    MIN_BLOCK,
    MOST,
    NEXT,
    PAGE,
    PAYLOAD,
    STATICS,
    TOTALS,
    WORD,
    a_block,
    a_size,
    aborts,
    header,
    only,
)
from heapster.checkers.proofs.local_heap import Window, no_longer_first
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.notes import Notes
from heapster.checkers.proofs.placement import Over
from heapster.checkers.proofs.retained import RetainedList
from heapster.machine.symbolic import HIGHEST, LOWEST

PROBES = 8                          # of those set aside, how many are looked at


def payload_room(source: Any, path: Any) -> None:
    """Any used block beside any other, used or free."""
    w, size, right, used = Window(path), a_size(path), a_size(path, "size of the right"), path.choose(2)
    b = w.span("b", 2 * MOST)
    w.m.put(b, header(size, w.owner), "header of b")
    w.m.put(b + size, header(right, w.owner, used), "header of the right")
    path.claim("a_block_has_its_own_room_and_that_of_a_free_right", lambda: source.resize.payload_room(w.m, b) == (
        size + (0 if used else right)) and only(w.m))


def grow_above(source: Any, path: Any) -> None:
    """Any arena with a top or none, any block anywhere; whatever is free, and whatever the system gives."""
    w, index, notes = Window(path), path.word("index of the arena", 0, MAX_ARENAS - 1), Notes()
    arena = w.statics + STATICS["arenas"] + ARENA_BYTES * index
    free, has_top, brk = path.word("free", 0, TOTALS), path.choose(2), path.word("break", LOWEST, HIGHEST, ALIGN)
    for place, word in ((w.at("free_bytes") - w.arena + arena, free), (w.at("top") - w.arena + arena, has_top * PAGE),
                        (w.at("break") - w.arena + arena, brk)):
        w.m.put(place, word, "record")
    b, room, fence, got = a_block(path), a_size(path, "room"), a_block(path, "fence"), path.choose(2) * PAGE
    want = room + path.word("lacks", ALIGN, MOST, ALIGN)
    with replaced(source.resize, payload_room=lambda *_: room, fence_before=lambda _: fence,
                  **notes.answering(grow=got)):
        done = source.resize.grow_above(w.m, arena, b, want)
    may = bool(free < want) and bool(index == 0) and has_top and bool(b + room == fence)
    path.claim("only_the_last_block_of_the_top_is_grown_above", lambda: bool(done) == bool(may and got)
               and only(w.m) and notes.are(*[("grow", arena, want - room)] * bool(may)))


def end_epoch(source: Any, path: Any) -> None:
    """Whatever was used, now and before, whatever may stay."""
    w, notes, stays = Window(path), Notes(), path.word("stays", 0, TOTALS)
    used, lately, peak = (path.word(name, 0, TOTALS, ALIGN) for name in ("used", "recent", "peak"))
    path.require(used, "<=", lately)
    patience, purged = path.choose(IDLE["most_patience"] + 1), IDLE["was_purged"] * path.choose(2)
    for name, word in (("used_bytes", used), ("recent", lately), ("peak", peak + purged + patience), ("turnover", 5)):
        w.m.put(w.at(name), word, name)
    with replaced(source.purge, new_patience=lambda *_: patience, may_stay=lambda *_: stays,
                  **notes.answering(purge_free=1)):
        source.purge.end_epoch(w.m, w.arena)
    rose, fell = bool(peak < lately), bool(peak - lately > stays)
    top = used if fell else lately if rose else peak
    kept = IDLE["was_purged"] if fell else 0 if rose and bool(lately - peak > stays) else purged
    path.claim("what_was_far_above_is_purged_and_forgotten", lambda: w.m.load(w.at("peak")) == top + kept + patience
               and w.m.load(w.at("recent")) == used and w.m.load(w.at("turnover")) == 0
               and only(w.m, w.at("peak"), w.at("recent"), w.at("turnover"))
               and notes.are(*[("purge_free", w.arena, IDLE["least"])] * fell))


class Probed:
    """The loop of `reclaim`, cut: any that was set aside is next, or the end; so many may be looked at still."""

    def __init__(self, path: Any) -> None:
        self.path, self.w, self.notes = path, RetainedList(path), Notes()
        self.m, self.want = self.w.m, path.word("least", PAGE, MOST, PAGE)
        (self.k, self.here), self.after = self.w.piece(), path.word("after", LOWEST, HIGHEST, WORD)
        first = self.m.find(self.w.aside_head + NEXT)
        first.was = first.now = self.k
        self.m.put(self.k + NEXT, self.after, "next")
        self.left = path.choose(PROBES + 1)

    def enter(self, k: Any, left: Any) -> list[Any]:
        """It begins with the newest."""
        self.path.claim("what_was_set_aside_is_probed_from_the_newest", lambda: k == self.k and left == PROBES)
        no_longer_first(self.path, self.m, self.w.aside_head + NEXT)
        return [self.k if self.path.choose(2) else self.w.aside_head, self.left]

    def again(self, k: Any, left: Any) -> None:
        """It is too small: the next is next, and one fewer is looked at."""
        self.path.claim("only_so_many_are_probed", lambda: k == self.after and left == self.left - 1 and self.left > 0
                        and self.here < self.want and only(self.m))
        raise Over


def reclaim(source: Any, path: Any) -> None:
    """Any list of what was set aside, one at a time."""
    p, first = Probed(path), path.word("first", LOWEST, HIGHEST, PAGE)

    def retain(m: Any, *words: Any) -> None:
        """See `impl.retained.retain`: what is retained is first."""
        p.notes.done.append(("retain", *words))
        m.find(p.w.kept_head + NEXT).now = first

    p.m.find(p.w.kept_head + NEXT)
    p.m.load(p.w.kept_head + NEXT)
    try:
        with replaced(source.retained, retain=retain, **p.notes.answering(take_off=0)):
            k = cut(source.retained.reclaim, p)(p.m, p.w.arena, p.want)
    except Over:
        return
    if k == 0:
        path.claim("nothing_that_was_probed_is_large_enough", lambda: only(p.m) and not p.notes.done)
    else:
        path.claim("what_is_large_enough_is_retained_again", lambda: k == first and p.left > 0 and p.here >= p.want
                   and p.notes.are(("take_off", p.k), ("retain", p.w.arena, p.k, p.here)))


class WalkedRegions:
    """The loop over an arena's regions as it ends, cut: any is next, or none; so many did not go back."""

    def __init__(self, path: Any) -> None:
        self.path, self.w, self.notes = path, Window(path), Notes()
        self.region, self.older = self.w.span("region", MIN_BLOCK), path.word("older", LOWEST, HIGHEST, ALIGN)
        self.w.m.put(self.w.at("regions"), self.region, "regions")
        self.w.m.put(self.region, self.older, "next")
        self.before, self.back = path.word("kept before", 0, TOTALS), bool(path.choose(2))

    def enter(self, kept: Any, region: Any) -> list[Any]:
        """It begins with the newest, and none."""
        self.path.claim("regions_go_back_from_the_newest", lambda: kept == 0 and region == self.region)
        return [self.before, self.region if self.path.choose(2) else 0]

    def again(self, kept: Any, region: Any) -> None:
        """It was offered, under the lock; the older, which was read before, is next."""
        self.path.claim("each_region_is_offered_and_counted_if_it_stays", lambda: region == self.older
                        and kept == self.before + (not self.back) and only(self.w.m) and self.notes.held == [1]
                        and self.notes.are(("return_region", self.w.arena, self.region)))
        raise Over


def return_arena(source: Any, path: Any) -> None:
    """Any regions, one at a time."""
    walk = WalkedRegions(path)
    try:
        with replaced(source.lifecycle, **walk.notes.answering(return_region=walk.back, forget=0)):
            kept = cut(source.lifecycle.return_arena, walk)(walk.w.m, walk.w.arena)
    except Over:
        return
    path.claim("an_arena_is_forgotten_when_all_was_offered", lambda: kept == walk.before and not walk.w.m.held
               and only(walk.w.m) and walk.notes.held == [1] and walk.notes.are(("forget", walk.w.arena)))


def release_too_much(source: Any, path: Any) -> None:
    """Any block of an arena that says that it is larger than all that is used."""
    w, size, used = Window(path), a_size(path), path.word("used", 0, MOST)
    b = w.span("b", MIN_BLOCK)
    path.require(used, "<", size)
    w.m.put(w.at("used_bytes"), used, "used_bytes")
    w.m.put(b, header(size, w.owner), "header of b")
    path.claim("a_block_larger_than_all_that_is_used_aborts", lambda: aborts(
        w.m, lambda: source.arena.release(w.m, w.arena, b), b + PAYLOAD) == CORRUPT_HEADER)


def leave_nothing(source: Any, path: Any) -> None:
    """Requests of no bytes, or of a page and more; and pointers to where no program has memory."""
    w, which = Window(path), path.choose(3)
    request = (0, path.word("large", PAGE, MOST), path.word("request", 1, PAGE - 1))[which]
    p = path.word("nowhere", -1 << 62, 1 << 16, ALIGN) if which == 2 else w.span("b", MIN_BLOCK) + PAYLOAD
    known = len(w.m.cells)
    left = source.malloc.leave_plain(w.m, p, request)
    path.claim("no_bytes_and_many_are_not_left_at_once", lambda: not left and len(w.m.cells) == known)


PROOFS = (
    Proof("arena.release", ANY_HEAP, release_too_much, more={
        "a_block_larger_than_all_that_is_used_aborts": "before any word changes"}, suffix="_of_a_wrong_size"),
    Proof("malloc.leave_plain", ANY_HEAP, leave_nothing, more={
        "no_bytes_and_many_are_not_left_at_once": "false, and nothing is read"}, suffix="_of_what_it_is_not_for"),
    Proof("resize.payload_room", ANY_HEAP, payload_room, more={
        "a_block_has_its_own_room_and_that_of_a_free_right": "no word changes"}),
    Proof("resize.grow_above", ANY_HEAP, grow_above, more={
        "only_the_last_block_of_the_top_is_grown_above": "by what it lacks, while less is free than it wants; true "
                                                         "exactly if the system gave it"}),
    Proof("purge.end_epoch", ANY_HEAP, end_epoch, more={
        "what_was_far_above_is_purged_and_forgotten": "the peak is then what is used; else the most that was, and what "
                                                      "was purged counts until it rises far",
    }, suffix="_by_its_parts"),
    Proof("retained.reclaim", ANY_HEAP, reclaim, more={
        "what_was_set_aside_is_probed_from_the_newest": "it begins with the newest",
        "only_so_many_are_probed": "each turn passes one that is too small, up to PROBES",
        "nothing_that_was_probed_is_large_enough": "NULL, and no word changes",
        "what_is_large_enough_is_retained_again": "and the first that is retained is answered",
    }, suffix="_turn_by_turn"),
    Proof("lifecycle.return_arena", ANY_HEAP, return_arena, more={
        "regions_go_back_from_the_newest": "it begins with the newest",
        "each_region_is_offered_and_counted_if_it_stays": "each turn offers one, and goes on to the older",
        "an_arena_is_forgotten_when_all_was_offered": "at the end, under the lock, which is released",
    }, suffix="_turn_by_turn"),
)
