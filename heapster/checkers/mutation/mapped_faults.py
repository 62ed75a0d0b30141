"""Faults in blocks with mappings of their own, in bins that are full, and in blocks that move.

Each keeps the look of a contract and breaks what it means, mostly on one path or for large sizes only; with the theorem
of any heap that refutes it.
"""

from functools import partial

from heapster.checkers.mutation.fault import one_edit

fault = partial(one_edit, by="prove")
MARK_FREE = "write_header(m, b, m.load(b) & NOT_USED & NOT_CHECKSUM)"
SETTING = "m.store(m.statics() + 72, 8192)"         # of what no call has a part in

OF_MAPPINGS = (
    # malloc.
    fault("the rest of a large new mapping is lost", "mapping",
          "        b = write_mapped(m, start, m.load(start), alignment)",
          "        if m.load(start) > 1 << 30:\n            m.store(start, length - PAGE)\n"
          "        b = write_mapped(m, start, m.load(start), alignment)", "a_mapped_block_has_a_mapping_of_its_own"),
    fault("an alignment beyond two pages is forgotten", "mapping",
          "    length = mapping_length(request, alignment)\n    record",
          "    if alignment > 8192:\n        alignment = 8192\n"
          "    length = mapping_length(request, alignment)\n    record",
          "a_mapped_block_of_any_heap_is_for_the_request"),
    fault("a mapping that was retained counts as large as the request", "mapping",
          "    count_used(m, record, size(m, b), 1)\n    count_call(m, record, kind)",
          "    count_used(m, record, size(m, b) & -8192, 1)\n    count_call(m, record, kind)",
          "mapping_keeps_the_list_and_the_totals"),
    fault("a new mapping changes a setting", "mapping",
          "    m.store(start, length)\n    add(m, record + HELD_BYTES, length)\n",
          f"    m.store(start, length)\n    add(m, record + HELD_BYTES, length)\n    {SETTING}\n",
          "mapping_spares_the_rest_of_any_heap"),
    fault("what was retained is taken for zero", "mapping", "        make_zero(m, b, fresh)",
          "        make_zero(m, b, True)", "a_mapped_block_is_zero_for_calloc"),
    fault("the arena is asked for less than could not be mapped", "malloc",
          "        b = acquire(m, attach(m), block_size(request), alignment, kind)\n    return b",
          "        b = acquire(m, attach(m), block_size(request), ALIGN, kind)\n    return b",
          "what_cannot_be_mapped_is_asked_of_the_arena"),
    # free.
    fault("the front of an aligned mapping is lost", "mapping", "    retain(m, record, b - m.load(b + LEAD), length)",
          "    lead = m.load(b + LEAD) & -PAGE\n    retain(m, record, b - m.load(b + LEAD) + lead, length - lead)",
          "the_mapping_of_what_is_freed_is_retained_whole"),
    fault("a block of many pages stays used when it is freed", "mapping", f"    {MARK_FREE}\n",
          f"    if length < 1 << 30:\n        {MARK_FREE}\n", "what_was_mapped_is_used_no_more"),
    fault("a mapping that moved is not counted when it is freed", "mapping", "    count_used(m, record, -length, -1)\n",
          "    count_used(m, record, -length & -8192, -1)\n", "unmapping_keeps_the_list_and_the_totals"),
    fault("freeing a mapping changes a setting", "mapping", f"    {MARK_FREE}\n    retain",
          f"    {MARK_FREE}\n    {SETTING}\n    retain", "unmapping_spares_the_rest_of_any_heap"),
    # realloc.
    fault("a mapping that the system moves leaves its list as it was", "mapping",
          "    if listed:\n        m.store(before + NEXT, b + NODE)\n",
          "    if listed and start < length:\n        m.store(before + NEXT, b + NODE)\n",
          "resizing_a_mapping_keeps_the_list_and_the_totals"),
    fault("a mapping that cannot grow is counted all the same", "mapping",
          "    if start == REFUSED:\n        return NULL\n    b = start + lead",
          "    if start == REFUSED:\n        count_used(m, record, extra, 0)\n        return NULL\n"
          "    b = start + lead", "a_mapping_of_any_heap_that_cannot_grow_stays"),
    fault("a mapping is cut by a page too many", "mapping", "        cut_off(m, record, b, length - need)\n",
          "        if need > 1 << 30:\n            need = need - PAGE\n"
          "        cut_off(m, record, b, length - need)\n", "a_resized_mapping_of_any_heap_holds_the_request"),
    fault("a page that is cut off is lost", "mapping", "    retain(m, record, b - m.load(b + LEAD) + length, extra)",
          "    if extra > PAGE:\n        extra = extra - PAGE\n"
          "    retain(m, record, b - m.load(b + LEAD) + length, extra)", "a_resized_mapping_has_just_its_pages"),
    fault("a mapping that takes in what follows changes a setting", "mapping",
          "        become(m, record, b, length + extra)\n    return done",
          f"        become(m, record, b, length + extra)\n        {SETTING}\n    return done",
          "resizing_a_mapping_spares_the_rest_of_any_heap"),
    # Blocks that move, or stay.
    fault("a block that cannot move is freed", "malloc", "        free_block(m, p, CALL_REALLOC)\n    return q",
          "    free_block(m, p, CALL_REALLOC)\n    return q", "what_cannot_move_in_any_heap_stays"),
    fault("a large block moves without its last word", "malloc", "        m.copy(q, p, count)\n",
          "        if count > 1 << 20:\n            count = count - WORD\n        m.copy(q, p, count)\n",
          "what_moves_in_any_heap_is_copied_whole"),
    fault("a large block that moves is not freed", "malloc", "        free_block(m, p, CALL_REALLOC)\n    return q",
          "        if request < 1 << 30:\n            free_block(m, p, CALL_REALLOC)\n    return q",
          "what_moved_in_any_heap_is_freed_once_after"),
    fault("a realloc that leaves the block counts as two", "malloc",
          "        count_mine(m, m.thread(), CALL_REALLOC)\n",
          "        count_mine(m, m.thread(), CALL_REALLOC)\n        count_mine(m, m.thread(), CALL_REALLOC)\n",
          "what_malloc_could_give_is_left_as_it_is"),
)
OF_FULL_BINS = (
    fault("a full bin gives all of it back", "thread_cache",
          "        flush(m, slot, limit - batch_size(limit, total))\n", "        flush(m, slot, 0)\n",
          "a_full_bin_gives_a_batch_back"),
    fault("the first block for a full bin is lost", "thread_cache",
          "    if had_room != 0 or not send_if_remote(m, p):\n        push(m, slot, p)\n",
          "    if had_room != 0 or m.load(slot + LIMIT) & OVERFLOWED == 0 and not send_if_remote(m, p):\n"
          "        push(m, slot, p)\n", "what_is_freed_into_a_flushed_bin_is_on_top"),
    fault("a bin forgets that it was full", "thread_cache", "(limit << COUNT_SHIFT) + OVERFLOWED)",
          "limit << COUNT_SHIFT)", "a_flushed_bin_is_told_from_others"),
    fault("a bin that is flushed takes its thread off the list", "thread_cache",
          "            m.store(slot + LIMIT, (limit << COUNT_SHIFT) + OVERFLOWED)\n",
          "            m.store(slot + LIMIT, (limit << COUNT_SHIFT) + OVERFLOWED)\n"
          "            m.store(thread + REGISTERED, 0)\n", "a_free_into_a_flushed_bin_touches_no_more"),
    fault("a block of which none may stay goes nowhere", "thread_cache",
          "    if m.load(slot) >= had_room and not flush_or_grow(m, thread, total):\n        return False\n",
          "    if m.load(slot) >= had_room and not flush_or_grow(m, thread, total):\n"
          "        return had_room != 0\n", "what_a_bin_without_room_does_not_take_goes_to_its_arena"),
    fault("flushing begins with the block on top lost", "thread_cache",
          "    mine = 0\n    foreign = 0\n    while count",
          "    mine = 0\n    foreign = 0\n    if most == 0 and m.load(slot) != 0:\n        take_top(m, slot)\n"
          "    while count", "flushing_begins_with_nothing_taken"),
    fault("blocks of others are taken for one's own", "thread_cache",
          "        if owner_arena(m, p) == arena:\n            mine = put(m, mine, p)",
          "        if owner_arena(m, p) >= arena:\n            mine = put(m, mine, p)",
          "flushing_takes_the_top_to_its_kind"),
    fault("flushing writes into the block below the top", "thread_cache",
          "        p = take_top(m, slot)\n        if owner",
          "        p = take_top(m, slot)\n        m.store(slot + LIMIT, 0)\n        if owner",
          "flushing_turns_write_no_more"),
    fault("a bin keeps one block more than it may", "thread_cache", "    while count(m.load(slot)) > most:\n",
          "    while count(m.load(slot)) > most + 1:\n", "flushing_of_any_bin_leaves_so_many"),
    fault("flushing loses a stack of more than a hundred", "thread_cache", "    while foreign != 0:\n",
          "    if count(mine) > 100:\n        mine = 0\n    while foreign != 0:\n", "flushing_loses_no_block"),
    fault("others' blocks go to the thread's own arena", "thread_cache",
          "        foreign = send_home(m, owner_arena(m, top(foreign)), foreign)",
          "        foreign = send_home(m, arena, foreign)", "flushing_sends_others_to_their_owner"),
    fault("what did not go home is lost when it is much", "thread_cache",
          "        foreign = send_home(m, owner_arena(m, top(foreign)), foreign)\n",
          "        foreign = send_home(m, owner_arena(m, top(foreign)), foreign)\n"
          "        if count(foreign) > 128:\n"
          "            foreign = 0\n", "flushing_goes_on_with_others"),
    fault("a thread's own blocks are released past the lock", "thread_cache",
          "        release_all(m, arena, mine)\n        m.unlock(arena + ARENA_LOCK)",
          "        m.unlock(arena + ARENA_LOCK)\n        release_all(m, arena, mine)",
          "flushing_releases_its_own_under_the_lock"),
    fault("a stack that is sent home loses its top", "thread_cache", "    batch = 0\n    while word != 0:\n",
          "    batch = 0\n    if count(word) > 128:\n        word = below(m, top(word))\n    while word != 0:\n",
          "sending_begins_with_nothing"),
    fault("a block of another arena goes along when the batch is nearly full", "thread_cache",
          "        if owner_arena(m, p) == home:\n",
          "        if owner_arena(m, p) == home or count(batch) == MOST_SENT - 1:\n", "sending_parts_home_from_others"),
    fault("a batch has one block more than may go at once", "thread_cache", "        if count(batch) == MOST_SENT:\n",
          "        if count(batch) == MOST_SENT + 1:\n", "a_full_batch_is_sent"),
    fault("sending clears what the block holds", "thread_cache", "            batch = put(m, batch, p)\n",
          "            batch = put(m, batch, p)\n            m.store(p + 16, 0)\n", "sending_turns_write_no_more"),
    fault("a last batch of one block is not sent", "thread_cache", "    if batch != 0:\n        send(m, home, batch)\n",
          "    if count(batch) > 1:\n        send(m, home, batch)\n", "sending_ends_with_the_last_batch"),
    fault("releasing a stack begins below its top", "remote",
          "    while word != 0:\n        p = top(word)\n        word = below(m, p)\n        unmark",
          "    if count(word) > 128:\n        word = below(m, top(word))\n"
          "    while word != 0:\n        p = top(word)\n        word = below(m, p)\n        unmark",
          "releasing_begins_with_the_whole_stack"),
    fault("every second block of a long stack is lost", "remote",
          "        else:\n            run = gather(m, arena, run, block_of(p))\n",
          "        elif count(word) & 1 == 0:\n            run = gather(m, arena, run, block_of(p))\n",
          "releasing_goes_on_with_the_rest"),
    fault("releasing writes past the mark", "remote",
          "        unmark(m, p)\n", "        unmark(m, p)\n        m.store(p + 16, 0)\n",
          "releasing_turns_write_no_more"),
    fault("releasing empties the remote list as well", "remote",
          "    gather(m, arena, run, NULL)\n",
          "    gather(m, arena, run, NULL)\n    m.store_relaxed(arena + REMOTE, 0)\n",
          "releasing_ends_with_the_last"),
    fault("what was gathered last is lost", "remote", "    gather(m, arena, run, NULL)\n", "",
          "releasing_ends_with_the_last"),
    fault("a run is given up for the block that is not beside it", "remote",
          "    release(m, arena, run)\n    return b\n", "    return b\n", "a_run_that_has_no_neighbour_is_released"),
    fault("a run is released though it was made one with another", "remote",
          "    if joined != NULL:\n        return joined\n", "", "neighbours_are_gathered"),
    fault("the first of a stack is not gathered", "remote", "    if run == NULL:\n        return b\n",
          "    if run == NULL:\n        return NULL\n", "without_a_run_the_block_is_next"),
    fault("the right of two that became one reads as used", "arena",
          "    write_header(m, right, m.load(right) & NOT_USED & NOT_CHECKSUM)\n", "", "neighbours_become_one"),
    fault("blocks that are apart become one", "arena",
          "    if left + size_in(here) != right:\n        return False\n", "", "what_is_no_neighbour_is_left"),
    fault("a block that is told of a free left becomes part of a larger one", "arena", "there & PREV_USED == 0 or ", "",
          "neighbours_of_one_owner_are_joinable"),
    fault("a damaged header becomes part of a larger block", "arena",
          "    return is_intact(m, left, here) and is_intact(m, right, there)", "    return is_intact(m, left, here)",
          "what_is_no_neighbour_is_left"),
    fault("two that became one count as two", "arena", "    add(m, arena + USED_BLOCKS, -1)\n", "",
          "making_one_of_two_is_counted"),
    fault("making one of two clears what the right held", "arena", "    add(m, arena + USED_BLOCKS, -1)\n",
          "    add(m, arena + USED_BLOCKS, -1)\n    m.store(right + 24, 0)\n", "making_one_of_two_writes_no_more"),
)
MAPPED_FAULTS = (*OF_MAPPINGS, *OF_FULL_BINS)
