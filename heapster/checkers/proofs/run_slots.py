"""Slots as they leave their runs and come back: in any run of each class, from stacks of any length."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.classes import least
from heapster.checkers.proofs.layout_spec import ALIGN, CACHE, MAX_WORD, RUNS, only
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.placement import Over
from heapster.checkers.proofs.run_lists import OneRun
from heapster.checkers.proofs.run_words import CLASSES, RUN, SLOT_SIZES
from heapster.machine.symbolic import HIGHEST, LOWEST

COUNT_PLACE, MOST_COUNTED = 48, 1 << 12     # of a stack's word; no run has more slots


class SlotsOfRun(OneRun):
    """A run of some class, one of its slots, and what it knows of them."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.class_index = path.choose(CLASSES)
        self.size, self.word_there = SLOT_SIZES[self.class_index], self.word_of(self.class_index)
        self.slots, self.place = RUN // self.size, self.place_of(self.class_index)
        self.end = self.start + RUN
        self.p = self.end - path.word("place", 1, self.slots) * self.size
        self.m.put(self.entry, self.word_there, "word of the run")
        self.thread = self.span("thread", CACHE["thread_bytes"])
        self.m.use_thread(self.thread)

    def stack(self, name: str, low: int = 0) -> Any:
        """The word of any stack of so many slots at least, the empty one with them if that is 0."""
        if low == 0 and self.path.choose(2):
            return 0
        top = self.path.word(f"top of {name}", LOWEST, HIGHEST, ALIGN)
        return top + (self.path.word(f"count of {name}", max(low, 1), MOST_COUNTED) << COUNT_PLACE)

    @property
    def bin(self) -> Any:
        """Where the calling thread's bin for that class stands."""
        return self.thread + CACHE["bins"] + ALIGN * self.class_index


def count_slots(source: Any, path: Any) -> None:
    """Any number of slots of each class, whatever the ledger says."""
    r = SlotsOfRun(path)
    before, slots = r.ledger(), path.word("slots", -MOST_COUNTED, MOST_COUNTED)
    source.runs.count_slots(r.m, r.arena, r.size, slots)
    path.claim("slots_that_are_out_are_used_and_no_longer_free", lambda: r.counts(
        before, used_bytes=slots * r.size, used_blocks=slots, free_bytes=-slots * r.size, free_blocks=-slots)
        and only(r.m, *(r.at(name) for name in ("used_bytes", "used_blocks", "free_bytes", "free_blocks"))))


def back_in_run(source: Any, path: Any) -> None:
    """Any stack."""
    r = SlotsOfRun(path)
    stack = r.stack("slots")
    r.put("RUN_FREE", stack)
    found = source.runs.back_in_run(r.m, r.p)
    path.claim("what_a_run_has_back_stands_in_its_record", lambda: found == stack and only(r.m))


def release_slot(source: Any, path: Any) -> None:
    """An arena that is lost or not; whatever the run has back."""
    r, lost = SlotsOfRun(path), bool(path.choose(2))
    stack, grown = path.word("stack"), path.word("grown")
    with replaced(source.runs, is_lost=lambda *_: lost, **r.notes.answering(back_in_run=stack, put=grown, take_back=0)):
        source.runs.release_slot(r.m, r.arena, r.p)
    path.claim("nothing_is_given_back_to_a_lost_arena", lambda: not lost or only(r.m) and r.notes.are())
    path.claim("a_slot_that_comes_back_is_above_the_others", lambda: lost or only(r.m) and r.notes.are(
        ("back_in_run", r.p), ("put", stack, r.p), ("take_back", r.arena, r.p, grown)))


def take_back(source: Any, path: Any) -> None:
    """Any number of slots; a run with slots back or none, more that are out or none, new ones or none."""
    r = SlotsOfRun(path)
    live, carved, had = path.word("live", 1, r.slots), bool(path.choose(2)), bool(path.choose(2))
    come, count = path.word("come", 1, r.slots), path.word("had", 1, r.slots) if had else 0
    path.require(come, "<=", live)
    stack = path.word("top", LOWEST, HIGHEST, ALIGN) + (count << COUNT_PLACE) if had else 0
    grown = path.word("new top", LOWEST, HIGHEST, ALIGN) + (count + come << COUNT_PLACE)
    free, out = r.put("RUN_FREE", stack), r.put("RUN_LIVE", live)
    r.m.put(r.place + RUNS["RUN_CARVED"], r.record if carved else r.maybe("carved"), "carved")
    with replaced(source.runs, **r.notes.answering(note_release=0, count_slots=0, list_run=0, drop_run=0)):
        source.runs.take_back(r.m, r.arena, r.p, grown)
    last = bool(live == come) and not carved
    asked = (("note_release", r.arena, come * r.size), ("count_slots", r.arena, r.size, -come),
             *[("list_run", r.place, r.record)] * (not had),
             *[("drop_run", r.arena, r.word_there, r.record)] * last)
    path.claim("slots_that_come_back_are_counted_and_their_run_listed", lambda: r.notes.are(*asked))
    path.claim("slots_that_come_back_are_on_their_runs_stack", lambda: only(r.m, free, out)
               and r.m.load(free) == grown and r.m.load(out) == live - come)


def is_carved(source: Any, path: Any) -> None:
    """A run with new slots, or without."""
    r = SlotsOfRun(path)
    left = path.word("left", 0, r.slots)
    r.put("RUN_FRESH", r.end - left * r.size)
    answer = bool(source.runs.is_carved(r.m, r.record))
    path.claim("a_run_is_carved_when_no_slot_is_new", lambda: answer == bool(left == 0) and only(r.m))


def run_to_carve(source: Any, path: Any) -> None:
    """A run with new slots, one without, or none; another, or none."""
    r, has, carved = SlotsOfRun(path), path.choose(2), bool(path.choose(2))
    at, other = r.place + RUNS["RUN_CARVED"], r.maybe("new")
    r.m.put(at, r.record if has else 0, "carved")
    with replaced(source.runs, is_carved=lambda *_: carved, **r.notes.answering(new_run=other)):
        found = source.runs.run_to_carve(r.m, r.arena, r.place, r.class_index)
    stays = has and not carved
    path.claim("a_run_is_carved_to_its_end_before_another_is_taken", lambda: found == (r.record if stays else other)
               and r.notes.are(*[("new_run", r.arena, r.word_there)] * (not stays)))
    path.claim("a_run_that_is_to_be_carved_has_its_place", lambda: r.m.load(at) == (
        r.record if stays or (has and other == 0) else other) and only(r.m, at))


class NewSlots:
    """The loop that stacks new slots, cut: any number of those that are taken is left, on any stack of the others."""

    def __init__(self, path: Any) -> None:
        self.path, self.r = path, SlotsOfRun(path)
        r = self.r
        self.most, self.left = path.word("most", 1, MOST_COUNTED), path.word("left", 1, r.slots)
        self.fresh = r.end - self.left * r.size
        self.place = r.put("RUN_FRESH", self.fresh)
        self.taken = self.most if self.most <= self.left else self.left
        self.stack, self.grown = path.word("stack"), path.word("grown")
        self.todo: Any = 0

    def enter(self, length: Any, stack: Any) -> list[Any]:
        """It begins with all that are taken, none of which is new any more, and no stack; then any number is left."""
        r = self.r
        self.path.claim("as_many_new_slots_are_taken_as_there_are", lambda: length == self.taken * r.size and stack == 0
                        and r.m.load(self.place) == self.fresh + self.taken * r.size and only(r.m, self.place))
        if self.path.choose(2):
            self.todo = self.path.word("to do", 1, r.slots)
            self.path.require(self.todo, "<=", self.taken)
        return [self.todo * r.size, self.stack]

    def again(self, length: Any, stack: Any) -> None:
        """The last of those that are left is on top."""
        r = self.r
        p = self.fresh + (self.todo - 1) * r.size
        self.path.claim("new_slots_are_stacked_from_the_last_to_the_first", lambda: length == (self.todo - 1) * r.size
                        and stack == self.grown and r.notes.are(("put", self.stack, p)) and only(r.m, self.place))
        raise Over


def carve_slots(source: Any, path: Any) -> None:
    """Each class, any number of new slots, and of those that are wanted."""
    w = NewSlots(path)
    try:
        with replaced(source.runs, **w.r.notes.answering(put=w.grown)):
            stack = cut(source.runs.carve_slots, w)(w.r.m, w.r.record, w.r.size, w.most)
    except Over:
        return
    path.claim("all_that_were_carved_are_answered", lambda: stack == w.stack and w.todo == 0 and w.r.notes.are()
               and only(w.r.m, w.place))


class SlotsBack:
    """The loop that takes slots that came back, cut: any number is still wanted, of more; on any stack of others."""

    def __init__(self, path: Any) -> None:
        self.path, self.r = path, SlotsOfRun(path)
        r = self.r
        self.most, self.first = path.word("most", 1, MOST_COUNTED), r.stack("slots", 1)
        self.free = r.put("RUN_FREE", self.first)
        self.top, self.taken = path.word("top", LOWEST, HIGHEST, ALIGN), path.word("taken")
        self.left = self.top + (path.word("left", 1, MOST_COUNTED) << COUNT_PLACE)
        self.below, self.grown = path.word("below"), path.word("grown")
        self.todo: Any = None

    def enter(self, most: Any, stack: Any, taken: Any) -> list[Any]:
        """It begins with all of them."""
        self.path.claim("slots_are_taken_from_the_top_of_those_that_came_back", lambda: most == self.most
                        and stack == self.first and taken == 0 and only(self.r.m) and self.r.notes.are())
        self.todo = self.path.word("to do", 1, MOST_COUNTED) if self.path.choose(2) else 0
        return [self.todo, self.left, self.taken]

    def again(self, most: Any, stack: Any, taken: Any) -> None:
        """The top is on the other stack."""
        self.path.claim("each_turn_takes_one_slot_that_came_back", lambda: most == self.todo - 1 and only(self.r.m)
                        and stack == self.below and taken == self.grown and self.r.notes.are(
                            ("below", self.top), ("put", self.taken, self.top)))
        raise Over


def take_freed(source: Any, path: Any) -> None:
    """Each class, any number that came back, and of those that are wanted."""
    w = SlotsBack(path)
    r = w.r
    few = bool(w.first < w.most + 1 << COUNT_PLACE)
    try:
        with replaced(source.runs, **r.notes.answering(below=w.below, put=w.grown, unlist_run=0)):
            stack = cut(source.runs.take_freed, w)(r.m, r.place, r.record, w.most)
    except Over:
        path.claim("what_is_no_more_than_is_wanted_is_taken_whole", lambda: not few)
        return
    if few:
        path.claim("what_is_no_more_than_is_wanted_is_taken_whole", lambda: stack == w.first
                   and r.m.load(w.free) == 0 and only(r.m, w.free) and r.notes.are(("unlist_run", r.place, r.record)))
    else:
        path.claim("what_is_left_of_slots_that_came_back_stays", lambda: stack == w.taken and w.todo == 0
                   and r.m.load(w.free) == w.left and only(r.m, w.free) and r.notes.are())


def as_many(source: Any, path: Any) -> None:
    """Each class; any number that came back, and of those that are wanted; whatever a bin may keep."""
    r, most = SlotsOfRun(path), path.word("most", 0, MOST_COUNTED)
    back, kept = path.word("back", 1, MOST_COUNTED), path.word("kept", 0, CACHE["max_cache"])
    r.put("RUN_FREE", path.word("top", LOWEST, HIGHEST, ALIGN) + (back << COUNT_PLACE))
    with replaced(source.runs, get_cache=lambda *_: kept):
        found = source.runs.as_many(r.m, r.record, r.size, most)
    whole = bool(back * r.size <= kept)
    path.claim("all_that_came_back_is_taken_if_a_bin_may_keep_it", lambda: not whole or found == back)
    path.claim("else_as_many_are_taken_as_are_wanted", lambda: only(r.m) and (whole or found == most))


def take_slots(source: Any, path: Any) -> None:
    """Each class; an arena that is lost or not, a reservation or none; runs with slots back, with new ones, or none."""
    r, most = SlotsOfRun(path), path.word("most", 0, MOST_COUNTED)
    lost, there = bool(path.choose(2)), bool(path.choose(2))
    back, new = r.maybe("back"), r.maybe("new")
    r.m.put(r.place + RUNS["RUN_ROOM"], back, "first")
    freed, carved = r.stack("freed", 1), r.stack("carved", 1)
    live, some = path.word("live", 0, MOST_COUNTED), path.word("some", 1, MOST_COUNTED)
    for record in (each for each in (back, new) if not isinstance(each, int)):
        r.m.put(record + RUNS["RUN_LIVE"], live, "live")
    with replaced(source.runs, is_lost=lambda *_: lost, reserve=lambda *_: there, **r.notes.answering(
            as_many=some, take_freed=freed, run_to_carve=new, carve_slots=carved, count_slots=0)):
        stack = source.runs.take_slots(r.m, r.arena, r.class_index, most)
    if lost or not there or bool(most == 0):
        path.claim("without_a_reservation_there_are_no_slots", lambda: stack == 0 and r.is_left() and r.notes.are())
        return
    has_back, has_new = bool(back != 0), bool(new != 0)
    taken = freed if has_back else carved
    record = back if has_back else new
    path.claim("slots_that_came_back_are_taken_before_new_ones", lambda: stack == (
        taken if has_back or has_new else 0) and r.notes.are(
            *[("as_many", back, r.size, most), ("take_freed", r.place, back, some)] * has_back,
            *[("run_to_carve", r.arena, r.place, r.class_index)] * (not has_back),
            *[("carve_slots", new, r.size, most)] * (has_new and not has_back),
            *[("count_slots", r.arena, r.size, taken >> COUNT_PLACE)] * (has_back or has_new)))
    if has_back or has_new:
        path.claim("slots_that_are_taken_are_counted_in_their_run", lambda: r.m.load(record + RUNS["RUN_LIVE"])
                   == live + (taken >> COUNT_PLACE) and only(r.m, record + RUNS["RUN_LIVE"]))


def take_larger(source: Any, path: Any) -> None:
    """Each class that has no runs."""
    r, index = OneRun(path), CLASSES + path.choose(88 - CLASSES)
    assert least(index) > RUNS["MOST_RUN_SLOT"]
    with replaced(source.runs, **r.notes.answering(is_lost=False, reserve=True)):
        stack = source.runs.take_slots(r.m, r.arena, index, path.word("most", 0, MAX_WORD >> 1))
    path.claim("sizes_above_1024_bytes_have_no_slots", lambda: stack == 0 and r.is_left() and r.notes.are())


def _proof(of: str, body: Any, suffix: str = "", **more: str) -> Proof:
    return Proof(of, ANY_HEAP, body, more=more, suffix=suffix, spans=True)


PROOFS = (
    _proof("runs.count_slots", count_slots,
           slots_that_are_out_are_used_and_no_longer_free="in blocks and bytes; no other word changes"),
    _proof("runs.back_in_run", back_in_run, what_a_run_has_back_stands_in_its_record="no word changes"),
    _proof("runs.release_slot", release_slot,
           nothing_is_given_back_to_a_lost_arena="no word changes",
           a_slot_that_comes_back_is_above_the_others="no word changes but its own"),
    _proof("runs.take_back", take_back,
           slots_that_come_back_are_counted_and_their_run_listed="and dropped if no other was out, but for the run "
                                                                 "whose slots are new",
           slots_that_come_back_are_on_their_runs_stack="as many fewer are out; no other word changes"),
    _proof("runs.is_carved", is_carved, a_run_is_carved_when_no_slot_is_new="no word changes"),
    _proof("runs.run_to_carve", run_to_carve,
           a_run_is_carved_to_its_end_before_another_is_taken="NULL if there is none",
           a_run_that_is_to_be_carved_has_its_place="no other word changes"),
    _proof("runs.carve_slots", carve_slots,
           as_many_new_slots_are_taken_as_there_are="no more than are wanted, and they are no longer new",
           new_slots_are_stacked_from_the_last_to_the_first="one each turn; no other word changes",
           all_that_were_carved_are_answered="when none is left"),
    _proof("runs.take_freed", take_freed,
           slots_are_taken_from_the_top_of_those_that_came_back="where there are more than are wanted",
           each_turn_takes_one_slot_that_came_back="one fewer is wanted; no other word changes",
           what_is_no_more_than_is_wanted_is_taken_whole="nothing of it is touched, and the run leaves its list",
           what_is_left_of_slots_that_came_back_stays="no other word changes"),
    _proof("runs.as_many", as_many,
           all_that_came_back_is_taken_if_a_bin_may_keep_it="whatever is wanted",
           else_as_many_are_taken_as_are_wanted="no word changes"),
    _proof("runs.take_slots", take_slots,
           without_a_reservation_there_are_no_slots="nor of a lost arena, nor where none is wanted; no word changes",
           slots_that_came_back_are_taken_before_new_ones="0 if there is no run",
           slots_that_are_taken_are_counted_in_their_run="no other word changes"),
    _proof("runs.take_slots", take_larger, "_of_larger_sizes",
           sizes_above_1024_bytes_have_no_slots="no word changes, nobody is asked"),
)
