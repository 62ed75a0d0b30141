"""Mappings that are spare in a hardened heap: how they are chosen, opened again, kept and let go."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.hardened_parts import ALIGNMENTS, Vaulted
from heapster.checkers.proofs.layout_spec import HARDENED, PAGE, WORD, only
from heapster.checkers.proofs.notes import or_null
from heapster.machine.symbolic import HIGHEST, LOWEST

MOST_SPARE, MOST_SPARES, MOST_GUARDED = (HARDENED[name] for name in ("MOST_SPARE", "MOST_SPARES", "MOST_GUARDED"))
FEW = 3                                 # spare mappings that are walked past


class Spares(Vaulted):
    """A vault with some spare mappings, up to `most`, each of any bytes."""

    def __init__(self, path: Any, most: int) -> None:
        super().__init__(path)
        self.count = path.choose(most + 1)
        self.counted = self.of_vault("SPARES", self.count)
        self.places = [self.vault + HARDENED["SPARE_MAPPINGS"] + place * WORD for place in range(MOST_SPARES)]
        self.spares = [path.word(f"spare {place}", LOWEST, HIGHEST, 256) for place in range(self.count)]
        for place, record in zip(self.places, self.spares, strict=False):
            self.reserve(record, 256)
            self.m.put(place, record, "spare")


def margins(length: Any, alignment: int) -> Any:
    """What `vault.with_margins` is to answer."""
    return length + 2 * PAGE + (alignment if alignment > PAGE else 0)


def with_margins(source: Any, path: Any) -> None:
    """Pages of any length, at each kind of alignment."""
    length, alignment = path.word("length", PAGE, 1 << 40, PAGE), ALIGNMENTS[path.choose(3)]
    room = source.vault.with_margins(length, alignment)
    path.claim("margins_are_two_pages_and_the_alignment", lambda: room == margins(length, alignment))


def start_within(source: Any, path: Any) -> None:
    """What the system gave for a record, of any bytes that suffice; any random number, at each kind of alignment."""
    v, length, random = Vaulted(path), path.word("length", PAGE, 1 << 40, PAGE), path.word("random", 0)
    alignment, total = ALIGNMENTS[path.choose(3)], v.put("MAPPING_BYTES", PAGE, 1 << 41, PAGE)
    start = v.put("MAPPING_START", LOWEST, 1 << 46, PAGE)
    path.require(margins(length, alignment), "<=", total)
    base = source.vault.start_within(v.m, v.record, length, alignment, random)
    path.claim("looking_for_a_start_writes_nothing", lambda: only(v.m))
    path.claim("a_page_at_least_is_left_on_either_side", lambda: bool(
        base - start >= PAGE) and bool(base + length + PAGE <= start + total) and bool(
        base & max(alignment, PAGE) - 1 == 0))
    path.claim("sixteen_pages_at_most_are_left_before", lambda: bool(
        base - start <= 16 * PAGE + margins(0, alignment) - margins(0, PAGE)))


def reopen(source: Any, path: Any) -> None:
    """Pages where they were or elsewhere, a table that leads there or not, a system that opens them or not."""
    v, led, stays = Vaulted(path), bool(path.choose(2)), bool(path.choose(2))
    base = v.base if stays else path.word("place", LOWEST, HIGHEST, PAGE)
    if not stays:
        path.apart(base, PAGE, v.base, PAGE)
    length = path.word("length", PAGE, 1 << 24, PAGE)
    v.reserve(base, length)
    v.m.spans.pop()                     # nobody has them now
    with replaced(source.vault, **v.notes.answering(enter=led)):
        opened = source.vault.reopen(v.m, v.record, base, length)
    refused = led and v.is_refused()
    words = [v.record + HARDENED[name] for name in ("BASE", "LENGTH")]
    path.claim("what_is_opened_is_told_first", lambda: v.notes.are(
        ("enter", base, v.record), *[("enter", base if refused else v.base, 0)] * (led and not stays))
        and v.called(*[("unprotect", base, length)] * led))
    path.claim("opened_pages_are_zero", lambda: [bool(a == base and n == length) for a, n in v.m.zeroed] == (
        [True] * (led and not refused)))
    path.claim("refused_pages_stay_spare", lambda: bool(opened) == (led and not refused) and (
        only(v.m, *words) and v.m.load(words[0]) == base and v.m.load(words[1]) == length if opened else only(v.m)))


def least_spare(source: Any, path: Any) -> None:
    """Up to three spare mappings of any bytes, and any need."""
    s, need = Spares(path, FEW), path.word("need", PAGE, 1 << 41, PAGE)
    sizes = [path.word(f"bytes {place}", PAGE, MOST_SPARE, PAGE) for place in range(s.count)]
    for record, size in zip(s.spares, sizes, strict=True):
        s.m.put(record + HARDENED["MAPPING_BYTES"], size, "bytes")
    found = source.vault.least_spare(s.m, s.vault, need)
    enough = [bool(size >= need) for size in sizes]
    chosen = [bool(found == place) for place in s.places[:s.count]]
    path.claim("a_spare_is_found_where_one_suffices", lambda: only(s.m) and (
        sum(chosen) == 1 if any(enough) else bool(found == 0)))
    path.claim("none_that_suffices_is_smaller", lambda: not any(chosen) or enough[chosen.index(True)] and all(
        bool(sizes[chosen.index(True)] <= size) for size, suffices in zip(sizes, enough, strict=True) if suffices))


def take_spare(source: Any, path: Any) -> None:
    """One of up to three spare mappings or none, which the system opens or not, at each kind of alignment."""
    s, opened = Spares(path, FEW), bool(path.choose(2))
    length, alignment = path.word("length", PAGE, 1 << 24, PAGE), ALIGNMENTS[path.choose(3)]
    which = path.choose(s.count + 1)    # the last: none
    has = which < s.count
    found, chosen = (s.places[which], s.spares[which]) if has else (0, 0)
    with replaced(source.vault, **s.notes.answering(least_spare=found, draw=9, start_within=77, reopen=opened)):
        record = source.vault.take_spare(s.m, s.vault, length, alignment)
    need = margins(length, alignment)
    path.claim("a_spare_with_room_is_opened", lambda: record == (chosen if opened else 0)
               and s.notes.are(("least_spare", s.vault, need), *[
                   ("draw", s.vault + HARDENED["DRAWN"]), ("start_within", chosen, length, alignment, 9),
                   ("reopen", chosen, 77, length)] * has))
    left = [one for place, one in enumerate(s.spares) if place != which or not opened]
    path.claim("what_is_opened_is_spare_no_more", lambda: s.m.load(s.counted) == len(left) and only(
        s.m, s.counted, *s.places[:s.count]) and all(
            sum(bool(s.m.load(place) == one) for place in s.places[:len(left)]) == 1 for one in left))


def exchange_spare(source: Any, path: Any) -> None:
    """No spare mapping, some, or as many as there may be, pieces up to those with guards and beyond, any bytes."""
    v, pieces, number = Vaulted(path), path.word("pieces", 0, 1 << 20), path.choose(MOST_SPARES)
    held, count = v.put("MAPPING_BYTES", PAGE, 1 << 41, PAGE), (0, 1, MOST_SPARES - 1, MOST_SPARES)[path.choose(4)]
    counted, full = v.of_vault("SPARES", count), count == MOST_SPARES
    v.of_vault("PIECES", pieces)
    place = v.vault + HARDENED["SPARE_MAPPINGS"] + (number if full else count) * WORD
    other = path.word("other", LOWEST, HIGHEST, 256)
    if full:
        v.m.put(place, other, "other")
    with replaced(source.vault, **v.notes.answering(draw=number + 5 * MOST_SPARES)):
        found = source.vault.exchange_spare(v.m, v.vault, v.record)
    unfit = bool(held > MOST_SPARE) or bool(pieces > MOST_GUARDED)
    path.claim("what_may_not_be_spare_is_answered", lambda: not unfit or bool(found == v.record) and only(v.m))
    path.claim("the_spare_has_its_place", lambda: unfit or v.m.load(place) == v.record and only(v.m, place, counted)
               and v.m.load(counted) == (count if full else count + 1))
    path.claim("another_makes_room_at_random", lambda: unfit or bool(found == (other if full else 0)))


def retire(source: Any, path: Any) -> None:
    """One that goes back for the record, or none."""
    v, other = Vaulted(path), or_null(path, "other")
    with replaced(source.hardened, **v.notes.answering(exchange_spare=other, give_back=0)):
        source.hardened.retire(v.m, v.vault, v.record)
    path.claim("what_has_no_place_goes_back", lambda: only(v.m) and v.notes.are(
        ("exchange_spare", v.vault, v.record), *[("give_back", v.vault, other)] * bool(other != 0)))


def end_spares(source: Any, path: Any) -> None:
    """Up to three spare mappings."""
    s = Spares(path, FEW)
    source.spare.end_spares(s.m, s.vault)
    path.claim("words_behind_the_spares_lead_nowhere", lambda: s.m.load(s.counted) == 0 and only(
        s.m, s.counted, *s.places[s.count:]) and all(bool(s.m.load(place) == 0) for place in s.places[s.count:])
        and all(bool(s.m.load(place) == one) for place, one in zip(s.places, s.spares, strict=False)))


def _proof(of: str, body: Any, **more: str) -> Proof:
    return Proof(of, ANY_HEAP, body, more=more)


PROOFS = (
    _proof("vault.with_margins", with_margins, margins_are_two_pages_and_the_alignment="beyond a page"),
    _proof("vault.start_within", start_within,
           looking_for_a_start_writes_nothing="no word changes",
           a_page_at_least_is_left_on_either_side="at a multiple of the alignment",
           sixteen_pages_at_most_are_left_before="but for what the alignment takes"),
    Proof("vault.reopen", ANY_HEAP, reopen, {
        "opened_pages_are_zero": "the pages are zero",
        "refused_pages_stay_spare": "false only if the system refused, and then it is spare as before"}, more={
        "what_is_opened_is_told_first": "the table leads where it led before, where the system refuses"}),
    _proof("vault.least_spare", least_spare,
           a_spare_is_found_where_one_suffices="else NULL; no word changes",
           none_that_suffices_is_smaller="the least of them is chosen"),
    Proof("vault.take_spare", ANY_HEAP, take_spare, {
        "what_is_opened_is_spare_no_more": "it is not spare any more",
        "a_spare_with_room_is_opened": "NULL if there is none, or the system refused"}),
    Proof("vault.exchange_spare", ANY_HEAP, exchange_spare, {
        "another_makes_room_at_random": "NULL if there was a place"}, more={
        "what_may_not_be_spare_is_answered": "and nothing changes",
        "the_spare_has_its_place": "and is counted"}),
    _proof("hardened.retire", retire, what_has_no_place_goes_back="itself, or another"),
    _proof("spare.end_spares", end_spares, words_behind_the_spares_lead_nowhere="the others to those that were"),
)
