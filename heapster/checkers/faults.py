"""The faults that `fuzz` must find, each with the code of the finding that must name it."""

from heapster.checkers.planting import Fault

FAULTS = (
    # Sizes and rounding.
    Fault("block sizes forget the header", "block", "round_up(request + WORD, ALIGN)", "round_up(request, ALIGN)",
          "usable_too_small"),
    Fault("no least block size", "block", "        want = MIN_BLOCK\n", "        want = want\n",
          "sizes_are_legal"),
    Fault("rounding down", "block", "return (n + to - 1) & -to", "return n & -to", "fault_unmapped"),
    Fault("a remainder too small for a block is split off", "block", "if rest < MIN_BLOCK:", "if rest < 16:",
          "undecodable_heap"),
    Fault("a remainder of exactly the least block is not split off", "block", "if rest < MIN_BLOCK:",
          "if rest <= MIN_BLOCK:", "structure_diverges"),
    # Flags, headers and footers.
    Fault("splitting forgets the left neighbour", "block", "(OWNER_MASK | PREV_USED)", "OWNER_MASK",
          "flags_agree_with_neighbours"),
    Fault("splitting forgets the owner", "block", "m.store(b + want, owner_in(m.load(b)) | rest",
          "m.store(b + want, rest", "owners_are_right"),
    Fault("no footer is written", "block", "    m.store(b + total + FOOTER, total)\n", "", "boundary_tags_agree"),
    Fault("the footer lies a word too low", "block", "b + total + FOOTER", "b + total + 2 * FOOTER",
          "boundary_tags_agree"),
    Fault("the right neighbour is not told of a free left", "block", "m.load(right) & NOT_PREV_USED",
          "m.load(right)", "flags_agree_with_neighbours"),
    Fault("the right neighbour is not told of a used left", "block", "m.load(right) | PREV_USED", "m.load(right)",
          "flags_agree_with_neighbours"),
    # Coalescing.
    Fault("no coalescing to the right", "region", "    if is_free(m, right):\n        unlink",
          "    if is_free(m, right) and total == 0:\n        unlink", "no_two_free_neighbours"),
    Fault("no coalescing to the left", "region", "    if left_is_free(m, b):", "    if left_is_free(m, b) and b == 0:",
          "no_two_free_neighbours"),
    Fault("the absorbed right neighbour stays listed", "region",
          "        unlink(m, arena, right)\n        total = total + size(m, right)\n    if left",
          "        total = total + size(m, right)\n    if left", "free_list_is_exactly_the_free_blocks"),
    Fault("an absorbed block still counts as used", "region", "        m.store(b, m.load(b) & NOT_USED)\n"
          "        b = left",
          "        b = left", "misuse_unnoticed"),
    # The free list and its cursor.
    Fault("insertion leaves the old first's prev link", "freelist", "    m.store(first + PREV, node)\n", "",
          "aborted_corrupt_list"),
    Fault("removal leaves the next block's prev link", "freelist", "    m.store(after + PREV, before)\n", "",
          "aborted_corrupt_list"),
    Fault("the cursor is left at a block that is gone", "freelist", "        m.store(arena + CURSOR, after)\n",
          "        m.store(arena + CURSOR, b)\n", "cursor_is_on_the_list"),
    # Placement.
    Fault("first fit wants more than it needs", "placement", "        if size(m, b) >= want:\n"
          "            return b",
          "        if size(m, b) > want:\n            return b", "structure_diverges"),
    Fault("next fit begins at the head each time", "placement", "    start = m.load(arena + CURSOR)\n",
          "    start = arena + HEAD\n", "structure_diverges"),
    Fault("next fit leaves the cursor where it was", "placement", "    m.store(arena + CURSOR, b)\n"
          "    return b",
          "    return b", "structure_diverges"),
    Fault("best fit takes the last of equals", "placement", "here < least", "here <= least", "structure_diverges"),
    Fault("worst fit takes the last of equals", "placement", "if here > most", "if here >= most",
          "structure_diverges"),
    Fault("best and worst fit are swapped", "placement", "if policy == BEST_FIT", "if policy != BEST_FIT",
          "structure_diverges"),
    # Mappings and thresholds.
    Fault("a request of just the threshold is not mapped", "api", ">= get_threshold(m)", "> get_threshold(m)",
          "system_calls_diverge"),
    Fault("the least threshold is not kept", "settings", "    if threshold < MIN_THRESHOLD:",
          "    if threshold < 0:", "wrong_answer"),
    Fault("a freed mapping stays listed", "mapping", "        bypass(m, before, after)\n", "", "undecodable_heap"),
    Fault("a refused munmap loses the block", "mapping", "    if m.munmap(b - m.load(b + LEAD), length) == REFUSED:",
          "    if m.munmap(b - m.load(b + LEAD), length) == 1:", "memory_is_accounted_for"),
    Fault("shrinking a mapping unmaps a page too many", "mapping", "need = round_up(lead + PAYLOAD + request, PAGE)",
          "need = round_up(lead + request, PAGE)", "usable_too_small"),
    # The break.
    Fault("the top is trimmed below a live block", "region", "    return (total - growth) & -PAGE",
          "    return (total + growth) & -PAGE", "fault_unmapped"),
    Fault("a foreigner's break is ignored on growth", "region",
          "!= NULL and old == m.load(arena + BREAK):", "!= NULL and old != 1:", "memory_is_accounted_for"),
    Fault("a foreigner's break is ignored on trimming", "region", "    if m.sbrk(0) != brk:\n",
          "    if m.sbrk(0) == 1:\n", "system_calls_diverge"),
    Fault("the break is not remembered on trimming", "region", "    m.store(arena + BREAK, brk - extra)\n", "",
          "the_top_region_ends_at_the_break"),
    # Failure.
    Fault("a refused mapping is taken for memory", "region", "    if start == REFUSED:", "    if start == 0:",
          "fault_unmapped"),
    Fault("a lock is left held when memory is out", "arena",
          "        count_call(m, arena, kind)\n    m.unlock(arena + ARENA_LOCK)",
          "        count_call(m, arena, kind)\n        m.unlock(arena + ARENA_LOCK)", "locks_are_released"),
    Fault("errno is not set when memory is out", "api", "    m.set_errno(ENOMEM)\n", "", "null_without_errno"),
    Fault("a failed realloc frees the old block", "api", "    if q != NULL:\n"
          "        m.copy(q, p, usable_size(m, p))\n"
          "        give_back",
          "    if q != NULL:\n"
          "        m.copy(q, p, usable_size(m, p))\n"
          "    if p != NULL:\n"
          "        give_back", "failed_realloc_changed_block"),
    # calloc and realloc.
    Fault("calloc's product may overflow", "api", "    if high >> 32 != 0 or low", "    if low", "fault_word_overflow"),
    Fault("calloc does not zero reused memory", "api", "            m.fill(p, 0, usable_size(m, p))\n",
          "            m.fill(p, 0, 0)\n", "not_zeroed"),
    Fault("realloc moves without the contents", "api", "        m.copy(q, p, usable_size(m, p))\n", "", "prefix_lost"),
    Fault("realloc keeps a word too few", "api", "m.copy(q, p, usable_size(m, p))",
          "m.copy(q, p, usable_size(m, p) - WORD)", "prefix_lost"),
    # Alignment.
    Fault("a lead is not made a whole block", "arena", "    if lead < MIN_BLOCK:", "    if lead < 0:",
          "fault_unmapped"),
    Fault("alignment is rounded from the header", "arena", "p = (payload(b) + alignment - 1) & -alignment",
          "p = ((b + alignment - 1) & -alignment) + ALIGN", "answer_diverges"),
    # Statistics, threads and misuse.
    Fault("freed blocks stay counted as used", "arena", "    count_used(m, arena, -size(m, b), -1)",
          "    count_used(m, arena, -size(m, b), 0)", "ledgers_equal_recomputed_totals"),
    Fault("the statistics forget the mappings", "stats", "    if which == ALL_ARENAS or which == ONLY_MAPPINGS:",
          "    if which == ONLY_MAPPINGS:", "wrong_statistics"),
    Fault("a block is freed into the calling thread's arena", "api", "        arena = arena_of(m, header)\n"
          "        m.lock(arena + ARENA_LOCK)\n"
          "        if kind",
          "        arena = attach(m)\n"
          "        m.lock(arena + ARENA_LOCK)\n"
          "        if kind", "free_list_is_exactly_the_free_blocks"),
    Fault("a new thread shares the last one's arena", "settings", "    following = index + 1", "    following = index",
          "structure_diverges"),
    Fault("a double free is not noticed", "api", "    if header & USED == 0:", "    if header == 0:",
          "misuse_unnoticed"),
    Fault("fork leaves the mappings' lock", "lifecycle", "    m.lock(s + MAPPINGS + ARENA_LOCK)\n", "",
          "fault_stranger_unlock"),
    Fault("finalize forgets the mappings", "lifecycle", "    kept = return_mappings(m)\n", "    kept = 0\n",
          "system_calls_diverge"),
)
