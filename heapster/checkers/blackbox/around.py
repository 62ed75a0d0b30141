"""An access as people see it: what it does, where in the heap, and what lived while it did."""

from collections.abc import Iterator, Sequence

from heapster.checkers.blackbox.accesses import READS, WRITES
from heapster.checkers.blackbox.protocol import Breach, EventKind, Observation, TargetEvent
from heapster.checkers.blackbox.root_cause import Payload, held_at
from heapster.model.operation import NO_HANDLE, Trace
from heapster.model.operations import requested
from heapster.model.trace import handle_name
from heapster.wording import counted

MOST_DRAWN = 7                  # blocks around an access
NEAR = 4096                     # bytes from a block, beyond which an access has nothing to do with it
NO_WORD = 8                     # bytes of the largest value that is told
STORES = frozenset({Breach.WRITES_LIVE, Breach.WRITES_OUTSIDE})


def words_of(event: TargetEvent, held: Sequence[Payload]) -> str:
    """What the access does, and to whom; nothing if it is none."""
    if event.kind not in (EventKind.ACCESS, EventKind.BREACH) or not event.address:
        return ""
    stores = event.flags in STORES if event.kind == EventKind.BREACH else bool(event.flags & WRITES)
    verb = "stores" if stores else "loads" if event.kind == EventKind.BREACH or event.flags & READS else "touches"
    value = f" ({event.value:#x})" if event.kind == EventKind.ACCESS and event.size <= NO_WORD else ""
    return f"{verb} {counted(event.size, 'byte')}{value} {_where(event.address, held)}"


def _where(address: int, held: Sequence[Payload]) -> str:
    """In which block, or how far from the nearest."""
    nearest = min(held, key=lambda one: _distance(address, one), default=None)
    if nearest is None or _distance(address, nearest) > NEAR:
        return f"at {address:#x}, far from what lives"
    name, end = handle_name(nearest.handle), nearest.start + nearest.size
    if address < nearest.start:
        return f"{counted(nearest.start - address, 'byte')} before {name}"
    within = f"at byte {address - nearest.start} of {name}"
    return within if address < end else f"{counted(address - end, 'byte')} behind {name}"


def _distance(address: int, block: Payload) -> int:
    return max(block.start - address, address - (block.start + block.size - 1), 0)


def heap_around(event: TargetEvent, held: Sequence[Payload]) -> Iterator[str]:
    """A line for each of the blocks that lived nearest to the access, by address, and one for itself."""
    near = sorted(held, key=lambda one: _distance(event.address, one))[:MOST_DRAWN]
    start = min((one.start for one in near), default=event.address)
    rows = [(one.start, f"{handle_name(one.handle):>4}  {_span(one.start - start, one.size)}") for one in near]
    rows.append((event.address, f"   >  {_span(event.address - start, event.size)}   the access"))
    yield from (row for _, row in sorted(rows, key=lambda one: one[0]))
    if len(held) > len(near):
        yield f"and {counted(len(held) - len(near), 'more block')}"


def _span(at: int, size: int) -> str:
    return f"{at:<+10,} .. {at + size:<+10,}"


def held_while(trace: Trace, seen: tuple[Observation, ...], event: TargetEvent) -> list[Payload]:
    """What the caller held while the access was made, and the block that he was about to give back."""
    if event.step >= len(trace):
        return []
    taken = trace[event.step].operand
    given = [Payload(taken, saw.pointer, requested(step), index) for index, (step, saw) in
             enumerate(zip(trace[:event.step], seen, strict=False)) if step.result == taken and saw.pointer]
    return [*held_at(trace, seen, event.step), *(given[-1:] if taken != NO_HANDLE else [])]
