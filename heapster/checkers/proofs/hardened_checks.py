"""Walks that check a hardened heap, slot by slot, record by record: what they count, whom they ask, what they tell."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.hardened_calls import MAPPING, SPAN, OneRecord
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    HARDENED,
    LAYOUT,
    MAX_ARENAS,
    PAGE,
    STATICS,
    TOTALS,
    aborts,
    header,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.notes import Notes
from heapster.checkers.proofs.placement import Over
from heapster.machine.symbolic import HIGHEST, LOWEST

TAKEN = HARDENED["TAKEN"]
FEW_RECORDS, FEW_SLOTS = "heaps of up to 2 records", "spans of up to 3 slots and pages"
WRONG_COUNTS, WRONG_TABLE = HARDENED["SLOTS_ARE_COUNTED"], HARDENED["THE_TABLE_LEADS_TO_EACH_RECORD"]


class WalkedSlots:
    """The loop over a span's slots, cut: any is next, so many were found before it, or it was the last."""

    def __init__(self, path: Any, first: str, turn: str, kinds: int = 1) -> None:
        self.path, self.r, self.names = path, OneRecord(path, kinds), (first, turn)
        self.m, self.record = self.r.m, self.r.record
        self.slots = self.r.put("SLOTS", 1, 256)
        self.number, self.before = (path.word(name, 0, 256) for name in ("number", "found before"))
        self.finds = bool(path.choose(2))

    def enter(self, number: Any, **found: Any) -> list[Any]:
        """It begins with the first slot, and nothing found."""
        self.path.claim(self.names[0], lambda: number == 0 and not any(found.values()) and only(self.m))
        words = {"number": self.number, **dict.fromkeys(found, self.before)}
        return [words[name] for name in sorted(words)]

    def again(self, number: Any, **found: Any) -> None:
        """The slot was looked at, and the next is next."""
        self.path.claim(self.names[1], lambda: number == self.number + 1 and only(self.m) and self.looked() and all(
            bool(count == self.before + self.finds) for count in found.values()))
        raise Over

    def looked(self) -> bool:
        """Whether the slot was looked at as it must be."""
        return not self.r.notes.done

    def is_over(self, found: Any) -> bool:
        """Whether all slots were walked past, and what was found is answered."""
        return bool(self.number >= self.slots) and bool(found == self.before) and only(self.m)


def free_slots(source: Any, path: Any) -> None:
    """Any span, a slot at a time."""
    s = WalkedSlots(path, "free_slots_are_counted_from_the_first", "each_slot_that_is_not_taken_is_counted")
    asked: list[bool] = []

    def is_set(_: Any, record: Any, bits: int, number: Any) -> bool:
        """See `impl.spans.is_set`: whether the slot is taken."""
        asked.append(bits == TAKEN and bool(record == s.record) and bool(number == s.number))
        return not s.finds

    try:
        with replaced(source.records, is_set=is_set):
            found = cut(source.records.free_slots, s)(s.m, s.record)
    except Over:
        path.claim("each_slot_that_is_not_taken_is_counted", lambda: asked == [True])
        return
    path.claim("all_free_slots_are_counted", lambda: s.is_over(found))


def used_in(source: Any, path: Any) -> None:
    """A record of any kind; of a span any slots, one at a time."""
    s = WalkedSlots(path, "used_slots_are_counted_from_the_first", "each_used_slot_is_counted", 5)
    try:
        with replaced(source.records, is_used=lambda _, record, number: s.finds and bool(
                record == s.record) and bool(number == s.number)):
            found = cut(source.records.used_in, s)(s.m, s.record)
    except Over:
        return
    path.claim("a_mapping_has_one_used_block", lambda: s.is_over(found) if s.r.kind == SPAN else bool(
        found == (s.r.kind == MAPPING)) and only(s.m))


class CheckedSlots(WalkedSlots):
    """As each slot that is taken is checked."""

    def looked(self) -> bool:
        """Whether it was asked if the slot is taken, and checked if so."""
        return self.r.notes.are(("is_set", self.record, TAKEN, self.number), *[
            ("verify_slot", self.record, self.number)] * self.finds)


def look_at_span(source: Any, path: Any) -> None:
    """Any span, a slot at a time."""
    s = CheckedSlots(path, "slots_are_looked_at_from_the_first", "each_slot_that_is_taken_is_looked_at")
    try:
        with replaced(source.records, **s.r.notes.answering(is_set=s.finds, verify_slot=0)):
            cut(source.records.look_at_span, s)(s.m, s.record)
    except Over:
        return
    path.claim("looking_at_a_span_ends_with_its_last_slot", lambda: s.is_over(s.before) and not s.r.notes.done)


def verify_span(source: Any, path: Any) -> None:
    """A span of few slots and pages, all of which is right, or one thing is wrong: a size, a count, the table."""
    r, slots, pages = OneRecord(path, 1), 1 + path.choose(3), 1 + path.choose(3)
    index, slot, free = r.put("SPAN_CLASS", 0, 87), r.put("SLOT", 32, 1 << 17, ALIGN), r.put("SPAN_FREE", 0, 256)
    for name, word in (("SLOTS", slots), ("LENGTH", pages * PAGE)):
        r.m.put(r.record + HARDENED[name], word, name)
    wrong, other = path.choose(5), r.record + 256
    right = [wrong != place for place in range(4)]
    least, length = (slot if right[0] else slot + ALIGN), (pages + (not right[1])) * PAGE
    with replaced(source.records, least_of_class=lambda n: least if n == index else 0,
                  span_length=lambda n: length if n == slot else 0, **r.notes.answering(
                      free_slots=free if right[2] else free + 1, verify_slot=0,
                      record_at=[*[r.record] * (pages - 1), r.record if right[3] else other])):
        code = aborts(r.m, lambda: source.records.verify_span(r.m, r.record), r.record)
    path.claim("a_span_that_is_miscounted_is_told", lambda: code == (
        WRONG_COUNTS if not all(right[:3]) else 0 if right[3] else WRONG_TABLE) and only(r.m))
    path.claim("each_slot_and_page_of_a_span_is_checked", lambda: not all(right[:3]) or r.notes.are(
        ("free_slots", r.record), *[("verify_slot", r.record, number) for number in range(slots)],
        *[("record_at", r.base + page * PAGE) for page in range(pages)]))


def verify_record(source: Any, path: Any) -> None:
    """A record of any kind, to which the table leads or not."""
    r, led = OneRecord(path), path.choose(2)
    with replaced(source.records, **r.notes.answering(verify_span=0, record_at=r.record if led else 0)):
        code = aborts(r.m, lambda: source.records.verify_record(r.m, r.record), r.record)
    path.claim("a_record_is_checked_by_its_kind", lambda: only(r.m) and code == (
        WRONG_TABLE if r.kind == MAPPING and not led else 0) and r.notes.are(
            *[("verify_span", r.record)] * (r.kind == SPAN), *[("record_at", r.base)] * (r.kind == MAPPING)))


class WalkedRecords:
    """A loop over all records, cut: any is next, or none, after whatever was found before."""

    def __init__(self, path: Any, first: str, turn: str, **before: Any) -> None:
        self.path, self.names, self.before = path, (first, turn), before
        self.r = OneRecord(path)
        self.m, self.record = self.r.m, self.r.record
        self.after, self.has, self.notes = path.word("after", LOWEST, HIGHEST, 256), path.choose(2), self.r.notes
        self.start: dict[str, Any] = dict.fromkeys(before, 0)

    def enter(self, record: Any, **found: Any) -> list[Any]:
        """It begins with the first record."""
        self.path.claim(self.names[0], lambda: record == self.record and only(self.m) and self.notes.are(
            ("first_record",)) and all(bool(found[name] == word) for name, word in self.start.items()))
        self.notes.done.clear()
        words = {"record": self.record if self.path.choose(2) else 0, **self.before}
        return [words[name] for name in sorted(words)]

    def again(self, record: Any, **found: Any) -> None:
        """It was looked at, and the next is next."""
        self.path.claim(self.names[1], lambda: record == self.after and self.r.is_left() and self.turned(**found))
        raise Over

    def turned(self, **found: Any) -> bool:
        """Whether the turn did what it must."""
        raise NotImplementedError

    def lock_owner(self, m: Any, record: Any) -> Any:
        """See `impl.records.lock_owner`: the owner whose lock it took, or NULL."""
        self.notes.done.append(("lock_owner", record))
        if self.has:
            m.lock(self.r.arena)
        return self.r.arena if self.has else 0


class CountedRecords(WalkedRecords):
    """As the used blocks of an owner are counted."""

    def __init__(self, path: Any) -> None:
        super().__init__(path, "an_owners_records_are_counted_from_the_first", "each_record_of_the_owner_is_counted",
                         total=path.word("total before", 0, TOTALS))
        self.blocks, self.used, self.size = path.choose(2), path.choose(4), path.word("bytes", 32, 1 << 46)

    def turned(self, **found: Any) -> bool:
        """Whether it counts, once for each used block or for its bytes, if it is the owner's."""
        each = 1 if self.blocks else self.size
        asked = [*[("block_bytes", self.record)] * (not self.blocks), ("used_in", self.record)]
        return bool(found["total"] == self.before["total"] + (self.used * each if self.has else 0)) and self.notes.are(
            ("is_of", self.record, self.r.statics), *asked * self.has, ("record_after", self.record))


def recount(source: Any, path: Any) -> None:
    """Any records, one at a time, by blocks and by bytes."""
    s = CountedRecords(path)
    try:
        with replaced(source.records, **s.notes.answering(
                first_record=s.record, record_after=s.after, is_of=bool(s.has), used_in=s.used, block_bytes=s.size)):
            total = cut(source.records.recount, s)(s.m, s.r.statics, s.blocks)
    except Over:
        return
    path.claim("what_an_owner_uses_is_recounted", lambda: total == s.before["total"] and only(s.m))


class LastLook(WalkedRecords):
    """As some records are looked at before the program ends."""

    def __init__(self, path: Any) -> None:
        super().__init__(path, "the_last_look_begins_with_the_first_record", "each_record_with_an_owner_is_a_look",
                         left=path.word("left", 0, HARDENED["LOOKED_AT"]))
        self.start = {"left": HARDENED["LOOKED_AT"]}

    def turned(self, **found: Any) -> bool:
        """Whether it was looked at under its lock if it is a span's, and counts if it has an owner."""
        return bool(found["left"] == self.before["left"] - self.has) and self.notes.are(
            ("lock_owner", self.record), *[("look_at_span", self.record)] * (self.has and self.r.kind == SPAN),
            ("record_after", self.record)) and self.notes.held[-1] == 0 and self.notes.held[1:-1] == [1] * (
                self.has and self.r.kind == SPAN)


def look_once_more(source: Any, path: Any) -> None:
    """Any records, one at a time, after any number of looks."""
    s = LastLook(path)
    try:
        with replaced(source.records, lock_owner=s.lock_owner, **s.notes.answering(
                first_record=s.record, record_after=s.after, look_at_span=0)):
            cut(source.records.look_once_more, s)(s.m)
    except Over:
        return
    path.claim("the_last_look_ends", lambda: s.r.is_left() and not s.notes.done)


def verify_used(source: Any, path: Any) -> None:
    """An owner that is open or not, lost or not, whose totals are right or not."""
    w, notes, is_open, lost = Window(path), Notes(), path.choose(2), bool(path.choose(2))
    blocks, used = w.word("used_blocks"), w.word("used_bytes")
    counts = [path.word(name, 0, TOTALS) for name in ("blocks", "bytes")]
    w.m.find(w.head).was = w.m.find(w.head).now = header(0, w.owner) * is_open
    with replaced(source.records, is_lost=lambda *_: lost, **notes.answering(recount=list(counts))):
        code = aborts(w.m, lambda: source.records.verify_used(w.m, w.arena), w.arena)
    checked = bool(is_open and not lost)
    same = bool(blocks == counts[0]) and bool(used == counts[1])
    path.claim("an_owners_totals_are_checked", lambda: only(w.m) and code == (
        LAYOUT["LEDGERS_EQUAL_RECOMPUTED_TOTALS"] if checked and not same else 0) and set(notes.held) <= {1}
        and notes.done[:1] == [("recount", w.arena, 1)] * checked
        and (not checked or not same or notes.are(("recount", w.arena, 1), ("recount", w.arena, 0))))
    path.claim("checking_an_owner_unlocks", lambda: code != 0 or not w.m.held)


def verify_records(source: Any, path: Any) -> None:
    """Few records, with owners or without."""
    r, count, owned = OneRecord(path, 1), path.choose(3), [path.choose(2) for _ in range(2)]
    records, left = [r.record, r.record + 256][:count], list(owned)

    def lock_owner(m: Any, record: Any) -> Any:
        """See `impl.records.lock_owner`: the owner whose lock it took, or NULL."""
        r.notes.done.append(("lock_owner", record))
        if not left.pop(0):
            return 0
        m.lock(r.arena)
        return r.arena

    following = [*records, 0]
    with replaced(source.records, lock_owner=lock_owner, **r.notes.answering(
            first_record=following[0], record_after=following[1:], verify_record=0, verify_used=0)):
        source.records.verify_records(r.m)
    walked = [call for record, has in zip(records, owned, strict=False) for call in (
        ("lock_owner", record), *[("verify_record", record)] * has, ("record_after", record))]
    arenas = [("verify_used", r.statics + STATICS["arenas"] + ARENA_BYTES * index) for index in range(MAX_ARENAS)]
    path.claim("each_record_and_each_owner_is_checked", lambda: r.is_left() and r.notes.are(
        ("first_record",), *walked, *arenas, ("verify_used", r.statics + STATICS["mappings"])))


def _proof(of: str, body: Any, bound: str = ANY_HEAP, **more: str) -> Proof:
    return Proof(of, bound, body, more=more)


PROOFS = (
    _proof("records.free_slots", free_slots,
           free_slots_are_counted_from_the_first="it begins with the first, and none found",
           each_slot_that_is_not_taken_is_counted="each turn counts one by its bit, and goes on",
           all_free_slots_are_counted="it ends with the last; no word changes"),
    _proof("records.used_in", used_in,
           used_slots_are_counted_from_the_first="it begins with the first, and none found",
           each_used_slot_is_counted="each turn counts one, and goes on",
           a_mapping_has_one_used_block="a record of another kind none; no word changes"),
    _proof("records.look_at_span", look_at_span,
           slots_are_looked_at_from_the_first="it begins with the first",
           each_slot_that_is_taken_is_looked_at="each turn checks one, used or waiting, and goes on",
           looking_at_a_span_ends_with_its_last_slot="no word changes"),
    _proof("records.verify_span", verify_span, FEW_SLOTS,
           a_span_that_is_miscounted_is_told="a size that is no class's, a length, free slots, a page of no record",
           each_slot_and_page_of_a_span_is_checked="each, once"),
    _proof("records.verify_record", verify_record,
           a_record_is_checked_by_its_kind="a span in all its parts, a mapping by the table; nothing else"),
    _proof("records.recount", recount,
           an_owners_records_are_counted_from_the_first="it begins with the first, and nothing counted",
           each_record_of_the_owner_is_counted="each turn adds its used blocks, or their bytes, and goes on",
           what_an_owner_uses_is_recounted="it ends with the last; no word changes"),
    _proof("records.verify_used", verify_used,
           an_owners_totals_are_checked="in blocks and bytes, under its lock, unless it is lost or was never opened",
           checking_an_owner_unlocks="unless it aborts"),
    _proof("records.verify_records", verify_records, FEW_RECORDS,
           each_record_and_each_owner_is_checked="each, once, a record under its owner's lock, which is released"),
    _proof("records.look_once_more", look_once_more,
           the_last_look_begins_with_the_first_record="and has so many looks",
           each_record_with_an_owner_is_a_look="each turn checks a span under its lock, and goes on",
           the_last_look_ends="with the last record or the last look; no word changes"),
)
