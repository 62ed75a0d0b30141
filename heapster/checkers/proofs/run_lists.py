"""Runs as they come and go: their lists, the pool of those that nobody has, and the reservation itself."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import NEXT, PAGE, PREV, RUNS, TOTALS, only
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.placement import Over
from heapster.checkers.proofs.run_words import CLASSES, RESERVATION, RUN, SLOT_SIZES, Reservation
from heapster.machine.protocol import REFUSED
from heapster.machine.symbolic import HIGHEST, LOWEST

POOL_COUNT = RUNS["RUN_COUNT"]
TOTALS_OF_RUNS = ("held", "used_bytes", "used_blocks", "free_bytes", "free_blocks")


class OneRun(Reservation):
    """A run of the arena, of some class, and others on its list or in the pool, or none."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.run = self.a_run()
        self.record, self.entry, self.start = (
            place(self.run) for place in (self.record_of, self.entry_of, self.start_of))
        self.others: list[Any] = [self.run]

    def put(self, name: str, word: Any) -> Any:
        """Let the run's record have the word; where."""
        self.m.put(self.record + RUNS[name], word, name)
        return self.record + RUNS[name]

    def another(self, name: str) -> Any:
        """The record of some other run."""
        number = self.a_run(name)
        for other in self.others:
            self.path.apart(number, 1, other, 1)
        self.others.append(number)
        return self.record_of(number)

    def maybe(self, name: str) -> Any:
        """The record of some other run, or NULL."""
        return self.another(name) if self.path.choose(2) else 0

    def ledger(self) -> dict[str, Any]:
        """The arena's totals, any."""
        return {name: self.word(name, -TOTALS) for name in TOTALS_OF_RUNS}

    def counts(self, before: dict[str, Any], **more: Any) -> bool:
        """Whether each total is by so much more than before, and those that are not named are as before."""
        return all(bool(self.m.load(self.at(name)) == word + more.get(name, 0)) for name, word in before.items())

    def refused(self) -> bool:
        """Whether the system refused the last call."""
        return bool(self.m.calls[-1].answer == REFUSED)


def list_run(source: Any, path: Any) -> None:
    """Before any first run, or on an empty list."""
    r = OneRun(path)
    place, first = r.place_of(path.choose(CLASSES)), r.maybe("first")
    r.m.put(place + RUNS["RUN_ROOM"], first, "first")
    links = [r.record + NEXT, r.record + PREV]
    for link in (*links, *[first + PREV] * bool(first != 0)):
        r.m.put(link, path.word("link"), "link")
    source.runs.list_run(r.m, place, r.record)
    path.claim("a_run_is_first_on_its_list", lambda: r.m.load(place + RUNS["RUN_ROOM"]) == r.record
               and r.m.load(r.record + NEXT) == first and r.m.load(r.record + PREV) == 0)
    path.claim("the_old_first_follows", lambda: bool(first == 0) or r.m.load(first + PREV) == r.record)
    path.claim("listing_a_run_moves_no_other", lambda: only(
        r.m, place + RUNS["RUN_ROOM"], *links, *[first + PREV] * bool(first != 0)))


def unlist_run(source: Any, path: Any) -> None:
    """From any place of a list of any length."""
    r = OneRun(path)
    place, before, after = r.place_of(path.choose(CLASSES)), r.maybe("before"), r.maybe("after")
    first = r.record if before == 0 else r.another("first") if path.choose(2) else before
    r.m.put(place + RUNS["RUN_ROOM"], first, "first")
    r.m.put(r.record + NEXT, after, "next")
    r.m.put(r.record + PREV, before, "prev")
    links = [*[before + NEXT] * bool(before != 0), *[after + PREV] * bool(after != 0)]
    for link in links:
        r.m.put(link, r.record, "link")
    source.runs.unlist_run(r.m, place, r.record)
    path.claim("what_was_before_a_run_leads_behind_it", lambda: (
        r.m.load(place + RUNS["RUN_ROOM"]) == after if before == 0 else
        r.m.load(before + NEXT) == after and r.m.load(place + RUNS["RUN_ROOM"]) == first))
    path.claim("what_was_behind_a_run_leads_before_it", lambda: after == 0 or r.m.load(after + PREV) == before)
    path.claim("unlisting_a_run_moves_no_other", lambda: only(
        r.m, *links, *[place + RUNS["RUN_ROOM"]] * bool(before == 0)))


def take_record(source: Any, path: Any) -> None:
    """A pool with a run that was purged or not, or an empty one with runs that nobody ever had, or with none."""
    r, pooled, fresh = OneRun(path), path.choose(2), path.choose(2)
    following, purged = r.maybe("following"), path.choose(2)
    after = r.run if fresh else RUNS["RUN_COUNT"]
    words = {"RUN_POOL": r.record if pooled else 0, "RUN_NEXT": after,
             "RUN_POOLED": path.word("pooled", 0, POOL_COUNT), "RUN_USED": path.word("used", 0, POOL_COUNT)}
    for name, word in words.items():
        r.m.put(r.base + RUNS[name], word, name)
    if pooled:
        r.m.put(r.record + NEXT, following, "next")
        r.put("RUN_PURGED", purged)
    found = source.runs.take_record(r.m)
    path.claim("runs_that_were_used_come_first", lambda: found == (r.record if pooled or fresh else 0))
    becomes = {
        "RUN_POOL": following if pooled else 0, "RUN_NEXT": after + (not pooled and fresh),
        "RUN_POOLED": words["RUN_POOLED"] - (pooled and not purged), "RUN_USED": words["RUN_USED"] + (pooled or fresh)}
    path.claim("a_run_that_is_taken_is_counted_as_used", lambda: all(
        bool(r.m.load(r.base + RUNS[name]) == word) for name, word in becomes.items())
        and only(r.m, *(r.base + RUNS[name] for name in words)))


def count_run(source: Any, path: Any) -> None:
    """Each class, whatever the ledger says."""
    r, index, sign = OneRun(path), path.choose(CLASSES), 1 - 2 * path.choose(2)
    size, before = SLOT_SIZES[index], r.ledger()
    source.runs.count_run(r.m, r.arena, r.word_of(index), sign)
    slots = sign * (RUN // size)
    path.claim("a_run_is_held_and_its_slots_are_free", lambda: r.counts(
        before, held=sign * RUN, free_bytes=slots * size, free_blocks=slots)
        and only(r.m, *(r.at(name) for name in ("held", "free_bytes", "free_blocks"))))


def new_run(source: Any, path: Any) -> None:
    """Each class, and a run or none."""
    r, index, there = OneRun(path), path.choose(CLASSES), path.choose(2)
    size, word = SLOT_SIZES[index], r.word_of(index)
    became = {r.put("RUN_FREE", path.word("was")): 0, r.put("RUN_LIVE", path.word("was")): 0,
              r.put("RUN_FRESH", path.word("was")): r.start + RUN % size, r.entry: word}
    r.m.put(r.entry, 0, "word of the run")
    with replaced(source.runs, **r.notes.answering(take_record=r.record if there else 0, count_run=0)):
        found = source.runs.new_run(r.m, r.arena, word)
    path.claim("a_new_run_has_all_its_slots", lambda: found == (r.record if there else 0) and only(
        r.m, *list(became) * there) and (not there or all(bool(r.m.load(at) == now) for at, now in became.items())))
    path.claim("a_new_run_is_taken_under_the_lock_and_counted", lambda: r.notes.are(
        ("take_record",), *[("count_run", r.arena, word, 1)] * there)
        and r.notes.held[0] == 1 and not r.m.held)


def purge_run(source: Any, path: Any) -> None:
    """A run that nobody has, whatever the system answers."""
    r = OneRun(path)
    purged = r.put("RUN_PURGED", 0)
    taken = bool(source.runs.purge_run(r.m, r.record))
    [call] = r.m.calls
    path.claim("a_run_is_offered_whole", lambda: call.name == "purge" and call.arguments[0] == r.start
               and call.arguments[1] == RUN and taken == (not r.refused()))
    path.claim("what_a_run_lost_is_noted", lambda: r.m.load(purged) == int(taken) and only(r.m, purged))


def pool_run(source: Any, path: Any) -> None:
    """A pool of any length, with fewer or more runs that have pages than may be."""
    r, first = OneRun(path), path.word("pool", LOWEST, HIGHEST)
    pooled, used = path.word("pooled", 0, POOL_COUNT), path.word("used", 1, POOL_COUNT)
    words = {"RUN_POOL": first, "RUN_POOLED": pooled, "RUN_USED": used}
    for name, word in words.items():
        r.m.put(r.base + RUNS[name], word, name)
    purged = r.put("RUN_PURGED", path.choose(2))
    r.m.put(r.record + NEXT, path.word("before"), "next")
    source.runs.pool_run(r.m, r.record)
    few = bool(pooled < RUNS["MOST_POOLED"] + used - 1)
    gone = bool(r.m.calls) and not r.refused()
    path.claim("a_run_that_is_given_up_is_first_in_the_pool", lambda: r.m.load(r.base + RUNS["RUN_POOL"]) == r.record
               and r.m.load(r.record + NEXT) == first and r.m.load(r.base + RUNS["RUN_USED"]) == used - 1)
    path.claim("as_many_runs_keep_pages_as_are_used_and_a_few_more", lambda: bool(r.m.calls) != few)
    path.claim("runs_with_pages_are_counted", lambda: r.m.load(purged) == int(gone)
               and r.m.load(r.base + RUNS["RUN_POOLED"]) == pooled + (not gone)
               and only(r.m, purged, r.record + NEXT, *(r.base + RUNS[name] for name in words)))


def drop_run(source: Any, path: Any) -> None:
    """Each class."""
    r, index = OneRun(path), path.choose(CLASSES)
    word, place = r.word_of(index), r.place_of(index)
    r.m.put(r.entry, word, "word of the run")
    seen: list[Any] = []
    with replaced(source.runs, **r.notes.answering(unlist_run=0, count_run=0),
                  pool_run=lambda m, record: seen.append((record, m.load(r.entry), len(m.held)))):
        source.runs.drop_run(r.m, r.arena, word, r.record)
    path.claim("a_run_that_is_dropped_leaves_its_list_and_the_ledger", lambda: r.notes.are(
        ("unlist_run", place, r.record), ("count_run", r.arena, word, -1)) and r.notes.held == [0, 0])
    path.claim("nobody_has_a_run_before_it_is_in_the_pool", lambda: len(seen) == 1 and seen[0][0] == r.record
               and seen[0][1] == 0 and seen[0][2] == 1 and not r.m.held and only(r.m, r.entry))


class PoolPurged:
    """The walk over the pool, cut: any run is next, with pages or without, or the end; something was taken or not."""

    def __init__(self, path: Any) -> None:
        self.path, self.r = path, OneRun(path)
        self.m, self.following = self.r.m, self.r.maybe("following")
        self.purged, self.before = path.choose(2), bool(path.choose(2))
        self.m.put(self.r.record + NEXT, self.following, "next")
        self.flag = self.r.put("RUN_PURGED", self.purged)
        self.first, self.pooled = path.word("first", LOWEST, HIGHEST), path.word("pooled", 1, POOL_COUNT)
        for name, word in (("RUN_POOL", self.first), ("RUN_POOLED", self.pooled)):
            self.m.put(self.r.base + RUNS[name], word, name)
        self.ends = False

    def enter(self, record: Any, taken: Any) -> list[Any]:
        """It begins with the first, under the lock."""
        self.path.claim("the_pool_is_looked_through_from_its_first", lambda: record == self.first and not taken
                        and only(self.m) and len(self.m.held) == 1 and bool(self.m.held[0] == self.r.mappings_lock))
        self.ends = bool(self.path.choose(2))
        return [0 if self.ends else self.r.record, self.before]

    def again(self, record: Any, taken: Any) -> None:
        """What had pages was offered; the next is next."""
        offered = bool(self.m.calls)
        gone = offered and not self.r.refused()
        self.path.claim("each_run_of_the_pool_that_has_pages_is_offered", lambda: offered != bool(self.purged)
                        and record == self.following and bool(taken) == (self.before or gone)
                        and self.m.load(self.flag) == int(self.purged or gone)
                        and self.m.load(self.r.base + RUNS["RUN_POOLED"]) == self.pooled - gone
                        and only(self.m, self.flag, self.r.base + RUNS["RUN_POOLED"]))
        raise Over


def purge_pool(source: Any, path: Any) -> None:
    """A pool of any length."""
    w = PoolPurged(path)
    try:
        taken = cut(source.runs.purge_pool, w)(w.m)
    except Over:
        return
    path.claim("whether_a_pool_gave_something_is_answered", lambda: w.ends and bool(taken) == w.before
               and w.r.is_left())


def purge_no_pool(source: Any, path: Any) -> None:
    """No reservation."""
    r = no_reservation(path)
    taken = source.runs.purge_pool(r.m)
    path.claim("without_a_reservation_nothing_is_purged", lambda: not taken and r.is_left() and not r.m.calls)


def no_reservation(path: Any) -> Reservation:
    """Statics without a reservation."""
    r = Reservation(path)
    cell = r.m.find(r.statics + RUNS["RUNS_AT"])
    cell.was = cell.now = 0
    return r


# The reservation.

def reserve(source: Any, path: Any) -> None:
    """A reservation, or none: then the system was asked, or it was not, and gives one or not."""
    there, asked, given = path.choose(2), path.choose(2), path.choose(2)
    r = Reservation(path) if there else no_reservation(path)
    at = r.statics + RUNS["RUNS_AT"]
    r.m.put(r.statics + RUNS["RUNS_ASKED"], asked, "asked")

    def ask_for_runs(m: Any) -> None:
        """See `impl.runs.ask_for_runs`."""
        r.notes.done.append(("ask_for_runs", bool(m.held[0] == r.mappings_lock)))
        m.store(at, (r.base - RUNS["FAR"]) * given)

    with replaced(source.runs, ask_for_runs=ask_for_runs):
        found = source.runs.reserve(r.m)
    asks = not there and not asked
    path.claim("the_system_is_asked_for_a_reservation_once", lambda: r.notes.are(*[("ask_for_runs", True)] * asks)
               and not r.m.held and only(r.m, *[at] * asks))
    path.claim("whether_there_is_a_reservation_is_answered", lambda: bool(found) == bool(there or asks and given))


def ask_for_runs(source: Any, path: Any) -> None:
    """Whatever the system answers, at any page."""
    r = Window(path)
    at, asked = r.statics + RUNS["RUNS_AT"], r.statics + RUNS["RUNS_ASKED"]
    r.m.put(at, 0, "the reservation")
    r.m.put(asked, 0, "asked")
    source.runs.ask_for_runs(r.m)
    [call] = r.m.calls
    path.claim("a_reservation_is_asked_for_whole", lambda: call.name == "mmap"
               and call.arguments[0] == RESERVATION + RUN and r.m.load(asked) == 1)
    if call.answer == REFUSED:
        path.claim("a_refused_reservation_is_none", lambda: r.m.load(at) == 0 and only(r.m, asked) and not r.m.zeroed)
        return
    base = r.m.load(at) + RUNS["FAR"]
    words = {base + RUNS["RUN_NEXT"]: RUNS["FIRST_RUN"], base + RUNS["RUN_START"]: call.answer}
    path.claim("a_reservation_is_aligned_and_lies_in_what_was_given", lambda: base & RUN - 1 == 0
               and base >= call.answer and base + RESERVATION <= call.answer + RESERVATION + RUN)
    path.claim("a_reservation_begins_with_its_first_run", lambda: all(
        bool(r.m.load(word) == now) for word, now in words.items()) and only(r.m, at, asked, *words))
    path.claim("the_words_of_a_reservation_are_zero", lambda: len(r.m.zeroed) == 1 and bool(
        r.m.zeroed[0][0] == base) and bool(r.m.zeroed[0][1] == RUNS["RUN_HEADER"]))


def forget_runs(source: Any, path: Any) -> None:
    """A reservation, or none; whatever the system answers."""
    there = path.choose(2)
    r = Reservation(path) if there else no_reservation(path)
    words = [r.statics + RUNS["RUNS_AT"], r.statics + RUNS["RUNS_ASKED"]]
    r.m.put(words[1], path.choose(2), "asked")
    start = r.base - path.word("before", 0, RUN - PAGE, PAGE)
    path.apart(start, RESERVATION + RUN, *r.m.spans[0])
    r.m.put(r.base + RUNS["RUN_START"], start, "start")
    taken = source.lifecycle.forget_runs(r.m)
    calls = [(call.name, *call.arguments) for call in r.m.calls]
    path.claim("the_reservation_goes_back_whole", lambda: len(calls) == there and all(
        name == "munmap" and bool(at == start) and bool(length == RESERVATION + RUN) for name, at, length in calls)
        and bool(taken) == (not there or bool(r.m.calls[-1].answer != REFUSED)))
    path.claim("a_reservation_is_forgotten_in_any_case", lambda: only(r.m, *words) and all(
        bool(r.m.load(word) == 0) for word in words))


def lose_pool(source: Any, path: Any) -> None:
    """A reservation with runs that nobody ever had, or without, or none."""
    there, fresh = path.choose(2), path.choose(2)
    r = Reservation(path) if there else no_reservation(path)
    following = r.a_run("next") if fresh else RUNS["RUN_COUNT"]
    words = {"RUN_POOL": (path.word("pool", 0, HIGHEST), 0), "RUN_POOLED": (path.word("pooled", 0, POOL_COUNT), 0),
             "RUN_NEXT": (following, following + fresh)}
    for name, (word, _) in words.items():
        r.m.put(r.base + RUNS[name], word, name)
    source.lifecycle.lose_pool(r.m)
    path.claim("runs_that_nobody_has_are_lost", lambda: only(r.m, *[r.base + RUNS[name] for name in words] * there)
               and (not there or all(bool(r.m.load(r.base + RUNS[name]) == now) for name, (_, now) in words.items())))


def _proof(of: str, body: Any, suffix: str = "", **more: str) -> Proof:
    return Proof(of, ANY_HEAP, body, more=more, suffix=suffix, spans=True)


PROOFS = (
    _proof("runs.list_run", list_run,
           a_run_is_first_on_its_list="nothing is before it, the old first behind it",
           the_old_first_follows="where there was one it leads back to the run",
           listing_a_run_moves_no_other="no other word changes"),
    _proof("runs.unlist_run", unlist_run,
           what_was_before_a_run_leads_behind_it="of the first, the list does",
           what_was_behind_a_run_leads_before_it="to NULL where the run was the first",
           unlisting_a_run_moves_no_other="no other word changes"),
    _proof("runs.take_record", take_record,
           runs_that_were_used_come_first="then the next that nobody ever had; NULL if there is none",
           a_run_that_is_taken_is_counted_as_used="one with pages is no longer in the pool; no other word changes"),
    _proof("runs.count_run", count_run,
           a_run_is_held_and_its_slots_are_free="or no longer; no other word changes"),
    _proof("runs.new_run", new_run,
           a_new_run_has_all_its_slots="from the first that ends with the run; no other word changes",
           a_new_run_is_taken_under_the_lock_and_counted="what there is not is not counted"),
    _proof("runs.purge_run", purge_run,
           a_run_is_offered_whole="the answer says whether the system took it",
           what_a_run_lost_is_noted="no other word changes"),
    _proof("runs.pool_run", pool_run,
           a_run_that_is_given_up_is_first_in_the_pool="and no longer counted as used",
           as_many_runs_keep_pages_as_are_used_and_a_few_more="of one more the pages are offered",
           runs_with_pages_are_counted="no other word changes"),
    _proof("runs.drop_run", drop_run,
           a_run_that_is_dropped_leaves_its_list_and_the_ledger="under the arena's lock alone",
           nobody_has_a_run_before_it_is_in_the_pool="where it goes under the lock; no other word changes"),
    _proof("runs.purge_pool", purge_pool,
           the_pool_is_looked_through_from_its_first="under the lock",
           each_run_of_the_pool_that_has_pages_is_offered="what went is noted and counted; the next is next",
           whether_a_pool_gave_something_is_answered="no lock is held then"),
    _proof("runs.purge_pool", purge_no_pool, "_without_a_reservation",
           without_a_reservation_nothing_is_purged="no word changes"),
    _proof("runs.reserve", reserve,
           the_system_is_asked_for_a_reservation_once="under the lock; no other word changes",
           whether_there_is_a_reservation_is_answered="an old one or a new one"),
    _proof("runs.ask_for_runs", ask_for_runs,
           a_reservation_is_asked_for_whole="with what it takes to align it, and it is noted that it was",
           a_refused_reservation_is_none="no other word changes",
           a_reservation_is_aligned_and_lies_in_what_was_given="to the bytes of a run",
           a_reservation_begins_with_its_first_run="and knows what the system gave; no other word changes",
           the_words_of_a_reservation_are_zero="up to its first run"),
    _proof("lifecycle.forget_runs", forget_runs,
           the_reservation_goes_back_whole="the answer says whether the system took it",
           a_reservation_is_forgotten_in_any_case="no other word changes"),
    _proof("lifecycle.lose_pool", lose_pool,
           runs_that_nobody_has_are_lost="and the next that nobody ever had; no other word changes"),
)
