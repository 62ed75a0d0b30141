"""Memory to runs, by layout constants alone, where there are spans."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from heapster.checkers.lockstep.decode import Undecodable
from heapster.impl import layout, run_layout
from heapster.machine.protocol import MachineFault
from heapster.model.geometry import CACHED_SIZES

INVERSE = 1 << run_layout.INVERSE_SHIFT
MOST_LISTED = 1 << 18


class RunOfSlots(NamedTuple):
    """A run that an arena has."""

    start: int
    owner: int                      # the arena's index
    size: int                       # of a slot
    fresh: int                      # where the first begins that was never handed out
    out: int                        # slots that are out, as it counts them
    back: tuple[int, ...]           # slots that it has back
    is_listed: bool                 # among those of its class that have some back
    is_carved: bool                 # it is that of its class whose slots are handed out for the first time

    @property
    def first(self) -> int:
        """Where its first slot begins."""
        return self.start + run_layout.RUN_BYTES % self.size

    @property
    def slots(self) -> range:
        """Where the slots begin that were handed out at some time."""
        return range(self.first, self.fresh, self.size)


class Runs(NamedTuple):
    """All that lies in the reservation."""

    base: int = 0                   # where it begins; 0 if there is none
    start: int = 0                  # where begins what the system gave
    runs: tuple[RunOfSlots, ...] = ()
    pooled: int = 0                 # runs that nobody has and that have pages, as they are counted
    used: int = 0                   # runs that arenas have, likewise
    pool: tuple[bool, ...] = ()     # of each run of the pool, whether it has pages

    def holds(self, address: int) -> bool:
        """Whether the address lies in the reservation."""
        return self.base != 0 and 0 <= address - self.base < 1 << run_layout.RESERVE_SHIFT


def decode_runs(m: Any) -> Runs:
    """What lies in the reservation; raises Undecodable."""
    try:
        return _runs(m.peek, m.statics())
    except (MachineFault, LookupError, TypeError, StopIteration) as error:
        raise Undecodable(f"the runs cannot be read: {error}") from error


def _runs(load: Any, s: int) -> Runs:
    if not load(s + run_layout.RUNS_AT):
        return Runs()
    base = load(s + run_layout.RUNS_AT) + run_layout.FAR
    found = []
    for index in range(run_layout.FIRST_RUN, load(base + run_layout.RUN_NEXT)):
        if word := load(base + index * layout.WORD):
            found.append(_run(load, base, index, word))
    return Runs(base, load(base + run_layout.RUN_START), tuple(found), load(base + run_layout.RUN_POOLED),
                load(base + run_layout.RUN_USED),
                tuple(load(record + run_layout.RUN_PURGED) == 0
                      for record in _records(load, load(base + run_layout.RUN_POOL))))


def _run(load: Any, base: int, index: int, word: int) -> RunOfSlots:
    record = base + run_layout.RUN_RECORDS + (index << run_layout.RUN_RECORD_SHIFT)
    inverse = word >> run_layout.INVERSE_SHIFT
    size = next((size for size in CACHED_SIZES if -(-INVERSE // size) == inverse), 0)
    if not size:
        raise Undecodable(f"a run has slots of no class: {inverse:#x}")
    place = base + run_layout.RUN_PLACES + (word & (1 << run_layout.INVERSE_SHIFT) - 1)
    return RunOfSlots(
        base + (index << run_layout.RUN_SHIFT), (word & run_layout.RUN_OWNER_MASK) >> run_layout.PLACES_SHIFT, size,
        load(record + run_layout.RUN_FRESH), load(record + run_layout.RUN_LIVE),
        tuple(_stacked(load, load(record + run_layout.RUN_FREE))),
        record in _records(load, load(place + run_layout.RUN_ROOM)), record == load(place + run_layout.RUN_CARVED))


def _records(load: Any, record: int) -> list[int]:
    found: list[int] = []
    while record:
        found.append(record)
        if len(found) > MOST_LISTED:
            raise Undecodable("a list of runs has no end")
        record = load(record + layout.NEXT)
    return found


def _stacked(load: Any, stack: int) -> Iterator[int]:
    for _ in range(stack >> layout.COUNT_SHIFT):
        yield stack & layout.TOP_MASK
        stack = load(stack & layout.TOP_MASK)
    if stack:
        raise Undecodable("a run has more slots back than it counts")
