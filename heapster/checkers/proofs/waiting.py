"""Blocks that wait in a bin or on a remote list are found there when they are freed again: what is proved of that."""

from itertools import pairwise
from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.cache import COUNTS, a_stack, show_nothing
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    CACHE,
    CLASS,
    MIN_BLOCK,
    MOST,
    NEXT,
    STATICS,
    USE_AFTER_FREE,
    aborts,
    draw_key,
    header,
    let_wait,
    longer,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.placement import Over
from heapster.machine.symbolic import HIGHEST, LOWEST


def holds(source: Any, path: Any) -> None:
    """A stack of up to three blocks, of which one may lead elsewhere; any block of it, or another."""
    m, blocks = draw_key(path.machine()), [path.word("p", LOWEST, HIGHEST, ALIGN) for _ in range(path.choose(4))]
    sought = path.word("sought", LOWEST, HIGHEST, ALIGN)
    for place, p in enumerate(blocks):
        for other in (*blocks[:place], sought):
            path.apart(p, 16, other, 16)
    m.put(sought, 0, "what another holds")
    word: Any = 0
    broken = path.choose(len(blocks) + 1)
    for place, p in enumerate(blocks):
        m.put(p, word if place != broken else sought + (COUNTS << 48), "the link, or what a caller wrote")
        word = p + ((place + 1) << 48)
    reached = blocks[broken % max(len(blocks), 1):]
    which = path.choose(len(blocks) + 1)
    found = source.stack.holds(m, word, (*blocks, sought)[which])
    path.claim("what_is_on_a_stack_is_found", lambda: found == any(p is (*blocks, sought)[which] for p in reached))
    path.claim("looking_for_a_block_writes_nothing", lambda: only(m))


def is_remote(source: Any, path: Any) -> None:
    """Any remote list, and any block."""
    w, is_there = Window(path), bool(path.choose(2))
    word, _ = a_stack(path)
    w.m.put(w.at("remote"), word, "remote list")
    asked: list[Any] = []

    def holds_(_: Any, *words: Any) -> bool:
        """See `impl.stack.holds`."""
        asked.append((words, len(w.m.held)))
        return is_there

    with replaced(source.remote, holds=holds_):
        found = source.remote.is_remote(w.m, w.arena, 16)
    path.claim("a_remote_list_is_searched_under_its_lock", lambda: found == is_there and asked == [((word, 16), 1)]
               and not w.m.held and only(w.m))


def is_cached(source: Any, path: Any) -> None:
    """Up to two threads that have caches, one of which may have the block, and each class that has bins."""
    w, index = Window(path), path.word("class", 0, CLASS["cached"] - 1)
    m, head = w.m, w.statics + STATICS["caching"]
    threads = [w.span("thread", CACHE["thread_bytes"]) for _ in range(path.choose(3))]
    places = [head, *threads, head]
    words = [a_stack(path)[0] for _ in threads]
    for before, after in pairwise(places):
        m.put(before + NEXT, after if threads or path.choose(2) else 0, "next thread")
    for thread, word in zip(threads, words, strict=True):
        m.put(thread + CACHE["bins"] + 16 * index, word, "bin")
    asked: list[Any] = []
    has = path.choose(len(threads) + 1)

    def holds_(_: Any, word: Any, p: Any) -> bool:
        """See `impl.stack.holds`."""
        asked.append((word, p, len(m.held)))
        return bool(len(asked) == has + 1)

    with replaced(source.thread_cache, holds=holds_):
        found = source.thread_cache.is_cached(m, index, 16)
    path.claim("all_bins_of_a_class_are_searched", lambda: found == (has < len(threads)) and not m.held and only(m)
               and asked == [(word, 16, 1) for word in words[:has + 1]])


def check_in_use(source: Any, path: Any) -> None:
    """Any used block; marked or not, in a bin, on a remote list or nowhere."""
    w = Window(path)
    m, p = w.m, w.span("p", MIN_BLOCK) + 8
    is_marked, cached, remote = (bool(path.choose(2)) for _ in range(3))
    size = path.word("size", MIN_BLOCK, MOST, ALIGN)
    if is_marked:
        let_wait(m, p, 0)
    else:
        show_nothing(path, m, p)
    index = path.word("class", 0, CLASS["cached"] - 1)
    asked: list[Any] = []

    def noting(answer: bool) -> Any:
        def answering(_: Any, *words: Any) -> bool:
            asked.append(words)
            return answer
        return answering

    with replaced(source.thread_cache, class_of=lambda _: index, is_cached=noting(cached), is_remote=noting(remote)):
        code = aborts(m, lambda: source.thread_cache.check_in_use(m, p, header(size, w.index), USE_AFTER_FREE), p)
    looks = is_marked and size <= CACHE["most_cached"] + longer(source)
    path.claim("only_what_waits_aborts", lambda: code == (USE_AFTER_FREE if looks and (cached or remote) else 0))
    path.claim("what_is_marked_is_looked_for", lambda: asked == (
        [(index, p), (w.arena, p)][:1 if cached else 2] if looks else []))


class Searching:
    """The loop of `holds`, cut: any stack is left, whose top is looked at, and says that one fewer is below, or not."""

    def __init__(self, path: Any) -> None:
        self.path, self.m = path, path.machine()
        self.p, self.top = (path.word(name, LOWEST, HIGHEST, ALIGN) for name in ("p", "top"))
        self.count, self.intact = path.word("count", 0, COUNTS), bool(path.choose(2))
        self.word = self.top + (self.count << 48)
        below = path.word("below", 0, HIGHEST, ALIGN)
        self.first: Any = 0
        self.after = below + ((self.count - 1 if self.intact else self.count + 1) << 48)
        self.m.put(self.top, self.after, "link")

    def enter(self, word: Any) -> list[Any]:
        """It begins with the whole stack; and is anywhere in it."""
        self.path.claim("a_search_begins_with_the_whole_stack", lambda: word == self.first)
        return [self.word]

    def again(self, word: Any) -> None:
        """What is on top is another; what is below is next."""
        self.path.claim("a_search_goes_on_below_what_is_another", lambda: word == self.after and self.top != self.p
                        and self.intact and self.count > 0)
        raise Over


def holds_any(source: Any, path: Any) -> None:
    """One turn, of any stack."""
    s = Searching(path)
    s.first, _ = a_stack(path)
    try:
        found = cut(source.stack.holds, s)(s.m, s.first, s.p)
    except Over:
        return
    path.claim("a_search_ends_where_the_block_is_or_nothing", lambda: only(s.m) and (
        s.count > 0 and s.top == s.p if found else s.count == 0 or not s.intact))


PROOFS = (
    Proof("stack.holds", ANY_HEAP, holds_any, more={
        "a_search_begins_with_the_whole_stack": "it begins with the top",
        "a_search_goes_on_below_what_is_another": "each turn passes another block, and goes on to those below",
        "a_search_ends_where_the_block_is_or_nothing": "yes only where the block is on top; no only where nothing is "
                                                       "left, or others changed the stack",
    }, suffix="_turn_by_turn"),
    Proof("stack.holds", "stacks of up to 3 blocks", holds, {
        "looking_for_a_block_writes_nothing": "no word changes",
        "what_is_on_a_stack_is_found": "on a stack that nobody else changes, the answer is right",
    }),
    Proof("remote.is_remote", ANY_HEAP, is_remote, {
        "a_remote_list_is_searched_under_its_lock": "the lock is released",
    }),
    Proof("thread_cache.is_cached", "up to 2 threads with caches", is_cached, {
        "all_bins_of_a_class_are_searched": "the lock is released, and no word changes",
    }),
    Proof("thread_cache.check_in_use", ANY_HEAP, check_in_use, more={
        "only_what_waits_aborts": "a block that is marked and is in a bin or on a remote list aborts, as what its "
                                  "caller says; no other does, and no word changes",
        "what_is_marked_is_looked_for": "the bins of its class are searched, then its owner's remote list",
    }),
)
