"""Which theorem about slots reaches a call, where there are spans: see `coverage`."""

from heapster.checkers.proofs.call_start import NOT_LOST, NOT_MARKED, SHORT_LIST, CallStart, Reach
from heapster.impl import layout, run_layout
from heapster.impl.classes import class_of
from heapster.impl.runs import size_of_slot

FROM_A_BIN, INTO_A_BIN = "a_slot_that_a_bin_has_is_handed_out", "a_slot_that_is_freed_into_a_bin_is_on_top"
INTO_A_GROWN_BIN = "what_a_bin_that_grew_does_not_take_goes_home_of_slots"
FLUSHING = "what_is_freed_into_a_flushed_bin_is_on_top_of_slots"
BACK, LAST = "a_freed_slot_is_on_its_runs_stack", "a_run_of_which_no_slot_is_out_is_nobodys"
COLLECTED = "a_slot_that_others_freed_is_handed_out"
CAME_BACK, PART = "a_slot_that_came_back_is_handed_out", "part_of_the_slots_that_came_back_is_taken"
NEW, NEW_RUN = "a_new_slot_is_handed_out", "a_new_run_is_the_arenas"
LEFT, MOVING = "realloc_within_its_class_leaves_a_slot", "what_moves_in_any_heap_is_copied_whole_of_slots"
THEOREMS = (FROM_A_BIN, INTO_A_BIN, INTO_A_GROWN_BIN, FLUSHING, BACK, LAST, COLLECTED, CAME_BACK, PART, NEW, NEW_RUN,
            LEFT, MOVING)


def _base(start: CallStart) -> int:
    """Where the reservation begins; 0 if there is none."""
    at = start.setting(run_layout.RUNS_AT) if start.longer else 0
    return at + run_layout.FAR if at else 0


def is_slot(start: CallStart, pointer: int) -> bool:
    """Whether the pointer leads into the reservation."""
    base = _base(start)
    return base != 0 and 0 <= pointer - base < 1 << run_layout.RESERVE_SHIFT


class _Slot:
    """A slot, and what its run has."""

    def __init__(self, start: CallStart, pointer: int) -> None:
        base = _base(start)
        number = pointer - base >> run_layout.RUN_SHIFT
        self.word = start.word(base + number * layout.WORD)
        self.record = base + run_layout.RUN_RECORDS + (number << run_layout.RUN_RECORD_SHIFT)
        self.place = base + run_layout.RUN_PLACES + (
            self.word & (run_layout.RUN_OWNER_MASK | run_layout.RUN_CLASS_MASK))
        self.arena = start.owner((self.word & run_layout.RUN_OWNER_MASK) >> run_layout.PLACES_SHIFT)
        self.size = int(size_of_slot(self.word))


def freed(start: CallStart) -> Reach:
    """A slot that is freed."""
    slot = _Slot(start, start.pointer)
    if start.looks_marked(start.pointer):
        return Reach("", NOT_MARKED)
    stack, limit = start.bin(slot.size)
    if stack < limit:
        return Reach(INTO_A_BIN)
    grown = 0 if start.caches_nothing() else start.grown(slot.size, layout.SMALL_BIN)
    kept = stack >> layout.COUNT_SHIFT
    if kept and kept >= grown:
        return Reach(FLUSHING)
    if grown == 0:
        return _back(start, slot)
    if start.goes_home(slot.arena, limit) and not start.has_room_for_more(slot.arena):
        return Reach("", SHORT_LIST)
    return Reach(INTO_A_GROWN_BIN)


def _back(start: CallStart, slot: _Slot) -> Reach:
    """A slot that no bin takes."""
    if start.is_lost(slot.arena):
        return Reach("", NOT_LOST)
    last = start.word(slot.record + run_layout.RUN_LIVE) == 1
    return Reach(LAST if last and start.word(slot.place + run_layout.RUN_CARVED) != slot.record else BACK)


def is_left(start: CallStart, size: int) -> bool:
    """Whether realloc leaves a slot as it is."""
    slot = _Slot(start, start.pointer)
    return bool(start.mine(layout.REGISTERED) and size <= slot.size
                and start.calls.class_for_request(size) == class_of(slot.size))


def refilled(start: CallStart, total: int, batch: int) -> Reach | None:
    """A small request where the bin has nothing; None if no slots serve it."""
    if not start.longer or total > run_layout.MOST_RUN_SLOT:
        return None
    arena = start.mine(layout.MY_ARENA)
    if arena and _is_collected(start, arena, total):
        return Reach(COLLECTED)
    base = _base(start)
    if batch == 0:
        return None
    if base == 0:
        return None if start.setting(run_layout.RUNS_ASKED) else Reach(NEW_RUN)
    if not arena:
        return Reach(NEW_RUN)
    place = base + run_layout.RUN_PLACES + (
        start.index(arena) << run_layout.PLACES_SHIFT) + (class_of(total) + 1 << layout.BIN_SHIFT)
    return _from_runs(start, base, place, batch, total)


def _from_runs(start: CallStart, base: int, place: int, most: int, total: int) -> Reach | None:
    """What the arena's runs of the class have."""
    record = start.word(place + run_layout.RUN_ROOM)
    if record:
        back = start.word(record + run_layout.RUN_FREE) >> layout.COUNT_SHIFT
        return Reach(CAME_BACK if back <= most or back * total <= start.setting(layout.CACHE_BYTES) else PART)
    carved = start.word(place + run_layout.RUN_CARVED)
    if carved:
        number = carved - base - run_layout.RUN_RECORDS >> run_layout.RUN_RECORD_SHIFT
        if start.word(carved + run_layout.RUN_FRESH) != base + (number + 1 << run_layout.RUN_SHIFT):
            return Reach(NEW)
    some = start.word(base + run_layout.RUN_POOL) or start.word(base + run_layout.RUN_NEXT) < run_layout.RUN_COUNT
    return Reach(NEW_RUN) if some else None


def _is_collected(start: CallStart, arena: int, total: int) -> bool:
    """Whether others freed something of the arena that the bin takes."""
    stack = start.word(arena + layout.REMOTE)
    while stack:
        pointer = stack & layout.TOP_MASK
        size = _Slot(start, pointer).size if is_slot(start, pointer) else (
            start.word(pointer - layout.PAYLOAD) & layout.SIZE_MASK) - start.longer
        if size == total:
            return True
        stack = start.word(pointer)
    return False
