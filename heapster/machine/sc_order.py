"""The order of what is sequentially consistent: whether RC11's partial order of it has a cycle.

Relations are written as there (Lahav and others, PLDI 2017, section 3 and figure 1): sb, sequenced before; hb,
happens before; mo, modification order; rf, reads from; fr, from-read; eco, extended coherence order. A relation is
a list that has for each event the set of those that it leads to, as bits of a number.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from .orders import SEQUENTIAL

Clock = list[int]               # for each thread: how many of its own ticks are known
Relation = list[int]


class Write:
    """A value that a location had."""

    __slots__ = ("released", "swapped", "thread", "tick", "time", "value")

    def __init__(self, thread: int, tick: int, value: int, time: float, released: Clock | None) -> None:
        self.thread, self.tick, self.value = thread, tick, value
        self.time = time                                # its place in the modification order
        self.released = released                        # what who acquires it knows from there on
        self.swapped = False                            # the next one is a read-modify-write that read this one


class Event(NamedTuple):
    """An atomic access or a fence."""

    thread: int
    clock: Clock                # what its thread knew by then, its own tick among it
    order: int
    location: int | None        # None: a fence
    reads: Write | None = None
    writes: Write | None = None


def has_cycle(events: Sequence[Event]) -> bool:
    """Whether no order of the sequentially consistent events is as RC11 wants it."""
    ordered = [i for i, event in enumerate(events) if event.order & SEQUENTIAL]
    if len(ordered) < 2:
        return False
    psc = _psc(events, ordered)
    left = sum(1 << i for i in ordered)
    while left:
        done = sum(1 << i for i in _bits(left) if not psc[i] & left)
        if not done:
            return True
        left &= ~done
    return False


def _bits(number: int) -> Iterator[int]:
    while number:
        low = number & -number
        yield low.bit_length() - 1
        number ^= low


def _relation(events: Sequence[Event], holds: Callable[[Event, Event], bool]) -> Relation:
    return [sum(1 << j for j, other in enumerate(events) if other is not event and holds(event, other))
            for event in events]


def _then(first: Relation, second: Relation) -> Relation:
    """One step of the first, then one of the second."""
    return [_image(second, bits) for bits in first]


def _image(relation: Relation, bits: int) -> int:
    reached = 0
    for i in _bits(bits):
        reached |= relation[i]
    return reached


def _union(*relations: Relation) -> Relation:
    """A step of any of them."""
    together = [0] * len(relations[0])
    for relation in relations:
        together = [one | other for one, other in zip(together, relation, strict=True)]
    return together


def _is_before(event: Event, other: Event) -> bool:
    """Happens before."""
    return event.clock[event.thread] <= other.clock[event.thread]


def _is_written_before(event: Event, other: Event) -> bool:
    """Modification order."""
    return event.location == other.location and event.writes is not None and other.writes is not None \
        and event.writes.time < other.writes.time


def _is_overwritten_by(event: Event, other: Event) -> bool:
    """From-read."""
    return event.location == other.location and event.reads is not None and other.writes is not None \
        and event.reads.time < other.writes.time


def _psc(events: Sequence[Event], ordered: Sequence[int]) -> Relation:
    """What must come later in the order: psc, the union of psc-base and psc-F."""
    hb = _relation(events, _is_before)
    mo, fr = _relation(events, _is_written_before), _relation(events, _is_overwritten_by)
    rf = _relation(events, lambda event, other: event.writes is not None and other.reads is event.writes)
    scb = _scb(events, hb, mo, fr)
    eco = _union(rf, mo, fr, _then(mo, rf), _then(fr, rf))
    fenced = _union(hb, _then(_then(hb, eco), hb))
    fences = sum(1 << i for i in ordered if events[i].location is None)
    psc = [0] * len(events)
    for i in ordered:
        out = 1 << i | (hb[i] if fences >> i & 1 else 0)
        reached = _image(scb, out)
        psc[i] = reached | _image(hb, reached) & fences
        if fences >> i & 1:
            psc[i] |= fenced[i] & fences
    return psc


def _scb(events: Sequence[Event], hb: Relation, mo: Relation, fr: Relation) -> Relation:
    """What RC11 takes of happens-before, modification order and from-read: scb."""
    sb = _relation(events, lambda event, other: event.thread == other.thread and _is_before(event, other))
    alike = _relation(events, lambda event, other: event.location is not None and event.location == other.location)
    apart = [bits & ~same for bits, same in zip(sb, alike, strict=True)]
    hb_alike = [bits & same for bits, same in zip(hb, alike, strict=True)]
    return _union(sb, _then(_then(apart, hb), apart), hb_alike, mo, fr)
