"""How much of what programs do the theorems about whole operations reach: the steps that start where one applies.

A step is a call of malloc's family. It is reached if the heap, the settings and the thread that it starts from are in
the class of a theorem about that whole call, at whatever settings are in force; else it is said which clause of the
nearest class does not hold. Words are read by the layout alone, before the call is made.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from heapster.checkers.lockstep.calls import SHIPPED
from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.checkers.lockstep.spans import SimulatedWithRoom, SpansLockstep
from heapster.checkers.proofs import slot_coverage as slots
from heapster.checkers.proofs.any_heap_refill import MOST_CARVED
from heapster.checkers.proofs.call_start import NOT_LOST, NOT_MARKED, SHORT_LIST, CallStart, Reach
from heapster.checkers.targets.source import with_spans, without_spans
from heapster.impl import layout
from heapster.impl.bins import batch_size
from heapster.impl.block import block_size
from heapster.impl.classes import class_of, least_of_class
from heapster.machine.simulated import Simulated
from heapster.model.operation import Step
from heapster.model.operations import ASKING, CALLS, RELEASING, RESIZING, alignment_asked, requested

FROM_A_BIN, INTO_A_BIN = "what_a_bin_has_is_handed_out", "what_is_freed_into_a_bin_is_on_top"
INTO_A_GROWN_BIN = "what_a_bin_that_grew_does_not_take_goes_home"
REFUSED, NULL = "what_no_block_could_hold_is_refused", "free_of_null_does_nothing"
MALLOC, ALIGNED = "malloc_keeps_every_clause_of_any_heap", "aligning_keeps_every_clause_of_any_heap"
REFILL, ANY_BATCH = "refilling_keeps_every_clause_of_any_heap", "a_batch_of_any_length_is_carved_under_the_lock"
MAPPING, UNMAPPING = "mapping_keeps_the_list_and_the_totals", "unmapping_keeps_the_list_and_the_totals"
REMAPPING = "resizing_a_mapping_keeps_the_list_and_the_totals"
FLUSHING = "what_is_freed_into_a_flushed_bin_is_on_top"
MOVING, LEFT = "what_moves_in_any_heap_is_copied_whole", "what_malloc_could_give_is_left_as_it_is"
LIST_NOT_LOST = "the list of mapped blocks is not lost"
FREE, RESIZE = "free_keeps_every_clause_of_any_heap", "resizing_keeps_every_clause_of_any_heap"


def reach(start: CallStart) -> Reach:
    """Which theorem reaches the call; or why none does."""
    step = start.step
    if start.pointer and step.verb in RELEASING:
        return _free(start)
    if step.verb in RELEASING:
        return Reach(NULL)
    size = requested(step)
    if start.pointer and step.verb in RESIZING:
        return _free(start) if size == 0 else _realloc(start, size)
    return _malloc(start, size, alignment_asked(step) or layout.ALIGN)


def _malloc(start: CallStart, size: int, alignment: int) -> Reach:
    """A request of so many bytes."""
    if size > layout.MAX_REQUEST or alignment > layout.MAX_REQUEST or alignment & (alignment - 1):
        return Reach(REFUSED)
    if alignment <= layout.ALIGN and size <= layout.MOST_CACHED - layout.WORD and size < start.threshold:
        return _small(start, size)
    return _from_the_arena(start, size, alignment)


def _small(start: CallStart, size: int) -> Reach:
    total = least_of_class(start.calls.class_for_request(size))
    stack, _ = start.bin(total)
    if stack:
        return Reach(slots.FROM_A_BIN if slots.is_slot(start, stack & layout.TOP_MASK) else FROM_A_BIN)
    return _refilled(start, total) if start.setting(layout.CACHE_BYTES) else _from_the_arena(start, size, layout.ALIGN)


def _refilled(start: CallStart, total: int) -> Reach:
    """A small request of which the thread's bin has no block."""
    _, limit = start.bin(total)
    enough = layout.MAX_CACHE if limit & layout.OVERFLOWED else layout.SMALL_BIN
    arena = start.mine(layout.MY_ARENA)
    if arena and start.is_lost(arena):
        return Reach("", NOT_LOST)
    batch = batch_size(start.grown(total, enough), total)
    return slots.refilled(start, total, batch) or Reach(REFILL if batch <= MOST_CARVED else ANY_BATCH)


def _from_the_arena(start: CallStart, size: int, alignment: int) -> Reach:
    room = size if alignment <= layout.ALIGN else size + alignment + layout.ALIGN
    if room >= start.threshold:
        return _mapped(start, MAPPING)
    arena = start.mine(layout.MY_ARENA)
    if arena and start.is_lost(arena):
        return Reach("", NOT_LOST)
    return Reach(MALLOC if alignment <= layout.ALIGN else ALIGNED)


def _mapped(start: CallStart, theorem: str) -> Reach:
    """What a theorem about the list of mapped blocks says."""
    return Reach("", LIST_NOT_LOST) if start.is_lost(start.statics + layout.MAPPINGS) else Reach(theorem)


def _header(start: CallStart) -> int:
    return start.word(start.pointer - layout.PAYLOAD)


def _free(start: CallStart) -> Reach:
    """A block that is freed."""
    if slots.is_slot(start, start.pointer):
        return slots.freed(start)
    header = _header(start)
    total = (header & layout.SIZE_MASK) - start.longer
    if header & layout.MAPPED:
        return _mapped(start, UNMAPPING)
    is_of_a_bin = layout.MIN_BLOCK <= total <= layout.MOST_CACHED and least_of_class(class_of(total)) == total
    if is_of_a_bin and not start.caches_nothing():
        if start.looks_marked(start.pointer):
            return Reach("", NOT_MARKED)
        stack, limit = start.bin(total)
        return _past_a_full_bin(start, total) if stack >= limit else Reach(INTO_A_BIN)
    return _to_the_arena(start)


def _to_the_arena(start: CallStart) -> Reach:
    """A block that no bin takes."""
    return Reach("", NOT_LOST) if start.is_lost(_owner(start, _header(start))) else Reach(FREE)


def _past_a_full_bin(start: CallStart, total: int) -> Reach:
    """A block of a size that bins have, for which its bin has no room."""
    stack, limit = start.bin(total)
    if stack == limit == 0 and start.grown(total, layout.SMALL_BIN) == 0:
        return _to_the_arena(start)
    if start.grown(total, layout.SMALL_BIN) <= stack >> layout.COUNT_SHIFT:
        return Reach(FLUSHING)
    owner = _owner(start, _header(start))
    if start.goes_home(owner, limit) and not start.has_room_for_more(owner):
        return Reach("", SHORT_LIST)
    return Reach(INTO_A_GROWN_BIN)


def _owner(start: CallStart, header: int) -> int:
    return start.owner((header & layout.OWNER_MASK) >> layout.OWNER_SHIFT)


def _realloc(start: CallStart, size: int) -> Reach:
    """A block that is resized to so many bytes, where it is or elsewhere."""
    if size > layout.MAX_REQUEST:
        return Reach(REFUSED)
    if slots.is_slot(start, start.pointer):
        return Reach(slots.LEFT) if slots.is_left(start, size) else _moved(start, size)
    header = _header(start)
    if header & layout.MAPPED:
        return _mapped(start, REMAPPING)
    total, need = header & layout.SIZE_MASK, block_size(size)
    if start.mine(layout.REGISTERED) and start.calls.could_serve(total, size, layout.ALIGN):
        return Reach(LEFT)
    if start.is_lost(_owner(start, header)):
        return Reach("", NOT_LOST)
    right = start.word(start.pointer - layout.PAYLOAD + total)
    room = total + (0 if right & layout.USED else right & layout.SIZE_MASK)
    return Reach(RESIZE) if need <= room else _moved(start, size)


def _moved(start: CallStart, size: int) -> Reach:
    """A block that is resized by another, and is freed then."""
    found, freed = _malloc(start, size, layout.ALIGN), _free(start)
    if not (found.theorem and freed.theorem):
        return found if not found.theorem else freed
    return Reach(slots.MOVING if slots.is_slot(start, start.pointer) else MOVING)


@dataclass
class CoverageTally:
    """What was reached of the steps that were taken."""

    steps: int = 0
    reached: Counter[str] = field(default_factory=Counter)      # by theorem
    missing: Counter[str] = field(default_factory=Counter)      # by clause

    @property
    def share(self) -> float:
        """Of the steps, from 0 to 1."""
        return sum(self.reached.values()) / self.steps if self.steps else 0.0

    def note(self, found: Reach) -> None:
        """Count a step."""
        self.steps += 1
        if found.theorem:
            self.reached[found.theorem] += 1
        else:
            self.missing[found.missing] += 1

    def row(self) -> dict[str, Any]:
        """As the JSON has it."""
        return {"share": round(self.share, 4), "steps": self.steps, "reached": dict(self.reached.most_common()),
                "missing": dict(self.missing.most_common())}


class CoverageLockstep(Lockstep):
    """A lockstep that notes of each call whether a theorem reaches it."""

    def __init__(self, m: Any, covered: CoverageTally, source: Any = SHIPPED) -> None:
        super().__init__(m, source)
        self._covered = covered

    def _call(self, step: Step, pointer: int) -> Any:
        if step.verb in CALLS and step.verb not in ASKING:
            self._covered.note(reach(CallStart(self.m, step, pointer, self.source)))
        return super()._call(step, pointer)


class SpansCoverageLockstep(CoverageLockstep, SpansLockstep):
    """As `CoverageLockstep`, of a heap that has spans."""


def coverage_lockstep(covered: CoverageTally, *, spans: bool) -> CoverageLockstep:
    """One, of the source that ships, with spans or without."""
    if spans:
        return SpansCoverageLockstep(SimulatedWithRoom(), covered, with_spans())
    return CoverageLockstep(Simulated(), covered, without_spans())


def theorems_reached() -> Iterator[str]:
    """The theorems that classes stand for."""
    yield from (FROM_A_BIN, INTO_A_BIN, INTO_A_GROWN_BIN, REFUSED, NULL, MALLOC, ALIGNED, FREE, RESIZE, REFILL,
                ANY_BATCH, MAPPING, UNMAPPING, REMAPPING, FLUSHING, MOVING, LEFT, *slots.THEOREMS)
