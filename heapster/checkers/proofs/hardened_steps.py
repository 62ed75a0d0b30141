"""Steps of a hardened heap that others pass calls on to: of `hardened.py`, `records.py` and `vault.py`."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.classes import least
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    HARDENED,
    MAX_ARENAS,
    NEXT,
    PAYLOAD,
    STATICS,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.notes import Notes
from heapster.checkers.proofs.passing_on import PassedCall
from heapster.checkers.proofs.placement import Over
from heapster.machine.symbolic import HIGHEST, LOWEST


def is_hardened(source: Any, path: Any) -> None:
    """A heap that is hardened, or not."""
    w, hardened = Window(path), path.choose(2)
    with replaced(source.hardened, get_hardened=lambda _: -hardened):
        told = source.hardened.is_hardened(w.m)
    path.claim("whether_a_heap_is_hardened_is_told", lambda: bool(told) == bool(hardened) and only(w.m))


def place_beyond(source: Any, path: Any) -> None:
    """Whatever a span or a mapping has, at once or after the system got what is not needed."""
    c = PassedCall(path)
    p, again = (path.choose(2) * path.word(name, LOWEST, HIGHEST, ALIGN) for name in ("p", "again"))
    released = bool(path.choose(2))
    with replaced(source.malloc, **c.notes.answering(place_hardened=[p, again], release_spare=released)):
        b = source.malloc.place_beyond(c.m, *c.words)
    placing, refused = ("place_hardened", *c.words), bool(p == 0)
    given = p if not refused else again if released else 0
    path.claim("what_has_no_header_is_answered_as_if_it_had", lambda: b == (given - PAYLOAD if given != 0 else 0)
               and c.is_alone())
    path.claim("memory_that_was_refused_is_asked_for_again", lambda: c.notes.are(
        placing, *[("release_spare",)] * refused, *[placing] * (refused and released)))


def forget_records(source: Any, path: Any) -> None:
    """A vault, or none."""
    w, has = Window(path), path.choose(2)
    vault = w.span("vault", ARENA_BYTES)
    w.m.put(w.statics + STATICS["vault"], vault if has else 0, "vault")
    source.vault.forget_records(w.m)
    words = [vault + HARDENED[name] for name in ("FREE_RECORDS", "FRESH_RECORD", "SPARES")]
    path.claim("a_childs_vault_begins_anew", lambda: only(w.m, *words * has) and all(
        w.m.load(word) == 0 for word in words * has))


class ShownRecords:
    """The loop over the records, cut: any is next, of a span or not, or none."""

    def __init__(self, path: Any) -> None:
        self.path, self.w, self.notes = path, Window(path), Notes()
        self.record, self.after = (path.word(name, LOWEST, HIGHEST, ALIGN) for name in ("record", "after"))
        self.has = path.choose(2)

    def enter(self, record: Any) -> list[Any]:
        """It begins with the first."""
        self.path.claim("records_are_shown_from_the_first", lambda: record == self.record)
        self.notes.done.clear()
        return [self.record if self.path.choose(2) else 0]

    def again(self, record: Any) -> None:
        """It was shown if somebody owns it, and the next is next."""
        shown = [("show_record", self.record)] * self.has
        self.path.claim("each_record_with_an_owner_is_shown_under_its_lock", lambda: record == self.after
                        and only(self.w.m) and not self.w.m.held and self.notes.are(
                            ("lock_owner", self.record), *shown, ("record_after", self.record)))
        raise Over


def show_records(source: Any, path: Any) -> None:
    """Any records, one at a time."""
    s = ShownRecords(path)

    def lock_owner(m: Any, record: Any) -> Any:
        """See `impl.records.lock_owner`: the arena whose lock it took, or NULL."""
        s.notes.done.append(("lock_owner", record))
        if s.has:
            m.lock(s.w.arena)
        return s.w.arena if s.has else 0

    try:
        with replaced(source.records, lock_owner=lock_owner, **s.notes.answering(
                first_record=s.record, show_record=0, record_after=s.after)):
            cut(source.records.show_records, s)(s.w.m)
    except Over:
        return
    path.claim("showing_ends_with_the_last_record", lambda: only(s.w.m) and not s.notes.done)


def release_spare(source: Any, path: Any) -> None:
    """Mappings wait or none do; the system takes spans of any arena."""
    w, notes, waited = Window(path), Notes(), bool(path.choose(2))
    which = (-1, 0, 1, MAX_ARENAS - 1)[path.choose(4)]
    with replaced(source.spare, **notes.answering(
            release_waiting=waited, release_spans=[index == which for index in range(MAX_ARENAS)])):
        taken = source.spare.release_spare(w.m)
    arenas = [w.statics + STATICS["arenas"] + ARENA_BYTES * index for index in range(MAX_ARENAS)]
    path.claim("all_that_is_spare_is_released", lambda: bool(taken) == (waited or which >= 0) and only(w.m)
               and notes.are(("release_waiting",), *[("release_spans", arena) for arena in arenas]))


def largest_slot(source: Any, path: Any) -> None:
    """Lists of classes that were never opened, are empty, or have spans; the last of them is any."""
    w = Window(path)
    last = (-1, 0, 1, 40, 87)[path.choose(5)]
    for index in range(88):
        head = w.of_class(index)
        empty = head if index & 1 else 0
        w.m.put(head + NEXT, w.span("record", 256) if index == last else empty, "first")
    largest = source.spans.largest_slot(w.m, w.arena)
    path.claim("the_largest_slot_is_of_the_last_class_with_room", lambda: only(w.m)
               and largest == (least(last) if last >= 0 else 0))


PROOFS = (
    Proof("spare.release_spare", ANY_HEAP, release_spare, more={
        "all_that_is_spare_is_released": "mappings that wait, then spans of each arena; whether any were is told"}),
    Proof("spans.largest_slot", ANY_HEAP, largest_slot, more={
        "the_largest_slot_is_of_the_last_class_with_room": "0 if no class has any; no word changes"}),
    Proof("hardened.is_hardened", ANY_HEAP, is_hardened, more={
        "whether_a_heap_is_hardened_is_told": "no word changes"}),
    Proof("malloc.place_beyond", ANY_HEAP, place_beyond, more={
        "what_has_no_header_is_answered_as_if_it_had": "a header's place before it; NULL if there is none",
        "memory_that_was_refused_is_asked_for_again": "once, where anything went back to the system meanwhile"}),
    Proof("vault.forget_records", ANY_HEAP, forget_records, more={
        "a_childs_vault_begins_anew": "no record is free or spare, and the next begins a chunk; no other word "
                                      "changes"}),
    Proof("records.show_records", ANY_HEAP, show_records, more={
        "records_are_shown_from_the_first": "it begins with the first",
        "each_record_with_an_owner_is_shown_under_its_lock": "each turn shows one, and goes on",
        "showing_ends_with_the_last_record": "it ends with the last"}),
)
