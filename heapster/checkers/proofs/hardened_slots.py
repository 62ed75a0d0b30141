"""Slots, spans and mappings of a hardened heap: how they are found, counted, made and given back."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.hardened_calls import CANARY, MAPPING, OneRecord
from heapster.checkers.proofs.hardened_parts import ALIGNMENTS, Vaulted
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_RECORD,
    HARDENED,
    MAX_REQUEST,
    NEXT,
    PAGE,
    PREV,
    STATICS,
    WORD,
    WRONG_SIZE,
    aborts,
    only,
)
from heapster.checkers.proofs.notes import or_null
from heapster.machine.symbolic import HIGHEST, LOWEST

TAKEN, WAITING, MOST_SLOTS, MOST_SLOT = (HARDENED[name] for name in ("TAKEN", "WAITING", "MOST_SLOTS", "MOST_SLOT"))
LEDGER = ("used_bytes", "used_blocks", "free_bytes", "free_blocks")


class SlotBits(OneRecord):
    """Each slot's bit of either kind, set or not, beside any others of its word."""

    def __init__(self, path: Any) -> None:
        super().__init__(path, 1)
        self.number, self.kind, self.was = path.choose(MOST_SLOTS), (TAKEN, WAITING)[path.choose(2)], path.choose(2)
        self.bit = 1 << self.number % 32
        self.others = (0, (1 << 32) - 1 - self.bit)[path.choose(2)]
        self.word_at = self.record + self.kind + self.number // 32 * 2 * WORD
        self.m.put(self.word_at, self.others + self.bit * self.was, "bits")
        self.words = (self.m, self.record, self.kind, self.number)


def is_set(source: Any, path: Any) -> None:
    """Any bit."""
    b = SlotBits(path)
    path.claim("a_slots_bit_is_its_own", lambda: bool(source.spans.is_set(*b.words)) == bool(b.was) and only(b.m))


def bits_at(source: Any, path: Any) -> None:
    """Any bit."""
    b = SlotBits(path)
    path.claim("bits_lie_32_in_a_word", lambda: source.spans.bits_at(b.record, b.kind, b.number) == b.word_at
               and source.spans.bit_of(b.number) == b.bit)


def set_bit(source: Any, path: Any) -> None:
    """A bit that is not set."""
    b = SlotBits(path)
    if not b.was:
        source.spans.set_bit(*b.words)
    path.claim("a_bit_is_set_and_no_other", lambda: b.m.load(b.word_at) == b.others + b.bit and only(b.m, b.word_at))


def clear_bit(source: Any, path: Any) -> None:
    """A bit that is set."""
    b = SlotBits(path)
    if b.was:
        source.spans.clear_bit(*b.words)
    path.claim("a_bit_is_cleared_and_no_other", lambda: b.m.load(b.word_at) == b.others and only(b.m, b.word_at))


def is_used(source: Any, path: Any) -> None:
    """A slot that is taken or not, and waits or not."""
    r, taken, waits = OneRecord(path, 1), bool(path.choose(2)), bool(path.choose(2))
    with replaced(source.spans, is_set=lambda _, __, bits, ___: taken if bits == TAKEN else waits):
        used = source.spans.is_used(r.m, r.record, 7)
    path.claim("used_is_taken_and_not_waiting", lambda: bool(used) == (taken and not waits) and only(r.m))


def slot_at(source: Any, path: Any) -> None:
    """Any span, and each number."""
    r, number = OneRecord(path, 1), path.choose(MOST_SLOTS)
    slot = r.put("SLOT", 32, MOST_SLOT)
    path.claim("slots_lie_side_by_side", lambda: source.spans.slot_at(r.m, r.record, number) == r.base + number * slot
               and only(r.m))


def count_slot(source: Any, path: Any) -> None:
    """A slot that is used from here on, and one that is not."""
    r, used = OneRecord(path, 1), (1, -1)[path.choose(2)]
    slot = r.put("SLOT", 32, MOST_SLOT)
    words = {name: r.word(name, 1 << 17, 1 << 46) for name in LEDGER}
    source.hardened.count_slot(r.m, r.arena, r.record, used)
    changes = (used * slot, used, -used * slot, -used)
    path.claim("a_slot_is_used_or_free", lambda: only(r.m, *map(r.at, LEDGER)) and all(
        bool(r.m.load(r.at(name)) == words[name] + change) for name, change in zip(LEDGER, changes, strict=True)))


def count_span(source: Any, path: Any) -> None:
    """A span that comes, and one that goes."""
    r, sign, slots = Vaulted(path), (1, -1)[path.choose(2)], (1, 4, 255, 256)[path.choose(4)]
    slot, length = r.put("SLOT", 32, MOST_SLOT), r.put("LENGTH", PAGE, 1 << 19)
    r.m.put(r.record + HARDENED["SLOTS"], slots, "slots")
    names = ("held", "free_bytes", "free_blocks")
    words = [r.word(name, 1 << 25, 1 << 46) for name in names]
    with replaced(source.spans, **r.notes.answering(count_empty=0)):
        source.spans.count_span(r.m, r.arena, r.record, sign)
    changes = (sign * length, sign * slots * slot, sign * slots)
    now = [was + change for was, change in zip(words, changes, strict=True)]
    path.claim("a_span_is_held_and_free", lambda: only(r.m, *map(r.at, names)) and r.notes.are(
        ("count_empty", r.arena, r.record, sign)) and [
            bool(r.m.load(r.at(name)) == word) for name, word in zip(names, now, strict=True)] == [True] * 3)


class ListedSpan(Vaulted):
    """A span of a class, on a list."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.free, self.slots = self.put("SPAN_FREE", 0, 256), self.put("SLOTS", 1, 256)
        self.newer, self.older = (path.word(name, LOWEST, HIGHEST, ALIGN) for name in ("prev", "next"))
        self.m.put(self.record + NEXT, self.older, "next")
        self.m.put(self.record + PREV, self.newer, "prev")


def count_empty(source: Any, path: Any) -> None:
    """A span that is empty from here on, and one that is not."""
    v, sign = Vaulted(path), (1, -1)[path.choose(2)]
    length, empty = v.put("LENGTH", PAGE, 1 << 19), path.word("empty", 1 << 19, 1 << 46)
    word = v.of_vault("KEEP_EMPTY", empty)
    with replaced(source.spans, keep_of=lambda *_: v.vault):
        source.spans.count_empty(v.m, v.arena, v.record, sign)
    path.claim("empty_spans_are_counted_in_bytes", lambda: only(v.m, word) and v.m.load(word) == empty + sign * length)


def add_span(source: Any, path: Any) -> None:
    """A span, or none that the system gives."""
    v, made = Vaulted(path), path.choose(2)
    with replaced(source.spans, class_head=lambda *_: 48, **v.notes.answering(
            make_span=v.record * made, count_span=0, insert=0)):
        record = source.spans.add_span(v.m, v.arena, 5)
    path.claim("a_new_span_is_counted_and_listed", lambda: record == v.record * made and v.is_left() and v.notes.are(
        ("make_span", v.arena, 5), *[("count_span", v.arena, v.record, 1), ("insert", 48, v.record)] * made))
    path.claim("spans_are_made_under_the_vaults_lock", lambda: v.notes.held[0] == 1)


def span_with_room(source: Any, path: Any) -> None:
    """A list with a span, and an empty one."""
    v, listed, new = Vaulted(path), path.choose(2), or_null(path, "new")
    head = v.vault + 64
    v.m.put(head + NEXT, v.record if listed else head, "first")
    with replaced(source.spans, class_head=lambda *_: head, **v.notes.answering(open_list=0, add_span=new)):
        record = source.spans.span_with_room(v.m, v.arena, 5)
    path.claim("a_span_is_made_where_none_has_room", lambda: record == (v.record if listed else new) and v.is_left()
               and v.notes.are(("open_list", head), *[("add_span", v.arena, 5)] * (not listed)))


def make_span(source: Any, path: Any) -> None:
    """A vault or none, a record or none, pages or none, and a table that leads there or not."""
    v, has, made = Vaulted(path), path.choose(2), path.choose(2)
    mapped, led = bool(path.choose(2)), bool(path.choose(2))
    length = v.put("LENGTH", PAGE, 1 << 19)
    with replaced(source.spans, span_length=lambda _: 99, least_of_class=lambda n: n, **v.notes.answering(
            open_vault=v.vault * has, new_record=v.record * made, map_pages=mapped, write_span=0, enter_pages=led,
            abandon=0, give_up=0)):
        record = source.spans.make_span(v.m, v.arena, 5)
    done = bool(has and made and mapped and led)
    path.claim("a_refused_span_changes_nothing", lambda: record == (v.record if done else 0) and v.is_left()
               and [name for name, *_ in v.notes.done if name in ("abandon", "give_up")]
               == ["abandon"] * bool(has and made and mapped and not led)
               + ["give_up"] * bool(has and made and not mapped))
    path.claim("a_span_has_a_record_pages_and_the_table", lambda: not done or v.notes.are(
        ("open_vault",), ("new_record", v.vault), ("map_pages", v.record, 99, PAGE),
        ("write_span", v.arena, v.record, 5), ("enter_pages", v.base, length, v.record)))


def drop_span(source: Any, path: Any) -> None:
    """A span that the system takes or not."""
    s, taken = ListedSpan(path), bool(path.choose(2))
    length = s.put("LENGTH", PAGE, 1 << 19)
    with replaced(source.spans, **s.notes.answering(
            leave_pages=0, unmap_pages=taken, bypass=0, count_span=0, give_up=0, enter_pages=True)):
        told = source.spans.drop_span(s.m, s.arena, s.record)
    path.claim("a_dropped_span_is_unlisted_and_forgotten", lambda: bool(told) == taken and s.is_left() and s.notes.are(
        ("leave_pages", s.base, length), ("unmap_pages", s.record),
        *[("bypass", s.newer, s.older), ("count_span", s.arena, s.record, -1), ("give_up", s.vault, s.record)] * taken,
        *[("enter_pages", s.base, length, s.record)] * (not taken)))
    path.claim("spans_are_dropped_under_the_vaults_lock", lambda: set(s.notes.held) == {1})


def free_slot(source: Any, path: Any) -> None:
    """A slot of a span that is full, has some room, or is empty then."""
    s, index = ListedSpan(path), path.choose(2) * 87
    s.m.put(s.record + HARDENED["SPAN_CLASS"], index, "class")
    path.require(s.free, "<", s.slots)
    last = path.word("last", LOWEST, HIGHEST, ALIGN)
    s.m.put(s.vault + 64 + index + PREV, last, "last of the list")
    with replaced(source.spans, class_head=lambda _, n: s.vault + 64 + n, **s.notes.answering(
            clear_bit=0, insert=0, retain_span=0)):
        source.spans.free_slot(s.m, s.arena, s.record, 7)
    word = s.record + HARDENED["SPAN_FREE"]
    path.claim("a_freed_slot_gives_room", lambda: only(s.m, word) and s.m.load(word) == s.free + 1 and s.notes.are(
        ("clear_bit", s.record, TAKEN, 7), ("clear_bit", s.record, WAITING, 7),
        *[("insert", last, s.record)] * bool(s.free == 0),
        *[("retain_span", s.arena, s.record)] * bool(s.free + 1 == s.slots)))


def make_mapping(source: Any, path: Any) -> None:
    """A spare mapping or none, a record or none, pages or none, and a table that leads there or not."""
    v, made, mapped, led = Vaulted(path), path.choose(2), bool(path.choose(2)), bool(path.choose(2))
    spare = path.choose(2)
    length, alignment = path.word("length", PAGE, 1 << 40, PAGE), ALIGNMENTS[path.choose(3)]
    with replaced(source.hardened, **v.notes.answering(
            take_spare=v.record * spare, new_record=v.record * made, map_pages=mapped, enter=led, abandon=0,
            give_up=0)):
        record = source.hardened.make_mapping(v.m, v.vault, length, alignment)
    done = bool(made and mapped and led)
    words = v.record + HARDENED["KIND"], v.record + HARDENED["SPAN_OWNER"]
    took = ("take_spare", v.vault, length, alignment)
    if spare:
        path.claim("a_spare_mapping_is_used_first", lambda: record == v.record and v.notes.are(took) and only(
            v.m, words[0]) and v.m.load(words[0]) == MAPPING)
        return
    path.claim("a_mapping_has_a_record_pages_and_the_table", lambda: record == (v.record if done else 0)
               and only(v.m, *words) and v.notes.are(
                   took, ("new_record", v.vault), *[("map_pages", v.record, length, alignment)] * made,
                   *[("enter", v.base, v.record)] * bool(made and mapped),
                   *[("abandon", v.vault, v.record)] * bool(made and mapped and not led),
                   *[("give_up", v.vault, v.record)] * bool(made and not mapped)))
    path.claim("a_mapping_is_of_the_mapped_blocks", lambda: not done or bool(
        v.m.load(words[0]) == MAPPING and v.m.load(words[1]) == v.statics + STATICS["mappings"]))


def give_back(source: Any, path: Any) -> None:
    """A mapping that the system takes or not."""
    v, taken = Vaulted(path), bool(path.choose(2))
    with replaced(source.hardened, **v.notes.answering(unmap_pages=taken, enter=True, give_up=0)):
        source.hardened.give_back(v.m, v.vault, v.record)
    path.claim("what_the_system_takes_is_forgotten", lambda: v.is_left() and v.notes.are(
        ("unmap_pages", v.record), *[("enter", v.base, 0), ("give_up", v.vault, v.record)] * taken))


def close_mapping(source: Any, path: Any) -> None:
    """A mapping of any length, which the system closes or not; one that waited long enough, or none."""
    v, oldest = Vaulted(path), or_null(path, "oldest")
    length, mappings = v.put("LENGTH", PAGE, 1 << 30, PAGE), v.statics + STATICS["mappings"]
    start, total = v.pages("start", 1 << 40)
    for name, word in (("MAPPING_START", start), ("MAPPING_BYTES", total)):
        v.m.put(v.record + HARDENED[name], word, name)
    held = path.word("held", 1 << 30, 1 << 46)
    v.m.put(mappings + ARENA_RECORD["held"], held, "held")
    with replaced(source.hardened, **v.notes.answering(count_used=0, give_back=0, exchange_mapping=oldest, retire=0)):
        source.hardened.close_mapping(v.m, mappings, v.record)
    refused, gone = v.is_refused(), [("retire", v.vault, oldest)] * bool(oldest != 0)
    closing = [("protect", start, total)] * bool(v.m.calls[0].answer != -1)
    path.claim("a_freed_mapping_is_closed_and_waits", lambda: v.called(("purge", start, total), *closing) and only(
        v.m, mappings + ARENA_RECORD["held"], v.record + HARDENED["KIND"])
        and v.m.load(v.record + HARDENED["KIND"]) == HARDENED["FREED_MAPPING"] and v.notes.are(
            ("count_used", mappings, -length, -1), *[("give_back", v.vault, v.record)] * refused,
            *[("exchange_mapping", v.vault, v.record), *gone] * (not refused)))
    path.claim("a_freed_mapping_is_held_no_more", lambda: v.m.load(mappings + ARENA_RECORD["held"]) == held - length)


def stays(source: Any, path: Any) -> None:
    """A block of a span or with a mapping, and any request."""
    r, slot, may = OneRecord(path, 3), path.choose(2) * path.word("wanted", 32, MOST_SLOT), bool(path.choose(2))
    has, length = r.put("SLOT", 32, MOST_SLOT), r.put("LENGTH", 0, 1 << 46)
    request = path.word("request", 0, MAX_REQUEST)
    with replaced(source.hardened, slot_for=lambda *_: slot, may_map=lambda *words: may and bool(
            words[0] == length and words[1] == request)):
        told = source.hardened.stays(r.m, r.record, request)
    path.claim("what_would_be_as_large_stays", lambda: only(r.m) and bool(told) == (
        may and bool(slot == 0) if r.kind == MAPPING else bool(slot == has)))


def check_asked_hardened(source: Any, path: Any) -> None:
    """A block of a span or with a mapping, and any size and alignment that are stated."""
    r, slot, may = OneRecord(path, 3), path.word("wanted", 32, MOST_SLOT), bool(path.choose(2))
    has, request = r.put("SLOT", 32, MOST_SLOT), path.word("request")
    r.put("LENGTH", 0, 1 << 46)
    with replaced(source.hardened, own=r.owning, slot_for=lambda *_: slot, may_map=lambda *_: may):
        code = aborts(r.m, lambda: source.hardened.check_asked_hardened(r.m, r.p, request, ALIGN), r.p)
    legal = bool(request >= 0) and bool(request <= MAX_REQUEST)
    right = legal and (may if r.kind == MAPPING else bool(slot == has))
    path.claim("a_wrong_size_is_told_of_a_hardened_block", lambda: code == (0 if right else WRONG_SIZE)
               and r.is_left() and r.notes.are(("own", r.p)))


def verify_slot(source: Any, path: Any) -> None:
    """A slot that is taken or not, waits or not, with any canary, zero or not."""
    r, taken, waits, is_zero = OneRecord(path, 1), *(bool(path.choose(2)) for _ in range(3))
    slot, last = r.put("SLOT", 32, MOST_SLOT), path.word("last")
    r.reserve(r.p, 1 << 17)
    r.m.put(r.p + slot - WORD, last, "last word")
    with replaced(source.records, slot_at=lambda *_: r.p, is_set=lambda _, __, bits, ___: taken if bits == TAKEN
                  else waits, is_used=lambda *_: taken and not waits, canary=lambda *_: CANARY,
                  is_zero=lambda *_: is_zero):
        code = aborts(r.m, lambda: source.records.verify_slot(r.m, r.record, 7), r.p)
    whole = bool(last == CANARY) if taken and not waits else is_zero
    lost = HARDENED["OVERFLOW" if taken and not waits else "WRITE_AFTER_FREE"]
    path.claim("what_is_wrong_with_a_slot_is_told", lambda: code == (
        HARDENED["WAITING_SLOTS_ARE_TAKEN"] if waits and not taken else 0 if whole else lost))


def is_of(source: Any, path: Any) -> None:
    """A record of any kind, and its owner or another."""
    r, own = OneRecord(path), bool(path.choose(2))
    told = source.records.is_of(r.m, r.record, r.arena if own else r.statics)
    path.claim("records_of_a_kind_have_an_owner", lambda: bool(told) == (own and r.kind != 0) and only(r.m))


def block_bytes(source: Any, path: Any) -> None:
    """A record of a span or a mapping."""
    r = OneRecord(path, 3)
    length, slot = r.put("LENGTH", 0, 1 << 46), r.put("SLOT", 32, MOST_SLOT)
    path.claim("a_block_counts_for_its_slot_or_pages", lambda: only(r.m) and source.records.block_bytes(
        r.m, r.record) == (length if r.kind == MAPPING else slot))


def return_vault(source: Any, path: Any) -> None:
    """A vault or none, of which the system takes all, or some pieces not."""
    v, has, counts = Vaulted(path), path.choose(2), [path.word(name, 0, 1 << 20) for name in ("a", "b", "c")]
    word, taken = v.statics + STATICS["vault"], bool(path.choose(2))
    v.m.store(word, v.vault * has)
    with replaced(source.records, **v.notes.answering(
            unmap_records=counts[0], unmap_chunks=counts[1], unmap_tables=counts[2], unmap_guarded=taken)):
        kept = source.records.return_vault(v.m)
    path.claim("returning_the_vault_ends_it", lambda: v.m.load(word) == 0 and only(v.m, word))
    path.claim("what_stays_of_the_vault_is_counted", lambda: kept == (sum(counts) + (not taken) if has else 0)
               and v.notes.are(*[("unmap_records",), ("unmap_chunks", v.vault), ("unmap_tables", v.vault),
                                 ("unmap_guarded", v.vault, HARDENED["VAULT_BYTES"])] * has))


def may_map(source: Any, path: Any) -> None:
    """Any request, and a mapping that malloc makes for it, that realloc makes, or another."""
    r, request = OneRecord(path, 1), path.word("request", 0, MAX_REQUEST)
    most, length = (path.word(name, 0, 1 << 62) for name in ("most", "length"))
    least = source.hardened.pages_for(request)
    with replaced(source.hardened, pages_for=lambda n: least if n is request else most, grown=lambda n: n + 1):
        may = source.hardened.may_map(length, request)
    path.claim("pages_hold_their_request", lambda: least & PAGE - 1 == 0 and least >= request and least > 0
               and least - PAGE < (request if request != 0 else 1))
    path.claim("a_mapping_is_between_just_enough_and_grown", lambda: only(r.m)
               and bool(may) == (bool(least <= length) and bool(length <= most)))


def disown(source: Any, path: Any) -> None:
    """A record whose owner is locked."""
    r = OneRecord(path)
    r.m.lock(r.arena)
    source.hardened.disown(r.m, r.record)
    path.claim("a_block_is_disowned_by_unlocking_its_owner", r.is_left)


def usable_in(source: Any, path: Any) -> None:
    """A record of a span or a mapping."""
    r = OneRecord(path, 3)
    length, slot = r.put("LENGTH", 0, 1 << 46), r.put("SLOT", 32, MOST_SLOT)
    path.claim("a_canary_is_not_usable", lambda: only(r.m) and source.hardened.usable_in(r.m, r.record) == (
        length if r.kind == MAPPING else slot - WORD))


def pool_at(source: Any, path: Any) -> None:
    """Each group of slots that wait."""
    group, keep = path.choose(3), path.word("keep", LOWEST, HIGHEST, PAGE)
    start, length = source.quarantine.pool_at(keep, group), source.quarantine.pool_length(group)
    larger = source.quarantine.pool_at(keep, group - 1) if group else keep + PAGE
    path.claim("pools_and_rings_lie_apart", lambda: keep + HARDENED["KEEP_EMPTY"] < start
               and start + 2 * length * WORD <= larger and length & length - 1 == 0)


def expect(source: Any, path: Any) -> None:
    """What holds, and what does not."""
    r, holds = OneRecord(path), bool(path.choose(2))
    code = aborts(r.m, lambda: source.records.expect(r.m, holds, 50, r.p), r.p)
    path.claim("what_does_not_hold_is_told", lambda: code == (0 if holds else 50))


def _proof(of: str, body: Any, **more: str) -> Proof:
    return Proof(of, ANY_HEAP, body, more=more)


PROOFS = (
    _proof("spans.is_set", is_set, a_slots_bit_is_its_own="whatever the others of its word are; no word changes"),
    _proof("spans.bits_at", bits_at, bits_lie_32_in_a_word="in the record, those that are taken and those that wait"),
    _proof("spans.set_bit", set_bit, a_bit_is_set_and_no_other="no other word changes"),
    _proof("spans.clear_bit", clear_bit, a_bit_is_cleared_and_no_other="no other word changes"),
    _proof("spans.is_used", is_used, used_is_taken_and_not_waiting="no word changes"),
    _proof("spans.slot_at", slot_at, slots_lie_side_by_side="from the first page on"),
    _proof("hardened.count_slot", count_slot, a_slot_is_used_or_free="in bytes and blocks; no other word changes"),
    _proof("spans.count_span", count_span, a_span_is_held_and_free="in bytes and blocks; no other word changes"),
    _proof("spans.count_empty", count_empty, empty_spans_are_counted_in_bytes="no other word changes"),
    _proof("spans.add_span", add_span,
           a_new_span_is_counted_and_listed="NULL if the system refused it",
           spans_are_made_under_the_vaults_lock="which is released"),
    _proof("spans.span_with_room", span_with_room, a_span_is_made_where_none_has_room="else the first of the list"),
    Proof("spans.make_span", ANY_HEAP, make_span, {
        "a_refused_span_changes_nothing":
            "NULL only if the system refused, and then nothing has changed but what the vault has to spare, or holds "
            "because the system does not take it back"}, more={
        "a_span_has_a_record_pages_and_the_table": "in this order"}),
    _proof("spans.drop_span", drop_span,
           a_dropped_span_is_unlisted_and_forgotten="or the table leads to it as before, where the system refuses",
           spans_are_dropped_under_the_vaults_lock="which is released"),
    Proof("spans.free_slot", ANY_HEAP, free_slot, {
        "a_freed_slot_gives_room": "the span is on the list of its class, or the system's"}),
    _proof("hardened.make_mapping", make_mapping,
           a_mapping_has_a_record_pages_and_the_table="NULL, and nothing is left, if one of them was refused",
           a_mapping_is_of_the_mapped_blocks="its kind is a mapping's, its lock theirs",
           a_spare_mapping_is_used_first="which has its owner already"),
    _proof("hardened.give_back", give_back, what_the_system_takes_is_forgotten="what it refuses stays as it is"),
    _proof("hardened.close_mapping", close_mapping,
           a_freed_mapping_is_closed_and_waits="it goes back at once where it cannot be closed",
           a_freed_mapping_is_held_no_more="its bytes leave the ledger"),
    _proof("hardened.stays", stays, what_would_be_as_large_stays="a slot of the same size, a mapping that may be"),
    _proof("hardened.check_asked_hardened", check_asked_hardened,
           a_wrong_size_is_told_of_a_hardened_block="exactly where no such request is answered so"),
    _proof("hardened.may_map", may_map,
           pages_hold_their_request="whole pages, one at least, and none more",
           a_mapping_is_between_just_enough_and_grown="as malloc makes it, and realloc at most"),
    _proof("hardened.disown", disown, a_block_is_disowned_by_unlocking_its_owner="no word changes"),
    _proof("hardened.usable_in", usable_in, a_canary_is_not_usable="all of a mapping is"),
    _proof("quarantine.pool_at", pool_at, pools_and_rings_lie_apart="behind the keep's words, in powers of two"),
    _proof("records.expect", expect, what_does_not_hold_is_told="with the invariant; nothing else is"),
    _proof("records.verify_slot", verify_slot,
           what_is_wrong_with_a_slot_is_told="one that waits and is not taken, a canary, a word that is not zero"),
    _proof("records.is_of", is_of, records_of_a_kind_have_an_owner="no word changes"),
    _proof("records.block_bytes", block_bytes, a_block_counts_for_its_slot_or_pages="no word changes"),
    Proof("records.return_vault", ANY_HEAP, return_vault, {
        "returning_the_vault_ends_it": "there is no vault"}, more={
        "what_stays_of_the_vault_is_counted": "records' pages, chunks, tables, and the vault itself last"}),
)
