"""malloc, calloc and what aligns as every slot does, where the thread's bin is empty, from their C names on.

The slots are those that others freed, or that a run has back, all or some, or new ones, of a run that the arena has or
that it gets: one that nobody has any more, the next, or the first of a reservation that is made now.
"""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.cache import COUNTS, a_stack
from heapster.checkers.proofs.cached_calls import ALIGNED, CALLOC, MALLOC, _asked
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_RECORD,
    CACHE,
    NEXT,
    RUNS,
    STATICS,
    TOTALS,
    WORD,
    let_wait,
    only,
)
from heapster.checkers.proofs.run_whole_calls import COUNT_PLACE, CountedRun, RunOfSlot
from heapster.checkers.proofs.run_words import RUN
from heapster.machine.symbolic import HIGHEST, LOWEST

POOL_WORDS = ("RUN_POOL", "RUN_NEXT", "RUN_POOLED", "RUN_USED")


class EmptyBin:
    """The thread's bin is empty, its arena owns the run; a batch of any number; and who asks."""

    def __init__(self, c: CountedRun) -> None:
        self.c, self.kind = c, (MALLOC, CALLOC, ALIGNED)[c.path.choose(3)]
        self.most, self.request = c.path.word("most", 1, COUNTS), c.request()
        self.kept = c.path.word("kept", 1, CACHE["max_cache"])
        self.limit, self.room = c.slot + WORD, c.path.word("room", 1, COUNTS) << COUNT_PLACE
        self.place, self.calls = c.arena + ARENA_RECORD["calls"] + self.kind * WORD, c.path.word("calls", 0, TOTALS)
        for at, word, name in ((c.slot, 0, "bin"), (self.limit, self.room, "limit"),
                               (c.statics + STATICS["cache"], self.kept, "cache"),
                               (c.thread, c.arena, "arena of the thread"), (self.place, self.calls, "calls")):
            c.m.put(at, word, name)
        self.counted = self.place

    def collect(self, _m: Any, *_: Any) -> None:
        """See `impl.thread_cache.collect_remote`: others freed nothing."""

    def ask(self, source: Any) -> Any:
        """The call; the bin's room, and what others freed, are proved elsewhere."""
        c = self.c
        with (replaced(source.thread_cache, grow_bin=lambda *_: self.most, growth_cap=lambda *_: self.most,
                       batch_size=lambda *_: self.most, collect_remote=self.collect, open_record=lambda *_: None),
              replaced(source.malloc, class_for_request=c.settled(source.malloc.class_for_request),
                       class_for=c.settled(source.malloc.class_for))):
            return _asked(source, c.path, c.m, self.kind, self.request)

    def hands_out(self, q: Any) -> bool:
        """Whether the slot was handed out: it is marked no more, and zeroed for calloc alone; and the call counted."""
        c, m = self.c, self.c.m
        return bool(q == c.p) and bool(self.request <= c.size) and bool(m.load(c.p) == 0) and bool(
            m.load(c.p + WORD) == 0) and m.fills == ([(c.p, 0, c.size)] if self.kind == CALLOC else []) and bool(
                m.load(self.counted) == self.calls + 1)

    def took(self, count: Any, **more: Any) -> bool:
        """Whether so many slots more are out, in the arena's ledger."""
        size = self.c.size
        return self.c.counts(used_bytes=count * size, used_blocks=count,
                             free_bytes=more.pop("free_bytes", 0) - count * size,
                             free_blocks=more.pop("free_blocks", 0) - count, **more)

    def has_room(self, count: Any) -> bool:
        """Whether the bin may hold what it may have held, or so many that it got at once."""
        come = count << COUNT_PLACE
        return bool(self.c.m.load(self.limit) == (come if self.room < come else self.room))

    def touches(self, *more: Any) -> bool:
        """Whether nothing else was touched but these words, and the ledger, the bin, its limit and the slot."""
        c = self.c
        return c.is_alone() and only(c.m, c.slot, self.limit, self.counted, c.p, c.p + WORD, *c.totals(), *more)


class CollectedSlots(EmptyBin):
    """Others freed slots, which go into the bin."""

    def __init__(self, c: CountedRun) -> None:
        super().__init__(c)
        self.below, self.count = a_stack(c.path)
        let_wait(c.m, c.p, self.below)
        self.counted, self.calls = c.count_of(self.kind)

    def collect(self, m: Any, *_: Any) -> None:
        """See `impl.thread_cache.collect_remote`."""
        if not any(held == self.c.arena for held in m.held):
            m.broken("what others freed is collected without the lock")
        m.store(self.c.slot, self.c.p + ((self.count + 1) << COUNT_PLACE))


def from_others(source: Any, path: Any) -> None:
    """Each class, each request of it: any number of slots that others freed."""
    c = CountedRun(path)
    e = CollectedSlots(c)
    q = e.ask(source)
    path.claim("a_slot_that_others_freed_is_handed_out", lambda: e.hands_out(q) and c.m.load(c.slot) == e.below)
    path.claim("slots_that_others_freed_are_still_out", lambda: c.counts() and e.has_room(1) and e.touches())


class BackInRun(RunOfSlot):
    """A run, first on its list, that has the slot back, on top of any others."""

    def __init__(self, path: Any) -> None:
        self.below, count = a_stack(path)
        self.count = count + 1
        super().__init__(path, path.word("top", LOWEST, HIGHEST, ALIGN) + (self.count << COUNT_PLACE),
                         is_listed=True, is_first=True)
        cell = self.m.find(self.record + RUNS["RUN_FREE"])
        cell.was = cell.now = self.p + (self.count << COUNT_PLACE)

    def own(self) -> list[Any]:
        """Its words that a batch changes."""
        return [self.record + RUNS[name] for name in ("RUN_FREE", "RUN_LIVE")]


def from_what_came_back(source: Any, path: Any) -> None:
    """Each class, each request of it: a run with slots back, no more than a bin may keep, or a batch has."""
    c = BackInRun(path)
    e, m = EmptyBin(c), c.m
    if path.choose(2):
        path.require(c.count * c.size, "<=", e.kept)
    else:
        path.require(e.kept, "<", c.count * c.size)
        path.require(c.count, "<=", e.most)
    let_wait(m, c.p, c.below)
    q = e.ask(source)
    path.claim("a_slot_that_came_back_is_handed_out", lambda: e.hands_out(q))
    path.claim("the_other_slots_that_came_back_are_in_the_bin", lambda: m.load(c.slot) == c.below
               and e.has_room(c.count))
    path.claim("a_run_whose_slots_are_taken_leaves_its_list", lambda: c.has_left()
               and m.load(c.record + RUNS["RUN_FREE"]) == 0 and m.load(c.record + RUNS["RUN_LIVE"]) == c.live + c.count)
    path.claim("slots_that_are_taken_are_counted_as_used", lambda: e.took(c.count))
    path.claim("a_batch_of_slots_touches_no_more", lambda: e.touches(*c.links(), *c.own()))


def from_part_of_it(source: Any, path: Any) -> None:
    """Each class, each request of it: a run with more slots back than a bin may keep and a batch has."""
    c = BackInRun(path)
    e, m = EmptyBin(c), c.m
    path.require(e.most, "<", c.count)
    path.require(e.kept, "<", c.count * c.size)
    taken, left = path.word("others taken", LOWEST, HIGHEST, ALIGN), path.word("left", LOWEST, HIGHEST, ALIGN)
    rest = taken + (e.most - 1 << COUNT_PLACE) if e.most > 1 else 0
    stays = left + (c.count - e.most << COUNT_PLACE)
    let_wait(m, c.p, rest)

    def take_freed(m: Any, place: Any, record: Any, most: Any) -> Any:
        """See `impl.runs.take_freed`, of more than are wanted."""
        if place != c.place or record != c.record or most != e.most or not m.held:
            m.broken("slots are taken of another run, or another number, or without the lock")
        m.store(c.record + RUNS["RUN_FREE"], stays)
        return c.p + (e.most << COUNT_PLACE)

    with replaced(source.runs, take_freed=take_freed):
        q = e.ask(source)
    path.claim("part_of_the_slots_that_came_back_is_taken", lambda: e.hands_out(q) and m.load(c.slot) == rest
               and e.has_room(e.most))
    path.claim("a_run_that_has_slots_left_stays_listed", lambda: m.load(c.record + RUNS["RUN_FREE"]) == stays
               and m.load(c.record + RUNS["RUN_LIVE"]) == c.live + e.most)
    path.claim("part_of_a_runs_slots_is_counted_as_used", lambda: e.took(e.most))
    path.claim("part_of_a_runs_slots_is_all_that_is_touched", lambda: e.touches(*c.own()))


class SlotsAnew(EmptyBin):
    """No run of the class has slots back; the slot is the first that is new."""

    def __init__(self, c: CountedRun, live: Any) -> None:
        super().__init__(c)
        path = c.path
        self.live, self.taken = live, path.word("taken", 1, c.slots)
        path.require(self.taken, "==", self.most if self.most <= c.left else c.left)
        c.m.put(c.place + RUNS["RUN_ROOM"], 0, "no run with slots back")
        self.below = path.word("other new slots", LOWEST, HIGHEST, ALIGN) + (
            self.taken - 1 << COUNT_PLACE) if self.taken > 1 else 0
        let_wait(c.m, c.p, self.below)

    def carve_slots(self, m: Any, record: Any, size: Any, most: Any) -> Any:
        """See `impl.runs.carve_slots`."""
        c = self.c
        fresh = c.record + RUNS["RUN_FRESH"]
        if record != c.record or size != c.size or most != self.most or not m.held or m.load(fresh) != c.p:
            m.broken("slots are carved of another run, or another number, or without the lock")
        m.store(fresh, c.p + self.taken * c.size)
        return c.p + (self.taken << COUNT_PLACE)

    def are_out(self, q: Any) -> bool:
        """Whether the slot was handed out, and the others are in the bin; they are new no more."""
        c, load = self.c, self.c.m.load
        return self.hands_out(q) and bool(load(c.slot) == self.below) and bool(
            load(c.record + RUNS["RUN_FRESH"]) == c.p + self.taken * c.size) and self.has_room(self.taken) and bool(
                load(c.record + RUNS["RUN_LIVE"]) == self.live + self.taken)

    def own(self) -> list[Any]:
        """Words of the run that change."""
        return [self.c.record + RUNS[name] for name in ("RUN_FRESH", "RUN_LIVE")]


def new_slots(source: Any, path: Any) -> None:
    """Each class, each request of it: the run that the arena carves, with any number of new slots."""
    c = CountedRun(path)
    m, live = c.m, path.word("live", 0, c.slots)
    e = SlotsAnew(c, live)
    for at, word in ((c.place + RUNS["RUN_CARVED"], c.record), (c.record + RUNS["RUN_FRESH"], c.p),
                     (c.record + RUNS["RUN_LIVE"], live)):
        m.put(at, word, "the run that is carved")
    with replaced(source.runs, carve_slots=e.carve_slots):
        q = e.ask(source)
    path.claim("a_new_slot_is_handed_out", lambda: e.are_out(q))
    path.claim("new_slots_are_counted_as_used", lambda: e.took(e.taken))
    path.claim("new_slots_are_all_that_is_touched", lambda: e.touches(*e.own()))


class NewRun(SlotsAnew):
    """And the arena has no run to carve: it gets one."""

    POOLED, NEXT_ONE, FIRST_ONE = range(3)

    def __init__(self, c: CountedRun) -> None:
        path, m = c.path, c.m
        path.require(c.left, "==", c.slots)
        super().__init__(c, 0)
        cell = m.find(c.entry)
        cell.was = cell.now = 0
        old = c.another_number("carved", c.run) if path.choose(2) else None
        m.put(c.place + RUNS["RUN_CARVED"], 0 if old is None else c.record_of(old), "carved")
        if old is not None:
            m.put(c.record_of(old) + RUNS["RUN_FRESH"], c.base + (old + 1) * RUN, "carved to the end")
        self.whence, self.purged = path.choose(3), path.choose(2)
        self.used, self.pooled = path.word("used", 0, 1 << 18), path.word("pooled", 0, 1 << 18)
        self.rest = path.word("rest of the pool", LOWEST, HIGHEST)
        if self.whence == self.FIRST_ONE:
            path.require(c.run, "==", RUNS["FIRST_RUN"])
            self.used = self.pooled = 0
            cell = m.find(c.statics + RUNS["RUNS_AT"])
            cell.was = cell.now = 0
        pool = c.record if self.whence == self.POOLED else 0
        for name, word in zip(POOL_WORDS, (pool, c.run, self.pooled, self.used), strict=True):
            m.put(c.base + RUNS[name], word, name)
        for at, word in ((NEXT, self.rest), (RUNS["RUN_PURGED"], self.purged)):
            m.put(c.record + at, word, "record in the pool")
        for name in ("RUN_FREE", "RUN_FRESH", "RUN_LIVE"):
            m.put(c.record + RUNS[name], path.word(f"{name} before"), name)

    def reserve(self, m: Any) -> bool:
        """See `impl.runs.reserve`: there is a reservation, or it is made."""
        if self.whence == self.FIRST_ONE:
            m.store(self.c.statics + RUNS["RUNS_AT"], self.c.base - RUNS["FAR"])
        return True

    def is_taken(self) -> bool:
        """Whether nobody else gets the run."""
        load, base = self.c.m.load, self.c.base
        of_pool = self.whence == self.POOLED
        now = (self.rest if of_pool else 0, self.c.run + (not of_pool),
               self.pooled + (self.purged - 1 if of_pool else 0), self.used + 1)
        return all(bool(load(base + RUNS[name]) == word) for name, word in zip(POOL_WORDS, now, strict=True))


def new_run(source: Any, path: Any) -> None:
    """Each class, each request of it: no run with new slots; of the pool, the next, or the first of a reservation."""
    c = CountedRun(path)
    e, m = NewRun(c), c.m
    with replaced(source.runs, carve_slots=e.carve_slots, reserve=e.reserve):
        q = e.ask(source)
    path.claim("a_new_run_is_the_arenas", lambda: m.load(c.entry) == c.word and e.is_taken()
               and m.load(c.place + RUNS["RUN_CARVED"]) == c.record and m.load(c.record + RUNS["RUN_FREE"]) == 0)
    path.claim("the_first_slot_of_a_new_run_is_handed_out", lambda: e.are_out(q))
    path.claim("a_new_run_is_counted_with_its_slots", lambda: e.took(
        e.taken, held=RUN, free_bytes=c.slots * c.size, free_blocks=c.slots))
    path.claim("a_new_run_is_all_that_is_touched", lambda: e.touches(
        *e.own(), c.entry, c.record + RUNS["RUN_FREE"], c.place + RUNS["RUN_CARVED"],
        *(c.base + RUNS[name] for name in POOL_WORDS), *[c.statics + RUNS["RUNS_AT"]] * (e.whence == e.FIRST_ONE)))


def _proof(body: Any, suffix: str, **more: str) -> Proof:
    return Proof("api.malloc", ANY_HEAP, body, more=more, suffix=suffix, spans=True)


HANDED_OUT = ("it holds the request, is marked no more, zeroed whole for calloc alone; the others are in the bin, "
              "which may hold as many")
NO_MORE = "no other word changes, no lock is held, and errno is left alone"
COUNTED = "in the arena's ledger"
PROOFS = (
    _proof(from_others, "_from_slots_that_others_freed",
           a_slot_that_others_freed_is_handed_out=HANDED_OUT, slots_that_others_freed_are_still_out=NO_MORE),
    _proof(from_what_came_back, "_from_slots_that_came_back",
           a_slot_that_came_back_is_handed_out="the top of them, which holds the request; it is marked no more, zeroed "
                                               "whole for calloc alone, and the call counted",
           the_other_slots_that_came_back_are_in_the_bin="none of which was touched; it may hold as many",
           a_run_whose_slots_are_taken_leaves_its_list="its neighbours lead to each other; the slots are out",
           slots_that_are_taken_are_counted_as_used=COUNTED, a_batch_of_slots_touches_no_more=NO_MORE),
    _proof(from_part_of_it, "_from_part_of_what_came_back",
           part_of_the_slots_that_came_back_is_taken=HANDED_OUT,
           a_run_that_has_slots_left_stays_listed="the slots are out",
           part_of_a_runs_slots_is_counted_as_used=COUNTED, part_of_a_runs_slots_is_all_that_is_touched=NO_MORE),
    _proof(new_slots, "_from_new_slots",
           a_new_slot_is_handed_out=HANDED_OUT, new_slots_are_counted_as_used=COUNTED,
           new_slots_are_all_that_is_touched=NO_MORE),
    _proof(new_run, "_from_a_new_run",
           a_new_run_is_the_arenas="nobody else gets it; it is the one that is carved",
           the_first_slot_of_a_new_run_is_handed_out=HANDED_OUT,
           a_new_run_is_counted_with_its_slots="held, and of its slots those that are not out are free",
           a_new_run_is_all_that_is_touched=NO_MORE),
)
