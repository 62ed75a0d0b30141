"""A hardened heap: what may be of each block, and invariants of the spans, mappings and records as decoded from memory.

A relation, not a prediction: which slot a block gets is the allocator's choice at random. But each live block is a used
slot of the size that its request needs, or a mapping; each other slot is free or waits; nothing else is held.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from heapster.model.amounts import amount
from heapster.model.geometry import (
    ALIGN,
    HEADER,
    MIN_BLOCK,
    PAGE,
    block_size,
    is_power_of_two,
    least_of_class,
    up,
)
from heapster.model.misuse import FAULT, OUTCOMES, UNNOTICED
from heapster.model.problem import Problem

CANARY = HEADER                     # bytes behind each block of a span
MOST_SLOT = 9 << 13
MOST_SLOTS = 256
MOST_SPAN, LEAST_SLOTS = 1 << 16, 4
GROWN_SHIFT = 3                     # a mapping that realloc makes may be an eighth larger than it must
POOLS = (128, 32, 8)                # slots that wait: in each group a pool of so many, and a ring of as many
WAITING_MAPPINGS = MOST_SPARES = 32


class Span(NamedTuple):
    """A run of pages with slots of one size."""

    arena: int                      # its index
    start: int                      # what the system gave: [start, end), guards included
    end: int
    base: int                       # of the first slot
    length: int                     # bytes of pages from there
    slot: int                       # bytes of one
    slots: int
    free: int                       # how many are free, as it counts them
    taken: frozenset[int]           # numbers of those that are used or wait
    waiting: frozenset[int]
    broken: tuple[int, ...] = ()    # addresses of used slots whose canary is not theirs
    dirty: tuple[int, ...] = ()     # of others that are not zero
    is_led_to: bool = True          # whether the table leads from each of its pages to it
    is_listed: bool = True          # whether it is on the list of its class


class HardMapping(NamedTuple):
    """A block with pages of its own, used or, without access, waiting to be spare, for another, or spare."""

    start: int                      # [start, end), guards included
    end: int
    base: int
    length: int
    used: bool
    is_led_to: bool = True
    waits: bool = False             # whether it is in the ring of those that do
    spare: bool = False


class HardenedHeap(NamedTuple):
    """All of a hardened heap."""

    spans: tuple[Span, ...]
    mappings: tuple[HardMapping, ...]
    vault: tuple[tuple[int, int], ...] = ()             # [start, end) of records and tables, guards included
    quarantine: tuple[tuple[int, ...], ...] = ()        # by arena: addresses of the slots that wait in it
    used: tuple[tuple[int, int, int], ...] = ()         # arena, or -1 for mappings; used blocks and bytes as counted
    unguarded: bool = False                             # whether the system refused a guard
    guards: tuple[tuple[int, int], ...] = ()            # what has no access
    held_locks: tuple[int, ...] = ()
    system: tuple[tuple[int, int], ...] = ()
    unfound: tuple[tuple[int, int], ...] = ()           # nobody can find it, and the system did not take it back


def slot_for(request: int, alignment: int = ALIGN) -> int:
    """Bytes of the slot that a block for the request has; 0 if it has a mapping."""
    if alignment > PAGE:
        return 0
    if alignment <= ALIGN:
        size = least_of_class(block_size(request)) if request + CANARY <= MOST_SLOT else MOST_SLOT + 1
    else:
        size = max(alignment, 1 << (max(request + CANARY, MIN_BLOCK) - 1).bit_length())
    return size if size <= MOST_SLOT else 0


def span_length(slot: int) -> int:
    """Bytes of pages of a span."""
    return up(max(min(slot * MOST_SLOTS, MOST_SPAN), slot * LEAST_SLOTS), PAGE)


def mapping_lengths(request: int) -> tuple[int, int]:
    """The least and the most bytes of the mapping for a request."""
    return up(max(request, 1), PAGE), up(max(request + (request >> GROWN_SHIFT), 1), PAGE)


def may_hold(usable: int, request: int, alignment: int = ALIGN) -> bool:
    """Whether a block with so many usable bytes may be one for the request."""
    least, most = mapping_lengths(request)
    return usable == slot_for(request, alignment) - CANARY or least <= usable <= most


def could_be_asked(usable: int, pointer: int, request: int, alignment: int | None) -> bool:
    """Whether some request for what is said of a live block could have got it."""
    if alignment is not None and (not is_power_of_two(alignment) or pointer % alignment):
        return False
    return may_hold(usable, request, max(alignment or ALIGN, ALIGN))


def used_addresses(heap: HardenedHeap) -> set[int]:
    """Where the used blocks begin: slots of spans, and mappings."""
    slots = {span.base + number * span.slot for span in heap.spans for number in span.taken - span.waiting}
    return slots | {mapping.base for mapping in heap.mappings if mapping.used}


def told_of_write(heap: HardenedHeap, address: int) -> frozenset[str]:
    """How the next look at the whole heap may end, after a caller wrote another word there than there was.

    Nobody can tell the payload of a block from what its owner writes, nor what lies behind a span's last slot; what
    is told of a record depends on the word; guards end the write itself.
    """
    for span in heap.spans:
        if span.base <= address < span.base + span.length:
            return frozenset({_told_in_span(span, address)})
    if any(mapping.used and mapping.base <= address < mapping.base + mapping.length for mapping in heap.mappings):
        return frozenset({UNNOTICED})
    in_vault = any(start <= address < end for start, end in heap.vault)
    return OUTCOMES | {"invalid_code"} if in_vault else frozenset({FAULT})


def _told_in_span(span: Span, address: int) -> str:
    number, behind = divmod(address - span.base, span.slot)
    if number not in span.taken - span.waiting:
        return "write_after_free" if number < span.slots else UNNOTICED
    return "overflow" if behind >= span.slot - CANARY else UNNOTICED


def _records(heap: HardenedHeap) -> list[Span | HardMapping]:
    """All that has pages of its own."""
    return [*heap.spans, *heap.mappings]


def _pieces(heap: HardenedHeap) -> list[tuple[int, int]]:
    """[start, end) of all that is held."""
    return [*((record.start, record.end) for record in _records(heap)), *heap.vault, *heap.unfound]


# Invariants.

Check = Callable[[HardenedHeap], Iterator[str]]


def spans_have_the_slots_of_their_class(heap: HardenedHeap) -> Iterator[str]:
    """Sizes are the least of a class, lengths and numbers follow from them."""
    for span in heap.spans:
        if span.slot != least_of_class(span.slot) or span.slot > MOST_SLOT:
            yield f"a span has slots of {span.slot} bytes"
        elif span.length != span_length(span.slot) or span.slots != min(MOST_SLOTS, span.length // span.slot):
            yield f"a span of {span.slot}-byte slots has {span.length} bytes and {span.slots} slots"


def slots_are_counted(heap: HardenedHeap) -> Iterator[str]:
    """A span counts as free what is not taken."""
    for span in heap.spans:
        if span.free != span.slots - len(span.taken):
            yield f"a span of {span.slot}-byte slots counts {span.free} free, {span.slots - len(span.taken)} are"


def what_waits_is_in_quarantine(heap: HardenedHeap) -> Iterator[str]:
    """The slots that wait are those in their arenas' pools and rings, once each, and taken."""
    waiting = {span.base + number * span.slot for span in heap.spans for number in span.waiting}
    queued = Counter(address for queue in heap.quarantine for address in queue)
    if waiting != set(queued) or any(times > 1 for times in queued.values()):
        yield f"{len(waiting)} slots wait, {sum(queued.values())} are in quarantine"
    if any(not span.waiting <= span.taken for span in heap.spans):
        yield "a slot waits and is not taken"


def the_table_leads_to_each_record(heap: HardenedHeap) -> Iterator[str]:
    """From each page of a span, and the first of a mapping."""
    lost = sum(not record.is_led_to for record in _records(heap))
    if lost:
        yield f"the table does not lead to {amount(lost, 'record')}"


def spans_with_room_are_listed(heap: HardenedHeap) -> Iterator[str]:
    """And no others."""
    wrong = sum(span.is_listed != (span.free > 0) for span in heap.spans)
    if wrong:
        yield f"{amount(wrong, 'span')} with room on no list, or without on one"


def canaries_are_whole(heap: HardenedHeap) -> Iterator[str]:
    """Behind each used slot's payload."""
    for span in heap.spans:
        if span.broken:
            yield f"{amount(len(span.broken), 'slot')} of {span.slot} bytes without a canary"


def what_is_not_used_is_zero(heap: HardenedHeap) -> Iterator[str]:
    """Free slots, and those that wait."""
    for span in heap.spans:
        if span.dirty:
            yield f"{amount(len(span.dirty), 'slot')} of {span.slot} bytes not used and not zero"


def pieces_lie_apart(heap: HardenedHeap) -> Iterator[str]:
    """Nothing that the system gave belongs to two."""
    pieces = sorted(_pieces(heap))
    for (_, end), (start, _) in pairwise(pieces):
        if start < end:
            yield f"two pieces share {end - start} bytes"


def all_that_is_held_is_known(heap: HardenedHeap) -> Iterator[str]:
    """What the system gave is of a record, or of the vault."""
    known = sum(end - start for start, end in _pieces(heap))
    held = sum(end - start for start, end in heap.system)
    if known != held:
        yield f"{held} bytes are held, {known} are known of"


def guards_surround_all_pages(heap: HardenedHeap) -> Iterator[str]:
    """On both sides of spans and mappings there is no access, unless the system refused a guard."""
    if heap.unguarded:
        return
    for record in _records(heap):
        sides = (record.start, record.base), (record.base + record.length, record.end)
        if any(start >= end or not _covers(heap.guards, start, end) for start, end in sides):
            yield f"{record.length} bytes lie beside memory that can be reached"


def _covers(guards: tuple[tuple[int, int], ...], start: int, end: int) -> bool:
    return sum(max(0, min(end, high) - max(start, low)) for low, high in guards) == end - start


def ledgers_count_what_is_used(heap: HardenedHeap) -> Iterator[str]:
    """Of each arena, and of the mappings."""
    blocks: Counter[int] = Counter()
    total: Counter[int] = Counter()
    for span in heap.spans:
        used = len(span.taken - span.waiting)
        blocks[span.arena] += used
        total[span.arena] += used * span.slot
    for mapping in heap.mappings:
        blocks[-1] += mapping.used
        total[-1] += mapping.used * mapping.length
    for owner, counted, counted_bytes in heap.used:
        if (counted, counted_bytes) != (blocks[owner], total[owner]):
            yield f"{counted} blocks of {counted_bytes} bytes are counted, {blocks[owner]} of {total[owner]} are used"


def locks_are_released(heap: HardenedHeap) -> Iterator[str]:
    """Between calls nobody owns one."""
    if heap.held_locks:
        yield f"{amount(len(heap.held_locks), 'lock')} still held"


def waiting_has_its_bounds(heap: HardenedHeap) -> Iterator[str]:
    """Pools and rings are no longer than they may be; freed mappings wait, or are spare, or nobody takes them."""
    for queue in heap.quarantine:
        if len(queue) > 2 * sum(POOLS):
            yield f"{len(queue)} slots wait in an arena"
    if sum(mapping.waits for mapping in heap.mappings) > WAITING_MAPPINGS:
        yield "more mappings wait than may"
    if sum(mapping.spare for mapping in heap.mappings) > MOST_SPARES:
        yield "more mappings are spare than may"
    if any(mapping.used + mapping.waits + mapping.spare > 1 for mapping in heap.mappings):
        yield "a mapping is two of used, waiting and spare"


HARDENED_ALWAYS: tuple[Check, ...] = (
    spans_have_the_slots_of_their_class, slots_are_counted, what_waits_is_in_quarantine,
    the_table_leads_to_each_record, spans_with_room_are_listed, canaries_are_whole, what_is_not_used_is_zero,
    pieces_lie_apart, all_that_is_held_is_known, guards_surround_all_pages, ledgers_count_what_is_used,
    locks_are_released, waiting_has_its_bounds,
)


def hardened_violations(heap: HardenedHeap) -> list[Problem]:
    """Every way in which the heap breaks an invariant."""
    return [Problem(check.__name__, message) for check in HARDENED_ALWAYS for message in check(heap)]
