"""Statistics: what is proved of `impl/stats.py`, of any ledgers, lists and threads, a turn at a time."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.cache import a_stack
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    CACHE,
    CALL_KINDS,
    MAX_ARENAS,
    MIN_BLOCK,
    MOST,
    NEXT,
    PAYLOAD,
    STATICS,
    TOTALS,
    WORD,
    a_size,
    header,
    let_wait,
    only,
)
from heapster.checkers.proofs.local_heap import Window, no_longer_first
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.placement import Over
from heapster.machine.linear import Infeasible
from heapster.machine.symbolic import HIGHEST, LOWEST

LEDGER = {"held": 0, "used_bytes": 8, "used_blocks": 16, "free_bytes": 24, "free_blocks": 32}   # places of figures
LARGEST, CACHED_BYTES, CACHED_BLOCKS, CALLS = 40, 48, 56, 64
FIGURES_BYTES = CALLS + WORD * CALL_KINDS
FIGURES = (*LEDGER.values(), LARGEST, CACHED_BYTES, CACHED_BLOCKS, *(CALLS + WORD * kind for kind in range(CALL_KINDS)))
ALL, MAPPINGS_ONLY = -1, -2         # whose figures are asked for, where not of one arena
SOME = 1 << 40                      # what a figure is at most, before anything is added


class StatsWindow(Window):
    """An arena, a thread, and a caller's memory for the figures, with any numbers in it so far."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.out = path.word("out", LOWEST, HIGHEST, WORD)
        self.reserve(self.out, FIGURES_BYTES)
        self.thread = path.word("thread", LOWEST, HIGHEST, ALIGN)
        self.reserve(self.thread, CACHE["thread_bytes"])
        self.m.use_thread(self.thread)
        self.before = {place: path.word("figure", 0, SOME) for place in FIGURES}
        for place, word in self.before.items():
            self.m.put(self.out + place, word, "figure")

    def is_more(self, changes: dict[int, Any]) -> bool:
        """Whether just these figures are so much more, and no other word changed; no lock is held."""
        return all(bool(self.m.load(self.out + place) == was + changes.get(place, 0))
                   for place, was in self.before.items()) and self.is_alone()

    def is_alone(self) -> bool:
        """Whether no word but figures changed, and no lock is held."""
        return not self.m.held and only(self.m, *(self.out + place for place in FIGURES))

    def ledger(self) -> dict[int, Any]:
        """Put any ledger; what it adds to which figure."""
        adds = {place: self.word(name) for name, place in LEDGER.items()}
        for kind in range(CALL_KINDS):
            adds[CALLS + WORD * kind] = self.path.word("calls", 0, TOTALS)
            self.m.put(self.at("calls") + WORD * kind, adds[CALLS + WORD * kind], "calls")
        return adds


def add_ledger(source: Any, path: Any) -> None:
    """Any ledger."""
    f = StatsWindow(path)
    adds = f.ledger()
    source.stats.add_ledger(f.m, f.arena, f.out)
    path.claim("figures_are_those_of_the_ledger", lambda: f.is_more(adds))


def add_arena(source: Any, path: Any) -> None:
    """Any arena, open or not, whatever is the largest of its free blocks."""
    f = StatsWindow(path)
    adds, is_open, largest = f.ledger(), path.choose(2), path.word("largest", 0, MOST)
    f.m.put(f.at("next"), f.head if is_open else 0, "first")

    def largest_free(m: Any, arena: Any) -> Any:
        """See `impl.stats.largest_free`."""
        if not any(held == f.arena for held in m.held) or arena != f.arena:
            m.broken("an arena's lists are looked at without its lock")
        return largest

    with replaced(source.stats, largest_free=largest_free):
        source.stats.add_arena(f.m, f.arena, f.out)
    more = largest - f.before[LARGEST] if largest > f.before[LARGEST] else 0
    path.claim("an_arenas_figures_are_added_under_its_lock", lambda: f.is_more(
        {**adds, LARGEST: more} if is_open else {}))


class Largest:
    """A loop over a list, cut: of those passed one was the largest, of so many bytes; any is next, or the end."""

    def __init__(self, path: Any, w: Window, head: Any, place: Any, kept: str = "") -> None:
        self.path, self.w, self.head, self.kept = path, w, head, kept
        self.node, self.size = path.word("node", LOWEST, HIGHEST, ALIGN, place), a_size(path)
        w.reserve(self.node, MIN_BLOCK)
        self.after, self.most = path.word("after", LOWEST, HIGHEST, ALIGN, place), path.word("most", 0, MOST)
        w.m.put(self.node + NEXT, self.after, "next")

    def enter(self, most: Any, **at: Any) -> list[Any]:
        """Nothing was passed; or anything."""
        [[name, first]] = at.items()
        self.path.claim(f"the_search{self.kept}_begins_with_the_first", lambda: most == 0 and first == self.node)
        no_longer_first(self.path, self.w.m, self.head + NEXT)
        there = self.node if self.path.choose(2) else self.head
        return [word for _, word in sorted({"most": self.most, name: there}.items())]

    def again(self, most: Any, **at: Any) -> None:
        """The largest is no less than that which was passed, and one of both."""
        [there] = at.values()
        self.path.claim(f"the_largest{self.kept}_is_the_largest_so_far", lambda: there == self.after and only(self.w.m)
                        and most == (self.most if self.most >= self.size else self.size))
        raise Over


def largest_listed(source: Any, path: Any) -> None:
    """Any list, a block at a time."""
    w = Window(path)
    loop = Largest(path, w, w.head, PAYLOAD)
    w.m.put(w.head + NEXT, loop.node, "first")
    w.m.put(loop.node, header(loop.size, w.owner, used=0), "header of a block")
    try:
        most = cut(source.stats.largest_listed, loop)(w.m, w.head)
    except Over:
        return
    path.claim("the_largest_of_all_is_answered", lambda: most == loop.most and only(w.m))


def largest_kept(source: Any, path: Any) -> None:
    """Any list of kept mappings, one at a time."""
    w = Window(path)
    head = w.statics + STATICS["kept"]
    loop = Largest(path, w, head, 0, "_kept")
    w.m.put(head + NEXT, loop.node, "first")
    w.m.put(loop.node, loop.size, "length")
    try:
        most = cut(source.stats.largest_kept, loop)(w.m)
    except Over:
        return
    path.claim("the_largest_kept_is_answered", lambda: most == loop.most and only(w.m))


def add_mappings(source: Any, path: Any) -> None:
    """Any ledger of the mapped blocks, whatever is the largest that is kept."""
    f = StatsWindow(path)
    f.arena = f.statics + STATICS["mappings"]
    adds, largest = f.ledger(), path.word("largest", 0, MOST)
    held: list[Any] = []

    def largest_kept(m: Any) -> Any:
        """See `impl.stats.largest_kept`."""
        held.extend(m.held)
        return largest

    with replaced(source.stats, largest_kept=largest_kept):
        source.stats.add_mappings(f.m, f.out)
    path.claim("the_figures_of_mappings_are_added_under_their_lock", lambda: held == [f.arena]
               and f.is_more({**adds, LARGEST: largest - f.before[LARGEST]}))


class RemoteListLoop:
    """The loop over a remote list, cut: any stack is left, of whose top any size is known."""

    def __init__(self, path: Any) -> None:
        self.path, self.f = path, StatsWindow(path)
        self.size, self.p = a_size(path), self.f.span("b", MIN_BLOCK) + PAYLOAD
        self.f.m.put(self.p - PAYLOAD, header(self.size, path.word("other", 0, MAX_ARENAS - 1)), "header of b")
        (self.rest, count), self.word = a_stack(path), 0
        let_wait(self.f.m, self.p, self.rest)
        self.word = self.p + ((count + 1) << 48)
        self.f.m.put(self.f.at("remote"), self.word, "remote list")

    def enter(self, word: Any) -> list[Any]:
        """It begins with the whole list; and is at any block of it, or at its end."""
        self.path.claim("remote_blocks_are_counted_from_the_first", lambda: word == self.word)
        return [self.word if self.path.choose(2) else 0]

    def again(self, word: Any) -> None:
        """The block on top was counted; the rest is left."""
        f = self.f
        self.path.claim("remote_blocks_are_counted_under_the_lock", lambda: word == self.rest
                        and len(f.m.held) == 1 and bool(f.m.held[0] == f.arena))
        f.m.held.clear()
        self.path.claim("each_remote_block_is_counted_once", lambda: f.is_more(
            {CACHED_BYTES: self.size, CACHED_BLOCKS: 1}))
        raise Over


def add_remote(source: Any, path: Any) -> None:
    """Any remote list, a block at a time."""
    loop = RemoteListLoop(path)
    try:
        cut(source.stats.add_remote, loop)(loop.f.m, loop.f.arena, loop.f.out)
    except Over:
        return
    path.claim("each_remote_block_is_counted_once", lambda: loop.f.is_more({}))


def add_calls(source: Any, path: Any) -> None:
    """Any counts of any thread."""
    f = StatsWindow(path)
    calls = [path.word("my calls", 0, TOTALS) for _ in range(CALL_KINDS)]
    for kind, word in enumerate(calls):
        f.m.put(f.thread + CACHE["my_calls"] + WORD * kind, word, "my calls")
    source.stats.add_calls(f.m, f.thread, f.out)
    path.claim("a_threads_calls_are_added_by_kind", lambda: f.is_more(
        {CALLS + WORD * kind: word for kind, word in enumerate(calls)}))


def add_bins(source: Any, path: Any) -> None:
    """Any blocks in each bin, of any size."""
    f = StatsWindow(path)
    sizes: list[Any] = []
    counts: list[Any] = []

    def least_of_class(index: int) -> Any:
        """See `impl.classes.least_of_class`."""
        if index != len(sizes):
            f.m.broken("a bin is counted twice, or left out")
        sizes.append(16 * (index + 2))
        return sizes[-1]

    bins = (CACHE["thread_bytes"] - CACHE["bins"]) // (2 * WORD)
    for index in range(bins):
        word, count = a_stack(path)
        counts.append(count)
        f.m.put(f.thread + CACHE["bins"] + 2 * WORD * index, word, "bin")
    with replaced(source.stats, least_of_class=least_of_class):
        source.stats.add_bins(f.m, f.thread, f.out)
    held = sum(size * count for size, count in zip(sizes, counts, strict=False))
    path.claim("each_block_in_a_bin_is_counted_once", lambda: len(sizes) == bins and f.is_more(
        {CACHED_BLOCKS: sum(counts), CACHED_BYTES: held}))


class Visiting:
    """The loop over the threads that have caches, cut: any is next, or none."""

    def __init__(self, path: Any, f: StatsWindow) -> None:
        self.path, self.f = path, f
        self.after = path.word("after", LOWEST, HIGHEST, ALIGN)
        self.head = f.statics + STATICS["caching"]
        f.m.put(self.head + NEXT, f.thread, "first")
        f.m.put(f.thread + NEXT, self.after, "next")
        self.added: list[Any] = []
        self.expected: list[Any] = []

    def enter(self, thread: Any) -> list[Any]:
        """It begins with the first; and is at any, or at the end."""
        self.path.claim("threads_are_visited_from_the_first", lambda: thread == self.f.thread)
        no_longer_first(self.path, self.f.m, self.head + NEXT)
        return [self.f.thread if self.path.choose(2) else self.head]

    def again(self, thread: Any) -> None:
        """What the thread has was added; the next is next."""
        m = self.f.m
        self.path.claim("each_thread_adds_what_it_should", lambda: thread == self.after and only(m)
                        and self.added == self.expected and len(m.held) == 1 and bool(m.held[0] == self.f.statics))
        raise Over


def add_caches(source: Any, path: Any) -> None:
    """Any list of threads, one at a time, of any arena; asked for one arena's figures or for all."""
    f = StatsWindow(path)
    v, which = Visiting(path, f), ALL if path.choose(2) else path.word("which", 0, MAX_ARENAS - 1)
    index = path.word("index of its arena", 0, MAX_ARENAS - 1)
    f.m.put(f.thread, f.statics + STATICS["arenas"] + ARENA_BYTES * index, "my arena")
    if isinstance(which, int) or which == index:
        v.expected = ["calls", "bins"] if isinstance(which, int) else ["calls"]
    with replaced(source.stats, add_calls=lambda *_: v.added.append("calls"),
                  add_bins=lambda *_: v.added.append("bins")):
        try:
            cut(source.stats.add_caches, v)(f.m, which, f.out)
        except Over:
            return
    path.claim("visiting_threads_releases_the_lock", lambda: f.is_alone() and not v.added)


def stats(source: Any, path: Any) -> None:
    """Each arena, the mappings alone, and all of it; the caller's memory begins with anything."""
    f = StatsWindow(path)
    which = (ALL, MAPPINGS_ONLY, 0, 1, MAX_ARENAS - 1)[path.choose(5)]
    beyond = path.word("beyond", 0, SOME)
    f.m.put(f.out + FIGURES_BYTES, beyond, "what follows the figures")
    done: list[Any] = []
    with replaced(source.stats, **{name: _noting(done, name) for name in (
            "add_mappings", "add_caches", "add_arena", "add_remote")}):
        source.stats.stats(f.m, which, f.out)
    arenas = range(MAX_ARENAS) if which == ALL else () if which == MAPPINGS_ONLY else (which,)
    places = [f.statics + STATICS["arenas"] + ARENA_BYTES * index for index in arenas]
    wanted = [("add_mappings",)] * (which in (ALL, MAPPINGS_ONLY)) + [("add_caches", which)] * (which != MAPPINGS_ONLY)
    for place in places:
        wanted += [("add_arena", place), *[("add_remote", place)] * (which == ALL)]
    path.claim("each_arena_is_asked_once_and_no_other", lambda: len(done) == len(wanted) and all(
        one[0] == other[0] and all(bool(a == b) for a, b in zip(one[1:], other[1:], strict=True))
        for one, other in zip(done, wanted, strict=True)))
    path.claim("figures_begin_with_zero_and_stay_in_their_memory", lambda: f.m.fills == [(f.out, 0, FIGURES_BYTES)]
               and f.is_alone())


def _noting(done: list[Any], name: str) -> Any:
    def note(_: Any, *words: Any) -> None:
        """See `impl.stats`; the last word is where figures go."""
        done.append((name, *words[:-1]))
    return note


def lists_agree(source: Any, path: Any) -> None:
    """Any arena whose free blocks are on one list, or on those of classes; any class is the last that has blocks."""
    w = Window(path, segregated=bool(path.choose(2)))
    last = path.choose(5)
    marked, none = (-1, 0, 1, 54, 110)[last], 111
    asked: list[Any] = []

    def largest_listed(_: Any, head: Any) -> int:
        """See `impl.stats.largest_listed`."""
        asked.append(head)
        return 7

    hardened = bool(path.choose(2))
    with replaced(source.stats, largest_listed=largest_listed, is_hardened=lambda _: hardened,
                  largest_slot=lambda _, arena: 9 if arena == w.arena else 0,
                  next_class=lambda m, arena, index: marked if index <= marked else none):
        most = source.stats.largest_free(w.m, w.arena)
    is_divided = w.m.load(w.at("segregated")) != 0
    if hardened:
        path.claim("the_largest_is_in_the_last_class_that_has_any", lambda: most == 9 and not asked and only(w.m))
    elif is_divided and marked < 0:
        path.claim("the_largest_is_in_the_last_class_that_has_any", lambda: most == 0 and not asked)
    elif not is_divided and last:
        raise Infeasible
    else:
        path.claim("the_largest_is_in_the_last_class_that_has_any", lambda: most == 7 and len(asked) == 1 and bool(
            asked[0] == (w.of_class(marked) if is_divided else w.at("head"))) and only(w.m))


PROOFS = (
    Proof("stats.add_ledger", ANY_HEAP, add_ledger, more={
        "figures_are_those_of_the_ledger": "each figure of the ledger is added to its own, and no other word changes"}),
    Proof("stats.largest_listed", ANY_HEAP, largest_listed, more={
        "the_search_begins_with_the_first": "it begins with the first and with nothing",
        "the_largest_is_the_largest_so_far": "each turn keeps the larger, and goes on to the next",
        "the_largest_of_all_is_answered": "at the end the largest is answered"}),
    Proof("stats.largest_kept", ANY_HEAP, largest_kept, more={
        "the_search_kept_begins_with_the_first": "it begins with the first and with nothing",
        "the_largest_kept_is_the_largest_so_far": "each turn keeps the larger, and goes on to the next",
        "the_largest_kept_is_answered": "at the end the largest is answered"}),
    Proof("stats.largest_free", ANY_HEAP, lists_agree, more={
        "the_largest_is_in_the_last_class_that_has_any": "the largest of the only list, or of the last class that has "
                                                         "blocks; 0 if none has; the largest slot where there are "
                                                         "spans"}),
    Proof("stats.add_arena", ANY_HEAP, add_arena, more={
        "an_arenas_figures_are_added_under_its_lock": "an open arena's ledger is added, and its largest free block "
                                                      "counts; of another nothing"}),
    Proof("stats.add_mappings", ANY_HEAP, add_mappings, more={
        "the_figures_of_mappings_are_added_under_their_lock": "the ledger of mapped blocks is added, and the largest "
                                                              "that is kept is noted"}),
    Proof("stats.add_remote", ANY_HEAP, add_remote, more={
        "remote_blocks_are_counted_from_the_first": "it begins with the block on top",
        "remote_blocks_are_counted_under_the_lock": "each turn goes on to the next, under the lock",
        "each_remote_block_is_counted_once": "each turn counts a block and its bytes, and no more"}),
    Proof("stats.add_calls", ANY_HEAP, add_calls, more={
        "a_threads_calls_are_added_by_kind": "each kind of call is added to its own"}),
    Proof("stats.add_bins", ANY_HEAP, add_bins, more={
        "each_block_in_a_bin_is_counted_once": "each bin's blocks, and their bytes, are counted once"}),
    Proof("stats.add_caches", ANY_HEAP, add_caches, more={
        "threads_are_visited_from_the_first": "it begins with the first thread",
        "each_thread_adds_what_it_should": "a thread's calls count for its arena, and for all; what it keeps for all",
        "visiting_threads_releases_the_lock": "at the end the lock is released"}),
    Proof("stats.stats", ANY_HEAP, stats, more={
        "each_arena_is_asked_once_and_no_other": "the arenas that are asked for, each once, and what belongs to them",
        "figures_begin_with_zero_and_stay_in_their_memory": "all figures are zero first; no word beyond them changes"}),
)
