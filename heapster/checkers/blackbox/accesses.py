"""What an instrumented target did in a run, and which of its accesses a failure comes from.

Everything here is read from the events that the judge has written down: loads and stores with their places, the calls
between functions, what was asked of the system, and which access broke the map of whose each byte is.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from heapster.checkers.blackbox.protocol import Breach, EventKind, TargetEvent

NO_STEP = (1 << 32) - 1
READS, WRITES, RANGE = 1, 2, 16
HEADER = 16                     # bytes before a payload in which allocators keep what they know of a block
BEYOND = 1 << 40                # no object is that large: what lies there is code of others, as the C library's
TAIL = 4000                     # events of a call that does not come back that are looked at
SEVERE = (Breach.WRITES_LIVE, Breach.WRITES_OUTSIDE, Breach.READS_OUTSIDE, Breach.COPIES_LIVE)


class TracedEvent(NamedTuple):
    """An event, and the return addresses of the calls that were under way, innermost first."""

    event: TargetEvent
    path: tuple[int, ...]

    @property
    def places(self) -> tuple[int, ...]:
        """Where it was, and where each of its callers was."""
        return tuple(place for place in (self.event.pc, *self.path) if 0 < place < BEYOND)


class Suspect(NamedTuple):
    """An access that a failure may come from."""

    moment: TracedEvent
    why: str


def moments(events: Iterable[TargetEvent]) -> list[TracedEvent]:
    """The events with the calls that led to each."""
    path: list[int] = []
    found = []
    for event in events:
        if event.kind == EventKind.CALL:
            path.clear()
        elif event.kind == EventKind.ENTER:
            path.append(event.pc)
        found.append(TracedEvent(event, tuple(path[:0:-1])))         # who called the outermost is no code of the target
        if event.kind == EventKind.EXIT and path:
            path.pop()
    return found


def stores(run: Iterable[TracedEvent]) -> Iterator[TracedEvent]:
    """Of these, the stores."""
    return (moment for moment in run if moment.event.kind == EventKind.ACCESS and moment.event.flags & WRITES)


def covers(event: TargetEvent, start: int, size: int = 1) -> bool:
    """Whether an access touches some of the bytes."""
    return event.address < start + size and start < event.address + event.size


def last_store(run: list[TracedEvent], start: int, size: int = 1) -> TracedEvent | None:
    """The last store to any of the bytes."""
    return next((moment for moment in reversed(run) if moment.event.kind == EventKind.ACCESS
                 and moment.event.flags & WRITES and covers(moment.event, start, size)), None)


def first_breach(run: list[TracedEvent], kinds: Iterable[Breach] = SEVERE) -> TracedEvent | None:
    """The first access that broke the map in one of these ways."""
    wanted = frozenset(kinds)
    return next((moment for moment in run if moment.event.kind == EventKind.BREACH and moment.event.flags in wanted),
                None)


def of_step(run: list[TracedEvent], step: int) -> list[TracedEvent]:
    """What one call did."""
    return [moment for moment in run if moment.event.step == step]


def before_step(run: list[TracedEvent], step: int) -> list[TracedEvent]:
    """What was done in its init and in the calls before one."""
    return [moment for moment in run if moment.event.step == NO_STEP or moment.event.step < step]


def loop_of(run: list[TracedEvent]) -> list[TracedEvent]:
    """The accesses of the loop that a call does not come out of: those of its outermost function that still come."""
    tail = [moment for moment in run[-TAIL:] if moment.event.kind == EventKind.ACCESS]
    if not tail:
        return []
    depth = min(len(moment.path) for moment in tail)
    return [moment for moment in tail if len(moment.path) == depth]


def who_closed(run: list[TracedEvent], loop: list[TracedEvent]) -> TracedEvent | None:
    """The last store, before it, to a word that the loop goes round by."""
    words = {(moment.event.address, moment.event.size) for moment in loop if moment.event.flags & READS}
    start = len(run) - TAIL
    earlier = run[:max(0, start)] or run[:len(run) // 2]
    found = [last_store(earlier, *word) for word in words]
    return max((moment for moment in found if moment), key=earlier.index, default=None)


def entry_decision(call: list[TracedEvent]) -> TracedEvent | None:
    """In the function that a call entered: where it first handed on, or touched, what it had worked out."""
    for moment in call:
        if moment.event.kind == EventKind.ENTER and len(moment.path) == 1:
            return TracedEvent(moment.event, ())
        if moment.event.kind == EventKind.ACCESS and not moment.path:
            return moment
    return None
