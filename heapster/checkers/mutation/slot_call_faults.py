"""Faults that whole calls on slots meet, each of which the theorem about the call refutes."""

from functools import partial

from heapster.checkers.mutation.fault import one_edit

fault = partial(one_edit, by="prove")
POPPED = "    count_call(m, arena, kind)\n    return pop(m, slot)\n"
COLLECTED = "    p = pop_cached(m, class_of(total), kind)\n    if p == NULL:\n"
COUNTED = "    count_slots(m, arena, size, count(stack))\n"
TAKEN = "        stack = take_freed(m, place, record, as_many(m, record, size, most))\n"
FREED = "    count_freed(m, thread, kind)\n    return True\n\n\ndef collect_remote"
OF_SLOTS_ALONE = "    if not is_reserved(m, p):\n    " + FREED
ROOM = "    slot = bin_of(thread, total)\n    had_room = m.load(slot + LIMIT)\n"
REGISTERING = ROOM + "    if is_reserved(m, p):\n        m.store(thread + REGISTERED, 1)\n"
MOVED = "    q = allocate(m, request, ALIGN, CALL_REALLOC)\n"
COPIED = "        m.copy(q, p, count)\n        free_block(m, p, CALL_REALLOC)\n"

EMPTY_BINS = (
    fault("what was collected is handed out 16 bytes on", "thread_cache", "    else:\n        b = block_of(p)\n",
          "    else:\n        b = block_of(p) + 16\n", "a_slot_that_others_freed_is_handed_out"),
    fault("a slot that others freed counts as one more", "thread_cache", COLLECTED, COLLECTED.replace(
        "    if p == NULL:\n", "    if p != NULL:\n        add(m, arena + USED_BLOCKS, 1)\n    if p == NULL:\n"),
          "slots_that_others_freed_are_still_out"),
    fault("a bin forgets the other slots that came back", "thread_cache", POPPED,
          POPPED.replace("return pop(m, slot)", "p = pop(m, slot)\n    m.store_relaxed(slot, 0)\n    return p"),
          "part_of_the_slots_that_came_back_is_taken"),
    fault("a run counts one slot less as out", "runs", "    add(m, record + RUN_LIVE, count(stack))\n",
          "    add(m, record + RUN_LIVE, count(stack) - 1)\n", "a_run_that_has_slots_left_stays_listed"),
    fault("an arena counts one slot less as used", "runs", COUNTED, COUNTED.replace("count(stack)", "count(stack) - 1"),
          "part_of_a_runs_slots_is_counted_as_used"),
    fault("a run that some were taken of leads back to itself", "runs",
          TAKEN, f"{TAKEN}        m.store(record + PREV, record)\n",
          "part_of_a_runs_slots_is_all_that_is_touched"),
    fault("a new slot is handed out 16 bytes on", "thread_cache", POPPED, POPPED.replace("(m, slot)", "(m, slot) + 16"),
          "a_new_slot_is_handed_out"),
    fault("as many new slots count as used as are wanted", "runs", COUNTED, COUNTED.replace("count(stack)", "most"),
          "new_slots_are_counted_as_used"),
    fault("a run that is carved is listed", "runs", "        stack = carve_slots(m, record, size, most)\n",
          "        stack = carve_slots(m, record, size, most)\n        m.store(place + RUN_ROOM, record)\n",
          "new_slots_are_all_that_is_touched"),
    fault("a new run is not the one that is carved", "runs",
          "        if record != NULL:\n            m.store(place + RUN_CARVED, record)\n", "",
          "a_new_run_is_the_arenas"),
    fault("of a new run a slot is out", "runs", "        m.store(record + RUN_LIVE, 0)\n",
          "        m.store(record + RUN_LIVE, 1)\n", "the_first_slot_of_a_new_run_is_handed_out"),
    fault("of a run its slots' bytes are held", "runs", "    add(m, arena + HELD_BYTES, sign * RUN_BYTES)\n",
          "    add(m, arena + HELD_BYTES, sign * slots * size_of_slot(word))\n", "a_new_run_is_counted_with_its_slots"),
    fault("a new run has pages, whatever it had", "runs",
          "        m.store(record + RUN_FREE, 0)\n        m.store_relaxed(",
          "        m.store(record + RUN_FREE, 0)\n        m.store(record + RUN_PURGED, 0)\n        m.store_relaxed(",
          "a_new_run_is_all_that_is_touched"),
)
FULL_BINS = (
    fault("no slot goes home", "thread_cache", "    if had_room != 0 or not send_if_remote(m, p):\n",
          "    if is_reserved(m, p) or had_room != 0 or not send_if_remote(m, p):\n",
          "what_a_bin_that_grew_does_not_take_goes_home_of_slots"),
    fault("a slot past a full bin is not counted", "thread_cache", FREED, OF_SLOTS_ALONE,
          "a_free_past_a_full_bin_is_counted_of_slots"),
    fault("who frees a slot past a full bin is registered", "thread_cache", ROOM, REGISTERING,
          "a_free_past_a_full_bin_touches_no_more_of_slots"),
    fault("where the reservation is, is read as if nobody made it", "runs",
          "    return m.load_relaxed(m.statics() + RUNS_AT) + FAR", "    return m.load(m.statics() + RUNS_AT) + FAR",
          "a_free_past_a_full_bin_races_with_nobody_of_slots"),
    fault("a full bin of slots gives nothing back", "thread_cache", "limit - batch_size(limit, total))", "limit)",
          "a_full_bin_gives_a_batch_back_of_slots"),
    fault("another slot is released", "slots", "        release_slot(m, arena, p)\n",
          "        release_slot(m, arena, p + 16)\n",
          "what_a_bin_without_room_does_not_take_goes_to_its_arena_of_slots"),
    fault("a slot into a flushed bin is not counted", "thread_cache", FREED, OF_SLOTS_ALONE,
          "what_is_freed_into_a_flushed_bin_is_on_top_of_slots"),
    fault("that a bin of slots was full is forgotten", "thread_cache", "(limit << COUNT_SHIFT) + OVERFLOWED)",
          "limit << COUNT_SHIFT)", "a_flushed_bin_is_told_from_others_of_slots"),
    fault("who frees a slot into a flushed bin is registered", "thread_cache", ROOM, REGISTERING,
          "a_free_into_a_flushed_bin_touches_no_more_of_slots"),
    fault("that a slot cannot move is not told", "malloc", MOVED, MOVED + "    m.set_errno(0)\n",
          "what_cannot_move_in_any_heap_stays_of_slots"),
    fault("no more of a slot is copied than is asked for", "malloc",
          "            count = least(count, usable_bytes(m, q))\n", "            count = request\n",
          "what_moves_in_any_heap_is_copied_whole_of_slots"),
    fault("a slot is freed before its bytes are copied", "malloc", COPIED, "".join(
        reversed(COPIED.splitlines(keepends=True))), "what_moved_in_any_heap_is_freed_once_after_of_slots"),
)
SLOT_CALL_FAULTS = EMPTY_BINS + FULL_BINS
