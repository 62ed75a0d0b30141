"""How much of what programs do the theorems about whole operations reach: the steps that start where one applies.

A step is a call of malloc's family. It is reached if the heap, the settings and the thread that it starts from are in
the class of a theorem about that whole call, at whatever settings are in force; else it is said which clause of the
nearest class does not hold. Words are read by the layout alone, before the call is made.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.checkers.proofs.any_heap_refill import MOST_CARVED
from heapster.impl import layout
from heapster.impl.bins import batch_size, grown_limit
from heapster.impl.block import block_size
from heapster.impl.classes import class_for, class_of, least_of_class
from heapster.impl.sized import could_serve
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
NOT_LOST, LIST_NOT_LOST = "the arena is not lost", "the list of mapped blocks is not lost"
FREE, RESIZE = "free_keeps_every_clause_of_any_heap", "resizing_keeps_every_clause_of_any_heap"


class Reach(NamedTuple):
    """Of one step: the theorem whose class it starts in, or the clause that no class does without."""

    theorem: str
    missing: str = ""


class CallStart:
    """What a call starts from."""

    def __init__(self, m: Any, step: Step, pointer: int) -> None:
        self._words: Callable[[int], int | None] = m.peek
        self.statics, self.thread, self.step, self.pointer = m.statics(), m.thread(), step, pointer

    def word(self, address: int) -> int:
        """The word there; 0 where none was written."""
        return self._words(address) or 0

    def setting(self, place: int, default: int = 0) -> int:
        """A word of the statics."""
        return self.word(self.statics + place) or default

    def mine(self, place: int) -> int:
        """A word of the thread's."""
        return self.word(self.thread + place)

    @property
    def threshold(self) -> int:
        """Requests of at least so many bytes are mapped."""
        return self.setting(layout.THRESHOLD, layout.DEFAULT_THRESHOLD)

    def bin(self, total: int) -> tuple[int, int]:
        """The words of the thread's bin for a size that is the least of a class: its stack and its limit."""
        place = layout.BINS + (class_of(total) << layout.BIN_SHIFT)
        return self.mine(place), self.mine(place + layout.LIMIT)

    def looks_marked(self, p: int) -> bool:
        """Whether the mark beside a payload agrees with its link and its place."""
        return self.word(p) + self.word(p + layout.MARK) + p == self.setting(layout.KEY)

    def grown(self, total: int, enough: int) -> int:
        """The limit that the bin for a size gets when it has no room, or no block."""
        _, limit = self.bin(total)
        most = 0 if self.mine(layout.ENDED) else self.setting(layout.CACHE_BYTES)
        return int(grown_limit(limit >> layout.COUNT_SHIFT, total, most, enough))

    def caches_nothing(self) -> bool:
        """Whether the thread has no cache, and is to have none."""
        return not self.mine(layout.REGISTERED) and not self.setting(layout.CACHE_BYTES)

    def is_lost(self, arena: int) -> bool:
        """Whether a child of a fork lost the arena."""
        return bool(self.word(arena + layout.HEAD) & layout.LOST)


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
    stack, _ = start.bin(least_of_class(class_for(block_size(size))))
    if stack:
        return Reach(FROM_A_BIN)
    if start.setting(layout.CACHE_BYTES):
        return _refilled(start, least_of_class(class_for(block_size(size))))
    return _from_the_arena(start, size, layout.ALIGN)


def _refilled(start: CallStart, total: int) -> Reach:
    """A small request of which the thread's bin has no block."""
    _, limit = start.bin(total)
    enough = layout.MAX_CACHE if limit & layout.OVERFLOWED else layout.SMALL_BIN
    arena = start.mine(layout.MY_ARENA)
    if arena and start.is_lost(arena):
        return Reach("", NOT_LOST)
    return Reach(REFILL if batch_size(start.grown(total, enough), total) <= MOST_CARVED else ANY_BATCH)


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
    header = _header(start)
    total = header & layout.SIZE_MASK
    if header & layout.MAPPED:
        return _mapped(start, UNMAPPING)
    is_of_a_bin = total <= layout.MOST_CACHED and least_of_class(class_of(total)) == total
    if is_of_a_bin and not start.caches_nothing():
        if start.looks_marked(start.pointer):
            return Reach("", "a block that is freed does not look as if it waited")
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
    if limit == 0 and owner != start.mine(layout.MY_ARENA) and start.word(
            owner + layout.REMOTE) >> layout.COUNT_SHIFT >= layout.MOST_REMOTE:
        return Reach("", "the remote list of a block that goes home is not too long")
    return Reach(INTO_A_GROWN_BIN)


def _owner(start: CallStart, header: int) -> int:
    index = (header & layout.OWNER_MASK) >> layout.OWNER_SHIFT
    return int(start.statics) + layout.ARENAS + (index << layout.ARENA_SHIFT)


def _realloc(start: CallStart, size: int) -> Reach:
    """A block that is resized to so many bytes, where it is or elsewhere."""
    if size > layout.MAX_REQUEST:
        return Reach(REFUSED)
    header = _header(start)
    if header & layout.MAPPED:
        return _mapped(start, REMAPPING)
    total, need = header & layout.SIZE_MASK, block_size(size)
    if start.mine(layout.REGISTERED) and could_serve(total, size, layout.ALIGN):
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
    return Reach(MOVING)


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

    def __init__(self, m: Any, covered: CoverageTally) -> None:
        super().__init__(m)
        self._covered = covered

    def _call(self, step: Step, pointer: int) -> Any:
        if step.verb in CALLS and step.verb not in ASKING:
            self._covered.note(reach(CallStart(self.m, step, pointer)))
        return super()._call(step, pointer)


def theorems_reached() -> Iterator[str]:
    """The theorems that classes stand for."""
    yield from (FROM_A_BIN, INTO_A_BIN, INTO_A_GROWN_BIN, REFUSED, NULL, MALLOC, ALIGNED, FREE, RESIZE, REFILL,
                ANY_BATCH, MAPPING, UNMAPPING, REMAPPING, FLUSHING, MOVING, LEFT)
