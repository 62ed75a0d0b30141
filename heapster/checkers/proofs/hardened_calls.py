"""The way of a call in a hardened heap, function by function: who asks whom for what, under which lock, in which order.

What is asked stands in `notes`; see `spans` for what is proved of those who are asked.
"""

from collections.abc import Callable
from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.dump import BLOCK_LINE, MAPPED_LINE, REGION_LINE
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_RECORD,
    DOUBLE_FREE,
    HARDENED,
    NEXT,
    PREV,
    STATICS,
    WORD,
    aborts,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.notes import Notes, or_null
from heapster.checkers.proofs.passing_on import FREE, REALLOC, PassedCall
from heapster.checkers.proofs.placement import Over
from heapster.machine.symbolic import HIGHEST, LOWEST, MisuseAbort

INVALID_POINTER, MOST_SLOT = 2, HARDENED["MOST_SLOT"]
CANARY = 0x5A5A5A5A
NONE, SPAN, MAPPING, FREED, LAST = range(5)     # kinds of records


class OneRecord(Window):
    """A record of any kind, of an arena, and an address."""

    def __init__(self, path: Any, kinds: int = 5, unit: int = ALIGN) -> None:
        super().__init__(path)
        self.notes = Notes()
        self.record = path.word("record", LOWEST, HIGHEST, 256)
        self.reserve(self.record, 256)
        self.kind = path.choose(kinds)
        self.base = path.word("base", LOWEST, HIGHEST, unit)
        self.p = path.word("p", LOWEST, HIGHEST, ALIGN)
        for name, word in (("KIND", self.kind), ("BASE", self.base), ("SPAN_OWNER", self.arena)):
            self.m.put(self.record + HARDENED[name], word, name)

    def put(self, name: str, low: int, high: int, unit: int = 1) -> Any:
        """An unknown word of the record."""
        word = self.path.word(name, low, high, unit)
        self.m.put(self.record + HARDENED[name], word, name)
        return word

    def owning(self, m: Any, p: Any) -> Any:
        """See `impl.hardened.own`: the record, its owner's lock taken."""
        self.notes.done.append(("own", p))
        m.lock(self.arena)
        return self.record

    def is_left(self) -> bool:
        """Whether no word changed but by whom was asked, and no lock is held."""
        return not self.m.held and only(self.m)


def place_hardened(source: Any, path: Any) -> None:
    """Whatever a span has, and the system, at once or when it is asked for less."""
    c = PassedCall(path)
    slot, index = path.choose(2) * path.word("slot", 32, MOST_SLOT, ALIGN), path.word("class", 0, 87)
    found, roomy, least = (or_null(path, name) for name in ("found", "roomy", "least"))
    is_grown = c.kind == REALLOC
    with replaced(source.hardened, slot_for=lambda *_: slot, class_for=lambda _: index, pages_for=lambda n: n + 1,
                  grown=lambda n: n + 5, **c.notes.answering(
                      attach=c.arena, place_in_span=found,
                      place_mapping=[roomy, least] if is_grown else least)):
        p = source.hardened.place_hardened(c.m, *c.words)
    has_slot, placed = bool(slot != 0), bool(slot != 0) and bool(found != 0)
    rest = [("place_mapping", c.request + 6, c.alignment, c.kind)] * is_grown
    done = is_grown and bool(roomy != 0)
    rest += [("place_mapping", c.request + 1, c.alignment, c.kind)] * (not done)
    path.claim("requests_have_slots_or_mappings", lambda: c.is_alone() and c.notes.are(
        *[("attach",), ("place_in_span", c.arena, index, c.kind)] * has_slot, *rest * (not placed)))
    path.claim("what_was_placed_is_answered", lambda: p == (found if placed else roomy if done else least))


def place_in_span(source: Any, path: Any) -> None:
    """An arena that is lost or not; a span with room, or none."""
    c, lost, found = PassedCall(path), bool(path.choose(2)), or_null(path, "record")
    index, p = path.word("class", 0, 87), or_null(path, "p")
    with replaced(source.hardened, is_lost=lambda *_: lost, owner_of=lambda *_: 5, **c.notes.answering(
            open_record=0, span_with_room=found, take_slot=p, count_slot=0, count_call=0)):
        placed = source.hardened.place_in_span(c.m, c.arena, index, c.kind)
    has = not lost and bool(found != 0)
    path.claim("placing_in_a_span_unlocks", lambda: c.is_alone() and set(c.notes.held) == {1})
    path.claim("a_slot_is_taken_where_there_is_one", lambda: placed == (p if has else 0) and c.notes.are(
        ("open_record", c.arena, 5), *[("span_with_room", c.arena, index)] * (not lost),
        *[("take_slot", c.arena, found), ("count_slot", c.arena, found, 1), ("count_call", c.arena, c.kind)] * has))


def place_mapping(source: Any, path: Any) -> None:
    """A vault or none, which the system refuses; a record, or none."""
    c, vault, made = PassedCall(path), or_null(path, "vault"), bool(path.choose(2))
    record = path.word("record", LOWEST, HIGHEST, 256)
    c.reserve(record, 256)
    mappings, base, length = c.statics + STATICS["mappings"], path.word("base", LOWEST, HIGHEST), c.request
    c.m.put(record + HARDENED["BASE"], base, "base")
    held = path.word("held", 0, 1 << 46)
    c.m.put(mappings + ARENA_RECORD["held"], held, "held")
    with replaced(source.hardened, **c.notes.answering(
            open_record=0, open_list=0, open_vault=vault, make_mapping=record if made else 0, count_used=0,
            count_call=0)):
        p = source.hardened.place_mapping(c.m, length, c.alignment, c.kind)
    has = made and bool(vault != 0)
    path.claim("placing_a_mapping_unlocks", lambda: not c.m.held and set(c.notes.held) == {1})
    path.claim("a_mapping_is_made_and_counted", lambda: p == (base if has else 0) and c.notes.are(
        ("open_record", mappings, 0), ("open_list", c.statics + STATICS["kept"]),
        ("open_list", c.statics + STATICS["untaken"]), ("open_vault",),
        *[("make_mapping", vault, length, c.alignment)] * bool(vault != 0),
        *[("count_used", mappings, length, 1), ("count_call", mappings, c.kind)] * has)
        and only(c.m, mappings + ARENA_RECORD["held"])
        and c.m.load(mappings + ARENA_RECORD["held"]) == (held + length if has else held))


def take_slot(source: Any, path: Any) -> None:
    """A span with any number of free slots, of which one was chosen before, or is now."""
    r, chosen = OneRecord(path), path.choose(2)
    slot, free, slots = r.put("SLOT", 32, MOST_SLOT), r.put("SPAN_FREE", 1, 256), r.put("SLOTS", 1, 256)
    number, word = path.word("number", 0, 255), r.record + HARDENED["CHOSEN"]
    r.m.put(word, number if chosen else HARDENED["NONE_CHOSEN"], "chosen")
    for name, place in (("next", NEXT), ("prev", PREV)):
        r.m.put(r.record + place, path.word(name, LOWEST, HIGHEST, ALIGN), name)
    before, after = r.m.load(r.record + PREV), r.m.load(r.record + NEXT)
    with replaced(source.spans, slot_at=lambda *_: r.p, **r.notes.answering(
            choose_slot=number, count_empty=0, set_bit=0, bypass=0, choose_ahead=0, write_canary=0)):
        p = source.spans.take_slot(r.m, r.arena, r.record)
    left, last = r.record + HARDENED["SPAN_FREE"], bool(free == 1)
    path.claim("a_taken_slot_ends_with_its_canary", lambda: p == r.p and r.notes.are(
        *[("choose_slot", r.arena, r.record)] * (not chosen),
        *[("count_empty", r.arena, r.record, -1)] * bool(free == slots),
        ("set_bit", r.record, HARDENED["TAKEN"], number), *[("bypass", before, after)] * last,
        *[("choose_ahead", r.arena, r.record)] * (not last), ("write_canary", r.p, slot - WORD)))
    path.claim("spans_with_room_are_listed", lambda: only(r.m, left, word) and r.m.load(left) == free - 1)
    path.claim("what_was_chosen_is_taken_once", lambda: not last or r.m.load(word) == HARDENED["NONE_CHOSEN"])


def choose_slot(source: Any, path: Any) -> None:
    """Any random number, and any slot that it chooses."""
    r, number = OneRecord(path, 1), path.word("number", 0, 255)
    with replaced(source.spans, keep_of=lambda *_: 77, **r.notes.answering(draw=9, random_slot=number)):
        chosen = source.spans.choose_slot(r.m, r.arena, r.record)
    word = r.record + HARDENED["CHOSEN"]
    path.claim("a_slot_is_chosen_at_random_and_noted", lambda: chosen == number and r.m.load(word) == number
               and only(r.m, word) and r.notes.are(("draw", 77), ("random_slot", r.record, 9)))


def choose_ahead(source: Any, path: Any) -> None:
    """Any slot that is chosen, of any size."""
    r, number = OneRecord(path, 1), path.word("number", 0, 255)
    r.put("SLOT", 32, MOST_SLOT)
    with replaced(source.spans, slot_at=lambda *_: r.p, **r.notes.answering(choose_slot=number)):
        source.spans.choose_ahead(r.m, r.arena, r.record)
    path.claim("the_next_slot_is_chosen_before", lambda: only(r.m) and r.notes.are(
        ("choose_slot", r.arena, r.record)))


def write_canary(source: Any, path: Any) -> None:
    """Any last word of a slot, and any words before it."""
    r, is_zero = OneRecord(path), bool(path.choose(2))
    usable, last = path.word("usable", 24, MOST_SLOT, WORD), path.word("last", 0, 1 << 62)
    r.reserve(r.p, 1 << 17)
    r.m.put(r.p + usable, last, "last word")
    r.m.may_abort, code = True, 0
    try:
        with replaced(source.spans, canary=lambda *_: CANARY, **r.notes.answering(is_zero=is_zero)):
            source.spans.write_canary(r.m, r.p, usable)
    except MisuseAbort as ended:
        code = ended.code
    whole = is_zero and bool(last == 0)
    path.claim("a_slot_that_was_written_to_is_told", lambda: code == (0 if whole else HARDENED["WRITE_AFTER_FREE"]))
    path.claim("a_slot_that_is_whole_ends_with_its_canary", lambda: not whole or r.m.load(r.p + usable) == CANARY
               and only(r.m, r.p + usable) and r.notes.are(("is_zero", r.p, usable)))


def own(source: Any, path: Any) -> None:
    """Any word as an address; a record of any kind, or none."""
    r, has = OneRecord(path), path.choose(2)
    with replaced(source.hardened, **r.notes.answering(
            record_at=r.record if has else 0, check_slot=0, check_mapping=0)):
        found: list[Any] = []
        code = aborts(r.m, lambda: found.append(source.hardened.own(r.m, r.p)), r.p)
    check = "check_slot" if r.kind == SPAN else "check_mapping"
    path.claim("where_no_record_is_no_block_is", lambda: code == (0 if has else INVALID_POINTER))
    path.claim("a_block_is_checked_under_its_owners_lock", lambda: only(r.m) and r.notes.are(
        ("record_at", r.p), *[(check, r.record, r.p)] * has) and r.notes.held == [0, *[1] * has]
        and [bool(lock == r.arena) for lock in r.m.held] == [True] * has
        and [bool(each == r.record) for each in found] == [True] * has)


def check_slot(source: Any, path: Any) -> None:
    """Any slot, used or not, and what begins no slot."""
    r, is_used = OneRecord(path), bool(path.choose(2))
    number = path.word("number", -1, 255)
    with replaced(source.hardened, slot_number=lambda *_: number, is_used=lambda *_: is_used,
                  **r.notes.answering(check_end=0)):
        code = aborts(r.m, lambda: source.hardened.check_slot(r.m, r.record, r.p), r.p)
    begins, first = bool(number >= 0), bool(number == 0)
    path.claim("what_begins_no_slot_is_told", lambda: bool(code == INVALID_POINTER) == (not begins))
    path.claim("a_slot_that_is_not_used_is_told", lambda: bool(code == DOUBLE_FREE) == (begins and not is_used))
    path.claim("both_ends_of_a_used_slot_are_checked", lambda: only(r.m) and (code != 0 or r.notes.are(
        ("check_end", r.record, number), *[("check_end", r.record, number - 1)] * (not first))))


def check_end(source: Any, path: Any) -> None:
    """Any slot, used or not, whatever it ends with."""
    r, is_used = OneRecord(path), bool(path.choose(2))
    slot, last = r.put("SLOT", 32, MOST_SLOT), path.word("last")
    r.reserve(r.p, 1 << 17)
    r.m.put(r.p + slot - WORD, last, "last word")
    with replaced(source.hardened, slot_at=lambda *_: r.p, is_used=lambda *_: is_used, canary=lambda *_: CANARY):
        code = aborts(r.m, lambda: source.hardened.check_end(r.m, r.record, 7), r.p)
    path.claim("a_used_slot_ends_with_its_canary", lambda: not is_used or code == (
        0 if last == CANARY else HARDENED["OVERFLOW"]))
    path.claim("another_slot_ends_with_zero", lambda: is_used or code == (
        0 if last == 0 else HARDENED["WRITE_AFTER_FREE"]))
    path.claim("checking_an_end_writes_nothing", lambda: only(r.m))


def check_mapping(source: Any, path: Any) -> None:
    """A record of any kind, whose pages begin at the address or not."""
    r = OneRecord(path)
    code = aborts(r.m, lambda: source.hardened.check_mapping(r.m, r.record, r.p), r.p)
    begins = bool(r.base == r.p)
    path.claim("mappings_that_are_used_are_let_by", lambda: only(r.m) and code == (
        0 if begins and r.kind == MAPPING else DOUBLE_FREE if begins and r.kind == FREED else INVALID_POINTER))


def free_hardened(source: Any, path: Any) -> None:
    """A used block of a span or with a mapping, in an arena that is lost or not; for a free, and for a realloc."""
    r, lost = OneRecord(path, 3), bool(path.choose(2))
    kind = (FREE, REALLOC)[path.choose(2)]
    with replaced(source.hardened, own=r.owning, is_lost=lambda *_: lost, **r.notes.answering(
            count_call=0, close_mapping=0, let_wait=0)):
        source.hardened.free_hardened(r.m, r.p, kind)
    freed = [("close_mapping", r.arena, r.record)] if r.kind == MAPPING else [
        ("let_wait", r.arena, r.record, r.p)] * (not lost)
    path.claim("what_is_freed_is_checked_first_and_waits", lambda: r.is_left() and r.notes.are(
        ("own", r.p), *[("count_call", r.arena, kind)] * (kind == FREE), *freed) and set(r.notes.held) <= {1})


def usable_hardened(source: Any, path: Any) -> None:
    """A used block of a span or with a mapping."""
    r = OneRecord(path, 3)
    length, slot = r.put("LENGTH", 0, 1 << 46), r.put("SLOT", 32, MOST_SLOT)
    with replaced(source.hardened, own=r.owning):
        usable = source.hardened.usable_hardened(r.m, r.p)
    path.claim("all_but_the_canary_is_usable", lambda: r.is_left() and r.notes.are(("own", r.p)) and usable == (
        length if r.kind == MAPPING else slot - WORD))


def resize_hardened(source: Any, path: Any) -> None:
    """A block that may hold the request, and one that may not."""
    r, stays = OneRecord(path, 3), bool(path.choose(2))
    request = path.word("request", 0, 1 << 46)
    with replaced(source.hardened, own=r.owning, **r.notes.answering(stays=stays, count_call=0)):
        answer = source.hardened.resize_hardened(r.m, r.p, request)
    path.claim("a_block_that_would_be_as_large_stays", lambda: answer == (r.p if stays else 0) and r.is_left()
               and r.notes.are(("own", r.p), ("stays", r.record, request), *[("count_call", r.arena, REALLOC)] * stays))


def let_wait(source: Any, path: Any) -> None:
    """A used slot; one that waited long enough, or none yet."""
    r, number = OneRecord(path), path.word("number", 0, 255)
    slot, group = r.put("SLOT", 32, MOST_SLOT), path.choose(3)
    r.reserve(r.p, 1 << 17)
    other = path.choose(2) * path.word("other", LOWEST, HIGHEST, 256)
    place = path.word("place", 0, 255)
    with replaced(source.hardened, slot_number=lambda *_: number, keep_of=lambda *_: 77, group_of=lambda _: group,
                  **r.notes.answering(set_bit=0, count_slot=0, free_slot=0,
                                      exchange=other + place if other != 0 else 0)):
        source.hardened.let_wait(r.m, r.arena, r.record, r.p)
    path.claim("what_is_freed_is_zeroed_whole", lambda: r.m.fills == [(r.p, 0, slot)] and r.is_left())
    path.claim("what_is_freed_takes_the_place_of_what_waited", lambda: r.notes.are(
        ("set_bit", r.record, HARDENED["WAITING"], number), ("count_slot", r.arena, r.record, -1),
        ("exchange", 77, group, r.record + number), *[("free_slot", r.arena, other, place)] * bool(other != 0)))


def lock_owner(source: Any, path: Any) -> None:
    """A record of any kind."""
    r = OneRecord(path)
    owner = source.records.lock_owner(r.m, r.record)
    path.claim("a_record_of_a_kind_is_locked", lambda: only(r.m) and owner == (r.arena if r.kind else 0)
               and [bool(lock == r.arena) for lock in r.m.held] == [True] * bool(r.kind))


class PassedEnds:
    """The loop over the ends of chunks, cut: any record is next, or none."""

    def __init__(self, path: Any) -> None:
        self.path, self.r = path, OneRecord(path)
        self.older = path.choose(2) * path.word("older", LOWEST, HIGHEST, 256)
        self.r.m.put(self.r.record + 8, self.older, "the chunk before")

    def enter(self, record: Any) -> list[Any]:
        """It begins with the record."""
        self.path.claim("records_are_passed_from_that_on", lambda: record == self.r.record)
        return [self.r.record if self.path.choose(2) else 0]

    def again(self, record: Any) -> None:
        """The end of a chunk was passed, to the first of the chunk before."""
        self.path.claim("only_the_end_of_a_chunk_is_passed", lambda: self.r.kind == LAST and record == self.older
                        and self.r.is_left())
        raise Over


def passing_ends(source: Any, path: Any) -> None:
    """Any records, one at a time."""
    s = PassedEnds(path)
    try:
        found = cut(source.records.passing_ends, s)(s.r.m, s.r.record)
    except Over:
        return
    path.claim("no_end_of_a_chunk_is_answered", lambda: s.r.is_left() and (found == 0 or s.r.kind != LAST))


def first_record(source: Any, path: Any) -> None:
    """A vault, or none."""
    w, notes, has = Window(path), Notes(), path.choose(2)
    vault, first, found = w.span("vault", 4096), path.word("first", LOWEST, HIGHEST, 256), or_null(path, "found")
    w.m.put(w.statics + STATICS["vault"], vault if has else 0, "vault")
    w.m.put(vault + HARDENED["CHUNKS"], first, "newest chunk")
    with replaced(source.records, **notes.answering(passing_ends=found)):
        record = source.records.first_record(w.m)
    path.claim("the_first_record_is_of_the_newest_chunk", lambda: only(w.m) and record == (found if has else 0)
               and notes.are(*[("passing_ends", first)] * has))


def record_after(source: Any, path: Any) -> None:
    """Any record."""
    r, found = OneRecord(path), or_null(path, "found")
    with replaced(source.records, **r.notes.answering(passing_ends=found)):
        record = source.records.record_after(r.m, r.record)
    path.claim("the_next_record_is_256_bytes_on", lambda: r.is_left() and record == found and r.notes.are(
        ("passing_ends", r.record + 256)))


class ShownSlots:
    """The loop over the slots of a span, cut: any is next, taken or not, used or not, or none."""

    def __init__(self, path: Any, r: OneRecord) -> None:
        self.path, self.r = path, r
        self.taken, self.used, self.number = path.choose(2), path.choose(2), path.word("number", 0, 255)
        self.lines: list[tuple[Any, ...]] = []
        r.m.show = lambda *line: self.lines.append(line)

    def enter(self, number: Any) -> list[Any]:
        """It begins with the first, when the span was shown."""
        region = (REGION_LINE, self.r.base, self.r.m.load(self.r.record + HARDENED["LENGTH"]), 0)
        self.path.claim("a_spans_slots_are_shown_behind_it", lambda: number == 0 and self.lines == [region])
        self.lines.clear()
        return [self.number]

    def again(self, number: Any) -> None:
        """It was shown if it is taken, and the next is next."""
        line = (BLOCK_LINE, self.r.p, self.r.m.load(self.r.record + HARDENED["SLOT"]), self.used)
        self.path.claim("each_slot_that_is_taken_is_shown", lambda: number == self.number + 1 and self.r.is_left()
                        and self.lines == [line] * self.taken)
        raise Over


def show_record(source: Any, path: Any) -> None:
    """A record of any kind, and any slots, one at a time."""
    r = OneRecord(path)
    length = r.put("LENGTH", 0, 1 << 46)
    r.put("SLOT", 32, MOST_SLOT)
    r.put("SLOTS", 1, 256)
    s = ShownSlots(path, r)
    try:
        with replaced(source.records, is_set=lambda *_: bool(s.taken), is_used=lambda *_: bool(s.used),
                      slot_at=lambda *_: r.p):
            cut(source.records.show_record, s)(r.m, r.record)
    except Over:
        return
    line = (MAPPED_LINE, r.base, length, 1)
    path.claim("what_is_no_span_has_one_line_or_none", lambda: r.is_left() and s.lines == [line] * (r.kind == MAPPING))


def _proof(of: str, body: Callable[[Any, Any], None], **more: str) -> Proof:
    return Proof(of, ANY_HEAP, body, more=more)


PROOFS = (
    Proof("hardened.place_hardened", ANY_HEAP, place_hardened, more={
        "requests_have_slots_or_mappings": "a slot of the thread's arena; where there is none, a mapping with some "
                                           "more for realloc, and one that is just large enough",
        "what_was_placed_is_answered": "the first that was had; NULL if none"}),
    Proof("hardened.place_in_span", ANY_HEAP, place_in_span, {
        "placing_in_a_span_unlocks": "the lock is released"}, more={
        "a_slot_is_taken_where_there_is_one": "of a span with room, and counted; NULL in an arena that is lost"}),
    Proof("hardened.place_mapping", ANY_HEAP, place_mapping, {
        "placing_a_mapping_unlocks": "the lock is released"}, more={
        "a_mapping_is_made_and_counted": "where there is a vault, and the system gives it"}),
    Proof("spans.take_slot", ANY_HEAP, take_slot, {
        "a_taken_slot_ends_with_its_canary": "the slot is used, zero, and ends with its canary",
        "spans_with_room_are_listed": "the span is on the list if a slot is left"}, more={
        "what_was_chosen_is_taken_once": "of a span without room none is chosen"}),
    _proof("spans.choose_slot", choose_slot,
           a_slot_is_chosen_at_random_and_noted="each that is not taken may be it; no other word changes"),
    _proof("spans.choose_ahead", choose_ahead, the_next_slot_is_chosen_before="no other word changes"),
    _proof("spans.write_canary", write_canary,
           a_slot_that_was_written_to_is_told="it aborts exactly where a word of the slot is not zero",
           a_slot_that_is_whole_ends_with_its_canary="no other word changes"),
    _proof("hardened.own", own,
           where_no_record_is_no_block_is="it aborts where the table leads to no record",
           a_block_is_checked_under_its_owners_lock="the record's owner is locked, then the slot or mapping checked"),
    _proof("hardened.check_slot", check_slot,
           what_begins_no_slot_is_told="it aborts as for an invalid pointer where no slot begins",
           a_slot_that_is_not_used_is_told="it aborts as for a double free where the slot is not used",
           both_ends_of_a_used_slot_are_checked="its own end, and that of the slot before"),
    _proof("hardened.check_end", check_end,
           a_used_slot_ends_with_its_canary="it aborts exactly where a used one does not",
           another_slot_ends_with_zero="it aborts exactly where one that is not used does not",
           checking_an_end_writes_nothing="no word changes"),
    _proof("hardened.check_mapping", check_mapping,
           mappings_that_are_used_are_let_by="a freed one is a double free, another record an invalid pointer"),
    _proof("hardened.free_hardened", free_hardened,
           what_is_freed_is_checked_first_and_waits="under the owner's lock; no slot of an arena that is lost"),
    _proof("hardened.usable_hardened", usable_hardened,
           all_but_the_canary_is_usable="all of a mapping, and of a slot all but its last word"),
    _proof("hardened.resize_hardened", resize_hardened,
           a_block_that_would_be_as_large_stays="the call is counted then, and only then"),
    _proof("hardened.let_wait", let_wait,
           what_is_freed_is_zeroed_whole="before it waits, canary included",
           what_is_freed_takes_the_place_of_what_waited="that slot, if there was one, is free again"),
    _proof("records.lock_owner", lock_owner,
           a_record_of_a_kind_is_locked="its owner's lock is taken; none for a record of no kind"),
    _proof("records.passing_ends", passing_ends,
           records_are_passed_from_that_on="it begins with the record that it is given",
           only_the_end_of_a_chunk_is_passed="each turn goes from the end of a chunk to the first of the chunk before",
           no_end_of_a_chunk_is_answered="a record that is no end of a chunk, or NULL"),
    _proof("records.first_record", first_record,
           the_first_record_is_of_the_newest_chunk="ends of chunks passed; NULL without a vault"),
    _proof("records.record_after", record_after,
           the_next_record_is_256_bytes_on="ends of chunks passed"),
    _proof("records.show_record", show_record,
           a_spans_slots_are_shown_behind_it="the span's line comes before, and its first slot is the first",
           each_slot_that_is_taken_is_shown="each turn shows one, used or waiting, if it is taken, and goes on",
           what_is_no_span_has_one_line_or_none="a line for a mapping that is used, none for other records"),
)
