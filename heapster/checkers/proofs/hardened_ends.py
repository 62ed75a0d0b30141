"""Walks that give a hardened heap back, piece by piece, and what no longer waits."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.hardened_checks import WalkedRecords
from heapster.checkers.proofs.hardened_parts import Vaulted
from heapster.checkers.proofs.layout_spec import (
    HARDENED,
    NEXT,
    PAGE,
    WORD,
    aborts,
    only,
)
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.notes import or_null
from heapster.checkers.proofs.placement import Over
from heapster.machine.symbolic import HIGHEST, LOWEST

MIDDLE, LEAF, ROOTS = (HARDENED[name] for name in ("MIDDLE_COUNT", "LEAF_COUNT", "ROOT_COUNT"))
RECORD, CHUNK = HARDENED["RECORD_BYTES"], HARDENED["CHUNK_BYTES"]
WAITING_FROM = HARDENED["MAPPINGS_WAIT"]
WAITING_TO = HARDENED["SPARE_MAPPINGS"] + HARDENED["MOST_SPARES"] * WORD
CLASSES = 88                            # of slots


class WalkedWords(Vaulted):
    """A loop over words, cut: any of them is next, with a piece or without, or it was the last."""

    def __init__(self, path: Any, names: tuple[str, str], first: int, last: int, **before: Any) -> None:
        super().__init__(path)
        self.path, self.names, self.before = path, names, before
        self.table = path.word("table", LOWEST, HIGHEST, PAGE)
        self.reserve(self.table, last)
        self.first, self.place = self.table + first, path.word("place", first, last, WORD)
        self.here, self.piece = self.table + self.place, or_null(path, "piece")
        self.has = bool(self.piece != 0)
        self.ends = bool(self.place >= last)
        if not self.ends:
            self.m.put(self.here, self.piece, "piece")

    def enter(self, at: Any, **found: Any) -> list[Any]:
        """It begins with the first word, and nothing found."""
        self.path.claim(self.names[0], lambda: at == self.first and not any(found.values()) and self.is_left())
        self.notes.done.clear()
        return [self.here, *self.before.values()]

    def again(self, at: Any, **found: Any) -> None:
        """Its piece was dealt with, and the next is next."""
        self.path.claim(self.names[1], lambda: at == self.here + WORD and self.turned(**found))
        raise Over

    def turned(self, **found: Any) -> bool:
        """Whether the turn did what it must."""
        raise NotImplementedError


def unmap_table(source: Any, path: Any) -> None:
    """A table that the system takes or not."""
    v, count, taken = Vaulted(path), path.word("count", 512, 1 << 13, 512), bool(path.choose(2))
    with replaced(source.records, **v.notes.answering(unmap_guarded=taken)):
        kept = source.records.unmap_table(v.m, v.vault, count)
    path.claim("a_table_goes_with_its_guards", lambda: kept == (not taken) and only(v.m) and v.notes.are(
        ("unmap_guarded", v.vault, count * WORD)))


class ReturnedTables(WalkedWords):
    """As the tables that words lead to are given back."""

    def __init__(self, path: Any, names: tuple[str, str], first: int, last: int, call: tuple[Any, ...]) -> None:
        super().__init__(path, names, first, last, kept=path.word("kept before", 0, 1 << 20))
        self.call, self.stays = call, path.choose(2)

    def turned(self, **found: Any) -> bool:
        """Whether the table was given back if there is one, and counts if it stays."""
        name, *words = self.call
        return bool(found["kept"] == self.before["kept"] + self.stays * self.has) and only(self.m) and self.notes.are(
            *[(name, self.piece, *words)] * self.has)


def unmap_below(source: Any, path: Any) -> None:
    """A table of the middle, a word at a time; what the system takes or not."""
    s = ReturnedTables(path, ("leaves_are_returned_from_the_first", "each_leaf_is_returned"), 0, MIDDLE * WORD,
                       ("unmap_table", LEAF))
    try:
        with replaced(source.records, **s.notes.answering(unmap_table=s.stays)):
            kept = cut(source.records.unmap_below, s)(s.m, s.table)
    except Over:
        return
    path.claim("a_table_goes_after_its_leaves", lambda: s.ends and kept == s.before["kept"] + s.stays and only(s.m)
               and s.notes.are(("unmap_table", s.table, MIDDLE)))


def unmap_tables(source: Any, path: Any) -> None:
    """The root, a word at a time; what the system takes or not."""
    root = HARDENED["ROOT"]
    s = ReturnedTables(path, ("tables_are_returned_from_the_first", "each_table_is_returned"), root,
                       root + ROOTS * WORD, ("unmap_below",))
    try:
        with replaced(source.records, **s.notes.answering(unmap_below=s.stays)):
            kept = cut(source.records.unmap_tables, s)(s.m, s.table)
    except Over:
        return
    path.claim("what_stays_of_the_tables_is_counted", lambda: s.ends and kept == s.before["kept"] and only(s.m)
               and not s.notes.done)


class ReturnedRecords(WalkedRecords):
    """As the pages of all records are given back."""

    def __init__(self, path: Any) -> None:
        super().__init__(path, "records_pages_are_returned_from_the_first", "the_pages_of_each_record_are_returned",
                         kept=path.word("kept before", 0, 1 << 20))

    def turned(self, **found: Any) -> bool:
        """Whether a record of a kind gave its pages back, and counts if they stay."""
        is_one = self.r.kind != 0
        return bool(found["kept"] == self.before["kept"] + (not self.has) * is_one) and self.notes.are(
            *[("unmap_pages", self.record)] * is_one, ("record_after", self.record))


def unmap_records(source: Any, path: Any) -> None:
    """Any records, one at a time, whose pages the system takes or not."""
    s = ReturnedRecords(path)
    try:
        with replaced(source.records, **s.notes.answering(
                first_record=s.record, record_after=s.after, unmap_pages=bool(s.has))):
            kept = cut(source.records.unmap_records, s)(s.m)
    except Over:
        return
    path.claim("records_whose_pages_stay_are_counted", lambda: kept == s.before["kept"] and only(s.m)
               and not s.notes.done)


class ReturnedChunks:
    """The loop over chunks of records, cut: any is next, or none."""

    def __init__(self, path: Any) -> None:
        self.path, self.v = path, Vaulted(path)
        self.chunk = path.word("chunk", LOWEST, HIGHEST, PAGE)
        self.v.reserve(self.chunk, CHUNK)
        self.older, self.before = or_null(path, "older"), path.word("kept before", 0, 1 << 20)
        self.taken = bool(path.choose(2))
        self.v.of_vault("CHUNKS", self.chunk)
        self.v.m.put(self.chunk + CHUNK - RECORD + NEXT, self.older, "the chunk before")

    def enter(self, chunk: Any, kept: Any) -> list[Any]:
        """It begins with the newest."""
        self.path.claim("chunks_are_returned_from_the_newest", lambda: chunk == self.chunk and kept == 0)
        return [self.chunk if self.path.choose(2) else 0, self.before]

    def again(self, chunk: Any, kept: Any) -> None:
        """It was given back, and the one before is next."""
        self.path.claim("each_chunk_is_returned", lambda: chunk == self.older and kept == self.before + (not self.taken)
                        and only(self.v.m) and self.v.notes.are(("unmap_guarded", self.chunk, CHUNK)))
        raise Over


def unmap_chunks(source: Any, path: Any) -> None:
    """Any chunks, one at a time; what led from one to the next is read while it is there."""
    s = ReturnedChunks(path)

    def unmap_guarded(m: Any, start: Any, length: Any) -> bool:
        """See `impl.vault.unmap_guarded`: what it took may not be touched."""
        s.v.notes.done.append(("unmap_guarded", start, length))
        m.gone += [(start, length)] * s.taken
        return s.taken

    try:
        with replaced(source.records, unmap_guarded=unmap_guarded):
            kept = cut(source.records.unmap_chunks, s)(s.v.m, s.v.vault)
    except Over:
        return
    path.claim("chunks_that_stay_are_counted", lambda: kept == s.before and only(s.v.m) and not s.v.notes.done)


# What waits, and spans that are empty.

def end_wait(source: Any, path: Any) -> None:
    """A slot that waits, zero or not."""
    v, zero, number = Vaulted(path), bool(path.choose(2)), path.word("number", 0, 255)
    slot = v.put("SLOT", 32, 1 << 17)
    with replaced(source.spare, slot_at=lambda _, record, n: v.p if record == v.record and n == number else 0,
                  **v.notes.answering(is_zero=zero, free_slot=0)):
        code = aborts(v.m, lambda: source.spare.end_wait(v.m, v.arena, v.record, number), v.p)
    path.claim("what_was_written_to_while_it_waited_is_told", lambda: only(v.m) and code == (
        0 if zero else HARDENED["WRITE_AFTER_FREE"]))
    path.claim("what_has_waited_is_free", lambda: v.notes.are(
        ("is_zero", v.p, slot), *[("free_slot", v.arena, v.record, number)] * zero))


class EndedWaits(WalkedWords):
    """As all slots that wait are free again."""

    def __init__(self, path: Any) -> None:
        super().__init__(path, ("waiting_slots_are_freed_from_the_first", "each_slot_that_waits_is_free"),
                         HARDENED["KEEP_POOLS"] >> 2 * HARDENED["WAITING_SHIFT"], PAGE)
        self.slot, self.number = path.word("slot's record", LOWEST, HIGHEST, RECORD), path.word("number", 0, 255)
        if not self.ends:
            cell = self.m.find(self.here)
            cell.was = cell.now = self.slot + self.number if self.has else 0

    def turned(self, **_: Any) -> bool:
        """Whether the place is empty, and what waited there is free."""
        return bool(self.m.load(self.here) == 0) and only(self.m, self.here) and self.notes.are(
            *[("end_wait", self.arena, self.slot, self.number)] * self.has)


def end_waits(source: Any, path: Any) -> None:
    """Pools and rings of an arena, a word at a time."""
    s = EndedWaits(path)
    try:
        with replaced(source.spare, keep_of=lambda *_: s.table, **s.notes.answering(end_wait=0)):
            cut(source.spare.end_waits, s)(s.m, s.arena)
    except Over:
        return
    path.claim("ending_waits_ends_with_the_keep", lambda: s.ends and only(s.m) and not s.notes.done)


def release_spans(source: Any, path: Any) -> None:
    """A vault or none; an arena that is open or not, lost or not, of which the system takes spans or not."""
    v, has, is_open, lost = Vaulted(path), path.choose(2), path.choose(2), bool(path.choose(2))
    held, gone = v.word("held", 1 << 20, 1 << 46), path.choose(2) * PAGE
    v.m.put(v.head + NEXT, v.head * is_open, "first")

    def drop_empty_spans(m: Any, arena: Any) -> None:
        """See `impl.spans.drop_empty_spans`."""
        v.notes.done.append(("drop_empty_spans", arena))
        m.store(v.at("held"), held - gone)

    with replaced(source.spare, vault_of=lambda _: v.vault * has, is_lost=lambda *_: lost,
                  drop_empty_spans=drop_empty_spans, **v.notes.answering(end_waits=0)):
        taken = source.spare.release_spans(v.m, v.arena)
    done = bool(has and is_open and not lost)
    path.claim("releasing_spans_unlocks", lambda: not v.m.held and only(v.m, v.at("held")) and set(v.notes.held) <= {1})
    path.claim("spans_are_released_when_nothing_waits", lambda: bool(taken) == (done and gone != 0) and v.notes.are(
        *[("end_waits", v.arena), ("drop_empty_spans", v.arena)] * done))


class ReleasedMappings(WalkedWords):
    """As mappings that wait or are spare go back."""

    def __init__(self, path: Any, has_vault: bool) -> None:
        super().__init__(path, ("waiting_mappings_are_released_from_the_first", "each_mapping_that_waits_is_released"),
                         WAITING_FROM, WAITING_TO, waited=bool(path.choose(2)))
        self.has_vault = has_vault
        if not has_vault:
            self.first = self.here = WAITING_FROM

    def enter(self, at: Any, **found: Any) -> list[Any]:
        """No mapping is spare before."""
        self.path.claim("none_is_spare_before_those_that_wait_go", lambda: self.notes.are(
            *[("end_spares", self.table)] * self.has_vault) and self.notes.held == [1] * self.has_vault)
        self.path.claim(self.names[0], lambda: at == self.first and not any(found.values()) and only(self.m))
        self.notes.done.clear()
        return [self.here, *self.before.values()]

    def turned(self, **found: Any) -> bool:
        """Whether its place is empty, and it was given back under the lock."""
        return bool(self.m.load(self.here) == 0) and only(self.m, self.here) and self.notes.are(
            *[("give_back", self.table, self.piece)] * self.has) and set(self.notes.held) == {1} and bool(
                found["waited"]) == (self.before["waited"] or self.has)


def release_waiting(source: Any, path: Any) -> None:
    """A vault or none, whose mappings wait or are spare, a word at a time."""
    has = bool(path.choose(2))
    s = ReleasedMappings(path, has)
    try:
        with replaced(source.spare, vault_of=lambda _: s.table if has else 0, **s.notes.answering(
                end_spares=0, give_back=0)):
            waited = cut(source.spare.release_waiting, s)(s.m)
    except Over:
        return
    path.claim("releasing_what_waits_unlocks", lambda: not s.m.held and only(s.m))
    path.claim("whether_any_mapping_waited_is_told", lambda: bool(waited) == s.before["waited"] and not s.notes.done
               and (s.ends or not has))


class DroppedSpans:
    """The loop over classes, cut: the spans of any, of which some are empty, or it was the last."""

    def __init__(self, path: Any) -> None:
        self.path, self.v, self.index = path, Vaulted(path), path.word("class", 0, CLASSES)
        self.count, self.head = path.choose(4) - 1, self.v.vault + 64       # -1: the list was never opened
        self.spans = [path.word(f"span {place}", LOWEST, HIGHEST, RECORD) for place in range(max(self.count, 0))]
        self.empty = [bool(path.choose(2)) for _ in self.spans]
        for span, empty, after in zip(self.spans, self.empty, [*self.spans, self.head][1:], strict=True):
            self.v.reserve(span, RECORD)
            for name, word in (("SLOTS", 8), ("SPAN_FREE", 8 if empty else 7)):
                self.v.m.put(span + HARDENED[name], word, name)
            self.v.m.put(span + NEXT, after, "next")
        self.v.m.put(self.head + NEXT, [0, self.head, *self.spans[:1]][min(self.count, 1) + 1], "first")

    def enter(self, index: Any) -> list[Any]:
        """It begins with the first class."""
        self.path.claim("empty_spans_are_dropped_from_the_first_class", lambda: index == 0 and only(self.v.m))
        return [self.index]

    def again(self, index: Any) -> None:
        """Its empty spans were dropped, and the next class is next."""
        dropped = [("drop_span", self.v.arena, span) for span, empty in zip(self.spans, self.empty, strict=True)
                   if empty]
        self.path.claim("each_empty_span_is_dropped", lambda: index == self.index + 1 and self.v.notes.are(*dropped))
        raise Over


def drop_empty_spans(source: Any, path: Any) -> None:
    """Any class, with up to two spans; what is dropped may not be touched."""
    s = DroppedSpans(path)
    heads: list[bool] = []

    def drop_span(m: Any, arena: Any, record: Any) -> bool:
        """See `impl.spans.drop_span`."""
        s.v.notes.done.append(("drop_span", arena, record))
        m.gone.append((record, RECORD))
        return True

    def class_head(arena: Any, index: Any) -> Any:
        """See `impl.classes.class_head`."""
        heads.append(bool(arena == s.v.arena) and bool(index == s.index))
        return s.head

    try:
        with replaced(source.spans, class_head=class_head, drop_span=drop_span):
            cut(source.spans.drop_empty_spans, s)(s.v.m, s.v.arena)
    except Over:
        path.claim("each_empty_span_is_dropped", lambda: heads == [True])
        return
    path.claim("dropping_ends_with_the_last_class_of_slots", lambda: s.index == CLASSES and not s.v.notes.done)


def _proof(of: str, body: Any, bound: str = ANY_HEAP, **more: str) -> Proof:
    return Proof(of, bound, body, more=more)


PROOFS = (
    _proof("records.unmap_table", unmap_table, a_table_goes_with_its_guards="1 if it stays, else 0"),
    _proof("records.unmap_below", unmap_below,
           leaves_are_returned_from_the_first="it begins with the first",
           each_leaf_is_returned="each turn returns the leaf of a word, if it has one, and goes on",
           a_table_goes_after_its_leaves="what stays is counted"),
    _proof("records.unmap_tables", unmap_tables,
           tables_are_returned_from_the_first="it begins with the first",
           each_table_is_returned="each turn returns the table of a word, if it has one, and goes on",
           what_stays_of_the_tables_is_counted="it ends with the last"),
    _proof("records.unmap_records", unmap_records,
           records_pages_are_returned_from_the_first="it begins with the first",
           the_pages_of_each_record_are_returned="each turn returns those of a record of a kind, and goes on",
           records_whose_pages_stay_are_counted="it ends with the last"),
    _proof("records.unmap_chunks", unmap_chunks,
           chunks_are_returned_from_the_newest="it begins with the newest",
           each_chunk_is_returned="each turn reads where the one before is, returns a chunk, and goes on",
           chunks_that_stay_are_counted="it ends with the last"),
    _proof("spare.end_wait", end_wait,
           what_was_written_to_while_it_waited_is_told="before it is free; nothing else is",
           what_has_waited_is_free="once"),
    _proof("spare.end_waits", end_waits,
           waiting_slots_are_freed_from_the_first="it begins with the pool of the largest slots",
           each_slot_that_waits_is_free="each turn empties a place, and goes on",
           ending_waits_ends_with_the_keep="with its last word"),
    Proof("spare.release_spans", ANY_HEAP, release_spans, {"releasing_spans_unlocks": "the lock is released"}, more={
        "spans_are_released_when_nothing_waits": "of an arena that is open and not lost; whether any went is told"}),
    Proof("spare.release_waiting", ANY_HEAP, release_waiting, {
        "releasing_what_waits_unlocks": "the lock is released"}, more={
        "none_is_spare_before_those_that_wait_go": "under the lock",
        "waiting_mappings_are_released_from_the_first": "it begins with the first that waits",
        "each_mapping_that_waits_is_released": "each turn empties a place, gives a mapping back, and goes on",
        "whether_any_mapping_waited_is_told": "it ends with the last that is spare"}),
    _proof("spans.drop_empty_spans", drop_empty_spans, "classes of up to 2 spans",
           empty_spans_are_dropped_from_the_first_class="it begins with the first",
           each_empty_span_is_dropped="each turn drops those of a class, and goes on; nothing dropped is touched",
           dropping_ends_with_the_last_class_of_slots="and no earlier"),
)
