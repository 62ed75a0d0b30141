"""Spans, their slots, and the table of a hardened heap: what is proved of the small functions that they rest on.

Numbers of slots and bits are worked out by products and masks that differ with the class, so each class is one case.
"""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, Assumption, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.classes import least
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    MAX_REQUEST,
    PAGE,
    SPANS,
    STATICS,
    WORD,
    WRONG_SIZE,
    aborts,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.machine.symbolic import HIGHEST, LOWEST

CLASSES = 88                    # up to that of the largest slot
SLOT_SIZES = tuple(map(least, range(CLASSES)))
MOST_SLOT = SPANS["most_slot"]
LOW, HIGH = (1 << 16) + ALIGN, 1 << 48


def slot_for(source: Any, path: Any) -> None:
    """Each request, by the class that it should be answered; and all that are too large."""
    index = path.choose(CLASSES + 1)
    if index == CLASSES:
        request = path.word("request", MOST_SLOT - WORD + 1, MAX_REQUEST)
    else:
        request = path.word("request", least(index - 1) - WORD + 1 if index else 0, least(index) - WORD)
    slot = source.spans.slot_for(request, ALIGN)
    path.claim("slots_are_the_least_of_a_class", lambda: slot == (0 if index == CLASSES else least(index)))
    path.claim("a_slot_holds_a_canary_too", lambda: slot == 0 or request + WORD <= slot)


def slot_for_aligned(source: Any, path: Any) -> None:
    """Each request at each alignment beyond the usual, by the power of two that it needs."""
    alignment = 2 * ALIGN << path.choose(42)
    shift = path.choose(19)
    low, high = (0 if shift == 0 else (1 << shift - 1) - WORD + 1), (1 << shift) - WORD if shift > 3 else 0
    request = path.word("request", MOST_SLOT - WORD + 1, MAX_REQUEST) if shift == 18 else path.word(
        "request", max(low, 0), max(high, 0))
    slot = source.spans.slot_for(request, alignment)
    path.claim("an_aligned_slot_is_a_multiple", lambda: slot == 0 or slot & alignment - 1 == 0)
    path.claim("an_aligned_slot_is_the_least_of_a_class", lambda: slot == 0 or any(slot == each for each in SLOT_SIZES))
    path.claim("an_aligned_slot_holds_a_canary_too", lambda: slot == 0 or request + WORD <= slot)


def span_length(source: Any, path: Any) -> None:
    """Each class that has slots."""
    slot = SLOT_SIZES[path.choose(CLASSES)]
    length = source.spans.span_length(slot)
    path.claim("spans_are_whole_pages", lambda: length & PAGE - 1 == 0)
    path.claim("spans_have_room_for_some_slots", lambda: 4 * slot <= length < 256 * slot + PAGE)


def reciprocal(source: Any, path: Any) -> None:
    """Each class that has slots."""
    slot = SLOT_SIZES[path.choose(CLASSES)]
    result = source.spans.reciprocal(slot)
    path.claim("a_reciprocal_is_rounded_up", lambda: (result - 1) * slot < 1 << 35 <= result * slot)


def slot_number(source: Any, path: Any) -> None:
    """Each address in a span of each class, from how far it is behind the start of a slot."""
    w = Window(path)
    slot = SLOT_SIZES[path.choose(CLASSES)]
    length = source.spans.span_length(slot)
    slots = min(length // slot, 256)
    record, base = path.word("record", LOWEST, HIGHEST, ALIGN), path.word("base", LOWEST, HIGHEST, PAGE)
    for name, word in (("base", base), ("slot", slot), ("slots", slots), ("reciprocal", -(-(1 << 35) // slot))):
        w.m.put(record + SPANS[name], word, name)
    number = path.word("number", 0, length // slot)
    behind = path.word("behind", 0, slot - 1)
    path.require(number * slot + behind, "<", length)
    found = source.spans.slot_number(w.m, record, base + number * slot + behind)
    path.claim("a_slot_is_found_by_its_start_alone", lambda: found == (
        number if behind == 0 and number < slots else -1) and only(w.m))


def guard_bytes(source: Any, path: Any) -> None:
    """Each random number."""
    result = source.vault.guard_bytes(path.word("number", 0, (1 << 63) - 1))
    path.claim("guards_have_some_pages", lambda: result & PAGE - 1 == 0 and PAGE <= result <= 16 * PAGE)


def keep_of(source: Any, path: Any) -> None:
    """Each arena."""
    w = Window(path)
    index, vault = path.choose(64), path.word("vault", LOWEST, HIGHEST, PAGE)
    w.m.put(w.statics + STATICS["vault"], vault, "vault")
    keep = source.vault.keep_of(w.m, w.statics + STATICS["arenas"] + index * ARENA_BYTES)
    path.claim("keeps_are_pages", lambda: keep & PAGE - 1 == 0)
    path.claim("arenas_have_keeps_of_their_own", lambda: keep == vault + SPANS["keeps"] + index * PAGE)


def root_word(source: Any, path: Any) -> None:
    """Each address that a program can have."""
    vault, p = path.word("vault", LOWEST, HIGHEST, PAGE), path.word("p", 0, HIGH - 1)
    word = source.vault.root_word(vault, p)
    path.claim("roots_lie_in_the_root", lambda: vault + SPANS["root"] <= word and word + WORD <= vault + SPANS["keeps"])
    path.claim("roots_part_addresses", lambda: word == vault + SPANS["root"] + (p >> 35) * WORD)


def middle_word(source: Any, path: Any) -> None:
    """Each address that a program can have."""
    table, p = path.word("table", LOWEST, HIGHEST, PAGE), path.word("p", 0, HIGH - 1)
    word = source.vault.middle_word(table, p)
    path.claim("words_lie_in_their_tables", lambda: table <= word < table + 4096 * WORD and word & WORD - 1 == 0)


def leaf_word(source: Any, path: Any) -> None:
    """Each address that a program can have."""
    table, p = path.word("table", LOWEST, HIGHEST, PAGE), path.word("p", 0, HIGH - 1)
    word = source.vault.leaf_word(table, p)
    path.claim("words_lie_in_their_leaves", lambda: table <= word < table + 2048 * WORD and word & WORD - 1 == 0)


def get_hardened(source: Any, path: Any) -> None:
    """Each word as what is wished."""
    w, wished = Window(path), path.word("wished")
    w.m.put(w.statics + STATICS["hardened"], path.word("before", -1, 0), "hardened")
    source.settings.set_hardened(w.m, wished)
    found = source.settings.get_hardened(w.m)
    path.claim("a_heap_is_hardened_or_not", lambda: found == (0 if wished == 0 else -1)
               and only(w.m, w.statics + STATICS["hardened"]))


def record_at(source: Any, path: Any) -> None:
    """Any word as an address, and any tables."""
    w = Window(path)
    tables = [path.choose(2) * path.word(name, LOWEST, HIGHEST, PAGE) for name in ("vault", "middle", "leaf")]
    vault, middle, leaf = tables
    record, p = path.word("record", LOWEST, HIGHEST, ALIGN), path.word("p")
    w.m.put(w.statics + STATICS["vault"], vault, "vault")
    with replaced(source.vault, root_word=lambda *_: LOWEST, middle_word=lambda *_: LOWEST + WORD,
                  leaf_word=lambda *_: LOWEST + 2 * WORD):
        for place, word in enumerate((middle, leaf, record)):
            w.m.put(LOWEST + place * WORD, word, "a word of a table")
        found = source.vault.record_at(w.m, p)
    whole = all(bool(table != 0) for table in tables)
    path.claim("looking_in_the_table_writes_nothing", lambda: only(w.m))
    path.claim("the_table_answers_what_was_entered", lambda: found == (
        record if whole and p >= 0 and p < HIGH else 0))


def group_of(source: Any, path: Any) -> None:
    """Each size of slots."""
    slot = path.word("slot", 32, MOST_SLOT, ALIGN)
    group = source.quarantine.group_of(slot)
    path.claim("there_are_so_many_groups", lambda: 0 <= group < 3)
    path.claim("groups_are_intervals_of_sizes", lambda: group == (0 if slot <= 256 else 1 if slot <= 2048 else 2))


def may_have_header(source: Any, path: Any) -> None:
    """Any word, in a heap that is hardened, and in one that is not."""
    hardened, p = path.choose(2), path.word("p", (1 << 17) - (1 << 63))
    with replaced(source.malloc, get_hardened=lambda _: -hardened):
        answer = source.malloc.may_have_header(path.machine(), p)
    path.claim("headers_stand_before_payloads", lambda: not answer or (
        not hardened and p & ALIGN - 1 == 0 and LOW <= p < LOW + HIGH))


def stated_alignment(source: Any, path: Any) -> None:
    """Each power of two as an alignment, of each address that it divides."""
    m, shift = path.machine(), path.choose(47)
    answer = source.sized.stated_alignment(m, path.word("p", LOWEST, HIGHEST, max(ALIGN, 1 << shift)), 1 << shift)
    path.claim("a_stated_alignment_is_taken", lambda: answer == max(ALIGN, 1 << shift))
    path.claim("asking_for_the_alignment_writes_nothing", lambda: only(m))


def stated_wrongly(source: Any, path: Any) -> None:
    """What is no power of two, or does not divide the address."""
    m, wrong = path.machine(), (0, -8, 3, 48, 1 << 20)[path.choose(5)]
    p = path.word("p", LOWEST, HIGHEST, 1 << 20, ALIGN)
    code = aborts(m, lambda: source.sized.stated_alignment(m, p, wrong), p)
    path.claim("what_nobody_may_state_as_an_alignment_aborts", lambda: code == WRONG_SIZE)


PROOFS = (
    Proof("spans.slot_for", ALL_WORDS, slot_for, {
        "slots_are_the_least_of_a_class": "0 or the least size of a class, at most MOST_SLOT",
        "a_slot_holds_a_canary_too": "it holds the request and a canary",
    }),
    Proof("spans.slot_for", ALL_WORDS, slot_for_aligned, {
        "an_aligned_slot_is_a_multiple": "a multiple of alignment",
    }, more={
        "an_aligned_slot_is_the_least_of_a_class": "at other alignments too it is 0 or the least size of a class",
        "an_aligned_slot_holds_a_canary_too": "at other alignments too it holds the request and a canary",
    }, suffix="_aligned"),
    Proof("spans.span_length", ALL_WORDS, span_length, {
        "spans_are_whole_pages": "a multiple of PAGE",
        "spans_have_room_for_some_slots":
            "room for LEAST_SLOTS at least and MOST_SLOTS at most, but for a rest under a slot",
    }),
    Proof("spans.reciprocal", ALL_WORDS, reciprocal, {
        "a_reciprocal_is_rounded_up": "(result - 1) * slot < 1 << RECIPROCAL_SHIFT <= result * slot",
    }),
    Proof("spans.slot_number", ALL_WORDS, slot_number, more={
        "a_slot_is_found_by_its_start_alone": "the number of the slot that starts there, -1 for any other address",
    }),
    Proof("vault.guard_bytes", ALL_WORDS, guard_bytes, {
        "guards_have_some_pages": "a multiple of PAGE, one to GUARD_MASK + 1 of them",
    }),
    Proof("vault.keep_of", ALL_WORDS, keep_of, {
        "keeps_are_pages": "a multiple of PAGE",
        "arenas_have_keeps_of_their_own": "arenas have pages of their own",
    }),
    Proof("vault.root_word", ALL_WORDS, root_word, {
        "roots_lie_in_the_root": "it lies between ROOT and KEEPS",
        "roots_part_addresses": "addresses with other bits from ROOT_SHIFT on have others",
    }),
    Proof("vault.middle_word", ALL_WORDS, middle_word, more={
        "words_lie_in_their_tables": "the word of any address lies in the table",
    }),
    Proof("vault.leaf_word", ALL_WORDS, leaf_word, more={
        "words_lie_in_their_leaves": "the word of any address lies in the leaf",
    }),
    Proof("settings.get_hardened", ALL_WORDS, get_hardened, more={
        "a_heap_is_hardened_or_not": "-1 once another word than 0 was set, else 0; no other word changes",
    }),
    Proof("vault.record_at", ALL_WORDS, record_at, {
        "looking_in_the_table_writes_nothing": "no word changes",
    }, more={
        "the_table_answers_what_was_entered": "the record where all tables are there, NULL else and for no address",
    }),
    Proof("quarantine.group_of", ALL_WORDS, group_of, {
        "there_are_so_many_groups": "0 <= result < KEEP_GROUPS",
        "groups_are_intervals_of_sizes": "larger slots have no lesser",
    }),
    Proof("malloc.may_have_header", ALL_WORDS, may_have_header, {
        "headers_stand_before_payloads": "false if one of them does not hold",
    }),
    Proof("sized.stated_alignment", ALL_WORDS, stated_alignment, {
        "asking_for_the_alignment_writes_nothing": "no word changes",
    }, more={
        "a_stated_alignment_is_taken": "a power of two that divides the address is answered, ALIGN at least",
    }),
    Proof("sized.stated_alignment", ALL_WORDS, stated_wrongly, more={
        "what_nobody_may_state_as_an_alignment_aborts": "with the address, where it is no power of two that divides it",
    }, suffix="_where_it_is_wrong"),
)
WRAPS = "it is made of products that wrap, which words of proofs must not; tests look at many"
WALKED = "its parts are proved; tests of hardened heaps verify each record, slot and total after each call"
ASSUMED = tuple(Assumption(name, clause, reason, of, clause) for reason, rows in (
    (WRAPS, (
        ("mixed_numbers_are_not_negative", "randomness.mix", "0 <= result"),
        ("mixing_parts_numbers", "randomness.mix", "different numbers have different results"),
        ("drawn_numbers_are_not_negative", "randomness.draw", "0 <= result"),
        ("drawing_counts", "randomness.draw", "the word changes, and no other"),
        ("canaries_are_positive", "randomness.canary", "0 < result"),
        ("canaries_stop_no_string", "randomness.canary", "its least byte is not 0"),
        ("canaries_are_functions", "randomness.canary", "no word changes"))),
    (WALKED, (
        ("hardened_requests_fail_with_the_system", "hardened.place_hardened", "NULL only if the system refused"),)),
) for name, of, clause in rows)
