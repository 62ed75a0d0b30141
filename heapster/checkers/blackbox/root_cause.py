"""Which line a failure comes from: the access that broke the map first, or the decision that led to it."""

import re
from collections.abc import Iterator

from heapster.checkers.blackbox.accesses import (
    HEADER,
    RANGE,
    WRITES,
    Suspect,
    TracedEvent,
    before_step,
    covers,
    entry_decision,
    first_breach,
    last_store,
    loop_of,
    of_step,
    who_closed,
)
from heapster.checkers.blackbox.protocol import NONE, Breach, Ended, EventKind, Observation
from heapster.checkers.blackbox.stepwise import BlackboxRun
from heapster.checkers.blackbox.wrapping import WRAPS_HERE
from heapster.model.operation import NO_HANDLE, Trace
from heapster.model.operations import REQUESTS, requested
from heapster.model.trace import format_step, handle_name
from heapster.results import Finding
from heapster.wording import counted

GIVEN_TWICE = frozenset({"overlap", "contents_damaged"})
ADDRESS = re.compile(r"0x[0-9a-f]+")
HALF = 32                       # bits of an address that is cut
NEAR, LEAST_CUT = 1 << 12, 1 << 16      # bytes: between what was used and what is left; of NULL and its fields
CUT_ADDRESS = ", an address cut to 32 bits, and dies: was it written for programs of 32 bits (--cflags -m32)?"
GUESSED = ("does first", "the call that fails")      # how reasons end that name a line for want of a better one
COPIED = frozenset({"prefix_lost", "not_zeroed"})
BROKEN = {Breach.WRITES_LIVE: "writes into", Breach.WRITES_OUTSIDE: "writes outside of what is its own",
          Breach.GIVES_OUTSIDE: "answers a block that reaches beyond its memory",
          Breach.READS_OUTSIDE: "reads outside of what is its own", Breach.COPIES_LIVE: "copies out of",
          Breach.UNDEFINED: "leaves the language's bounds",
          Breach.MISALIGNED: "accesses a word that is not aligned", Breach.READS_UNWRITTEN: "reads what nobody wrote",
          Breach.READS_LIVE: "reads"}
OF_LIVE_BLOCKS = (Breach.WRITES_LIVE, Breach.READS_LIVE, Breach.COPIES_LIVE)
UNDEFINED = ("a signed overflow", "a division by zero", "a shift out of range", "a null pointer used",
             "a pointer that overflows", "an index out of bounds", "a value that its type cannot have",
             "NULL where none may be given", "an end that must not be reached")


def is_cut(address: int, run: list[TracedEvent]) -> bool:
    """Whether an address is what is left of one that the target has used, in 32 bits."""
    whole = (1 << HALF) - 1
    if address >> HALF not in (0, whole) or (address & whole) < LEAST_CUT:
        return False
    return any(abs((moment.event.address & whole) - (address & whole)) < NEAR for moment in run
               if moment.event.kind == EventKind.ACCESS and moment.event.address >> HALF not in (0, whole))


def is_same_fault(finding: Finding, known: Finding) -> bool:
    """Whether two findings come from one line: it mends both, a size wraps in it, or it breaks the map on one way.

    Or both are called the same, and the same was seen there.
    """
    place, other = finding.place, known.place
    if place is None or other is None or not place.line or (place.file, place.line) != (other.file, other.line):
        return False
    breaks = any(place.why.startswith(words) and other.why.startswith(words) for words in BROKEN.values())
    if breaks:
        return bool(place.mended) or place.backtrace == other.backtrace
    alike = finding.code == known.code and ADDRESS.sub("", place.why) == ADDRESS.sub("", other.why)
    seen = alike and not place.guess and not place.why.endswith(GUESSED)
    return bool(place.mended) or place.why == WRAPS_HERE or seen


class Payload:
    """A block that a caller had at some moment, as the trace names it."""

    def __init__(self, handle: int, start: int, size: int, step: int) -> None:
        self.handle, self.start, self.size, self.step = handle, start, size, step


def held_at(trace: Trace, seen: tuple[Observation, ...], step: int) -> list[Payload]:
    """What the caller held while that step was taken, the block that it gives back not counted."""
    held: dict[int, Payload] = {}
    for index, (one, saw) in enumerate(zip(trace[:step + 1], seen, strict=False)):
        if one.operand != NO_HANDLE and (one.verb == "free" or one.verb in REQUESTS and saw.pointer):
            held.pop(one.operand, None)
        if index < step and one.verb in REQUESTS and saw.pointer:
            held[one.result] = Payload(one.result, saw.pointer, requested(one), index)
    return list(held.values())


def suspects(run: list[TracedEvent], trace: Trace, outcome: BlackboxRun) -> Iterator[Suspect]:
    """The accesses that the failure may come from, the likeliest first."""
    step = outcome.last
    chosen, broke = who_chose(run, outcome), first_breach(run)
    if chosen and (not broke or _is_of(broke, outcome, trace)):
        yield Suspect(chosen, "looked last at the block before it was given")
    if broke:
        yield from _of_breach(run, trace, outcome, broke)
    if broke := first_breach(run, (Breach.UNDEFINED,)):
        yield Suspect(broke, f"{BROKEN[Breach.UNDEFINED]}: {UNDEFINED[broke.event.size % len(UNDEFINED)]}")
    ending = outcome.ending
    if ending is not None and ending.ended is Ended.TIMED_OUT:
        yield from _of_hang(run)
    elif ending is not None and ending.died and (last := _last_access(run)):
        cut = CUT_ADDRESS if is_cut(last.event.address, run) else ", and dies"
        yield Suspect(last, f"accesses {last.event.address:#x} last{cut}")
    if outcome.code == "overlap":
        yield from _of_overlap(run, outcome)
    call = of_step(run, step)
    if outcome.code in COPIED:
        yield from _of_contents(run, call, outcome)
    if decided := entry_decision(call):
        yield Suspect(decided, f"what {format_step(trace[min(step, len(trace) - 1)])} {GUESSED[0]}")
    elif call:
        yield from (Suspect(moment, GUESSED[1]) for moment in call if moment.event.pc)


def _is_of(broke: TracedEvent, outcome: BlackboxRun, trace: Trace) -> bool:
    """Whether what broke the map lies in the block that was answered, which is another's."""
    start = outcome.answered - HEADER
    return start <= broke.event.address < outcome.answered + requested(trace[outcome.last]) + HEADER


def who_chose(run: list[TracedEvent], outcome: BlackboxRun) -> TracedEvent | None:
    """Of a call that answered another's block: the last load of what lies before it, up to the call's first store."""
    if outcome.code not in GIVEN_TWICE or not outcome.answered:
        return None
    call = of_step(run, outcome.last)
    first = next((n for n, moment in enumerate(call) if moment.event.kind == EventKind.ACCESS
                  and moment.event.flags & WRITES), len(call))
    start = outcome.answered - HEADER
    return next((moment for moment in reversed(call[:first]) if moment.event.kind == EventKind.ACCESS
                 and covers(moment.event, start, HEADER)), None)


def of_place(run: list[TracedEvent], trace: Trace, outcome: BlackboxRun, place: int) -> list[Suspect]:
    """The first time that something broke the map at a place."""
    held = held_at(trace, outcome.seen, min(max(0, outcome.last), len(trace) - 1))
    return [Suspect(moment, describe_breach(moment, held)) for moment in run
            if moment.event.kind == EventKind.BREACH and moment.event.pc == place][:1]


def describe_breach(moment: TracedEvent, held: list[Payload]) -> str:
    """What an access does that breaks the map, and to whom."""
    event = moment.event
    said = BROKEN[Breach(event.flags)]
    for block in held:
        if block.start <= event.address < block.start + max(1, block.size):
            return f"{said} {handle_name(block.handle)}, at byte {event.address - block.start} of {block.size}"
    if event.flags == Breach.UNDEFINED:
        return f"{said}: {UNDEFINED[event.size % len(UNDEFINED)]}"
    return f"{said} a live block" if event.flags in OF_LIVE_BLOCKS else said


def _of_breach(run: list[TracedEvent], trace: Trace, outcome: BlackboxRun, broke: TracedEvent) -> Iterator[Suspect]:
    """The access itself; or, where the block that it hits was given although the heap's own words lay in it, that."""
    step = min(broke.event.step, len(trace) - 1)
    held = held_at(trace, outcome.seen, step)
    hit = next((block for block in held if block.start <= broke.event.address < block.start + block.size), None)
    itself = Suspect(broke, describe_breach(broke, held))
    if hit is not None and _laid_within(run, hit, broke.event.address):
        given = of_step(run, hit.step)
        if decided := entry_decision(given):
            yield Suspect(decided, f"answers {handle_name(hit.handle)} although the heap's own words lie in its "
                                   f"{counted(hit.size, 'byte')}")
    yield itself


def _laid_within(run: list[TracedEvent], block: Payload, address: int) -> bool:
    """Whether the call that gave the block has itself written a word of the heap's there, beyond its first two."""
    stored = last_store(of_step(run, block.step), address)
    return stored is not None and address - block.start >= HEADER and not stored.event.flags & RANGE


def _of_overlap(run: list[TracedEvent], outcome: BlackboxRun) -> Iterator[Suspect]:
    """Who last wrote the words before the block that was given though it was another's."""
    pointer = outcome.answered
    earlier = before_step(run, outcome.last)
    if stored := last_store(earlier, pointer - HEADER, HEADER):
        yield Suspect(stored, "last wrote the header by which the block was taken for free")
    if chose := last_store(of_step(run, outcome.last), pointer - HEADER, HEADER):
        yield Suspect(chose, "chose the block")


def _of_contents(run: list[TracedEvent], call: list[TracedEvent], outcome: BlackboxRun) -> Iterator[Suspect]:
    """Who copied or cleared too little, or wrote there afterwards."""
    seen = outcome.seen[outcome.last]
    at = seen.pointer + (seen.dirty if seen.dirty != NONE else seen.prefix_lost)
    for moment in reversed(call):
        event = moment.event
        if event.kind == EventKind.ACCESS and event.flags & RANGE and event.flags & WRITES and event.size:
            yield Suspect(moment, f"fills {counted(event.size, 'byte')}")
            return
    if stored := last_store(run, at):
        yield Suspect(stored, "wrote last what is there")


def _of_hang(run: list[TracedEvent]) -> Iterator[Suspect]:
    loop = loop_of(run)
    if not loop:
        return
    words = len({moment.event.address for moment in loop})
    if closed := who_closed(run, loop):
        yield Suspect(closed, f"wrote last a word that the loop goes round by, of {words}")
    yield Suspect(loop[0], f"in the loop that is not left: it goes round {words} words")


def _last_access(run: list[TracedEvent]) -> TracedEvent | None:
    return next((moment for moment in reversed(run) if moment.event.kind in (EventKind.ACCESS, EventKind.ENTER)), None)
