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
    LEAD,
    LOST,
    MAPPED,
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
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.placement import Over
from heapster.machine.symbolic import HIGHEST, LOWEST

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
    r.m.put(b, r.length + MAPPED + 3, "header of b")
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
    path.claim("no_mapping_is_known_after_the_end", lambda: wiped == [(record, 1)] and m.fills == [
        (w.statics + STATICS["kept"], 0, KEEPING_BYTES)])


def forget(source: Any, path: Any) -> None:
    """Any record."""
    w = Window(path)
    source.lifecycle.forget(w.m, w.arena)
    path.claim("all_of_a_record_but_its_lock_is_forgotten", lambda: w.m.fills == [
        (w.head, 0, ARENA_BYTES - ARENA_RECORD["head"])] and only(w.m, w.head))


def finalize(source: Any, path: Any) -> None:
    """The whole of it, by its parts."""
    w, done = Window(path), []
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
    path.claim("the_thread_of_a_child_has_an_arena_that_is_not_lost", lambda: (
        not attached and not counted if not has_arena else
        attached == [0] and not counted and w.m.load(thread) == 0 if is_lost else
        not attached and counted == [(w.index, 1)] and w.m.load(thread) == w.arena))


PROOFS = (
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
