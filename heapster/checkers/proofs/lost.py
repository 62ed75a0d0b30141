"""Arenas that the child of a fork lost: nothing is taken from them, and nothing given back."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    ARENA_RECORD,
    CALL_KINDS,
    CROWDED,
    LOST,
    MAPPED_LEAD,
    MAX_ARENAS,
    MIN_BLOCK,
    MOST,
    PAGE,
    STATICS,
    TOTALS,
    WORD,
    a_size,
    header,
    mapped_header,
    only,
    put_mapped,
)
from heapster.checkers.proofs.local_heap import Window

FIRST_LOST = "the first up to 3 arenas lost"
LISTED = ("held", "used_bytes", "used_blocks", "free_bytes", "free_blocks", "regions", "top", "break", "cursor",
          "remote", "class_map", "next", "prev")


def lose(source: Any, path: Any) -> None:
    """An arena in any state; what the words that are looked at hold is arbitrary."""
    w = Window(path)
    m = w.m
    held = {name: w.word(name) for name in LISTED}["held"]
    calls = [path.word("calls", 0, TOTALS) for _ in range(CALL_KINDS)]
    for kind, number in enumerate(calls):
        m.put(w.at("calls") + WORD * kind, number, "calls")
    owner = w.index << 48
    source.lifecycle.lose(m, w.arena, owner)
    path.claim("what_is_lost_has_nothing_to_give", lambda: all(
        m.load(w.at(name)) == 0 for name in ("free_bytes", "free_blocks", "regions", "top", "remote", "class_map"))
        and m.load(w.at("next")) == w.head and m.load(w.at("prev")) == w.head and m.load(w.head) == owner + LOST + 3)
    path.claim("what_is_lost_counts_as_used", lambda: m.load(w.at("held")) == held
               and m.load(w.at("used_bytes")) == held)
    path.claim("what_is_lost_counts_its_calls", lambda: all(
        m.load(w.at("calls") + WORD * kind) == number for kind, number in enumerate(calls)))
    path.claim("losing_writes_the_record_alone", lambda: only(w.m, *(
        w.arena + WORD * word for word in range(ARENA_BYTES // WORD))))


def release(source: Any, path: Any) -> None:
    """Any block, whatever lies around it."""
    w = Window(path, lost=True)
    b = w.span("b", MIN_BLOCK)
    source.arena.release(w.m, w.arena, b)
    path.claim("a_lost_arena_takes_nothing_back", lambda: only(w.m) and not w.m.calls)


def resize(source: Any, path: Any) -> None:
    """Any block, whatever lies around it, to any size."""
    w = Window(path, lost=True)
    size, want = a_size(path), path.word("want", MIN_BLOCK, TOTALS, ALIGN)
    b = w.span("b", MIN_BLOCK)
    w.m.put(b, header(size, w.owner), "header of b")
    done = source.resize.resize(w.m, w.arena, b, want, 0)
    path.claim("a_block_of_a_lost_arena_stays", lambda: bool(done) == (want <= size) and only(w.m))


def find_or_grow(source: Any, path: Any) -> None:
    """Nothing is found, as its lists have nothing."""
    w = Window(path, lost=True)
    w.m.put(w.statics + STATICS["policy"], path.choose(5), "policy")
    with replaced(source.arena, find=lambda *_: 0):
        b = source.arena.find_or_grow(w.m, w.arena, path.word("room", MIN_BLOCK, TOTALS, ALIGN))
    path.claim("a_lost_arena_gives_nothing", lambda: b == 0 and only(w.m) and not w.m.calls)


def unlist_mapped(source: Any, path: Any) -> None:
    """Any block, whatever its links say."""
    w = Window(path)
    w.m.put(w.statics + STATICS["mappings"] + ARENA_RECORD["head"], LOST + 3, "header of the head")
    b = w.span("b", MIN_BLOCK)
    length, lead = path.word("length", PAGE, MOST, PAGE), path.word("lead", MAPPED_LEAD, MOST, ALIGN, 8)
    put_mapped(w.m, b, lead, mapped_header(length))
    source.mapping.unlist_mapped(w.m, w.statics + STATICS["mappings"], b)
    path.claim("a_lost_list_is_left_alone", lambda: only(w.m))


def least_attached(source: Any, path: Any) -> None:
    """As many arenas as there may be, the first of them lost; or all."""
    w, lost, limit = Window(path), (1, 2, 3, MAX_ARENAS)[path.choose(4)], 1 + path.choose(3)
    for index in range(MAX_ARENAS):
        threads = CROWDED + path.choose(2) if index < min(lost, 2) else CROWDED if index < lost else 0
        w.m.put(w.statics + STATICS["attached"] + WORD * index, threads, "threads")
    chosen = source.settings.least_attached(w.m, limit)
    path.claim("a_lost_arena_is_passed_over", lambda: only(w.m) and (
        lost <= chosen < max(limit, lost + 1) if lost < MAX_ARENAS else 0 <= chosen < MAX_ARENAS))


PROOFS = (
    Proof("lifecycle.lose", ANY_HEAP, lose, {
        "what_is_lost_has_nothing_to_give": "it has no region, no free block and nothing on its lists",
        "what_is_lost_counts_as_used": "it holds what it held, all of it used",
        "what_is_lost_counts_its_calls": "it counts the calls that it did",
    }, more={"losing_writes_the_record_alone": "no word outside the arena's record changes"}),
    Proof("arena.release", ANY_HEAP, release, {
        "a_lost_arena_takes_nothing_back": "nothing changes if the arena is lost",
    }, suffix="_of_a_lost_arena"),
    Proof("arena.find_or_grow", ANY_HEAP, find_or_grow, more={
        "a_lost_arena_gives_nothing": "NULL, and nothing changes, if the arena is lost",
    }, suffix="_of_a_lost_arena"),
    Proof("resize.resize", ANY_HEAP, resize, {
        "a_block_of_a_lost_arena_stays": "nothing changes if the arena is lost",
    }, suffix="_of_a_lost_arena"),
    Proof("mapping.unlist_mapped", ANY_HEAP, unlist_mapped, more={
        "a_lost_list_is_left_alone": "nothing changes if the list is lost",
    }),
    Proof("settings.least_attached", FIRST_LOST, least_attached, {
        "a_lost_arena_is_passed_over": "then the first that is not lost, if one is",
    }, suffix="_of_lost_arenas"),
)
