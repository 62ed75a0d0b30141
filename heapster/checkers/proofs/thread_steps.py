"""Small steps of threads and their caches, and of the child of a fork: the rest of those files of `impl`."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    CACHE,
    CALL_KINDS,
    CLASS,
    MAX_ARENAS,
    MIN_BLOCK,
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
from heapster.checkers.proofs.notes import Notes, or_null
from heapster.checkers.proofs.placement import Over
from heapster.machine.symbolic import HIGHEST, LOWEST

FREE = 4                            # a kind of call
KEEPING = (STATICS["kept"], 728 - STATICS["kept"])      # of the statics, what is about mappings that are kept


class OneThread(Window):
    """A thread that calls, with its storage."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.notes = Notes()
        self.thread = path.word("thread", LOWEST, HIGHEST, ALIGN)
        self.reserve(self.thread, CACHE["thread_bytes"])
        self.m.use_thread(self.thread)
        self.kind, self.calls = path.choose(CALL_KINDS), path.word("calls", 0, TOTALS)
        self.count = self.thread + CACHE["my_calls"] + WORD * self.kind
        self.m.put(self.count, self.calls, "my calls")

    def counts(self, more: int) -> bool:
        """Whether so many calls more are counted, and nothing else changed."""
        return bool(self.m.load(self.count) == self.calls + more) and only(self.m, self.count)


def count_freed(source: Any, path: Any) -> None:
    """Any kind of call."""
    t = OneThread(path)
    source.thread_cache.count_freed(t.m, t.thread, t.kind)
    path.claim("only_calls_of_free_count_as_freed", lambda: t.counts(int(t.kind == FREE)))


def count_mine(source: Any, path: Any) -> None:
    """Any kind of call."""
    t = OneThread(path)
    source.thread_cache.count_mine(t.m, t.thread, t.kind)
    path.claim("a_call_is_counted_by_its_thread", lambda: t.counts(1))


def pop_cached(source: Any, path: Any) -> None:
    """Any class, whatever its bin has."""
    t, index, p = OneThread(path), path.word("class", 0, CLASS["cached"] - 1), or_null(path, "p")
    with replaced(source.thread_cache, **t.notes.answering(pop=p)):
        q = source.thread_cache.pop_cached(t.m, index, t.kind)
    path.claim("only_what_a_bin_serves_is_counted", lambda: q == p and t.counts(int(p != 0)) and t.notes.are(
        ("pop", t.thread + CACHE["bins"] + 2 * WORD * index)))


def owner_arena(source: Any, path: Any) -> None:
    """Any block of any arena."""
    w, index = Window(path), path.word("its arena", 0, MAX_ARENAS - 1)
    b = w.span("b", MIN_BLOCK)
    w.m.put(b, header(a_size(path), index, 1, path.choose(2)), "header of b")
    path.claim("a_block_leads_to_its_arena", lambda: source.thread_cache.owner_arena(w.m, b + PAYLOAD) == (
        w.statics + STATICS["arenas"] + ARENA_BYTES * index) and only(w.m))


def caches_nothing(source: Any, path: Any) -> None:
    """A thread that has a cache or none, where threads may keep blocks or not."""
    t, registered, most = OneThread(path), path.choose(2), path.choose(2)
    t.m.put(t.thread + CACHE["registered"], registered, "registered")
    t.m.put(t.statics + STATICS["cache"], most, "cache")
    path.claim("a_thread_without_a_cache_that_is_to_have_none_is_told", lambda: bool(
        source.thread_cache.caches_nothing(t.m, t.thread)) == (not registered and not most) and t.counts(0))


class FlushedBins:
    """The loop over the bins, cut: any is next, empty or not, or there is none."""

    def __init__(self, path: Any) -> None:
        self.path, self.t = path, OneThread(path)
        self.index = path.word("index now", 0, CLASS["cached"])
        self.slot = self.t.thread + CACHE["bins"] + 2 * WORD * self.index
        self.word = path.choose(2) * path.word("bin", 1 << 48, 1 << 62)
        if self.index < CLASS["cached"]:
            self.t.m.put(self.slot, self.word, "bin")

    def enter(self, index: Any) -> list[Any]:
        """It begins with the first."""
        self.path.claim("flushing_all_begins_with_the_first_bin", lambda: index == 0)
        return [self.index]

    def again(self, index: Any) -> None:
        """It was flushed of all, if it has any; the next is next."""
        t = self.t
        self.path.claim("each_bin_with_blocks_is_flushed_of_all", lambda: index == self.index + 1 and t.counts(0)
                        and t.notes.are(*[("flush", self.slot, 0)] * bool(self.word != 0)))
        raise Over


def flush_all(source: Any, path: Any) -> None:
    """Any bins, one at a time."""
    f = FlushedBins(path)
    try:
        with replaced(source.thread_cache, **f.t.notes.answering(flush=0)):
            cut(source.thread_cache.flush_all, f)(f.t.m, f.t.thread)
    except Over:
        return
    path.claim("flushing_all_ends_with_the_last_bin", lambda: f.index == CLASS["cached"] and not f.t.notes.done)


def inherit_calls(source: Any, path: Any) -> None:
    """Any counts of any thread, of any arena."""
    t, totals = OneThread(path), [path.word("counted", 0, TOTALS) for _ in range(CALL_KINDS)]
    mine = [t.calls if kind == t.kind else path.word("my calls", 0, TOTALS) for kind in range(CALL_KINDS)]
    for kind in range(CALL_KINDS):
        t.m.put(t.at("calls") + WORD * kind, totals[kind], "calls")
        if kind != t.kind:
            t.m.put(t.thread + CACHE["my_calls"] + WORD * kind, mine[kind], "my calls")
    with replaced(source.thread_cache, **t.notes.answering(open_record=0, owner_of=5)):
        source.thread_cache.inherit_calls(t.m, t.arena, t.thread)
    path.claim("an_arena_inherits_each_kind_of_call", lambda: t.notes.are(
        ("owner_of", t.arena), ("open_record", t.arena, 5)) and all(
            t.m.load(t.at("calls") + WORD * kind) == totals[kind] + mine[kind] for kind in range(CALL_KINDS))
        and only(t.m, *(t.at("calls") + WORD * kind for kind in range(CALL_KINDS))))


def unregister(source: Any, path: Any) -> None:
    """Any thread on any list."""
    t = OneThread(path)
    before, after = (t.span(name, CACHE["thread_bytes"]) for name in ("before", "after"))
    for place, word in ((NEXT, after), (PREV, before)):
        t.m.put(t.thread + place, word, "link")
    for place in (before + NEXT, after + PREV):
        t.m.put(place, t.thread, "link")
    with replaced(source.thread_cache, **t.notes.answering(attach=t.arena, inherit_calls=0)):
        source.thread_cache.unregister(t.m, t.thread)
    path.claim("a_thread_that_leaves_the_list_leaves_its_calls", lambda: t.m.load(before + NEXT) == after
               and t.m.load(after + PREV) == before and not t.m.held and t.notes.held == [0, 1]
               and t.notes.are(("attach",), ("inherit_calls", t.arena, t.thread)))
    path.claim("who_left_the_list_has_no_place_and_no_calls", lambda: t.m.fills == [
        (t.thread + NEXT, 0, CACHE["ended"] - NEXT)] and only(
            t.m, before + NEXT, after + PREV, t.thread + NEXT, t.thread + PREV, t.count))


def mend_mappings(source: Any, path: Any) -> None:
    """A lock that a thread took with it, or not."""
    w, notes, taken = Window(path), Notes(), int(path.choose(2))
    record, renewed = w.statics + STATICS["mappings"], []

    def renew(lock: Any) -> int:
        """See `Machine.renew`."""
        renewed.append(lock)
        return taken

    w.m.renew = renew
    with replaced(source.lifecycle, **notes.answering(lose=0, open_list=0, forget_records=0)):
        source.lifecycle.mend_mappings(w.m)
    kept, aside = w.statics + STATICS["kept"], w.statics + STATICS["untaken"]
    path.claim("mapped_blocks_whose_lock_was_taken_along_are_lost", lambda: renewed == [record] and only(w.m)
               and w.m.fills == [(w.statics + KEEPING[0], 0, KEEPING[1])] * taken and notes.are(
                   *([("lose", record, 0), ("open_list", kept), ("open_list", aside),
                      ("forget_records",)] if taken else ())))


def mend_threads(source: Any, path: Any) -> None:
    """A list of threads that is known or not; the calling one has a cache or none."""
    t, taken, registered = OneThread(path), path.choose(2), path.choose(2)
    head = t.statics + STATICS["caching"]
    t.m.put(t.thread + CACHE["registered"], registered, "registered")
    t.m.renew = lambda _: taken
    with replaced(source.lifecycle, **t.notes.answering(seat=0, inherit=0, open_list=0, insert=0)):
        source.lifecycle.mend_threads(t.m)
    path.claim("a_childs_thread_is_alone_on_the_list", lambda: t.m.load(head + NEXT) == 0
               and only(t.m, head + NEXT) and t.notes.are(
                   ("seat", t.thread), *[("inherit", head)] * (not taken),
                   *([("open_list", head), ("insert", head, t.thread)] if registered else ())))


def after_fork(source: Any, path: Any) -> None:
    """The whole of it, by its parts."""
    w, notes = Window(path), Notes()
    with replaced(source.lifecycle, **notes.answering(mend_arenas=0, mend_mappings=0, mend_threads=0)):
        source.lifecycle.after_fork_in_child(w.m)
    path.claim("all_of_a_child_is_mended", lambda: only(w.m) and notes.are(
        ("mend_arenas",), ("mend_mappings",), ("mend_threads",)))


PROOFS = (
    Proof("thread_cache.count_freed", ANY_HEAP, count_freed, more={
        "only_calls_of_free_count_as_freed": "no other word changes"}),
    Proof("thread_cache.count_mine", ANY_HEAP, count_mine, more={
        "a_call_is_counted_by_its_thread": "one more of its kind"}),
    Proof("thread_cache.pop_cached", ANY_HEAP, pop_cached, more={
        "only_what_a_bin_serves_is_counted": "the payload on top of the bin of the class, or NULL"}),
    Proof("thread_cache.owner_arena", ANY_HEAP, owner_arena, more={
        "a_block_leads_to_its_arena": "by the owner in its header; no word changes"}),
    Proof("thread_cache.caches_nothing", ANY_HEAP, caches_nothing, more={
        "a_thread_without_a_cache_that_is_to_have_none_is_told": "no word changes"}),
    Proof("thread_cache.flush_all", ANY_HEAP, flush_all, more={
        "flushing_all_begins_with_the_first_bin": "it begins with the first",
        "each_bin_with_blocks_is_flushed_of_all": "each turn flushes a bin that has any, and goes on",
        "flushing_all_ends_with_the_last_bin": "it ends with the last"}),
    Proof("thread_cache.inherit_calls", ANY_HEAP, inherit_calls, more={
        "an_arena_inherits_each_kind_of_call": "each of its own kind; the record is open then; no other word changes"}),
    Proof("thread_cache.unregister", ANY_HEAP, unregister, more={
        "a_thread_that_leaves_the_list_leaves_its_calls": "its neighbours are linked, and its arena counts its calls, "
                                                          "each under its lock",
        "who_left_the_list_has_no_place_and_no_calls": "of its own words no other changes"}),
    Proof("lifecycle.mend_mappings", ANY_HEAP, mend_mappings, more={
        "mapped_blocks_whose_lock_was_taken_along_are_lost": "then nothing is kept or set aside, and both lists are "
                                                             "open; else nothing changes"}),
    Proof("lifecycle.mend_threads", ANY_HEAP, mend_threads, more={
        "a_childs_thread_is_alone_on_the_list": "if it has a cache; what others kept is inherited where their list is "
                                                "known"}),
    Proof("lifecycle.after_fork_in_child", ANY_HEAP, after_fork, more={
        "all_of_a_child_is_mended": "arenas, mapped blocks and threads, once each"}),
)
