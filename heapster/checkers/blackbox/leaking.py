"""Which line loses memory that was freed: where the last pointer to a block goes that no call gets again.

The work is done a few times over. A block of the first round that later rounds never get was lost, if others like it
were asked for meanwhile; the words of the target that point to it say when.
"""

from collections.abc import Iterator
from typing import NamedTuple

from heapster.checkers.blackbox.accesses import RANGE, WRITES, Suspect, TracedEvent, entry_decision, last_store, of_step
from heapster.checkers.blackbox.protocol import EventKind
from heapster.checkers.blackbox.stepwise import BlackboxRun
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import REQUESTS, TAKING, requested
from heapster.model.trace import handle_name
from heapster.wording import counted

ROUNDS = 3
HEAD = 32                       # bytes before a payload at which those who keep it may point
POINTER = 8                     # bytes
LEAST_REST = 32                 # bytes left of a block that others got a part of, for them to count as lost


class Given(NamedTuple):
    """A block that a call answered."""

    start: int
    end: int
    handle: int
    step: int


class Lost(NamedTuple):
    """Memory that was freed and is never given again."""

    name: str                   # of the block whose it was
    start: int
    end: int
    since: int                  # the step from which on it was the allocator's to keep
    whole: bool                 # the block; else what others that got it did not need of it


def repeated(trace: Trace) -> Trace:
    """The steps, and that all they leave is freed, a few times over."""
    handles = _handles(trace)
    steps: list[Step] = []
    for first in range(0, ROUNDS * handles, handles):
        live: list[int] = []
        for step in trace:
            if step.verb in TAKING and step.operand in live:
                live[live.index(step.operand)] = live[-1]       # as the judge's own list of them
                live.pop()
            if step.result != NO_HANDLE:
                live.append(step.result)
            steps.append(step._replace(result=_moved(step.result, first), operand=_moved(step.operand, first)))
        steps += (Step("free", operand=handle + first) for handle in reversed(live))
    return tuple(steps)


def _handles(work: Trace) -> int:
    """By how much the handles of a round are higher than those of the round before."""
    return 1 + max((max(step.result, step.operand) for step in work), default=0)


def _moved(handle: int, by: int) -> int:
    return handle + by if handle != NO_HANDLE else handle


def who_lost(run: list[TracedEvent], trace: Trace, work: Trace, outcome: BlackboxRun) -> Iterator[Suspect]:
    """Of `trace`, which is `work` repeated: the stores that memory was lost by, the likeliest first."""
    handles = _handles(work)
    answered = enumerate(zip(trace, outcome.seen, strict=False))
    given = [Given(seen.pointer, seen.pointer + max(POINTER, requested(step)), step.result, index)
             for index, (step, seen) in answered if step.verb in REQUESTS and seen.pointer]
    for lost in _lost(trace, given, handles):
        yield from _of_lost(run, given, lost)


def _lost(trace: Trace, given: list[Given], handles: int) -> list[Lost]:
    """What the first round gave back and no later call got, whole blocks before what was left of others."""
    freed = {step.operand: index for index, step in enumerate(trace) if step.verb in TAKING}
    found = []
    for block in given:
        since = freed.get(block.handle, -1)
        if block.handle >= handles or since < 0:
            continue
        again = [one for one in given if one.step > since and one.start < block.end and block.start < one.end]
        rest = max((one.end for one in again), default=block.start)
        if not again:
            found.append(Lost(handle_name(block.handle), block.start, block.end, since, whole=True))
        elif block.end - rest >= LEAST_REST:
            first = next(one.step for one in again if one.end == rest)
            found.append(Lost(handle_name(block.handle), rest, block.end, first, whole=False))
    return sorted(found, key=lambda lost: (not lost.whole, lost.since))


def _of_lost(run: list[TracedEvent], given: list[Given], lost: Lost) -> Iterator[Suspect]:
    pointers = _Pointers(given, lost)
    for moment in run:
        pointers.take(moment)
    what = lost.name if lost.whole else f"{counted(lost.end - lost.start, 'byte')} of {lost.name} that were not needed"
    call = of_step(run, lost.since)
    if pointers.dropped is not None and not pointers.known:
        yield Suspect(pointers.dropped, f"drops the last pointer to {what}, which no call gets again")
    wrote = last_store(run, lost.start - HEAD, HEAD) if lost.whole else last_store(call, lost.start - HEAD, 2 * HEAD)
    if wrote is not None and (wrote.event.step >= lost.since or pointers.known):
        yield Suspect(wrote, f"wrote last what is known of {what}, which no call gets again")
    if decided := entry_decision(call):
        yield Suspect(decided, f"in the call after which {what} is in nobody's reach")


class _Pointers:
    """The words that point to lost memory, as a run goes on."""

    def __init__(self, given: list[Given], lost: Lost) -> None:
        self._blocks = {one.step: one for one in given}
        self._lost = lost
        before = max((one.start for one in given if one.start < lost.start), default=0)
        self._low, self._high = max(lost.start - HEAD, before + 1), lost.start + (0 if lost.whole else HEAD)
        self._words: dict[int, int] = {}                    # what the target stored, by address
        self._overwrote: list[tuple[int, TracedEvent]] = []      # in the call that is under way: what, and where
        self.known: set[int] = set()                        # addresses of the words that point to it
        self.dropped: TracedEvent | None = None                  # by what the last of them went

    def take(self, moment: TracedEvent) -> None:
        """The next thing that the target did."""
        event = moment.event
        if event.kind == EventKind.CALL:
            self._overwrote.clear()
        elif event.kind == EventKind.RETURN and event.step in self._blocks:
            self._hands_out(self._blocks[event.step])
        elif (event.kind == EventKind.ACCESS and event.flags & WRITES and not event.flags & RANGE
              and event.size == POINTER):
            self._stores(moment)

    def _stores(self, moment: TracedEvent) -> None:
        event = moment.event
        self._overwrote.append((self._words.get(event.address, 0), moment))
        self._words[event.address] = event.value
        if self._low <= event.address < self._lost.end:
            return                          # its own words say nothing of who knows it
        if self._low <= event.value <= self._high:
            self.known.add(event.address)
        else:
            self._forget({event.address}, moment)

    def _hands_out(self, block: Given) -> None:
        """What lies in a block that a call answers is the caller's: a pointer in it went as the block was unlinked."""
        inside = {address for address in self.known if block.start <= address < block.end}
        unlinked = [moment for before, moment in self._overwrote if block.start - HEAD <= before <= block.start]
        if inside and unlinked:
            self._forget(inside, unlinked[-1])

    def _forget(self, addresses: set[int], moment: TracedEvent) -> None:
        if self.known & addresses:
            self.known -= addresses
            self.dropped = moment if moment.event.step >= self._lost.since else None
