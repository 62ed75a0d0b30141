"""Faults that no thread alone can see: a plain access that races, a call that takes effect in two steps."""

from functools import partial

from heapster.checkers.mutation.fault import one_edit

fault = partial(one_edit, by="prove")

UNLOCKED = "m.unlock(arena + ARENA_LOCK)\n{0}m.lock(arena + ARENA_LOCK)\n"

LOCK_FAULTS = (
    # Plain accesses to what others access atomically, or under a lock that is not held.
    fault("the header of what is freed is read plainly", "malloc",
          "    header = m.load_relaxed(block_of(p))\n    if header < MIN_BLOCK",
          "    header = m.load(block_of(p))\n    if header < MIN_BLOCK", "free_races_with_nobody_in_any_heap"),
    fault("a block is told plainly that its left neighbour is used", "block",
          "    m.store_relaxed(right, m.load(right) | PREV_USED)", "    m.store(right, m.load(right) | PREV_USED)",
          "malloc_races_with_nobody_in_any_heap"),
    fault("the policy is read plainly", "settings", "    return m.load_relaxed(m.statics() + POLICY)",
          "    return m.load(m.statics() + POLICY)", "aligning_races_with_nobody_in_any_heap"),
    fault("what an arena holds is looked at without its lock", "malloc",
          "    m.unlock(arena + ARENA_LOCK)\n    if done:\n        return p",
          "    m.unlock(arena + ARENA_LOCK)\n    if done and m.load(arena + 120) >= 0:\n        return p",
          "resizing_races_with_nobody_in_any_heap"),
    fault("the growth is read plainly", "settings", "m.load_relaxed(m.statics() + GROWTH)",
          "m.load(m.statics() + GROWTH)", "refilling_races_with_nobody_in_any_heap"),
    fault("the size of caches is read plainly", "settings", "m.load_relaxed(m.statics() + CACHE_BYTES)",
          "m.load(m.statics() + CACHE_BYTES)", "refilling_by_any_batch_races_with_nobody_in_any_heap"),
    fault("a block is told plainly that its left neighbour is free", "block",
          "    m.store_relaxed(right, m.load(right) & NOT_PREV_USED)",
          "    m.store(right, m.load(right) & NOT_PREV_USED)",
          "collecting_races_with_nobody_in_any_heap"),
    fault("the place of a mapped block on its list is looked at without the lock", "mapping",
          "    m.unlock(record + ARENA_LOCK)\n    if b != NULL and kind == CALL_CALLOC:",
          "    m.unlock(record + ARENA_LOCK)\n"
          "    if b != NULL and m.load(b + NODE + NEXT) != NULL and kind == CALL_CALLOC:",
          "mapping_races_with_nobody"),
    fault("a mapped block's neighbours are looked at without the lock", "mapping",
          "    record = m.statics() + MAPPINGS\n    m.lock(record + ARENA_LOCK)\n    unlist_mapped(m, record, b)",
          "    record = m.statics() + MAPPINGS\n    if m.load(b + NODE + NEXT) == NULL:\n        return\n"
          "    m.lock(record + ARENA_LOCK)\n    unlist_mapped(m, record, b)", "unmapping_races_with_nobody"),
    fault("the place of a mapped block is looked at before the lock is had", "mapping",
          "    need = round_up(m.load(b + LEAD) + PAYLOAD + request, PAGE)\n",
          "    need = round_up(m.load(b + LEAD) + PAYLOAD + request, PAGE)\n"
          "    if m.load(b + NODE + PREV) == NULL:\n        return NULL\n", "resizing_a_mapping_races_with_nobody"),
    # Calls between whose steps others come.
    fault("a free is counted before others come, and done after", "malloc",
          "        release(m, arena, b)\n        m.unlock",
          f"        {UNLOCKED.format(' ' * 8)}        release(m, arena, b)\n        m.unlock",
          "free_takes_effect_at_once_in_any_heap"),
    fault("a block is taken before others come, and counted after", "arena",
          "        count_used(m, arena, size(m, b), 1)\n",
          f"        {UNLOCKED.format(' ' * 8)}        count_used(m, arena, size(m, b), 1)\n",
          "malloc_takes_effect_at_once_in_any_heap"),
    fault("an aligned block is taken before others come, and counted after", "arena",
          "        count_used(m, arena, size(m, b), 1)\n",
          "        if alignment > ALIGN:\n"
          f"            {UNLOCKED.format(' ' * 12)}        count_used(m, arena, size(m, b), 1)\n",
          "aligning_takes_effect_at_once_in_any_heap"),
    fault("a block is resized before others come, and counted after", "resize", "        count_call(m, arena, kind)\n",
          "        m.unlock(arena)\n        m.lock(arena)\n        count_call(m, arena, kind)\n",
          "resizing_takes_effect_at_once_in_any_heap"),
    fault("a batch is carved before others come, and counted after", "thread_cache",
          "        count_call(m, arena, kind)\n        while last != b:",
          f"        {UNLOCKED.format(' ' * 8)}        count_call(m, arena, kind)\n        while last != b:",
          "refilling_takes_effect_at_once_in_any_heap"),
    fault("a refill is counted when others had come", "thread_cache",
          "        b = block_of(p)\n    m.unlock(arena + ARENA_LOCK)\n    return b",
          f"        b = block_of(p)\n    {UNLOCKED.format(' ' * 4)}    count_call(m, arena, kind)\n"
          "    m.unlock(arena + ARENA_LOCK)\n    return b",
          "refilling_by_any_batch_takes_effect_at_once_in_any_heap"),
    fault("others come between a block that was collected and its release", "thread_cache",
          "            release(m, arena, block_of(p))\n\n\ndef carve_batch",
          f"            {UNLOCKED.format(' ' * 12)}            release(m, arena, block_of(p))\n\n\ndef carve_batch",
          "collecting_takes_effect_at_once_in_any_heap"),
    fault("a mapped block is listed before others come, and time passes after", "mapping",
          "        insert(m, record + HEAD, b + NODE)\n",
          "        insert(m, record + HEAD, b + NODE)\n    m.unlock(record)\n    m.lock(record)\n",
          "mapping_takes_effect_at_once"),
    fault("a mapped block is counted before others come, and retained after", "mapping",
          "    retain(m, record, b - m.load(b + LEAD), length)\n    step",
          "    m.unlock(record)\n    m.lock(record)\n    retain(m, record, b - m.load(b + LEAD), length)\n    step",
          "unmapping_takes_effect_at_once"),
    fault("a mapping is resized before others come, and counted after", "mapping",
          "    if b != NULL:\n        count_call(m, record, kind)\n",
          "    if b != NULL:\n        m.unlock(record)\n        m.lock(record)\n        count_call(m, record, kind)\n",
          "resizing_a_mapping_takes_effect_at_once"),
)
