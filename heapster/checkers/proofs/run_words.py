"""Where runs have their words, and what a word of the table says: the arithmetic of `impl/runs.py`.

Products with a reciprocal differ with the size of a slot, so each class is one case; places and numbers of runs, and
owners, are any.
"""

from functools import partial
from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, Proof
from heapster.checkers.proofs.classes import least
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    HARDENED,
    LAYOUT,
    MAX_ARENAS,
    MAX_WORD,
    PAGE,
    RUNS,
    STATICS,
    WORD,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.notes import Notes
from heapster.machine.symbolic import HIGHEST, LOWEST

RUN, RECORD, INVERSE = RUNS["RUN_BYTES"], 1 << RUNS["RUN_RECORD_SHIFT"], RUNS["INVERSE_SHIFT"]
RESERVATION = 1 << RUNS["RESERVE_SHIFT"]
SLOT_SIZES = tuple(size for size in map(least, range(64)) if size <= RUNS["MOST_RUN_SLOT"])
CLASSES = len(SLOT_SIZES)


def inverse(size: int) -> int:
    """1 << 32, divided by the size, rounded up."""
    return -(-(1 << INVERSE) // size)


class Reservation(Window):
    """An arena, and a reservation anywhere: its table, its records, its places, its own words and its runs."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.notes = Notes()
        self.base = path.word("base", LOWEST, HIGHEST - RESERVATION, RUN)
        self.m.put(self.statics + RUNS["RUNS_AT"], self.base - RUNS["FAR"], "the reservation")
        path.apart(self.base, RESERVATION, self.statics, self.m.spans[0][1])
        places = 0, RUNS["RUN_RECORDS"], RUNS["RUN_PLACES"], RUNS["RUN_POOL"], RUNS["FIRST_RUN"] * RUN
        ends = *places[1:4], RUNS["RUN_POOL"] + PAGE, RESERVATION
        self.m.spans += [(self.base + start, end - start) for start, end in zip(places, ends, strict=True)]

    def a_run(self, name: str = "run") -> Any:
        """The number of some run."""
        return self.path.word(name, RUNS["FIRST_RUN"], RUNS["RUN_COUNT"] - 1)

    def record_of(self, number: Any) -> Any:
        """Where the run of that number has its record."""
        return self.base + RUNS["RUN_RECORDS"] + number * RECORD

    def entry_of(self, number: Any) -> Any:
        """Where the table has the word of the run of that number."""
        return self.base + number * WORD

    def start_of(self, number: Any) -> Any:
        """Where the run of that number begins."""
        return self.base + number * RUN

    def own(self, name: str, low: int = 0, high: int = MAX_WORD >> 1) -> Any:
        """Put an unknown word of the reservation."""
        word = self.path.word(name, low, high)
        self.m.put(self.base + RUNS[name], word, name)
        return word

    def word_of(self, index: int) -> Any:
        """What the table has of a run of the arena, with slots of that class."""
        return (index + 1) * ALIGN + (self.index << RUNS["PLACES_SHIFT"]) + (inverse(SLOT_SIZES[index]) << INVERSE)

    def place_of(self, index: int) -> Any:
        """Where the reservation has what runs of that class the arena has."""
        return self.base + RUNS["RUN_PLACES"] + self.index * (1 << RUNS["PLACES_SHIFT"]) + (index + 1) * ALIGN

    @property
    def mappings_lock(self) -> Any:
        """The lock under which runs come and go."""
        return self.statics + STATICS["mappings"]

    def is_left(self) -> bool:
        """Whether no word changed but by whom was asked, and no lock is held."""
        return not self.m.held and only(self.m)


def drawing(source: Any, path: Any) -> None:
    """Each constant is the number in the drawing."""
    m = path.machine()
    for place, (name, value) in enumerate(RUNS.items()):
        constant = getattr(source.run_layout, name, -1)
        path.claim("the_layout_of_runs_is_as_drawn", partial(bool, constant == value))
        m.put(LOWEST + WORD * place, constant, name)


def reservation(source: Any, path: Any) -> None:
    """A reservation anywhere, or none."""
    r, there = Reservation(path), path.choose(2)
    if not there:
        cell = r.m.find(r.statics + RUNS["RUNS_AT"])
        cell.was = cell.now = 0
    found = source.runs.reservation(r.m)
    path.claim("a_reservation_is_where_it_is_noted", lambda: found == (r.base if there else RUNS["FAR"]) and only(r.m))


def lies_in(source: Any, path: Any) -> None:
    """A reservation anywhere, and each word but the least: those no pointer arithmetic may reach."""
    r, p = Reservation(path), path.word("p", (1 << 48) - (1 << 63))
    answer = bool(source.runs.lies_in(r.base, p))
    path.claim("what_lies_in_a_reservation_is_told", lambda: answer == (bool(p >= r.base)
               and bool(p < r.base + RESERVATION)))


def is_reserved(source: Any, path: Any) -> None:
    """Each word that is an address and each that is none, but the least: those no pointer arithmetic may reach."""
    r, there = Reservation(path), path.choose(2)
    if not there:
        cell = r.m.find(r.statics + RUNS["RUNS_AT"])
        cell.was = cell.now = 0
    p = path.word("p", (1 << 48) - (1 << 63))
    answer = bool(source.runs.is_reserved(r.m, p))
    lies_there = bool(p >= r.base) and bool(p < r.base + RESERVATION)
    path.claim("what_lies_in_the_reservation_is_known", lambda: only(r.m) and (
        answer == lies_there if there else not answer or p >= RUNS["FAR"]))


def entry_in(source: Any, path: Any) -> None:
    """Any address of any run."""
    r = Reservation(path)
    number, within = r.a_run(), path.word("within", 0, RUN - 1)
    found = source.runs.entry_in(r.base, r.start_of(number) + within)
    path.claim("the_table_has_a_word_for_each_run", lambda: found == r.entry_of(number))


def entry_of(source: Any, path: Any) -> None:
    """Any address of any run."""
    r = Reservation(path)
    number, within = r.a_run(), path.word("within", 0, RUN - 1)
    found = source.runs.entry_of(r.m, r.start_of(number) + within)
    path.claim("each_run_has_a_word_of_the_table", lambda: found == r.entry_of(number) and only(r.m))


def run_word(source: Any, path: Any) -> None:
    """Any address of any run."""
    r = Reservation(path)
    number, within, word = r.a_run(), path.word("within", 0, RUN - 1), path.word("word", 0)
    r.m.put(r.entry_of(number), word, "word of the run")
    found = source.runs.run_word(r.m, r.start_of(number) + within)
    path.claim("what_a_run_has_stands_in_the_table", lambda: found == word and only(r.m))


def record_of(source: Any, path: Any) -> None:
    """Any address of any run."""
    r = Reservation(path)
    number, within = r.a_run(), path.word("within", 0, RUN - 1)
    found = source.runs.record_of(r.m, r.start_of(number) + within)
    path.claim("each_run_has_a_record_of_its_own", lambda: found == r.record_of(number) and only(r.m))


def run_of(source: Any, path: Any) -> None:
    """Any run."""
    r = Reservation(path)
    number = r.a_run()
    found = source.runs.run_of(r.m, r.record_of(number))
    path.claim("a_record_leads_back_to_its_run", lambda: found == r.start_of(number) and only(r.m))


def begins_slot(source: Any, path: Any) -> None:
    """Each class, any address of any run of it; and of a run that nobody has."""
    index, start = path.choose(CLASSES + 1), path.word("start", LOWEST, HIGHEST - RUN, RUN)
    size = SLOT_SIZES[index] if index < CLASSES else RUN
    inside = bool(path.choose(2))
    whole, more = path.word("whole", 0, RUN // size), path.word("more", 1, size - 1) if inside else 0
    distance = whole * size + more              # from the end of the run
    path.require(0, "<", distance)
    path.require(distance, "<=", RUN)
    low = path.word("class and owner", 0, (1 << INVERSE) - 1)
    word = 0 if index == CLASSES else low + (inverse(size) << INVERSE)
    begins = bool(source.runs.begins_slot(word, start + RUN - distance))
    path.claim("slots_begin_at_multiples_of_their_size", lambda: index == CLASSES or begins != inside)
    path.claim("where_nobody_has_a_run_no_slot_begins", lambda: index < CLASSES or not begins)


def size_of_slot(source: Any, path: Any) -> None:
    """Each class, whoever owns the run."""
    r, index = Reservation(path), path.choose(CLASSES)
    path.claim("a_runs_word_says_its_slots_size", lambda: source.runs.size_of_slot(r.word_of(index))
               == SLOT_SIZES[index])


def slots_in(source: Any, path: Any) -> None:
    """Each class, whoever owns the run."""
    r, index = Reservation(path), path.choose(CLASSES)
    path.claim("a_run_has_as_many_slots_as_there_is_room_for", lambda: source.runs.slots_in(r.word_of(index))
               == RUN // SLOT_SIZES[index])


def owner_of_slot(source: Any, path: Any) -> None:
    """Each class, whoever owns the run."""
    r, index = Reservation(path), path.choose(CLASSES)
    path.claim("a_runs_word_says_its_owner", lambda: source.runs.owner_of_slot(r.m, r.word_of(index)) == r.arena
               and only(r.m))


def place_of(source: Any, path: Any) -> None:
    """Each class, whoever owns the run."""
    r, index = Reservation(path), path.choose(CLASSES)
    found = source.runs.place_of(r.m, r.word_of(index))
    path.claim("each_class_of_each_arena_has_a_place", lambda: found == r.place_of(index) and only(r.m))
    path.claim("places_end_where_the_reservations_words_begin", lambda: found >= r.base + RUNS["RUN_PLACES"]
               and found + ALIGN <= r.base + RUNS["RUN_POOL"])


def inverse_of(source: Any, path: Any) -> None:
    """Each class."""
    size = SLOT_SIZES[path.choose(CLASSES)]
    found = source.runs.inverse_of(size)
    path.claim("a_slots_reciprocal_is_rounded_up", lambda: (found - 1) * size < 1 << INVERSE <= found * size)


def low_word_for(source: Any, path: Any) -> None:
    """Each class and each arena."""
    r, index = Reservation(path), path.choose(CLASSES)
    found = source.runs.low_word_for(r.m, r.arena, index)
    path.claim("a_class_and_an_arena_are_the_lower_half_of_a_runs_word", lambda: found == r.word_of(index)
               - (inverse(SLOT_SIZES[index]) << INVERSE) and only(r.m))


def word_for(source: Any, path: Any) -> None:
    """Each class and each arena."""
    r, index = Reservation(path), path.choose(CLASSES)
    found = source.runs.word_for(r.m, r.arena, index)
    path.claim("a_runs_word_has_its_class_its_owner_and_its_reciprocal", lambda: found == r.word_of(index)
               and only(r.m))


assert LAYOUT["ARENA_BYTES"] == ARENA_BYTES
assert LAYOUT["MAX_ARENAS"] == MAX_ARENAS
assert HARDENED["RECIPROCAL_SHIFT"] == INVERSE + RUNS["INVERSE_DROPPED"]


def _proof(of: str, body: Any, bound: str = ANY_HEAP, **more: str) -> Proof:
    return Proof(of, bound, body, more=more, spans=True)


PROOFS = (
    _proof("run_layout.constants", drawing, ALL_WORDS,
           the_layout_of_runs_is_as_drawn="every constant is the number that the drawing fixes"),
    _proof("runs.reservation", reservation, a_reservation_is_where_it_is_noted="or far; no word changes"),
    _proof("runs.lies_in", lies_in, what_lies_in_a_reservation_is_told="and nothing else"),
    _proof("runs.is_reserved", is_reserved, what_lies_in_the_reservation_is_known="and nothing else; no word changes"),
    _proof("runs.entry_in", entry_in, the_table_has_a_word_for_each_run="at its number"),
    _proof("runs.entry_of", entry_of, each_run_has_a_word_of_the_table="at its number; no word changes"),
    _proof("runs.run_word", run_word, what_a_run_has_stands_in_the_table="no word changes"),
    _proof("runs.record_of", record_of, each_run_has_a_record_of_its_own="at its number; no word changes"),
    _proof("runs.run_of", run_of, a_record_leads_back_to_its_run="no word changes"),
    _proof("runs.begins_slot", begins_slot,
           slots_begin_at_multiples_of_their_size="counted from the end of the run, and nowhere else",
           where_nobody_has_a_run_no_slot_begins="of the word 0"),
    _proof("runs.size_of_slot", size_of_slot, ALL_WORDS, a_runs_word_says_its_slots_size="that of its class"),
    _proof("runs.slots_in", slots_in, ALL_WORDS,
           a_run_has_as_many_slots_as_there_is_room_for="its bytes divided by the size, rounded down"),
    _proof("runs.owner_of_slot", owner_of_slot, a_runs_word_says_its_owner="no word changes"),
    _proof("runs.place_of", place_of,
           each_class_of_each_arena_has_a_place="of two words, which no other has; no word changes",
           places_end_where_the_reservations_words_begin="none lies elsewhere"),
    _proof("runs.inverse_of", inverse_of, ALL_WORDS,
           a_slots_reciprocal_is_rounded_up="(result - 1) * size < 1 << INVERSE_SHIFT <= result * size"),
    _proof("runs.low_word_for", low_word_for,
           a_class_and_an_arena_are_the_lower_half_of_a_runs_word="no word changes"),
    _proof("runs.word_for", word_for,
           a_runs_word_has_its_class_its_owner_and_its_reciprocal="as they are read again; no word changes"),
)
