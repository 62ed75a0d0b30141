"""Runs as someone sees them who cannot see their bytes: slots of one size without headers, in a reservation.

Frozen values, as in `heap`: decoded from memory, or predicted by the reference.
"""

from collections.abc import Set
from itertools import islice
from typing import NamedTuple

from heapster.model.geometry import BEFORE_RUNS, RESERVE, RUN


class RunSlot(NamedTuple):
    """A slot that was handed out at some time."""

    address: int
    size: int
    used: bool                      # it is out: its run has not got it back
    cached: bool                    # it is freed, and a thread keeps it, or it is on its way to its owner

    @property
    def state(self) -> str:
        """In words."""
        return "back" if not self.used else "cached" if self.cached else "used"


class RunOfSlots(NamedTuple):
    """A run that an arena has."""

    start: int
    owner: int                      # the arena's index
    size: int                       # of a slot
    fresh: int                      # where the first begins that was never handed out
    out: int                        # slots that are out, as it counts them
    back: tuple[int, ...]           # slots that it has back, top first
    listed: int                     # its place, from 0, on the list of those of its class that have some; -1: on none
    is_carved: bool                 # it is that of its class whose slots are handed out for the first time

    @property
    def first(self) -> int:
        """Where its first slot begins."""
        return self.start + RUN % self.size

    @property
    def capacity(self) -> int:
        """Into how many slots it is cut."""
        return RUN // self.size

    @property
    def slots(self) -> range:
        """Where the slots begin that were handed out at some time."""
        return range(self.first, self.fresh, self.size)

    def drawn(self, waiting: Set[int]) -> tuple[RunSlot, ...]:
        """Its slots, no more than it is cut into; `waiting` are those that are freed and wait."""
        back = set(self.back)
        return tuple([RunSlot(slot, self.size, slot not in back, slot in waiting)
                      for slot in islice(self.slots, self.capacity)])


class Pooled(NamedTuple):
    """A run that nobody has."""

    start: int
    has_pages: bool


class Runs(NamedTuple):
    """All that lies in the reservation."""

    base: int = 0                   # where it begins; 0 if there is none
    start: int = 0                  # where begins what the system gave
    is_asked: bool = False          # the system was asked for it
    next: int = 0                   # where begins the next run that nobody ever had
    runs: tuple[RunOfSlots, ...] = ()   # by address
    used: int = 0                   # runs that arenas have, as they are counted
    pooled: int = 0                 # runs that nobody has and that have pages, likewise
    pool: tuple[Pooled, ...] = ()   # all that nobody has, the next to be taken first

    def holds(self, address: int) -> bool:
        """Whether the address lies in the reservation."""
        return self.base != 0 and 0 <= address - self.base < RESERVE

    def offset(self, address: int) -> int:
        """How far the address lies behind where the first run may begin."""
        return address - self.base - BEFORE_RUNS

    def of(self, index: int) -> list[RunOfSlots]:
        """The runs that the arena of that index has."""
        return [run for run in self.runs if run.owner == index]

    def used_slots(self) -> set[int]:
        """The slots that are out as far as their runs can see."""
        return {slot for run in self.runs for slot in run.slots} - {slot for run in self.runs for slot in run.back}


NO_RUNS = Runs()
