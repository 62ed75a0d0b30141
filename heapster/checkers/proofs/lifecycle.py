"""The end of a heap, and its life after a fork: what is proved of `impl/lifecycle.py`; see `lost` for more."""

from collections.abc import Callable
from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    ARENA_RECORD,
    CACHE,
    CROWDED,
    HARDENED,
    LEAD,
    LOST,
    MAPPED_LEAD,
    MAX_ARENAS,
    MMAP,
    MOST,
    NEXT,
    NODE,
    PAGE,
    PAYLOAD,
    REGION,
    SBRK,
    STATICS,
    TOTALS,
    WORD,
    mapped_header,
    only,
)
from heapster.checkers.proofs.local_heap import Window, no_longer_first
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.placement import Over
from heapster.machine.symbolic import HIGHEST, LOWEST, form_of

KEEPING_BYTES = 728 - STATICS["kept"]       # of the statics, about what is retained


def return_region(source: Any, path: Any) -> None:
    """Any region, from mmap or from sbrk, the top or not, whatever the system answers."""
    w = Window(path)
    m, kind, is_top = w.m, (SBRK, MMAP)[path.choose(2)], path.choose(2)
    record, length = w.span("region", PAGE), path.word("length", PAGE, MOST, PAGE)
    start, brk = path.word("start", LOWEST, HIGHEST, PAGE), w.word("break")
    for name, word in (("start", start), ("length", length), ("kind", kind)):
        m.put(record + REGION[name], word, name)
    m.put(w.at("top"), record if is_top else 0, "top")
    lowered: list[Any] = []
    could = bool(path.choose(2))

    def lower_break(_: Any, *words: Any) -> bool:
        """See `impl.region.lower_break`."""
        lowered.append(words)
        return could

    with replaced(source.lifecycle, lower_break=lower_break):
        done = source.lifecycle.return_region(m, w.arena, record)
    if kind == MMAP:
        path.claim("a_mapped_region_goes_back_whole", lambda: [(call.name, call.arguments) for call in m.calls] == [
            ("munmap", (start, length))] and bool(done) == (m.calls[0].answer == 0) and not lowered and only(m))
    else:
        path.claim("a_region_of_the_break_goes_back_from_the_top_alone", lambda: not m.calls and only(m)
                   and lowered == [(brk, length)] * is_top and bool(done) == bool(is_top and could))


class Returning:
    """A loop over a list of mappings, cut: any is next, or the list's end; so many did not go back."""

    def __init__(self, path: Any, first: str, turn: str, end: str) -> None:
        self.path, self.w, self.names = path, Window(path), (first, turn, end)
        self.m = self.w.m
        self.start, self.length = path.word("start", LOWEST, HIGHEST, PAGE), path.word("length", PAGE, MOST, PAGE)
        self.w.reserve(self.start, self.length)
        self.kept, self.after = path.word("kept", 0, TOTALS), path.word("after", LOWEST, HIGHEST, WORD)
        self.node: Any = self.start

    def begin(self, head: Any) -> None:
        """Let the mapping be the first on the list of this head."""
        self.head = head
        self.m.put(head + NEXT, self.node, "first")
        self.m.put(self.node + NEXT, self.after, "next")

    def enter(self, kept: Any, **at: Any) -> list[Any]:
        """It begins with the first, and none that did not go back."""
        [[name, first]] = at.items()
        self.path.claim(self.names[0], lambda: kept == 0 and first == self.node)
        there = self.node if self.path.choose(2) else self.head
        return [word for _, word in sorted({"kept": self.kept, name: there}.items())]

    def again(self, kept: Any, **at: Any) -> None:
        """The mapping was offered whole; the next, which was asked for before, is next."""
        [there], [call] = at.values(), self.m.calls
        self.path.claim(self.names[1], lambda: there == self.after and only(self.m)
                        and (call.name, call.arguments) == ("munmap", (self.start, self.length))
                        and kept == self.kept + (call.answer != 0))
        raise Over


def return_blocks(source: Any, path: Any) -> None:
    """Any list of mapped blocks, one at a time, whatever the system answers."""
    r = Returning(path, "mappings_go_back_from_the_first", "each_mapping_is_offered_once_and_whole",
                  "what_did_not_go_back_is_counted")
    lead = path.word("lead", MAPPED_LEAD, MOST, ALIGN, PAYLOAD)
    path.require(lead + 2 * PAYLOAD, "<=", r.length)
    b = r.start + lead
    r.m.put(b, mapped_header(r.length), "header of b")
    r.m.put(b + LEAD, lead, "lead of b")
    r.node = b + NODE
    r.begin(r.w.at("head"))
    _ended(path, r, lambda: cut(source.lifecycle.return_blocks, r)(r.m, r.head))


def return_kept(source: Any, path: Any) -> None:
    """Any list of kept mappings, one at a time, whatever the system answers."""
    r = Returning(path, "kept_mappings_go_back_from_the_first", "each_kept_mapping_is_offered_once_and_whole",
                  "what_is_kept_and_did_not_go_back_is_counted")
    r.m.put(r.start, r.length, "length")
    r.begin(r.w.statics + STATICS["kept"])
    _ended(path, r, lambda: cut(source.lifecycle.return_kept, r)(r.m, r.head))


def _ended(path: Any, r: Returning, call: Callable[[], Any]) -> None:
    try:
        kept = call()
    except Over:
        return
    path.claim(r.names[2], lambda: kept == r.kept and not r.m.calls and only(r.m))


def return_arena(source: Any, path: Any) -> None:
    """Any arena of up to two regions, whatever goes back."""
    w = Window(path)
    m, count = w.m, path.choose(3)
    regions = [w.span("region", PAGE) for _ in range(count)]
    for record, older in zip(regions, [*regions[1:], 0], strict=False):
        m.put(record + REGION["next"], older, "next")
    m.put(w.at("regions"), regions[0] if regions else 0, "regions")
    back, asked, wiped = [bool(path.choose(2)) for _ in regions], [], []

    def gone(m: Any, arena: Any, record: Any) -> bool:
        """See `impl.lifecycle.return_region`: nobody reads what went back."""
        asked.append((arena, record, len(m.held)))
        m.gone.append((record, PAGE))
        return back[len(asked) - 1]

    with replaced(source.lifecycle, return_region=gone, forget=lambda m, record: wiped.append((record, len(m.held)))):
        kept = source.lifecycle.return_arena(m, w.arena)
    path.claim("each_region_is_offered_once_under_the_lock", lambda: asked == [
        (w.arena, record, 1) for record in regions] and kept == back.count(False))
    path.claim("an_arena_that_ends_is_closed_under_its_lock", lambda: wiped == [(w.arena, 1)] and not m.held
               and only(m))


def return_mappings(source: Any, path: Any) -> None:
    """All lists of mappings, whatever goes back."""
    w = Window(path)
    m, record, kept = w.m, w.statics + STATICS["mappings"], [path.word("kept", 0, TOTALS) for _ in range(3)]
    asked: list[Any] = []

    def noting(m: Any, head: Any) -> Any:
        """See `impl.lifecycle.return_blocks` and `return_kept`."""
        asked.append((head, len(m.held)))
        return kept[len(asked) - 1]

    wiped: list[Any] = []
    with replaced(source.lifecycle, return_blocks=noting, return_kept=noting,
                  forget=lambda m, record: wiped.append((record, len(m.held)))):
        total = source.lifecycle.return_mappings(m)
    path.claim("all_lists_of_mappings_go_back_under_the_lock", lambda: not m.held and total == sum(kept) and asked == [
        (record + ARENA_RECORD["head"], 1), (w.statics + STATICS["kept"], 1), (w.statics + STATICS["untaken"], 1)])
    path.claim("no_mapping_is_known_after_the_end", lambda: wiped == [(record, 1)] and only(m) and m.fills == [
        (w.statics + STATICS["kept"], 0, KEEPING_BYTES)])


def forget(source: Any, path: Any) -> None:
    """Any record."""
    w = Window(path)
    source.lifecycle.forget(w.m, w.arena)
    path.claim("all_of_a_record_but_its_lock_is_forgotten", lambda: w.m.fills == [
        (w.head, 0, ARENA_BYTES - ARENA_RECORD["head"])] and only(w.m, w.head))


def finalize(source: Any, path: Any) -> None:
    """The whole of it, by its parts, where there is no vault."""
    w, done = Window(path), []
    w.m.put(w.statics + HARDENED["VAULT"], 0, "vault")
    lost, each = path.word("of mappings", 0, TOTALS), path.word("of an arena", 0, TOTALS)

    def returning(what: Any, kept: Any) -> Any:
        """So many pieces that the system did not take."""
        done.append(what)
        return kept

    with replaced(source.lifecycle, empty_caches=lambda m: done.append("caches"),
                  return_mappings=lambda m: returning("mappings", lost),
                  return_arena=lambda m, arena: returning(arena, each)):
        kept = source.lifecycle.finalize(w.m)
    arenas = [w.statics + STATICS["arenas"] + ARENA_BYTES * index for index in range(MAX_ARENAS)]
    path.claim("all_of_a_heap_ends", lambda: done[:2] == ["caches", "mappings"] and len(done) == MAX_ARENAS + 2 and all(
        bool(one == other) for one, other in zip(done[2:], arenas, strict=True)))
    path.claim("all_that_did_not_go_back_is_counted", lambda: kept == lost + MAX_ARENAS * each and only(w.m))


def seat(source: Any, path: Any) -> None:
    """Any thread of any arena, lost or not, or of none."""
    w = Window(path, lost=bool(path.choose(2)))
    thread, has_arena = path.word("thread", LOWEST, HIGHEST, ALIGN), path.choose(2)
    w.reserve(thread, CACHE["thread_bytes"])
    w.m.put(thread, w.arena if has_arena else 0, "my arena")
    attached: list[Any] = []
    counted: list[Any] = []
    with replaced(source.lifecycle, attach=lambda m: attached.append(m.load(thread)),
                  count_thread=lambda m, *words: counted.append(words)):
        source.lifecycle.seat(w.m, thread)
    is_lost = w.m.load(w.head) & LOST != 0
    path.claim("the_thread_of_a_child_has_an_arena_that_is_not_lost", lambda: only(w.m, thread) and (
        not attached and not counted if not has_arena else
        attached == [0] and not counted and w.m.load(thread) == 0 if is_lost else
        not attached and counted == [(w.index, 1)] and w.m.load(thread) == w.arena))


class Threads:
    """A loop over the threads that have caches, cut: any is next, the calling one or another, or none."""

    def __init__(self, path: Any, first: str, turn: str) -> None:
        self.path, self.w, self.names = path, Window(path), (first, turn)
        self.m = self.w.m
        self.head = self.w.statics + STATICS["caching"]
        self.thread, self.after = (path.word(name, LOWEST, HIGHEST, ALIGN) for name in ("thread", "after"))
        self.w.reserve(self.thread, CACHE["thread_bytes"])
        self.m.put(self.head + NEXT, self.thread, "first")
        self.m.put(self.thread + NEXT, self.after, "next")
        self.m.put(self.thread, self.w.arena, "its arena")
        self.done: list[Any] = []
        self.wanted: list[Any] = []

    def enter(self, thread: Any) -> list[Any]:
        """It begins with the first; and is at any, or at the end."""
        self.path.claim(self.names[0], lambda: thread == self.thread)
        no_longer_first(self.path, self.m, self.head + NEXT)
        return [self.thread if self.path.choose(2) else self.head]

    def again(self, thread: Any) -> None:
        """What should be done with the thread was done; the next is next."""
        self.path.claim(self.names[1], lambda: thread == self.after and self.done == self.wanted
                        and self.m.fills == self.filled() and only(self.m))
        raise Over

    def filled(self) -> list[Any]:
        """What the turn makes zero."""
        return []


class Emptied(Threads):
    """As it empties the caches."""

    def filled(self) -> list[Any]:
        """All that a thread counts and keeps, to the end of its storage."""
        return [(self.thread + CACHE["my_calls"], 0, CACHE["thread_bytes"] - CACHE["my_calls"])]


def empty_caches(source: Any, path: Any) -> None:
    """Any list of threads, one at a time."""
    t = Emptied(path, "caches_are_emptied_from_the_first", "each_cache_is_emptied_whole")
    try:
        cut(source.lifecycle.empty_caches, t)(t.m)
    except Over:
        return
    path.claim("emptying_releases_the_lock", lambda: not t.m.held and not t.m.fills and only(t.m))


def inherit(source: Any, path: Any) -> None:
    """Any list of threads, one at a time, of which one is the calling one."""
    t = Threads(path, "what_threads_kept_is_inherited_from_the_first", "what_each_other_thread_kept_is_given_back")
    is_mine = bool(path.choose(2))
    mine = t.thread if is_mine else path.word("mine", LOWEST, HIGHEST, ALIGN)
    if not is_mine:
        path.apart(mine, WORD, t.thread, WORD)
    t.m.use_thread(mine)
    t.wanted = [] if is_mine else [("flush", t.thread), ("calls", t.w.arena, t.thread)]
    with replaced(source.lifecycle, flush_all=lambda _, *words: t.done.append(("flush", *words)),
                  inherit_calls=lambda _, *words: t.done.append(("calls", *words))):
        try:
            cut(source.lifecycle.inherit, t)(t.m, t.head)
        except Over:
            return
    path.claim("inheriting_changes_no_list", lambda: only(t.m) and not t.done)


def mend_arenas(source: Any, path: Any) -> None:
    """All arenas; of any few of them a thread took the lock with it, and any few were lost before."""
    w = Window(path)
    m, s = w.m, w.statics
    taken, before = {0, 7, MAX_ARENAS - 1} if path.choose(2) else {1}, {5, MAX_ARENAS - 2} if path.choose(2) else set()
    arenas = [s + STATICS["arenas"] + ARENA_BYTES * index for index in range(MAX_ARENAS)]
    renewed: list[Any] = []
    lost: list[Any] = []

    def index_of(arena: Any) -> int:
        """Which it is; an arena's address is known but for the statics'."""
        return next(index for index, each in enumerate(arenas) if form_of(each) == form_of(arena))

    def renew(lock: Any) -> int:
        """See `Machine.renew`."""
        renewed.append(index_of(lock))
        return int(renewed[-1] in taken)

    m.renew = renew
    for index in range(MAX_ARENAS):
        m.put(s + STATICS["attached"] + WORD * index, 3, "threads")
    with replaced(source.lifecycle, owner_of=lambda _, arena: index_of(arena),
                  lose=lambda m, arena, owner: lost.append((index_of(arena), owner)),
                  is_lost=lambda m, arena: index_of(arena) in before or index_of(arena) in taken):
        source.lifecycle.mend_arenas(m)
    path.claim("each_lock_of_an_arena_is_new", lambda: renewed == list(range(MAX_ARENAS)))
    path.claim("an_arena_whose_lock_was_taken_along_is_lost", lambda: lost == [(each, each) for each in sorted(taken)])
    path.claim("no_thread_is_counted_and_lost_arenas_get_none", lambda: all(
        m.load(s + STATICS["attached"] + WORD * index) == (CROWDED if index in taken | before else 0)
        for index in range(MAX_ARENAS)) and only(m, *(
            s + STATICS["attached"] + WORD * index for index in range(MAX_ARENAS))))


PROOFS = (
    Proof("lifecycle.empty_caches", ANY_HEAP, empty_caches, more={
        "caches_are_emptied_from_the_first": "it begins with the first thread",
        "each_cache_is_emptied_whole": "each turn makes zero all that a thread counts and keeps, and goes on",
        "emptying_releases_the_lock": "at the end the lock is released"}),
    Proof("lifecycle.inherit", ANY_HEAP, inherit, more={
        "what_threads_kept_is_inherited_from_the_first": "it begins with the first thread",
        "what_each_other_thread_kept_is_given_back": "each turn flushes a thread, and its arena counts its calls, "
                                                     "but for the calling one",
        "inheriting_changes_no_list": "at the end nothing changes"}),
    Proof("lifecycle.mend_arenas", "few arenas lost", mend_arenas, more={
        "each_lock_of_an_arena_is_new": "each arena's lock is made new, once",
        "an_arena_whose_lock_was_taken_along_is_lost": "those are lost, and no others",
        "no_thread_is_counted_and_lost_arenas_get_none": "no thread is counted; a lost arena is crowded"}),
    Proof("lifecycle.return_region", ANY_HEAP, return_region, more={
        "a_mapped_region_goes_back_whole": "a mapping is unmapped, all of it, once",
        "a_region_of_the_break_goes_back_from_the_top_alone": "memory of sbrk goes back if it is the top, all of it"}),
    Proof("lifecycle.return_arena", "up to 2 regions", return_arena, more={
        "each_region_is_offered_once_under_the_lock": "each region is offered once, and read before; those that stay "
                                                      "are counted",
        "an_arena_that_ends_is_closed_under_its_lock": "then its record is forgotten, under the lock"}),
    Proof("lifecycle.return_blocks", ANY_HEAP, return_blocks, more={
        "mappings_go_back_from_the_first": "it begins with the first",
        "each_mapping_is_offered_once_and_whole": "each turn offers a mapping, all of it; the next was read before",
        "what_did_not_go_back_is_counted": "at the end it answers how many the system did not take"}),
    Proof("lifecycle.return_kept", ANY_HEAP, return_kept, more={
        "kept_mappings_go_back_from_the_first": "it begins with the first",
        "each_kept_mapping_is_offered_once_and_whole": "each turn offers a mapping, all of it",
        "what_is_kept_and_did_not_go_back_is_counted": "at the end it answers how many the system did not take"}),
    Proof("lifecycle.return_mappings", ANY_HEAP, return_mappings, more={
        "all_lists_of_mappings_go_back_under_the_lock": "mapped blocks, what is retained and what is set aside",
        "no_mapping_is_known_after_the_end": "then the record and the lists are forgotten, and no more"}),
    Proof("lifecycle.forget", ANY_HEAP, forget, more={
        "all_of_a_record_but_its_lock_is_forgotten": "all of it but the lock is zero, and nothing beyond it"}),
    Proof("lifecycle.finalize", ANY_HEAP, finalize, more={
        "all_of_a_heap_ends": "caches, mappings and each arena, once each",
        "all_that_did_not_go_back_is_counted": "the answer counts all that did not go back; no other word changes"}),
    Proof("lifecycle.seat", ANY_HEAP, seat, more={
        "the_thread_of_a_child_has_an_arena_that_is_not_lost": "a thread of a lost arena gets another; of one that is "
                                                               "not, it is counted as its thread"}),
)
