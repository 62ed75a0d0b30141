"""Memory to runs, by layout constants alone, where there are spans."""

from collections.abc import Callable, Iterator
from typing import Protocol

from heapster.checkers.lockstep.undecodable import Undecodable
from heapster.impl import layout, run_layout
from heapster.model.geometry import CACHED_SIZES
from heapster.model.runs import NO_RUNS, Pooled, RunOfSlots, Runs

INVERSE = 1 << run_layout.INVERSE_SHIFT
MOST_LISTED = 1 << 18
PLACE = INVERSE - 1                 # of a run's word, the place of its class and owner

Load = Callable[[int], int]


class Peeked(Protocol):
    """A machine whose words are read one by one."""

    def peek(self, address: int) -> int | None:
        """The word there, None if there is none."""

    def statics(self) -> int:
        """Address of the statics."""


def decode_runs(m: Peeked) -> Runs:
    """What lies in the reservation, but what lost arenas have; raises Undecodable, or LookupError for no word."""
    load, s = _loading(m), m.statics()
    is_asked = load(s + run_layout.RUNS_ASKED) != 0
    if not load(s + run_layout.RUNS_AT):
        return NO_RUNS._replace(is_asked=is_asked)
    base = load(s + run_layout.RUNS_AT) + run_layout.FAR
    end = load(base + run_layout.RUN_NEXT)
    words = {index: word for index in range(run_layout.FIRST_RUN, end)
             if (word := load(base + index * layout.WORD)) and not _is_lost(load, s, _owner(word))}
    rooms = {place: _room(load, base + run_layout.RUN_PLACES + place)
             for place in sorted({word & PLACE for word in words.values()})}
    return Runs(base, load(base + run_layout.RUN_START), is_asked, base + (end << run_layout.RUN_SHIFT),
                tuple(_run(load, base, index, word, rooms[word & PLACE]) for index, word in words.items()),
                load(base + run_layout.RUN_USED), load(base + run_layout.RUN_POOLED),
                tuple(Pooled(_start(base, record), load(record + run_layout.RUN_PURGED) == 0)
                      for record in _records(load, load(base + run_layout.RUN_POOL))))


def _loading(m: Peeked) -> Load:
    """Reads words, those that are zero because nobody wrote them, too."""
    def load(address: int) -> int:
        word = m.peek(address)
        if word is None:
            raise LookupError(address)
        return word
    return load


def _is_lost(load: Load, s: int, index: int) -> bool:
    """Whether nothing is known of the arena with that index but that it is lost."""
    return load(s + layout.ARENAS + index * layout.ARENA_BYTES + layout.HEAD) & layout.LOST != 0


def _owner(word: int) -> int:
    """Index of the arena that a run with that word has."""
    return (word & run_layout.RUN_OWNER_MASK) >> run_layout.PLACES_SHIFT


def owner_of(load: Load, s: int, payload: int) -> int | None:
    """Index of the arena that owns the slot with that payload; None if it lies in no run."""
    base = load(s + run_layout.RUNS_AT) + run_layout.FAR
    if not 0 <= payload - base < 1 << run_layout.RESERVE_SHIFT:
        return None
    return _owner(load(base + (payload - base >> run_layout.RUN_SHIFT) * layout.WORD))


def counts_of_runs(m: Peeked) -> dict[int, tuple[int | None, int | None]]:
    """Of each run that an arena has, lost or not, by where it begins: what it has back, and what it counts as out."""
    load, s = _loading(m), m.statics()
    base = load(s + run_layout.RUNS_AT) + run_layout.FAR
    if base == run_layout.FAR:
        return {}
    records = base + run_layout.RUN_RECORDS
    return {base + (index << run_layout.RUN_SHIFT): (m.peek(record + run_layout.RUN_FREE),
                                                     m.peek(record + run_layout.RUN_LIVE))
            for index in range(run_layout.FIRST_RUN, load(base + run_layout.RUN_NEXT))
            if load(base + index * layout.WORD)
            for record in [records + (index << run_layout.RUN_RECORD_SHIFT)]}


def _start(base: int, record: int) -> int:
    """Where the run with that record begins."""
    return base + (record - base - run_layout.RUN_RECORDS >> run_layout.RUN_RECORD_SHIFT << run_layout.RUN_SHIFT)


def _run(load: Load, base: int, index: int, word: int, room: dict[int, int]) -> RunOfSlots:
    record = base + run_layout.RUN_RECORDS + (index << run_layout.RUN_RECORD_SHIFT)
    inverse = word >> run_layout.INVERSE_SHIFT
    size = next((size for size in CACHED_SIZES if -(-INVERSE // size) == inverse), 0)
    if not size:
        raise Undecodable(f"a run has slots of no class: {inverse:#x}")
    return RunOfSlots(
        base + (index << run_layout.RUN_SHIFT), _owner(word), size,
        load(record + run_layout.RUN_FRESH), load(record + run_layout.RUN_LIVE),
        tuple(_stacked(load, load(record + run_layout.RUN_FREE))), room.get(record, -1),
        record == load(base + run_layout.RUN_PLACES + (word & PLACE) + run_layout.RUN_CARVED))


def _room(load: Load, place: int) -> dict[int, int]:
    """The records on the list of a place, and which of them each is."""
    listed = _records(load, load(place + run_layout.RUN_ROOM))
    if [load(record + layout.PREV) for record in listed] != [0, *listed][:len(listed)]:
        raise Undecodable("a list of runs is not linked both ways")
    return {record: number for number, record in enumerate(listed)}


def _records(load: Load, record: int) -> list[int]:
    found: list[int] = []
    while record:
        found.append(record)
        if len(found) > MOST_LISTED:
            raise Undecodable("a list of runs has no end")
        record = load(record + layout.NEXT)
    return found


def _stacked(load: Load, stack: int) -> Iterator[int]:
    for _ in range(stack >> layout.COUNT_SHIFT):
        yield stack & layout.TOP_MASK
        stack = load(stack & layout.TOP_MASK)
    if stack:
        raise Undecodable("a run has more slots back than it counts")
