"""Words of a hardened heap that are written or read many at a time: of spans, slots and the table; and lengths."""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.classes import least
from heapster.checkers.proofs.hardened_parts import Vaulted
from heapster.checkers.proofs.layout_spec import HARDENED, MAX_REQUEST, PAGE, WORD, only
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.placement import Over
from heapster.machine.symbolic import HIGHEST, LOWEST

RECORD, CLASSES = HARDENED["RECORD_BYTES"], 88      # classes of slots
FEW_WORDS, FEW_CLASSES = "up to 20 words, one of them not 0", "spans of some numbers of slots"
LENGTHS = (0, 1, 7, 8, 9, 15, 16, 17, 20)       # in words
SLOTS = (4, 31, 32, 33, 64, 65, 255, 256)


def write_slots(source: Any, path: Any) -> None:
    """Spans of each kind of number of slots."""
    v, slots = Vaulted(path), SLOTS[path.choose(len(SLOTS))]
    words = {}
    for word in range(8):
        exist = min(max(slots - 32 * word, 0), 32)
        for place, bits in (("TAKEN", (1 << 32) - (1 << exist)), ("WAITING", 0)):
            words[v.record + HARDENED[place] + word * 2 * WORD] = bits
    for word in words:
        v.m.put(word, path.word("before"), "bits")
    source.spans.write_slots(v.m, v.record, slots)
    path.claim("slots_that_do_not_exist_are_taken", lambda: only(v.m, *words) and all(
        bool(v.m.load(word) == bits) for word, bits in words.items()))


def write_span(source: Any, path: Any) -> None:
    """Each class; what is told of the span last is that it is one."""
    v, index = Vaulted(path), path.choose(CLASSES)
    slot = least(index)
    length = source.spans.span_length(slot)
    inverse, told = -(-(1 << 35) // slot), list[list[bool]]()
    slots = min(length // slot, HARDENED["MOST_SLOTS"])
    v.m.put(v.record + HARDENED["LENGTH"], length, "length")
    owner = v.m.find(v.record + HARDENED["SPAN_OWNER"])
    owner.was = owner.now = path.word("owner before")
    words = {"SPAN_OWNER": v.arena, "SPAN_CLASS": index, "SLOT": slot, "RECIPROCAL": inverse, "SLOTS": slots,
             "SPAN_FREE": slots, "CHOSEN": HARDENED["NONE_CHOSEN"]}
    for name in words.keys() - {"SPAN_OWNER"}:
        v.m.put(v.record + HARDENED[name], path.word(name), name)

    def release(place: Any, word: Any) -> None:
        """See `Machine.store_release`."""
        told.append([bool(v.m.load(v.record + HARDENED[name]) == each) for name, each in words.items()])
        v.m.store(place, word)

    v.m.store_release = release
    with replaced(source.spans, reciprocal=lambda n: inverse if n == slot else 0, **v.notes.answering(write_slots=0)):
        source.spans.write_span(v.m, v.arena, v.record, index)
    path.claim("a_new_span_is_whole_before_it_is_one", lambda: told == [[True] * len(words)] and v.notes.are(
        ("write_slots", v.record, slots)))
    path.claim("a_new_span_changes_its_record_alone", lambda: v.m.load(v.record + HARDENED["KIND"]) == 1
               and only(v.m, *(v.record + HARDENED[name] for name in ("KIND", *words))))


def is_zero(source: Any, path: Any) -> None:
    """Bytes of some lengths, all of them zero, or one word not; before and behind them nothing is."""
    m, length = path.machine(), LENGTHS[path.choose(len(LENGTHS))]
    start, place = path.word("start", LOWEST + PAGE, HIGHEST, WORD), path.choose(length + 1)
    for at in range(-8, length + 8):
        m.put(start + at * WORD, int(not 0 <= at < length or at == place) << (at & 62), "word")
    zero = source.spans.is_zero(m, start, length * WORD)
    path.claim("bytes_are_zero_if_each_word_is", lambda: bool(zero) == (place == length) and only(m))


# The table, and lengths.

class EnteredPages:
    """The loop over pages, cut: any is next, or none."""

    def __init__(self, path: Any, names: tuple[str, str], record: Any) -> None:
        self.path, self.v, self.names = path, Vaulted(path), names
        self.start, self.length = self.v.pages("start", 1 << 40)
        self.at = self.start + path.word("done", 0, 1 << 40, PAGE)
        self.path.require(self.at, "<=", self.start + self.length)
        self.told, self.record = bool(path.choose(2)), record
        self.ends = bool(self.at == self.start + self.length)

    def enter(self, at: Any) -> list[Any]:
        """It begins with the first page."""
        self.path.claim(self.names[0], lambda: at == self.start)
        return [self.at]

    def again(self, at: Any) -> None:
        """The table was told of it, and the next is next."""
        self.path.claim(self.names[1], lambda: at == self.at + PAGE and only(self.v.m) and self.v.notes.are(
            ("enter", self.at, self.record)))
        raise Over


def enter_pages(source: Any, path: Any) -> None:
    """Any pages, one at a time, until the system refuses, or to the last."""
    record = path.word("told", LOWEST, HIGHEST, RECORD)
    s = EnteredPages(path, ("pages_are_entered_from_the_first", "each_page_is_entered"), record)
    try:
        with replaced(source.vault, **s.v.notes.answering(enter=s.told, leave_pages=0)):
            done = cut(source.vault.enter_pages, s)(s.v.m, s.start, s.length, record)
    except Over:
        return
    path.claim("pages_are_entered_all_or_none", lambda: bool(done) == s.ends and only(s.v.m) and s.v.notes.are(*(
        [] if s.ends else [("enter", s.at, record), ("leave_pages", s.start, s.at - s.start)])))


def leave_pages(source: Any, path: Any) -> None:
    """Any pages, one at a time."""
    s = EnteredPages(path, ("pages_are_left_from_the_first", "each_page_is_left"), 0)
    try:
        with replaced(source.vault, **s.v.notes.answering(enter=s.told)):
            cut(source.vault.leave_pages, s)(s.v.m, s.start, s.length)
    except Over:
        return
    path.claim("leaving_ends_with_the_last_page", lambda: s.ends and only(s.v.m) and not s.v.notes.done)


def vault_of(source: Any, path: Any) -> None:
    """Any word."""
    v = Vaulted(path)
    path.claim("the_vault_stands_in_the_statics", lambda: source.vault.vault_of(v.m) == v.vault and only(v.m))


def grown(source: Any, path: Any) -> None:
    """Each request."""
    request = path.word("request", 0, MAX_REQUEST)
    more = source.hardened.grown(request) - request
    path.claim("what_grows_has_an_eighth_more", lambda: more * 8 <= request < more * 8 + 8)


def pages_for(source: Any, path: Any) -> None:
    """Each request."""
    request = path.word("request", 0, MAX_REQUEST)
    pages = source.hardened.pages_for(request)
    path.claim("a_request_has_pages_enough", lambda: pages & PAGE - 1 == 0 and pages > 0 and pages >= request
               and pages - PAGE < (1 if request == 0 else request))


def pool_length(source: Any, path: Any) -> None:
    """Each group of slots that wait."""
    group = path.choose(3)
    path.claim("pools_of_larger_slots_are_shorter", lambda: source.quarantine.pool_length(group) == 128 >> 2 * group)


def bit_of(source: Any, path: Any) -> None:
    """Each slot."""
    number = path.choose(HARDENED["MOST_SLOTS"])
    path.claim("a_slot_has_a_bit_of_its_word", lambda: source.spans.bit_of(number) == 1 << number % 32)


def _proof(of: str, body: Any, bound: str = ANY_HEAP, **more: str) -> Proof:
    return Proof(of, bound, body, more=more)


PROOFS = (
    _proof("spans.write_slots", write_slots, FEW_CLASSES,
           slots_that_do_not_exist_are_taken="no other is, and none waits; no other word changes"),
    _proof("spans.write_span", write_span,
           a_new_span_is_whole_before_it_is_one="its class, sizes and counts are written before its kind",
           a_new_span_changes_its_record_alone="no other word changes"),
    _proof("spans.is_zero", is_zero, FEW_WORDS,
           bytes_are_zero_if_each_word_is="each is looked at, and none beside; no word changes"),
    _proof("vault.enter_pages", enter_pages,
           pages_are_entered_from_the_first="it begins with the first",
           each_page_is_entered="each turn enters a page, and goes on",
           pages_are_entered_all_or_none="those before one that is refused are left again"),
    _proof("vault.leave_pages", leave_pages,
           pages_are_left_from_the_first="it begins with the first",
           each_page_is_left="each turn leaves a page, and goes on",
           leaving_ends_with_the_last_page="no word changes but the table's"),
    _proof("vault.vault_of", vault_of, the_vault_stands_in_the_statics="no word changes"),
    Proof("hardened.grown", ALL_WORDS, grown, more={"what_grows_has_an_eighth_more": "rounded down"}),
    Proof("hardened.pages_for", ALL_WORDS, pages_for, more={
        "a_request_has_pages_enough": "whole pages, one at least, and none more"}),
    Proof("quarantine.pool_length", ALL_WORDS, pool_length, more={
        "pools_of_larger_slots_are_shorter": "each a quarter of the one before"}),
    Proof("spans.bit_of", ALL_WORDS, bit_of, more={"a_slot_has_a_bit_of_its_word": "of 32"}),
)
