"""Giving back all that is idle: the rest of `impl/trim.py`, and lists that are purged, a block at a time."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    CACHE,
    CLASS,
    FENCE_BYTES,
    FIRST_BLOCK,
    IDLE,
    MAX_ARENAS,
    MIN_BLOCK,
    MMAP,
    MOST,
    NEXT,
    PAGE,
    PAYLOAD,
    REGION,
    SBRK,
    STATICS,
    TOTALS,
    WORD,
    a_block,
    a_size,
    header,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.notes import Notes
from heapster.checkers.proofs.placement import Over
from heapster.machine.symbolic import HIGHEST, LOWEST


def lower_top(source: Any, path: Any) -> None:
    """An arena with a top or none, whose last block is free or used, and can spare any bytes or none."""
    w, notes, brk = Window(path), Notes(), path.word("break", LOWEST, HIGHEST, ALIGN)
    fence, b, pad = w.span("fence", FENCE_BYTES), a_block(path), path.word("pad")
    has_top, is_free, extra = path.choose(2), path.choose(2), path.choose(2) * path.word("extra", PAGE, MOST, PAGE)
    w.m.put(w.at("top"), path.word("top", 1, TOTALS) if has_top else 0, "top")
    w.m.put(w.at("break"), brk, "break")
    w.m.put(fence, header(0, w.owner, 1, 1 - is_free), "header of the fence")
    with replaced(source.trim, fence_before=lambda _: fence, **notes.answering(
            left_neighbour=b, spare_top=extra, unlink=0, trim_top=0, link=0)):
        source.trim.lower_top(w.m, w.arena, pad)
    looked = [("left_neighbour", fence), ("spare_top", b, pad)] if has_top and is_free else []
    given = [("unlink", w.arena, b), ("trim_top", w.arena, b, extra), ("link", w.arena, b)]
    path.claim("what_a_top_can_spare_goes_back", lambda: only(w.m) and notes.are(
        *looked, *(given if looked and extra != 0 else ())))


def is_empty(source: Any, path: Any) -> None:
    """A region of either kind whose first block is free or used, and the last or not."""
    w, kind, used, last = Window(path), (SBRK, MMAP)[path.choose(2)], path.choose(2), path.choose(2)
    record, size = w.span("region", MOST), a_size(path)
    w.m.put(record + REGION["kind"], kind, "kind")
    w.m.put(record + FIRST_BLOCK, header(size, w.owner, used), "header of the first")
    w.m.put(record + FIRST_BLOCK + size, header(0 if last else MIN_BLOCK, w.owner), "header of the second")
    empty = source.trim.is_empty(w.m, record)
    path.claim("only_a_mapped_region_with_one_free_block_is_empty", lambda: only(w.m) and bool(empty) == (
        kind == MMAP and not used and bool(last)))


class DroppedRegions:
    """The loop over the regions, cut: any is next, or none."""

    def __init__(self, path: Any) -> None:
        self.path, self.w, self.notes = path, Window(path), Notes()
        self.region, self.older = self.w.span("region", PAGE), path.word("older", LOWEST, HIGHEST, ALIGN)
        self.w.m.put(self.w.at("regions"), self.region, "regions")
        self.w.m.put(self.region + REGION["next"], self.older, "next")
        self.empty, self.dropped = bool(path.choose(2)), bool(path.choose(2))

    def enter(self, region: Any) -> list[Any]:
        """It begins with the newest."""
        self.path.claim("regions_are_dropped_from_the_newest", lambda: region == self.region)
        return [self.region if self.path.choose(2) else 0]

    def again(self, region: Any) -> None:
        """It was dropped if it is empty, and its block is listed again if it was not; the older is next."""
        w, b = self.w, self.region + FIRST_BLOCK
        done: list[tuple[Any, ...]] = [("is_empty", self.region)]
        if self.empty:
            done += [("unlink", w.arena, b), ("drop_region", w.arena, self.region)]
            done += [("link", w.arena, b)] * (not self.dropped)
        self.path.claim("an_empty_region_goes_back_or_stays_listed", lambda: region == self.older and only(w.m)
                        and self.notes.are(*done))
        raise Over


def drop_empty(source: Any, path: Any) -> None:
    """Any regions, one at a time."""
    d = DroppedRegions(path)
    try:
        with replaced(source.trim, **d.notes.answering(is_empty=d.empty, unlink=0, drop_region=d.dropped, link=0)):
            cut(source.trim.drop_empty, d)(d.w.m, d.w.arena)
    except Over:
        return
    path.claim("dropping_ends_with_the_oldest", lambda: only(d.w.m) and not d.notes.done)


def trim_arena(source: Any, path: Any) -> None:
    """An arena that is open or not, of which the system takes pages, bytes, both or nothing."""
    w, notes, is_open, pad = Window(path), Notes(), path.choose(2), path.word("pad")
    w.m.put(w.head + NEXT, w.head if is_open else 0, "first")
    held, used = w.word("held"), w.word("used_bytes")
    w.word("peak")
    purged, back = path.choose(2), path.choose(2) * path.word("back", PAGE, MOST, PAGE)

    def drop_empty_(m: Any, arena: Any) -> None:
        """See `drop_empty`; so many bytes go back."""
        notes.done.append(("drop_empty", arena))
        m.store(w.at("held"), held - back)

    with replaced(source.trim, drop_empty=drop_empty_, **notes.answering(drain=0, lower_top=0, purge_free=purged)):
        taken = source.trim.trim_arena(w.m, w.arena, pad)
    if not is_open:
        path.claim("an_arena_that_is_not_open_has_nothing", lambda: not taken and not notes.done and only(w.m)
                   and not w.m.held)
        return
    path.claim("what_others_freed_is_trimmed_too", lambda: notes.are(
        ("drain", w.arena), ("drop_empty", w.arena), ("lower_top", w.arena, pad), ("purge_free", w.arena, PAGE))
        and set(notes.held) == {1} and not w.m.held)
    path.claim("whether_the_system_took_any_of_an_arena_is_told", lambda: bool(taken) == bool(purged or back != 0))
    path.claim("a_trimmed_arena_has_a_new_peak", lambda: w.m.load(w.at("peak")) == used
               and only(w.m, w.at("peak"), w.at("held")))


def trim(source: Any, path: Any) -> None:
    """A thread with a cache or none; the system takes anything of what is retained, of spans, and of each arena."""
    w, notes, registered = Window(path), Notes(), path.choose(2)
    thread = path.word("thread", LOWEST, HIGHEST, ALIGN)
    w.reserve(thread, CACHE["thread_bytes"])
    w.m.use_thread(thread)
    w.m.put(thread + CACHE["registered"], registered, "registered")
    pad, released, which = path.word("pad"), bool(path.choose(2)), (-1, 0, 1, MAX_ARENAS - 1)[path.choose(4)]
    arenas = [w.statics + STATICS["arenas"] + ARENA_BYTES * index for index in range(MAX_ARENAS)]
    hardened, empty = bool(path.choose(2)), bool(path.choose(2))
    with replaced(source.trim, is_hardened=lambda _: hardened, **notes.answering(
            flush_all=0, release_retained=released, release_spare=empty,
            trim_arena=[index == which for index in range(MAX_ARENAS)])):
        taken = source.trim.trim(w.m, pad)
    offered = [("trim_arena", arena, pad) for arena in arenas]
    path.claim("all_that_is_idle_is_offered", lambda: only(w.m) and notes.are(
        *[("flush_all", thread)] * registered, ("release_retained",), *[("release_spare",)] * hardened, *offered))
    path.claim("trim_says_whether_the_system_took_any", lambda: taken == int(
        released or hardened and empty or which >= 0))


class PurgedList:
    """The loop over a free list, cut: so many were purged; any block is next, or the end."""

    def __init__(self, path: Any) -> None:
        self.path, self.w, self.notes = path, Window(path), Notes()
        self.size, self.least = a_size(path), a_size(path, "least")
        self.b = self.w.span("b", MIN_BLOCK)
        self.after, self.taken = path.word("after", LOWEST, HIGHEST, ALIGN, PAYLOAD), path.word("taken", 0, TOTALS)
        self.w.m.put(self.w.head + NEXT, self.b, "first")
        self.w.m.put(self.b + NEXT, self.after, "next")
        self.w.m.put(self.b, header(self.size, self.w.owner, 0), "header of b")
        self.purged = bool(path.choose(2))

    def enter(self, b: Any, taken: Any) -> list[Any]:
        """It begins with the first."""
        self.path.claim("a_list_is_purged_from_its_first", lambda: b == self.b and taken == 0)
        return [self.b if self.path.choose(2) else self.w.head, self.taken]

    def again(self, b: Any, taken: Any) -> None:
        """It was purged if it is large enough."""
        large = bool(self.size >= self.least)
        self.path.claim("a_listed_block_that_is_large_enough_is_purged", lambda: b == self.after and only(self.w.m)
                        and self.notes.are(*[("purge_block", self.b)] * large)
                        and taken == self.taken + (large and self.purged))
        raise Over


def purge_list(source: Any, path: Any) -> None:
    """Any list, a block at a time."""
    p = PurgedList(path)
    try:
        with replaced(source.purge, **p.notes.answering(purge_block=p.purged)):
            taken = cut(source.purge.purge_list, p)(p.w.m, p.w.head, p.least)
    except Over:
        return
    path.claim("how_many_blocks_were_purged_is_told", lambda: taken == p.taken and not p.notes.done)


def purge_free(source: Any, path: Any) -> None:
    """One list, or lists of classes, of which some have blocks, the last among them or not."""
    w, notes, least = Window(path, segregated=bool(path.choose(2))), Notes(), IDLE["least"]
    own = source.classes.class_of(least)
    marked = ((), (own,), (own + 1, CLASS["count"] - 1), (own, CLASS["count"] - 1))[path.choose(4)]

    def next_class(_m: Any, _arena: Any, index: int) -> int:
        """See `impl.classes.next_class`."""
        return next((each for each in marked if each >= index), CLASS["count"])

    with replaced(source.purge, next_class=next_class, **notes.answering(purge_list=2)):
        taken = source.purge.purge_free(w.m, w.arena, least)
    heads = [w.of_class(index) for index in marked] if w.m.load(w.at("segregated")) != 0 else [w.head]
    path.claim("each_list_with_large_blocks_is_purged", lambda: taken == 2 * len(heads) and only(w.m) and notes.are(
        *[("purge_list", head, least) for head in heads]))


class AgedList:
    """The loop over the kept mappings, cut: any is next, or the end."""

    def __init__(self, path: Any) -> None:
        self.path, self.w, self.notes = path, Window(path), Notes()
        self.head = self.w.statics + STATICS["kept"]
        self.k, self.after = self.w.span("k", MIN_BLOCK), path.word("after", LOWEST, HIGHEST, WORD)
        self.w.m.put(self.head + NEXT, self.k, "first")
        self.w.m.put(self.k + NEXT, self.after, "next")

    def enter(self, k: Any) -> list[Any]:
        """It begins with the newest."""
        self.path.claim("ageing_begins_with_the_newest", lambda: k == self.k)
        return [self.k if self.path.choose(2) else self.head]

    def again(self, k: Any) -> None:
        """It is older, and the next is next."""
        self.path.claim("each_kept_mapping_grows_older", lambda: k == self.after and only(self.w.m)
                        and self.notes.are(("grow_older", self.k)))
        raise Over


def grow_all_older(source: Any, path: Any) -> None:
    """Any list of kept mappings, one at a time."""
    a = AgedList(path)
    try:
        with replaced(source.retained, **a.notes.answering(grow_older=0)):
            cut(source.retained.grow_all_older, a)(a.w.m)
    except Over:
        return
    path.claim("ageing_ends_with_the_oldest", lambda: only(a.w.m) and not a.notes.done)


PROOFS = (
    Proof("trim.lower_top", ANY_HEAP, lower_top, more={
        "what_a_top_can_spare_goes_back": "a free block at the top gives back what it can spare, and is on the list "
                                          "again"}),
    Proof("trim.is_empty", ANY_HEAP, is_empty, more={
        "only_a_mapped_region_with_one_free_block_is_empty": "no word changes"}),
    Proof("trim.drop_empty", ANY_HEAP, drop_empty, more={
        "regions_are_dropped_from_the_newest": "it begins with the newest",
        "an_empty_region_goes_back_or_stays_listed": "each turn offers one that is empty; the next was read before",
        "dropping_ends_with_the_oldest": "at the end nothing changes"}),
    Proof("trim.trim_arena", ANY_HEAP, trim_arena, more={
        "an_arena_that_is_not_open_has_nothing": "of one that is not open nothing is asked",
        "what_others_freed_is_trimmed_too": "it is taken back, empty regions go, the top is lowered, pages are purged, "
                                            "under the lock",
        "whether_the_system_took_any_of_an_arena_is_told": "true exactly if it holds less, or pages were purged",
        "a_trimmed_arena_has_a_new_peak": "what is used; no other word changes"}),
    Proof("trim.trim", ANY_HEAP, trim, more={
        "all_that_is_idle_is_offered": "what the thread keeps, what is retained, and each arena, once",
        "trim_says_whether_the_system_took_any": "1 if it took anything of any, else 0"}),
    Proof("purge.purge_list", ANY_HEAP, purge_list, more={
        "a_list_is_purged_from_its_first": "it begins with the first",
        "a_listed_block_that_is_large_enough_is_purged": "each turn purges a block of as many bytes, and no other",
        "how_many_blocks_were_purged_is_told": "at the end so many are answered"}),
    Proof("purge.purge_free", ANY_HEAP, purge_free, more={
        "each_list_with_large_blocks_is_purged": "the only one, or that of each class from the least on"}),
    Proof("retained.grow_all_older", ANY_HEAP, grow_all_older, more={
        "ageing_begins_with_the_newest": "it begins with the newest",
        "each_kept_mapping_grows_older": "each turn makes one older",
        "ageing_ends_with_the_oldest": "at the end nothing changes"}),
)
