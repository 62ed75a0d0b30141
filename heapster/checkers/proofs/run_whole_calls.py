"""Whole operations on slots: malloc, free and realloc from their C names on, in any heap that has a reservation.

Nothing is known of the reservation but what the code asks for: of one run, anyone's, of any class, the word of the
table, its record, and the place of its class, whose list has any others; of slots that wait, stacks of any length.
"""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.cache import COUNTS, a_stack, show_nothing
from heapster.checkers.proofs.cached_calls import ALIGNED, CALLOC, FREE, MALLOC, NO_RACE, REALLOC, Caller, _asked
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    ARENA_RECORD,
    CACHE,
    MAX_ARENAS,
    NEXT,
    PAGE,
    PAYLOAD,
    PREV,
    RUNS,
    STATICS,
    TOTALS,
    WORD,
    let_wait,
    only,
    waits,
)
from heapster.checkers.proofs.owned import OwningThread
from heapster.checkers.proofs.run_lists import TOTALS_OF_RUNS
from heapster.checkers.proofs.run_words import CLASSES, INVERSE, RECORD, RESERVATION, RUN, SLOT_SIZES, inverse
from heapster.machine.symbolic import HIGHEST, LOWEST

COUNT_PLACE = 48


class SlotCaller(Caller):
    """A thread, one of its bins, the settings, and a slot of that bin's size, of a run of any arena."""

    def __init__(self, path: Any) -> None:
        super().__init__(path, path.choose(CLASSES))
        self.size = SLOT_SIZES[self.index]
        self.slots = RUN // self.size
        self.base = path.word("base", LOWEST, HIGHEST - RESERVATION, RUN)
        for start, length in ((self.statics, self.m.spans[0][1]), (self.thread, self.m.spans[1][1])):
            path.apart(self.base, RESERVATION, start, length)
        places = 0, RUNS["RUN_RECORDS"], RUNS["RUN_PLACES"], RUNS["RUN_POOL"], RUNS["FIRST_RUN"] * RUN
        ends = *places[1:4], RUNS["RUN_POOL"] + PAGE, RESERVATION
        self.m.spans += [(self.base + start, end - start) for start, end in zip(places, ends, strict=True)]
        self.m.put(self.statics + RUNS["RUNS_AT"], self.base - RUNS["FAR"], "the reservation")
        self.run = path.word("run", RUNS["FIRST_RUN"], RUNS["RUN_COUNT"] - 1)
        self.owner = path.word("owner", 0, MAX_ARENAS - 1)
        self.arena = self.statics + STATICS["arenas"] + self.owner * ARENA_BYTES
        self.entry, self.start = self.base + self.run * WORD, self.base + self.run * RUN
        self.record = self.base + RUNS["RUN_RECORDS"] + self.run * RECORD
        own = (self.index + 1) * ALIGN + (self.owner << RUNS["PLACES_SHIFT"])
        self.place, self.word = self.base + RUNS["RUN_PLACES"] + own, own + (inverse(self.size) << INVERSE)
        self.m.put(self.entry, self.word, "word of the run")
        self.left = path.word("place", 1, self.slots)       # slots from it to the end of the run
        self.p = self.start + RUN - self.left * self.size

    def settled(self, function: Any) -> Any:
        """The function, what it answers written as the number of the class, where that is what it is."""
        def as_number(*words: Any) -> Any:
            found = function(*words)
            return self.index if found == self.index else found
        return as_number

    def owning(self) -> OwningThread:
        """The machine, as the thread uses it that has the slot: all of its bytes are payload."""
        return OwningThread(self.m, (self.p, self.size + PAYLOAD))

    def request(self) -> Any:
        """Any request of the class, below the threshold."""
        request = self.path.word("request", SLOT_SIZES[self.index - 1] + 1 if self.index else 0, self.size)
        self.path.require(request, "<", self.threshold)
        return request


def from_a_bin(source: Any, path: Any) -> None:
    """Each class, each request of it, by malloc, calloc or for an alignment that every slot has; any stack below."""
    c = SlotCaller(path)
    m, p, request, kind = c.m, c.p, c.request(), (MALLOC, CALLOC, ALIGNED)[path.choose(3)]
    below, count = a_stack(path)
    m.put(c.slot, p + ((count + 1) << COUNT_PLACE), "bin")
    let_wait(m, p, below)
    place, calls = c.count_of(kind)
    owning = c.owning()
    q = _asked(source, path, owning, kind, request)
    path.claim("a_call_that_a_slot_serves_races_with_nobody", lambda: not owning.strays, owning.races)
    path.claim("a_slot_that_a_bin_has_is_handed_out", lambda: q == p and request <= c.size)
    path.claim("a_slot_that_is_handed_out_leaves_its_bin", lambda: m.load(c.slot) == below and m.load(p) == 0
               and m.load(p + WORD) == 0 and m.load(place) == calls + 1)
    path.claim("a_slot_is_zeroed_whole_for_calloc_alone", lambda: m.fills == (
        [(p, 0, c.size)] if kind == CALLOC else []))
    path.claim("a_call_that_a_slot_serves_touches_no_more", lambda: c.is_alone() and only(
        m, c.slot, place, p, p + WORD))


def into_a_bin(source: Any, path: Any) -> None:
    """Each class: any bin with room, any used slot of any arena's that does not look as if it waited."""
    c = SlotCaller(path)
    m, p = c.m, c.p
    word, count = a_stack(path)
    limit = path.word("limit", 1, COUNTS)
    path.require(count, "<", limit)
    for at, held in ((c.slot, word), (c.slot + WORD, limit << COUNT_PLACE)):
        m.put(at, held, "bin")
    show_nothing(path, m, p)
    place, calls = c.count_of(FREE)
    owning = c.owning()
    source.api.free(owning, p)
    path.claim("a_free_of_a_slot_races_with_nobody", lambda: not owning.strays, owning.races)
    path.claim("a_slot_that_is_freed_into_a_bin_is_on_top", lambda: m.load(c.slot) == p + ((count + 1) << COUNT_PLACE)
               and waits(m, p, word))
    path.claim("a_free_of_a_slot_is_counted_and_touches_no_more", lambda: m.load(place) == calls + 1 and c.is_alone()
               and only(m, c.slot, place, p, p + WORD))


def resized_in_its_class(source: Any, path: Any) -> None:
    """Each class, each request of it but of no bytes; of a thread that has a cache."""
    c = SlotCaller(path)
    request = c.request()
    path.require(1, "<=", request)
    c.m.put(c.thread + CACHE["registered"], 1, "registered")
    show_nothing(path, c.m, c.p)
    place, calls = c.count_of(REALLOC)
    owning = c.owning()
    q = source.api.realloc(owning, c.p, request)
    path.claim("realloc_of_a_slot_within_its_class_races_with_nobody", lambda: not owning.strays, owning.races)
    path.claim("realloc_within_its_class_leaves_a_slot", lambda: q == c.p and c.m.load(place) == calls + 1
               and c.is_alone() and only(c.m, place))


class CountedRun(SlotCaller):
    """And the ledger of the arena that owns the run."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.ledger = {name: path.word(name, -TOTALS, TOTALS) for name in TOTALS_OF_RUNS}
        for name, word in self.ledger.items():
            self.m.put(self.arena + ARENA_RECORD[name], word, name)
        self.m.put(self.arena + ARENA_RECORD["head"], 0, "header of the head")

    def counts(self, **more: Any) -> bool:
        """Whether each of the arena's totals is by so much more, and those that are not named as before."""
        return all(bool(self.m.load(self.arena + ARENA_RECORD[name]) == word + more.get(name, 0))
                   for name, word in self.ledger.items())

    def totals(self) -> list[Any]:
        """Where they are."""
        return [self.arena + ARENA_RECORD[name] for name in TOTALS_OF_RUNS]

    def another_number(self, name: str, *others: Any) -> Any:
        """The number of another run than these."""
        number = self.path.word(name, RUNS["FIRST_RUN"], RUNS["RUN_COUNT"] - 1)
        for other in others:
            self.path.apart(number, 1, other, 1)
        return number

    def record_of(self, number: Any) -> Any:
        """Where the run of that number has its record."""
        return self.base + RUNS["RUN_RECORDS"] + number * RECORD


class RunOfSlot(CountedRun):
    """And what the run has back, how many slots are out; and the list of its class, with any others."""

    def __init__(self, path: Any, stack: Any, *, is_listed: bool, is_first: bool = False) -> None:
        super().__init__(path)
        put = self.m.put
        self.stack, self.live, self.others = stack, path.word("live", 1, self.slots), [self.run]
        for name, word in (("RUN_FREE", self.stack), ("RUN_LIVE", self.live)):
            put(self.record + RUNS[name], word, name)
        self.is_listed = is_listed
        self.before = self.another("before", NEXT) if self.is_listed and not is_first else 0
        self.after = self.another("after", PREV)
        first = (self.record if self.before == 0 else self.before) if self.is_listed else self.after
        put(self.place + RUNS["RUN_ROOM"], first, "first of the list")
        for link, word in ((NEXT, self.after), (PREV, self.before)):
            put(self.record + link, word if self.is_listed else path.word("link"), "link")

    def another(self, name: str, link: int) -> Any:
        """The record of another run of the list, that leads here by this link, or NULL."""
        if not self.path.choose(2):
            return 0
        self.others.append(self.another_number(name, *self.others))
        record = self.record_of(self.others[-1])
        self.m.put(record + link, self.record if self.is_listed else 0, "link")
        return record

    def links(self) -> list[Any]:
        """Where the list's links are that the run's coming or going may change."""
        return [self.place + RUNS["RUN_ROOM"], *[self.before + NEXT] * bool(self.before != 0),
                *[self.after + PREV] * bool(self.after != 0)]

    def has_left(self) -> bool:
        """Whether the run's neighbours on its list, or those of none, lead to each other."""
        ahead = self.before + NEXT if self.before != 0 else self.place + RUNS["RUN_ROOM"]
        return bool(self.m.load(ahead) == self.after) and (
            bool(self.after == 0) or bool(self.m.load(self.after + PREV) == self.before))


class ReleasedSlot(RunOfSlot):
    """A thread whose bin takes no slot; and a used slot of the run."""

    def __init__(self, path: Any) -> None:
        has_back = bool(path.choose(2))
        super().__init__(path, path.word("top", LOWEST, HIGHEST, ALIGN) + (
            path.word("back", 1, COUNTS - 1) << COUNT_PLACE) if has_back else 0, is_listed=has_back)
        put = self.m.put
        put(self.slot, 0, "bin")
        put(self.slot + WORD, 0, "limit")
        put(self.thread + CACHE["registered"], path.choose(2), "registered")
        put(self.statics + STATICS["cache"], path.word("cache", 0, CACHE["max_cache"]), "cache")
        put(self.record + RUNS["RUN_FRESH"], self.p + self.size, "first new slot")
        show_nothing(path, self.m, self.p)
        self.calls = path.word("calls", 0, TOTALS)
        put(self.arena + ARENA_RECORD["calls"] + FREE * WORD, self.calls, "calls of the arena")


def back_to_its_run(source: Any, path: Any) -> None:
    """Each class: a run with slots back or none, anywhere on its list or on none; more are out, or it is carved."""
    c = ReleasedSlot(path)
    m, p = c.m, c.p
    if path.choose(2):
        path.require(2, "<=", c.live)
    else:
        path.require(c.live, "==", 1)
        m.put(c.place + RUNS["RUN_CARVED"], c.record, "carved")
    with (replaced(source.thread_cache, grow_bin=lambda *_: 0),     # see `bins_have_the_room_that_may_be_kept`
          replaced(source.runs, note_release=lambda *_: None)):     # see `an_epochs_end_changes_no_block`
        source.api.free(m, p)
    size, record = c.size, c.record
    path.claim("a_freed_slot_is_on_its_runs_stack", lambda: m.load(record + RUNS["RUN_FREE"]) == p + (
        c.stack - (c.stack & (1 << COUNT_PLACE) - 1)) + (1 << COUNT_PLACE) and waits(m, p, c.stack)
        and m.load(record + RUNS["RUN_LIVE"]) == c.live - 1)
    path.claim("a_run_with_a_freed_slot_is_listed", lambda: c.is_listed or (
        m.load(c.place + RUNS["RUN_ROOM"]) == record and m.load(record + NEXT) == c.after
        and m.load(record + PREV) == 0 and (bool(c.after == 0) or m.load(c.after + PREV) == record)))
    path.claim("a_freed_slot_is_counted_as_free", lambda: c.counts(
        used_bytes=-size, used_blocks=-1, free_bytes=size, free_blocks=1)
        and m.load(c.arena + ARENA_RECORD["calls"] + FREE * WORD) == c.calls + 1)
    path.claim("a_free_of_a_slot_past_the_bins_touches_no_more", lambda: c.is_alone() and only(
        m, p, p + WORD, c.arena + ARENA_RECORD["calls"] + FREE * WORD,
        *[*c.links(), record + NEXT, record + PREV] * (not c.is_listed),
        *(record + RUNS[name] for name in ("RUN_FREE", "RUN_LIVE")),
        *(c.arena + ARENA_RECORD[name] for name in TOTALS_OF_RUNS)))


def last_of_its_run(source: Any, path: Any) -> None:
    """Each class: the last slot that is out, of a run that is not the one that is carved; a pool of any length."""
    c = ReleasedSlot(path)
    m, record = c.m, c.record
    path.require(c.live, "==", 1)
    first = path.word("pool", LOWEST, HIGHEST)
    pooled, used = path.word("pooled", 0, 1 << 18), path.word("used", 1, 1 << 18)
    for name, word in (("RUN_POOL", first), ("RUN_POOLED", pooled), ("RUN_USED", used)):
        m.put(c.base + RUNS[name], word, name)
    m.put(record + RUNS["RUN_PURGED"], 0, "purged")
    m.put(c.place + RUNS["RUN_CARVED"], 0, "carved")
    with (replaced(source.thread_cache, grow_bin=lambda *_: 0),
          replaced(source.runs, note_release=lambda *_: None)):
        source.api.free(m, c.p)
    gone = [call for call in m.calls if call.answer != -1]
    path.claim("a_run_of_which_no_slot_is_out_is_nobodys", lambda: m.load(c.entry) == 0
               and c.has_left() and m.load(c.base + RUNS["RUN_POOL"]) == record and m.load(record + NEXT) == first)
    path.claim("a_run_that_goes_is_no_longer_held", lambda: c.counts(
        held=-RUN, used_bytes=-c.size, used_blocks=-1, free_bytes=c.size - c.size * c.slots, free_blocks=1 - c.slots))
    path.claim("the_pool_counts_the_run_that_goes", lambda: m.load(c.base + RUNS["RUN_USED"]) == used - 1
               and m.load(c.base + RUNS["RUN_POOLED"]) == pooled + (not gone)
               and m.load(record + RUNS["RUN_PURGED"]) == len(gone) and not m.held)


def _proof(of: str, body: Any, suffix: str, **more: str) -> Proof:
    return Proof(of, ANY_HEAP, body, more=more, suffix=suffix, spans=True)


PROOFS = (
    _proof("api.malloc", from_a_bin, "_from_a_bin_of_slots",
           a_slot_that_a_bin_has_is_handed_out="the slot on top of the thread's bin, which holds the request",
           a_slot_that_is_handed_out_leaves_its_bin="which has those below; it is marked no more, the call counted",
           a_slot_is_zeroed_whole_for_calloc_alone="all of it, and others no byte",
           a_call_that_a_slot_serves_touches_no_more="no lock is taken, nobody is asked, and errno is left alone",
           a_call_that_a_slot_serves_races_with_nobody=NO_RACE),
    _proof("api.free", into_a_bin, "_of_a_slot_into_a_bin",
           a_slot_that_is_freed_into_a_bin_is_on_top="marked, above all that was there, whoever owns it",
           a_free_of_a_slot_is_counted_and_touches_no_more="no lock is taken, nobody is asked, and errno is left alone",
           a_free_of_a_slot_races_with_nobody=NO_RACE),
    _proof("api.realloc", resized_in_its_class, "_of_a_slot_within_its_class",
           realloc_within_its_class_leaves_a_slot="the call counted; no other word changes, and no lock is taken",
           realloc_of_a_slot_within_its_class_races_with_nobody=NO_RACE),
    _proof("api.free", back_to_its_run, "_of_a_slot_past_the_bins",
           a_freed_slot_is_on_its_runs_stack="marked, above those that came back before",
           a_run_with_a_freed_slot_is_listed="where it was not",
           a_freed_slot_is_counted_as_free="in the ledger of the arena that owns the run, and the call",
           a_free_of_a_slot_past_the_bins_touches_no_more="no other word changes, no lock is held"),
    _proof("api.free", last_of_its_run, "_of_the_last_slot_of_a_run",
           a_run_of_which_no_slot_is_out_is_nobodys="it is first in the pool",
           a_run_that_goes_is_no_longer_held="nor are its slots free",
           the_pool_counts_the_run_that_goes="with its pages, unless the system took them; no lock is held"),
)
