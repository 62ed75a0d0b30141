"""The order of what is sequentially consistent: whether RC11's partial order of it has a cycle.

Relations are written as there (Lahav and others, PLDI 2017, section 3 and figure 1): sb, sequenced before; hb,
happens before; mo, modification order; rf, reads from; fr, from-read; eco, extended coherence order. A relation is
a list that has for each event the set of those that lead to it, as bits of a number.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
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


class AtomicEvent(NamedTuple):
    """An atomic access or a fence."""

    thread: int
    clock: Clock                # what its thread knew by then, its own tick among it
    order: int
    location: int | None        # None: a fence
    reads: Write | None = None
    writes: Write | None = None


def has_cycle(events: Sequence[AtomicEvent]) -> bool:
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


def _then(first: Relation, second: Relation) -> Relation:
    """One step of the first, then one of the second."""
    return [_image(first, bits) for bits in second]


def _image(relation: Relation, bits: int) -> int:
    """The events that lead to any of these."""
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


def _orders(events: Sequence[AtomicEvent]) -> tuple[Relation, Relation]:
    """sb and hb: an event knows of another thread's up to the tick on its clock."""
    by_thread: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for i, event in enumerate(events):
        by_thread[event.thread].append((event.clock[event.thread], 1 << i))
    sb = [_known(by_thread[event.thread], event.clock[event.thread] - 1) for event in events]
    hb = [own | sum(_known(ticks, event.clock[thread]) for thread, ticks in by_thread.items() if thread != event.thread)
          for event, own in zip(events, sb, strict=True)]
    return sb, hb


def _known(ticks: Sequence[tuple[int, int]], until: int) -> int:
    """The events of one thread up to a tick."""
    return sum(bit for tick, bit in ticks if tick <= until)


def _coherence(events: Sequence[AtomicEvent]) -> tuple[Relation, Relation, Relation, Relation]:
    """Which are of one location, and mo, rf and fr."""
    places: dict[int, list[int]] = defaultdict(list)
    for i, event in enumerate(events):
        if event.location is not None:
            places[event.location].append(i)
    alike, mo, rf, fr = ([0] * len(events) for _ in range(4))
    for indices in places.values():
        for i in indices:
            alike[i] = sum(1 << j for j in indices if j != i)
            mo[i] = sum(1 << j for j in indices if _is_older(events[j].writes, events[i].writes))
            rf[i] = sum(1 << j for j in indices if events[j].writes is events[i].reads is not None)
            fr[i] = sum(1 << j for j in indices if j != i and _is_older(events[j].reads, events[i].writes))
    return alike, mo, rf, fr


def _is_older(write: Write | None, other: Write | None) -> bool:
    return write is not None and other is not None and write.time < other.time


def _psc(events: Sequence[AtomicEvent], ordered: Sequence[int]) -> Relation:
    """The events that must come earlier in the order: psc, the union of psc-base and psc-F."""
    sb, hb = _orders(events)
    alike, mo, rf, fr = _coherence(events)
    apart = [bits & ~same for bits, same in zip(sb, alike, strict=True)]
    hb_alike = [bits & same for bits, same in zip(hb, alike, strict=True)]
    scb = _union(sb, _then(_then(apart, hb), apart), hb_alike, mo, fr)
    fences = sum(1 << i for i in ordered if events[i].location is None)
    eco = _union(rf, mo, fr, _then(mo, rf), _then(fr, rf))
    psc = [0] * len(events)
    for i in ordered:
        is_fence = fences >> i & 1
        into = 1 << i | (hb[i] if is_fence else 0)
        reached = _image(scb, into)
        psc[i] = reached | _image(hb, reached) & fences
        if is_fence:
            psc[i] |= (hb[i] | _image(hb, _image(eco, hb[i]))) & fences
    return psc
