"""Whole calls on slots where a bin is full, or realloc moves: as those of blocks, whose proofs these share."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.any_flush import freed_into_a_full_bin
from heapster.checkers.proofs.any_heap_realloc import moved
from heapster.checkers.proofs.cached_calls import NO_RACE, Growing, freed_past_a_full_bin
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import ALIGN, MAX_REQUEST, RUNS
from heapster.checkers.proofs.run_whole_calls import SlotCaller
from heapster.checkers.proofs.run_words import RESERVATION, RUN
from heapster.checkers.proofs.whole_calls import Renamed
from heapster.machine.symbolic import HIGHEST, LOWEST

OF_SLOTS = "_of_slots"              # ends the names of what is claimed of slots as of blocks


class GrowingSlot(SlotCaller, Growing):
    """A thread that frees a slot for which its bin has no room."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.m.put(self.record + RUNS["RUN_FRESH"], self.p + self.size, "first new slot")


def into_a_grown_bin(source: Any, path: Any) -> None:
    """Each class: any bin without room that gets some, any used slot, of any arena."""
    c = GrowingSlot(path)
    freed_past_a_full_bin(source, Renamed(path, OF_SLOTS), c, c.p, c.owner, c.owning())


def into_a_full_bin(source: Any, path: Any) -> None:
    """Each class: any bin that is full even if it grows, any used slot, of any arena."""
    c = GrowingSlot(path)
    freed_into_a_full_bin(source, Renamed(path, OF_SLOTS), c, c.p)


def moves(source: Any, path: Any) -> None:
    """Each class, any request: to a block or to another slot, with any room for it, or to none."""
    c = SlotCaller(path)
    request, room = path.word("request", 1, MAX_REQUEST), path.word("room", 1, MAX_REQUEST)
    path.require(request, "<=", room)
    new: Any = (0, 1, 2)[path.choose(3)]
    if new == 1:
        new = path.word("new", LOWEST, HIGHEST, ALIGN)
        c.reserve(new, room)
    elif new == 2:
        new = c.base + path.word("other slot", RUNS["FIRST_RUN"] * RUN, RESERVATION - RUNS["MOST_RUN_SLOT"], ALIGN)
        path.require(room, "<=", RUNS["MOST_RUN_SLOT"])
        path.apart(new, room, c.p, c.size)
    kept = c.size if request >= c.size or room >= c.size else room
    with replaced(source.malloc, usable_bytes=lambda _, p: c.size if p == c.p else room):
        moved(source, Renamed(path, OF_SLOTS), c, c.p, request, new, kept)


def _proof(of: str, body: Any, suffix: str, **more: str) -> Proof:
    return Proof(of, ANY_HEAP, body, more={name + OF_SLOTS: claim for name, claim in more.items()},
                 suffix=suffix + OF_SLOTS, spans=True)


PROOFS = (
    _proof("api.free", into_a_grown_bin, "_into_a_grown_bin",
           what_a_bin_that_grew_does_not_take_goes_home="it is on top of the bin, which got room, marked; the first "
                                                        "for a bin goes home if it is another arena's",
           a_free_past_a_full_bin_is_counted="the thread counts one call more",
           a_free_past_a_full_bin_touches_no_more="no other word changes but the bin's limit, no lock is taken, nobody "
                                                  "is asked, and errno is left alone",
           a_free_past_a_full_bin_races_with_nobody=NO_RACE),
    _proof("api.free", into_a_full_bin, "_into_a_full_bin",
           a_full_bin_gives_a_batch_back="once, and as many stay as may",
           what_a_bin_without_room_does_not_take_goes_to_its_arena="to its run, once",
           what_is_freed_into_a_flushed_bin_is_on_top="above those that stay, or it goes home; the call counted",
           a_flushed_bin_is_told_from_others="its limit is noted",
           a_free_into_a_flushed_bin_touches_no_more="no lock is held, and errno is left alone"),
    _proof("api.realloc", moves, "_that_moves",
           what_cannot_move_in_any_heap_stays="NULL and ENOMEM, and no word changes, if no other can be had",
           what_moves_in_any_heap_is_copied_whole="else all of the slot is in the new one, as far as there is room",
           what_moved_in_any_heap_is_freed_once_after="the slot is freed, once, after its bytes were copied"),
)
