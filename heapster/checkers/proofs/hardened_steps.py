"""Steps of a hardened heap that others pass calls on to: of `hardened.py`, `records.py` and `vault.py`."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import ALIGN, ARENA_BYTES, HARDENED, PAYLOAD, STATICS, only
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
    """Whatever a span or a mapping has."""
    c = PassedCall(path)
    p = path.choose(2) * path.word("p", LOWEST, HIGHEST, ALIGN)
    with replaced(source.malloc, **c.notes.answering(place_hardened=p)):
        b = source.malloc.place_beyond(c.m, *c.words)
    path.claim("what_has_no_header_is_answered_as_if_it_had", lambda: b == (p - PAYLOAD if p != 0 else 0)
               and c.is_alone() and c.notes.are(("place_hardened", *c.words)))


def forget_records(source: Any, path: Any) -> None:
    """A vault, or none."""
    w, has = Window(path), path.choose(2)
    vault = w.span("vault", ARENA_BYTES)
    w.m.put(w.statics + STATICS["vault"], vault if has else 0, "vault")
    source.vault.forget_records(w.m)
    words = [vault + HARDENED[name] for name in ("FREE_RECORDS", "FRESH_RECORD")]
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


PROOFS = (
    Proof("hardened.is_hardened", ANY_HEAP, is_hardened, more={
        "whether_a_heap_is_hardened_is_told": "no word changes"}),
    Proof("malloc.place_beyond", ANY_HEAP, place_beyond, more={
        "what_has_no_header_is_answered_as_if_it_had": "a header's place before it; NULL if there is none"}),
    Proof("vault.forget_records", ANY_HEAP, forget_records, more={
        "a_childs_vault_begins_anew": "no record is free, and the next begins a chunk; no other word changes"}),
    Proof("records.show_records", ANY_HEAP, show_records, more={
        "records_are_shown_from_the_first": "it begins with the first",
        "each_record_with_an_owner_is_shown_under_its_lock": "each turn shows one, and goes on",
        "showing_ends_with_the_last_record": "it ends with the last"}),
)
