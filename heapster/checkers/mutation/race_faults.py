"""Planted concurrency faults: edits of a copy of `impl`, each of which `races` must find."""

from dataclasses import replace
from functools import partial

from heapster.checkers.mutation.fault import Edit, Fault

fault = partial(Fault, by="races")

LOCK = "m.lock(arena + ARENA_LOCK)\n"
UNLOCK = "m.unlock(arena + ARENA_LOCK)\n"
OPEN = "    open_record(m, arena, owner_of(m, arena))\n"
GROWN = "        b = grow(m, arena, room)\n"
FOUND = "    b = find_or_grow(m, arena, room_for(want, alignment))\n"
COUNT_CALL = "        count_call(m, arena, kind)\n"
GIVE_BACK = """        m.lock(arena + ARENA_LOCK)
        if kind == CALL_FREE:
            count_call(m, arena, kind)
        release(m, arena, b)
        m.unlock(arena + ARENA_LOCK)
"""
LISTED_IN_STATS = "    if m.load(arena + HEAD + NEXT) != NULL:\n        add_ledger(m, arena, out)"
LAST_OF_STATS = "            m.store(out + STAT_LARGEST_FREE, largest)\n"
FIRST_OF_STATUS = "    if m.load(arena + HEAD + NEXT) != NULL:\n        m.show("
LAST_OF_STATUS = ("            region = m.load(region + REGION_NEXT)\n"
                  "        if SPANS != 0:\n            show_runs(m, arena)\n")


def _free_as(new: str) -> Edit:
    return Edit("malloc.py", GIVE_BACK, new)


RENEWED = """\
        if m.renew(arena + ARENA_LOCK) != 0:
            lose(m, arena, owner_of(m, arena))
"""
LOCKS = (
    fault("find and claim in two critical sections", (
        Edit("arena.py", GROWN, GROWN + f"    {UNLOCK}    {LOCK}"),), "data_race"),
    fault("no lock around allocation", (
        Edit("arena.py", f"    {LOCK}{OPEN}", OPEN),
        Edit("arena.py", f"{COUNT_CALL}    {UNLOCK}", COUNT_CALL)), "data_race"),
    fault("unlocked before the block is counted", (
        Edit("arena.py", "        count_used(m, arena, size(m, b), 1)\n",
             f"    {UNLOCK}    if b != NULL:\n        count_used(m, arena, size(m, b), 1)\n"),
        Edit("arena.py", f"{COUNT_CALL}    {UNLOCK}", COUNT_CALL)), "data_race"),
    fault("no lock on a remote free", (_free_as(f"""\
        mine = attach(m)
        if mine == arena:
            {LOCK}\
        count_call(m, arena, kind)
        release(m, arena, b)
        if mine == arena:
            {UNLOCK}"""),), "data_race"),
    fault("no lock on any free", (_free_as(GIVE_BACK.replace(f"        {LOCK}", "").replace(f"        {UNLOCK}", "")),),
          "data_race"),
    fault("a freed block is settled after the unlock", (_free_as(f"""\
        {LOCK}\
        count_call(m, arena, kind)
        {UNLOCK}\
        release(m, arena, b)
"""),), "data_race"),
    fault("statistics read outside the lock", (
        Edit("stats.py", f"    {LOCK}{LISTED_IN_STATS}", f"    {LOCK}    {UNLOCK}{LISTED_IN_STATS}"),
        Edit("stats.py", f"{LAST_OF_STATS}    {UNLOCK}", LAST_OF_STATS)), "data_race"),
    fault("an arena's regions read without its lock", (
        Edit("stats.py", f"    {LOCK}{FIRST_OF_STATUS}", FIRST_OF_STATUS),
        Edit("stats.py", f"{LAST_OF_STATUS}    {UNLOCK}", LAST_OF_STATUS)), "data_race"),
    fault("sbrk in two steps, and no lock that all share", (
        Edit("region.py", "    old = m.sbrk(length)\n    if old == REFUSED:\n        return grow_by_mmap",
             "    old = m.sbrk(0)\n    if m.sbrk(length) == REFUSED:\n        return grow_by_mmap"),
        Edit("region.py", "        b = grow_by_mmap(m, arena, length)\n    if b",
             "        b = grow_by_sbrk(m, arena, length)\n    if b")), "only_the_main_arena_moves_the_break"),
    fault("an arena's first use is not locked", (
        Edit("arena.py", f"    {LOCK}{OPEN}", f"{OPEN}    {LOCK}"),), "data_race"),
    fault("a remote free locks the freer's arena first", (_free_as(f"""\
        mine = attach(m)
        if mine != arena:
            m.lock(mine + ARENA_LOCK)
        {LOCK}\
        count_call(m, arena, kind)
        release(m, arena, b)
        {UNLOCK}\
        if mine != arena:
            m.unlock(mine + ARENA_LOCK)
"""),), "lock_order"),
    fault("a lock left held when memory is out", (
        Edit("arena.py", FOUND, f"{FOUND}    if b == NULL:\n        return NULL\n"),), "fault_relock"),
    fault("unlocked twice", (_free_as(f"{GIVE_BACK}        {UNLOCK}"),), "fault_stranger_unlock"),
    fault("the cursor is reset after the unlock", (
        Edit("arena.py", f"{COUNT_CALL}    {UNLOCK}",
             f"{COUNT_CALL}    {UNLOCK}    m.store(arena + CURSOR, arena + HEAD)\n"),), "data_race"),
    fault("neighbours on the mapped list read before the lock", (
        Edit("mapping.py", """\
    m.lock(record + ARENA_LOCK)
    unlist_mapped(m, record, b)
""", """\
    before = m.load(b + NODE + PREV)
    after = m.load(b + NODE + NEXT)
    m.lock(record + ARENA_LOCK)
    bypass(m, before, after)
"""),), "data_race"),
    fault("the block beside is read before the lock", (
        Edit("malloc.py", "    done = resize_in_arena(m, arena, block_of(p), request)\n",
             "    done = resize_in_arena(m, arena, block_of(p), request) and beside >= 0\n"),
        Edit("malloc.py", f"    {LOCK}    done",
             f"    beside = size_in(m.load(block_of(p) + size_in(header)))\n    {LOCK}    done")), "data_race"),
    fault("a resize in two critical sections", (
        Edit("resize.py", "    done = fit_in_place(m, arena, b, want)\n    if not done and",
             "    fits = want <= payload_room(m, b)\n    m.unlock(arena)\n    m.lock(arena)\n"
             "    done = fits and fit_in_place(m, arena, b, payload_room(m, b))\n    if not done and"),),
          "aborted_wrong_size"),
    fault("a block's owner reads its header without care", (
        Edit("malloc.py", "    header = m.load_relaxed(block_of(p))\n    if header < MIN_BLOCK",
             "    header = m.load(block_of(p))\n    if header < MIN_BLOCK"),), "data_race"),
    fault("a neighbour's flag is set without care", (
        Edit("block.py", "m.store_relaxed(right, m.load(right) | PREV_USED)",
             "m.store(right, m.load(right) | PREV_USED)"),), "data_race"),
    fault("two threads get their arenas at once", (
        Edit("settings.py", "    m.lock(s + ATTACH_LOCK)\n    index", "    index"),
        Edit("settings.py", "    count_thread(m, index, 1)\n    m.unlock(s + ATTACH_LOCK)",
             "    count_thread(m, index, 1)")), "data_race"),
    fault("the number of arenas is set without the lock", (
        Edit("settings.py",
             "    m.lock(s + ATTACH_LOCK)\n    m.store(s + ARENA_LIMIT, count)\n    m.unlock(s + ATTACH_LOCK)",
             "    m.store(s + ARENA_LIMIT, count)"),), "data_race"),
    fault("the policy is set without care", (
        Edit("settings.py", "m.store_relaxed(m.statics() + POLICY, policy)",
             "m.store(m.statics() + POLICY, policy)"),), "data_race"),
    fault("the lists of mappings are opened before the lock", (
        Edit("mapping.py", """\
    m.lock(record + ARENA_LOCK)
    open_record(m, record, 0)
    open_list(m, m.statics() + RETAINED_LIST)
""", """\
    open_record(m, record, 0)
    open_list(m, m.statics() + RETAINED_LIST)
    m.lock(record + ARENA_LOCK)
"""),), "data_race"),
    fault("a mapped block is listed after the unlock", (
        Edit("mapping.py", """\
        list_mapped(m, record, b, kind)
    m.unlock(record + ARENA_LOCK)
    if b != NULL and""", """\
    m.unlock(record + ARENA_LOCK)
    if b != NULL:
        list_mapped(m, record, b, kind)
    if b != NULL and"""),), "data_race"),
    fault("a mapped block is resized without the lock", (
        Edit("mapping.py", "    record = m.statics() + MAPPINGS\n    m.lock(record + ARENA_LOCK)\n    check_mapped",
             "    record = m.statics() + MAPPINGS\n    check_mapped"),
        Edit("mapping.py", "        step(m, record)\n    m.unlock(record + ARENA_LOCK)\n    return b",
             "        step(m, record)\n    return b")), "data_race"),
    fault("a child trusts an arena that a thread was changing", (
        Edit("lifecycle.py", RENEWED,
             "        m.renew(arena + ARENA_LOCK)\n"),), "fork_unsafe"),
    fault("a child trusts mapped blocks that a thread was changing", (
        Edit("lifecycle.py", "    if m.renew(s + MAPPINGS + ARENA_LOCK) != 0:\n",
             "    if m.renew(s + MAPPINGS + ARENA_LOCK) == 2:\n"),), "fork_unsafe"),
    fault("a child leaves locks to threads that it does not have", (
        Edit("lifecycle.py", RENEWED, ""),), "fork_unsafe"),
    fault("a child leaves the lock of attaching to a thread that it does not have", (
        Edit("lifecycle.py", "m.renew(m.statics() + ATTACH_LOCK) == 0", "head != NULL"),), "fork_unsafe"),
    fault("the thread of a child keeps a lost arena", (
        Edit("lifecycle.py", "        if is_lost(m, arena):\n            m.store(thread + MY_ARENA",
             "        if arena == NULL:\n            m.store(thread + MY_ARENA"),), "fork_unsafe"),
    fault("new threads of a child get a lost arena", (
        Edit("lifecycle.py", "attached_at(s, index), CROWDED)", "attached_at(s, index), 0)"),), "fork_unsafe"),
    fault("a child gives blocks back to a lost arena", (
        Edit("arena.py", "    if is_lost(m, arena):\n        return\n", ""),), "fork_unsafe"),
    fault("a child resizes blocks of a lost arena", (
        Edit("resize.py", "    if is_lost(m, arena):\n        return want <= size(m, b)\n", ""),), "fork_unsafe"),
    fault("a child takes blocks off a list that it lost", (
        Edit("mapping.py", "    if not is_lost(m, record):\n        bypass(",
             "    if record != NULL:\n        bypass("),), "fork_unsafe"),
)

RELEASED = """\
    if mine != 0:
        m.lock(arena + ARENA_LOCK)
        release_all(m, arena, mine)
        m.unlock(arena + ARENA_LOCK)
"""
PUSHED = """\
        batch = move(m, batch, blocks, found)
        word = m.cas_release(arena + REMOTE, found, batch)
"""
TAKEN = """\
    word = take_all(m, arena)
    while word != 0:
        p = top(word)
        word = below(m, p)
        unmark(m, p)
        if SPANS != 0 and is_reserved(m, p):
            collect_slot(m, arena, p, kind)
        elif not cache_block(m, p, size(m, block_of(p)) - LONGER, kind):
            release(m, arena, block_of(p))
"""
REGISTERED = """\
        m.lock(m.statics() + ATTACH_LOCK)
        open_list(m, head)
        insert(m, head, thread)
        m.unlock(m.statics() + ATTACH_LOCK)
"""
ENDING = "        flush_all(m, thread)\n"
LEFT = "    bypass(m, m.load(thread + PREV), m.load(thread + NEXT))\n"
ATTACH = "    {}(m.statics() + ATTACH_LOCK)\n"
CACHES = (
    fault("a block is put on a remote list without a comparison", (
        Edit("remote.py", PUSHED, """\
        batch = move(m, batch, blocks, found)
        m.store_release(arena + REMOTE, batch)
        word = found
"""),), "undecodable_heap"),
    fault("a block is on the remote list before it leads to those below", (
        Edit("remote.py", PUSHED, """\
        word = m.cas_release(arena + REMOTE, found, top(batch) + (count(found) + blocks << 48))
        batch = move(m, batch, blocks, found)
"""),), "data_race"),
    fault("a batch that did not get on a remote list leads to what was there before", (
        Edit("remote.py", PUSHED, """\
        if count(batch) == blocks:
            batch = move(m, batch, blocks, found)
        word = m.cas_release(arena + REMOTE, found, batch)
"""),), "undecodable_heap"),
    fault("what is sent while a remote list is emptied is lost", (
        Edit("remote.py", "    return m.exchange_acquire(arena + REMOTE, 0)\n",
             "    word = m.load_acquire(arena + REMOTE)\n    m.store_relaxed(arena + REMOTE, 0)\n    return word\n"),),
          "lost_block"),
    fault("blocks are taken off a remote list one by one, without the lock (ABA)", (
        Edit("thread_cache.py", "    PREV,\n", "    PREV,\n    REMOTE,\n"),
        Edit("thread_cache.py", TAKEN, """\
    word = m.load_acquire(arena + REMOTE)
    while word != 0:
        m.unlock(arena + ARENA_LOCK)
        p = top(word)
        taken = m.cas_release(arena + REMOTE, word, below(m, p)) == word
        m.lock(arena + ARENA_LOCK)
        if taken:
            unmark(m, p)
        if taken and not cache_block(m, p, size(m, block_of(p)), kind):
            release(m, arena, block_of(p))
        word = m.load_acquire(arena + REMOTE)
""")), "data_race"),
    fault("who finds a remote list long drains it without the lock", (
        Edit("remote.py", f"        {LOCK}        drain(m, arena)\n        {UNLOCK}",
             "        drain(m, arena)\n"),), "data_race"),
    fault("the remote list's bound is ignored", (
        Edit("remote.py", "< MOST_REMOTE:", "< MOST_REMOTE * MOST_REMOTE:"),), "caches_keep_to_their_limits"),
    fault("a flush releases without the lock", (
        Edit("thread_cache.py", RELEASED, RELEASED.replace("        m.lock(arena + ARENA_LOCK)\n", "")
             .replace("        m.unlock(arena + ARENA_LOCK)\n", "")),), "data_race"),
    fault("a flush gives all blocks to the thread's own arena", (
        Edit("thread_cache.py", "        if owner_arena(m, p) == arena:\n", "        if arena != NULL:\n"),),
          "aborted_corrupt_header"),
    fault("a flush reads headers without care", (
        Edit("thread_cache.py", "m.load_relaxed(block_of(p)))", "m.load(block_of(p)))"),),
          "data_race"),
    fault("a thread that ends keeps its blocks", (
        Edit("thread_cache.py", ENDING, ""),), "lost_block"),
    fault("a cache outlives its thread", (Edit("thread_cache.py", LEFT, ""),), "undecodable_heap"),
    fault("threads with caches are listed without the lock", (
        Edit("thread_cache.py", REGISTERED, REGISTERED.replace("    " + ATTACH.format("m.lock"), "")
             .replace("    " + ATTACH.format("m.unlock"), "")),), "data_race"),
    fault("a thread with a cache leaves the list without the lock", (
        Edit("thread_cache.py", f"{ATTACH.format('m.lock')}{LEFT}{ATTACH.format('m.unlock')}", LEFT),), "data_race"),
    fault("whether a thread has a cache is read off its links", (
        Edit("thread_cache.py", "    if m.load(thread + REGISTERED) != 0:\n",
             "    if m.load(thread + NEXT) != NULL:\n"),), "data_race"),
    fault("a child's list of threads with caches is its parent's", (
        Edit("lifecycle.py", "    m.store(head + NEXT, NULL)\n", ""),), "fork_unsafe"),
    fault("the caches of all threads are emptied without the lock", (
        Edit("lifecycle.py", "    m.lock(s + ATTACH_LOCK)\n    thread = m.load(s +", "    thread = m.load(s +"),
        Edit("lifecycle.py", "(thread + NEXT)\n    m.unlock(s + ATTACH_LOCK)\n", "(thread + NEXT)\n")), "data_race"),
    fault("calls that a cache served are counted without care", (
        Edit("thread_cache.py", "    m.store_relaxed(thread + MY_CALLS + kind * WORD, m.load",
             "    m.store(thread + MY_CALLS + kind * WORD, m.load"),), "data_race"),
    fault("a block is kept without care for who counts", (
        Edit("bins.py", "    m.store_relaxed(slot, above(word, p))\n", "    m.store(slot, above(word, p))\n"),),
          "data_race"),
    fault("statistics walk a remote list without the lock", (
        Edit("stats.py", "    m.lock(arena + ARENA_LOCK)          # so that nobody drains it\n", ""),
        Edit("stats.py", f"        word = below(m, top(word))\n    {UNLOCK}", "        word = m.load(top(word))\n")),
          "data_race"),
)
GO = "    m.unlock(record + ARENA_LOCK)\n"
COME = "    m.lock(record + ARENA_LOCK)\n"
FOUND_KEPT = "    if k != NULL:\n        if m.load(k) - length <= length >> SPARE_SHIFT:\n"
TAKEN_KEPT = "        take_from(m, record, k, length)\n        m.store(k, length)\n"
UNMAPPED = "    if m.munmap(k, length) == REFUSED:\n"
PURGED_KEPT = "            m.purge(k + PAGE, m.load(k) - PAGE)\n"
MAPPED_LOCK = "m.statics() + MAPPINGS + ARENA_LOCK"
TRIMMED = "    if get_hardened(m) == 0:\n        trim(m, record)\n"
SET_KEEP = "    m.store_relaxed(m.statics() + KEEP_BYTES, most)\n"
KEPT_BEFORE = "    held = m.load(record + HELD_BYTES)\n"
KEPT_AFTER = "    taken = m.load(record + HELD_BYTES) < held\n"
KEPT = (
    fault("a kept mapping is taken without the lock", (
        Edit("retained.py", FOUND_KEPT, f"    if k != NULL:\n    {GO}" + FOUND_KEPT.partition("\n")[2]),
        Edit("retained.py", TAKEN_KEPT, f"{TAKEN_KEPT}    {COME}")), "data_race"),
    fault("a kept mapping is found and taken in two critical sections", (
        Edit("retained.py", FOUND_KEPT, f"{GO}{COME}{FOUND_KEPT}"),), "fault_unmapped"),
    fault("kept mappings are given back without the lock", (
        Edit("retained.py", f"{SET_KEEP}{TRIMMED}{GO}", f"{SET_KEEP}{GO}{TRIMMED}"),),
          "data_race"),
    fault("a kept mapping is offered to the system outside the lock", (
        Edit("retained.py", UNMAPPED, f"{GO}    refused = m.munmap(k, length)\n{COME}    if refused == REFUSED:\n"),),
          "fork_unsafe"),
    fault("how much may be kept is set without care", (
        Edit("retained.py", f"{COME}{SET_KEEP}", f"{SET_KEEP.replace('_relaxed', '')}{COME}"),), "data_race"),
    fault("the bytes that are kept are counted outside the lock", (
        Edit("retained.py", "    length = m.load(k)\n    add(m, record + FREE_BYTES, -length)\n",
             f"    length = m.load(k)\n{GO}    add(m, record + FREE_BYTES, -length)\n{COME}"),), "data_race"),
    fault("a mapping is purged that another thread has taken meanwhile", (
        Edit("retained.py", PURGED_KEPT, f"            length = m.load(k) - PAGE\n            m.unlock({MAPPED_LOCK})\n"
             f"            m.purge(k + PAGE, length)\n            m.lock({MAPPED_LOCK})\n"),), "data_race"),
    fault("a block grows into a kept mapping in two critical sections", (
        Edit("retained.py", "    take_from(m, record, k, length)\n    return True\n",
             f"{GO}{COME}    take_from(m, record, k, length)\n    return True\n"),), "aborted_corrupt_list"),
    fault("what is kept is given back without the lock when memory is out", (
        Edit("retained.py", f"{COME}{KEPT_BEFORE}", KEPT_BEFORE),
        Edit("retained.py", f"{KEPT_AFTER}{GO}", KEPT_AFTER)), "data_race"),
)
PURGED_IDLE = "        taken = purge_free(m, arena, PAGE) != 0 or m.load(arena + HELD_BYTES) < held\n"
TRIM = (
    fault("an arena is trimmed in two critical sections", (
        Edit("trim.py", "            unlink(m, arena, b)\n            trim_top",
             f"            {UNLOCK}            {LOCK}            unlink(m, arena, b)\n            trim_top"),),
          "fault_unmapped"),
    fault("idle pages are purged outside the lock", (
        Edit("trim.py", PURGED_IDLE, f"        {UNLOCK}{PURGED_IDLE}        {LOCK}"),), "data_race"),
)
OF_VAULT = "    m.{}(m.statics() + MAPPINGS + ARENA_LOCK)\n"
OF_MAPPINGS = "    m.{}(mappings + ARENA_LOCK)\n"
HARDENED = (
    fault("a slot is taken without the lock", (
        Edit("hardened.py", f"    p = NULL\n    {LOCK}", "    p = NULL\n"),
        Edit("hardened.py", f"    {UNLOCK}    return p", "    return p")), "data_race"),
    fault("a block is checked without its owner's lock", (
        Edit("hardened.py", "    m.lock(m.load_relaxed(record + SPAN_OWNER) + ARENA_LOCK)\n", ""),
        Edit("hardened.py", "    m.unlock(owner + ARENA_LOCK)\n", "")), "data_race"),
    fault("a span is made without the lock", (
        Edit("spans.py", f"{OF_VAULT.format('lock')}    record = make", "    record = make"),
        Edit("spans.py", f"{OF_VAULT.format('unlock')}    if record != NULL", "    if record != NULL")), "data_race"),
    fault("a mapping is made without the lock", (
        Edit("hardened.py", f"{OF_MAPPINGS.format('lock')}    open_record", "    open_record"),
        Edit("hardened.py", f"{OF_MAPPINGS.format('unlock')}    return p", "    return p")), "data_race"),
    fault("what waits in an arena is released without the lock", (
        Edit("spare.py", f"    taken = False\n    {LOCK}", "    taken = False\n"),
        Edit("spare.py", f"    {UNLOCK}    return taken", "    return taken")), "data_race"),
)
LOCK_RUNS = "    m.lock(s + MAPPINGS + ARENA_LOCK)\n"
UNLOCK_RUNS = "    m.unlock(s + MAPPINGS + ARENA_LOCK)\n"
TOOK_RUN = "    record = take_record(m)\n"
CLEARED = "    m.store_relaxed(entry_of(m, run_of(m, record)), 0)\n"
POOLED = "    pool_run(m, record)\n"
MADE = "        if m.load(s + RUNS_ASKED) == 0:\n            ask_for_runs(m)\n"
RELEASED_SLOT = "        release_slot(m, arena, p)\n"
POP_SLOT = "        p = pop_slot(m, arena, total, most, kind)\n"
RUNS = tuple(replace(each, spans=True) for each in (
    fault("a run is taken without the lock", (
        Edit("runs.py", f"{LOCK_RUNS}{TOOK_RUN}{UNLOCK_RUNS}", TOOK_RUN),), "data_race"),
    fault("a run is given up without the lock", (
        Edit("runs.py", f"{LOCK_RUNS}{POOLED}{UNLOCK_RUNS}", POOLED),), "data_race"),
    fault("a run is somebody's again before it was nobody's", (
        Edit("runs.py", f"{CLEARED}{LOCK_RUNS}{POOLED}{UNLOCK_RUNS}", f"{LOCK_RUNS}{POOLED}{UNLOCK_RUNS}{CLEARED}"),),
          "slots_are_one_thing_each"),
    fault("the pool is purged without the lock", (
        Edit("runs.py", f"    taken = False\n{LOCK_RUNS}", "    taken = False\n"),
        Edit("runs.py", f"(record + NEXT)\n{UNLOCK_RUNS}    return taken\n", "(record + NEXT)\n    return taken\n")),
          "data_race"),
    fault("runs are reserved without the lock", (
        Edit("runs.py", f"    {LOCK_RUNS}{MADE}    {UNLOCK_RUNS}", MADE),), "data_race"),
    fault("whether runs were asked for is looked at before the lock", (
        Edit("runs.py", f"    {LOCK_RUNS}{MADE}", f"        asked = m.load(s + RUNS_ASKED)\n    {LOCK_RUNS}"
             f"{MADE.replace('m.load(s + RUNS_ASKED)', 'asked')}"),), "data_race"),
    fault("two threads give the reservation back", (
        Edit("lifecycle.py", f"    taken = True\n{LOCK_RUNS}", "    taken = True\n"),
        Edit("lifecycle.py", f"    m.store(s + RUNS_ASKED, 0)\n{UNLOCK_RUNS}", "    m.store(s + RUNS_ASKED, 0)\n")),
          "data_race"),
    fault("where runs are reserved is read without care", (
        Edit("runs.py", "    return m.load_relaxed(m.statics() + RUNS_AT) + FAR\n",
             "    return m.load(m.statics() + RUNS_AT) + FAR\n"),), "data_race"),
    fault("a slot comes back without the lock", (
        Edit("slots.py", f"        {LOCK}        if kind", "        if kind"),
        Edit("slots.py", f"{RELEASED_SLOT}        {UNLOCK}", RELEASED_SLOT)), "data_race"),
    fault("what a run has back is looked through without the lock", (
        Edit("slots.py", f"    {LOCK}    found", "    found"),
        Edit("slots.py", f"    {UNLOCK}    return found", "    return found")), "data_race", budget=20_000),
    fault("slots are taken outside the lock", (
        Edit("thread_cache.py", POP_SLOT, f"        {UNLOCK}{POP_SLOT}        {LOCK}"),), "data_race"),
    fault("how far a run is cut is written without care", (
        Edit("runs.py", "m.store_relaxed(record + RUN_FRESH, fresh", "m.store(record + RUN_FRESH, fresh"),),
          "data_race"),
    fault("how far a run is cut is read without care", (
        Edit("slots.py", "m.load_relaxed(record_of(m, p) + RUN_FRESH)", "m.load(record_of(m, p) + RUN_FRESH)"),),
          "data_race"),
    fault("a child gives slots back to a lost arena", (
        Edit("runs.py", "    if not is_lost(m, arena):\n        take_back(", "    if True:\n        take_back("),
        Edit("remote.py", "    if is_lost(m, arena):\n        word =", "    if False:\n        word =")),
          "fork_unsafe", budget=20_000),
))
ORDERS = (                      # every order in impl that is not relaxed, weakened
    fault("a block is put on a remote list without a release", (
        Edit("remote.py", "        word = m.cas_release(", "        word = m.cas_relaxed("),), "data_race"),
    fault("a remote list is taken without an acquire", (
        Edit("remote.py", "m.exchange_acquire(", "m.exchange_relaxed("),), "data_race"),
    fault("statistics walk a remote list without an acquire", (
        Edit("stats.py", "m.load_acquire(", "m.load_relaxed("),), "data_race"),
    fault("a block is looked for on a remote list without an acquire", (
        Edit("remote.py", "m.load_acquire(", "m.load_relaxed("),), "data_race"),
    fault("a span is shown to be one without a release", (
        Edit("spans.py", "m.store_release(record + KIND, SPAN)", "m.store_relaxed(record + KIND, SPAN)"),),
          "fault_unmapped", budget=6000),
    fault("the owner of a record is read without an acquire", (
        Edit("records.py", "    owner = NULL\n    if m.load_acquire(", "    owner = NULL\n    if m.load_relaxed("),),
          "fault_unmapped", budget=6000),
)
FAULTS = (*LOCKS, *CACHES, *KEPT, *TRIM, *HARDENED, *RUNS, *ORDERS)

