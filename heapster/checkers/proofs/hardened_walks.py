"""Walks over the slots of a hardened span: which is the next that is free, and what becomes of empty spans."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.hardened_calls import OneRecord
from heapster.checkers.proofs.hardened_parts import Vaulted
from heapster.checkers.proofs.layout_spec import ARENA_RECORD, HARDENED, NEXT, PREV, WORD, a_block, only
from heapster.machine.symbolic import HIGHEST, LOWEST

TAKEN, SPAN_WORDS, BITS, ALL = HARDENED["TAKEN"], 8, 32, HARDENED["ALL_SLOTS"]
PLACES = (0, 13)                        # of a slot in its word, from where on one is looked for
FOUND = (0, 12, 31)                     # and of the one that is free; `lowest_bit` has a theorem of each


class TakenBits(OneRecord):
    """A span with a word in which slots are free from a place on, full ones before it, and any others."""

    def __init__(self, path: Any) -> None:
        super().__init__(path, 1)
        self.start, self.passed = path.choose(SPAN_WORDS), path.choose(SPAN_WORDS + 1)
        self.place = PLACES[path.choose(len(PLACES))]
        self.found = FOUND[path.choose(len(FOUND))]
        self.taken = [self.record + TAKEN + word * 2 * WORD for word in range(SPAN_WORDS)]

    def fill(self) -> bool:
        """Let the first free slot be `found`, so many words on; whether that can be."""
        before = (1 << self.place) - 1
        if not self.passed and self.found < self.place or self.passed == SPAN_WORDS and self.found >= self.place:
            return False
        low = (1 << self.found) - 1     # taken: all below the one that is found, where they are looked at
        for step in range(1 if self.passed == SPAN_WORDS else self.passed + 1):
            self._put((self.start + step) % SPAN_WORDS, step, before, low)
        if self.passed == SPAN_WORDS:
            for step in range(1, SPAN_WORDS):
                self.m.put(self.taken[(self.start + step) % SPAN_WORDS], ALL, "full")
        return True

    def _put(self, word: int, step: int, before: int, low: int) -> None:
        above = ALL - low - (1 << self.found)
        if self.passed == SPAN_WORDS:   # round the end: all from the place on, and those below the one that is found
            bits = low | ALL - before
        elif step < self.passed:
            bits = ALL - before if step == 0 else ALL
        else:
            bits = low & (ALL - before) if step == 0 else low
        free = above if step == self.passed and self.path.choose(2) else 0
        self.m.put(self.taken[word], bits | free, "bits")


def nearest_free(source: Any, path: Any) -> None:
    """From each word, the words between full: the next that is free lies in any, with the slots above free or not."""
    b = TakenBits(path)
    if not b.fill():
        return
    word = (b.start + b.passed) % SPAN_WORDS
    number = source.spans.nearest_free(b.m, b.record, b.start * BITS + b.place)
    path.claim("the_nearest_free_is_free", lambda: number == word * BITS + b.found)
    path.claim("looking_for_a_slot_writes_nothing", lambda: only(b.m))


def random_slot(source: Any, path: Any) -> None:
    """Spans of some numbers of slots, and any random number."""
    r, random, slots = OneRecord(path, 1), path.word("random", 0), (1, 4, 5, 255, 256)[path.choose(5)]
    r.m.put(r.record + HARDENED["SLOTS"], slots, "slots")
    with replaced(source.spans, **r.notes.answering(nearest_free=7)):
        number = source.spans.random_slot(r.m, r.record, random)
    first = r.notes.done[0][2]
    path.claim("each_slot_may_be_looked_for_first", lambda: number == 7 and only(r.m) and r.notes.are(
        ("nearest_free", r.record, first)) and bool(first >= 0) and bool(first < slots))


def retain_span(source: Any, path: Any) -> None:
    """An empty span that is alone on its list or not, of an arena with enough others or not, that goes or not."""
    v, alone, gone = Vaulted(path), bool(path.choose(2)), bool(path.choose(2))
    keep, empty, last = path.word("keep", LOWEST, HIGHEST), path.word("empty", 0, 1 << 40), a_block(path, "last")
    index, before = path.choose(88), a_block(path, "before")
    after = before if alone else a_block(path, "after")
    if not alone:
        path.apart(before, 1, after, 1)
    v.m.put(v.record + HARDENED["SPAN_CLASS"], index, "class")
    v.m.put(v.record + NEXT, after, "next")
    v.m.put(v.record + PREV, before, "prev")
    v.m.put(keep + HARDENED["KEEP_EMPTY"], empty, "empty")
    head = v.arena + ARENA_RECORD["classes"] + index * 2 * WORD - NEXT
    v.m.put(head + PREV, last, "last")
    with replaced(source.spans, keep_of=lambda *_: keep, **v.notes.answering(
            count_empty=0, drop_span=gone, bypass=0, insert=0)):
        source.spans.retain_span(v.m, v.arena, v.record)
    many = not alone and bool(empty > HARDENED["MOST_EMPTY"])
    path.claim("an_empty_span_goes_last_or_back", lambda: only(v.m) and v.notes.are(
        ("count_empty", v.arena, v.record, 1), *[("drop_span", v.arena, v.record)] * many,
        *[("bypass", before, after), ("insert", last, v.record)] * (not alone and not (many and gone))))


PROOFS = (
    Proof("spans.nearest_free", ANY_HEAP, nearest_free, {
        "the_nearest_free_is_free": "it is not taken",
        "looking_for_a_slot_writes_nothing": "no word changes"}),
    Proof("spans.random_slot", ANY_HEAP, random_slot, more={
        "each_slot_may_be_looked_for_first": "by its number, and no other; no word changes"}),
    Proof("spans.retain_span", ANY_HEAP, retain_span, more={
        "an_empty_span_goes_last_or_back": "it stays where it is the only one with room"}),
)
