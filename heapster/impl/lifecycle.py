"""The end of the heap, and forks of the process that it lives in."""

from .arena import is_lost, open_record, owner_of
from .block import size
from .freelist import add, insert, open_list
from .layout import (
    ARENA_BYTES,
    ARENA_LOCK,
    ARENA_SHIFT,
    ATTACH_LOCK,
    ATTACHED,
    BREAK,
    CACHING,
    CALLS,
    CROWDED,
    FREE_BYTES,
    FROM_MMAP,
    HEAD,
    HELD_BYTES,
    KEEPING_END,
    LEAD,
    LOST,
    MAPPINGS,
    MAX_ARENAS,
    MY_ARENA,
    MY_CALLS,
    NEXT,
    NODE,
    NULL,
    REFUSED,
    REGION_KIND,
    REGION_LENGTH,
    REGION_NEXT,
    REGION_START,
    REGIONS,
    REGISTERED,
    RETAINED_LIST,
    SEGREGATED,
    THREAD_BYTES,
    TOP,
    UNTAKEN,
    USED_BYTES,
    WORD,
)
from .records import return_vault
from .region import lower_break
from .run_layout import (
    RESERVED,
    RUN_COUNT,
    RUN_NEXT,
    RUN_POOL,
    RUN_POOLED,
    RUN_START,
    RUNS_ASKED,
    RUNS_AT,
    SPANS,
)
from .runs import reservation
from .settings import arena_at, attach, attached_at, count_thread
from .thread_cache import flush_all, inherit_calls
from .vault import forget_records


def forget(m, record):
    """Make a record as it was when the program started."""
    m.fill(record + HEAD, 0, ARENA_BYTES - HEAD)


def return_region(m, arena, region):
    """Whether the system took `region` back: a mapping always, memory from sbrk only at the break."""
    length = m.load(region + REGION_LENGTH)
    if m.load(region + REGION_KIND) == FROM_MMAP:
        return m.munmap(m.load(region + REGION_START), length) != REFUSED
    if region != m.load(arena + TOP):
        return False
    return lower_break(m, m.load(arena + BREAK), length)


def return_arena(m, arena):
    """Give all of an arena's regions back and close it; how many the system did not take."""
    m.lock(arena + ARENA_LOCK)
    kept = 0
    region = m.load(arena + REGIONS)
    while region != NULL:
        older = m.load(region + REGION_NEXT)
        if not return_region(m, arena, region):
            kept = kept + 1
        region = older
    forget(m, arena)
    m.unlock(arena + ARENA_LOCK)
    return kept


def return_blocks(m, head):
    """Unmap all mapped blocks on the list of `head`; how many the system did not take."""
    kept = 0
    node = m.load(head + NEXT)
    while node != NULL and node != head:
        after = m.load(node + NEXT)
        b = node - NODE
        if m.munmap(b - m.load(b + LEAD), size(m, b)) == REFUSED:
            kept = kept + 1
        node = after
    return kept


def return_kept(m, head):
    """Unmap all kept mappings on the list of `head`; how many the system did not take."""
    kept = 0
    k = m.load(head + NEXT)
    while k != NULL and k != head:
        after = m.load(k + NEXT)
        if m.munmap(k, m.load(k)) == REFUSED:
            kept = kept + 1
        k = after
    return kept


def return_mappings(m):
    """Unmap all mapped blocks and all that is kept of them; how many pieces the system did not take."""
    s = m.statics()
    record = s + MAPPINGS
    m.lock(record + ARENA_LOCK)
    kept = return_blocks(m, record + HEAD) + return_kept(m, s + RETAINED_LIST) + return_kept(m, s + UNTAKEN)
    forget(m, record)
    m.fill(s + RETAINED_LIST, 0, KEEPING_END - RETAINED_LIST)
    m.unlock(record + ARENA_LOCK)
    return kept


def empty_caches(m):
    """Forget what threads keep, and their calls; they stay on the list of those that have caches.

    Requires: no other thread uses the heap, unless it asks for statistics.
    """
    s = m.statics()
    m.lock(s + ATTACH_LOCK)
    thread = m.load(s + CACHING + NEXT)
    while thread != NULL and thread != s + CACHING:
        m.fill(thread + MY_CALLS, 0, THREAD_BYTES - MY_CALLS)
        thread = m.load(thread + NEXT)
    m.unlock(s + ATTACH_LOCK)


def finalize(m):
    """Return everything to the system; how many pieces it did not take, which are forgotten.

    Requires: no other thread uses the heap, now or with blocks from before, unless it asks for statistics or does this.
    Ensures:  every arena is closed and every ledger zero; settings stay, threads keep their arenas.
    """
    empty_caches(m)
    kept = return_mappings(m) + return_vault(m)
    index = 0
    while index < MAX_ARENAS:
        kept = kept + return_arena(m, arena_at(m.statics(), index))
        index = index + 1
    if SPANS != 0 and not forget_runs(m):
        kept = kept + 1
    return kept


def lose(m, record, owner):
    """Take nothing from the record, an arena's or that of the mapped blocks, and give nothing back to it, from now on.

    Ensures:  it has no region, no free block and nothing on its lists; it holds what it held, all of it used;
              it counts the calls that it did.
    """
    held = m.load(record + HELD_BYTES)
    m.fill(record + HEAD, 0, HELD_BYTES - HEAD)
    m.store(record + USED_BYTES, held)
    m.fill(record + FREE_BYTES, 0, CALLS - FREE_BYTES)
    m.fill(record + SEGREGATED, 0, ARENA_BYTES - SEGREGATED)
    open_record(m, record, owner | LOST)


def mend_arenas(m):
    """Make the locks of arenas new; an arena whose lock a thread took with it is lost, and gets no threads."""
    s = m.statics()
    m.fill(s + ATTACHED, 0, MAX_ARENAS * WORD)
    index = 0
    while index < MAX_ARENAS:
        arena = arena_at(s, index)
        if m.renew(arena + ARENA_LOCK) != 0:
            lose(m, arena, owner_of(m, arena))
        if is_lost(m, arena):
            m.store(attached_at(s, index), CROWDED)
        index = index + 1


def mend_mappings(m):
    """Make the lock of the mapped blocks new; if a thread took it with it, they are on no list, and nothing is kept."""
    s = m.statics()
    if m.renew(s + MAPPINGS + ARENA_LOCK) != 0:
        lose(m, s + MAPPINGS, 0)
        if SPANS != 0:
            lose_pool(m)
        m.fill(s + RETAINED_LIST, 0, KEEPING_END - RETAINED_LIST)
        open_list(m, s + RETAINED_LIST)
        open_list(m, s + UNTAKEN)
        forget_records(m)


def seat(m, thread):
    """Let the calling thread be the only one that has an arena, which is another if it was lost."""
    arena = m.load(thread + MY_ARENA)
    if arena != NULL:
        if is_lost(m, arena):
            m.store(thread + MY_ARENA, NULL)
            attach(m)
        else:
            count_thread(m, (arena - arena_at(m.statics(), 0)) >> ARENA_SHIFT, 1)


def inherit(m, head):
    """Give back what other threads on the list of `head` kept, and let their arenas count the calls that they made."""
    thread = m.load(head + NEXT)
    while thread != NULL and thread != head:
        if thread != m.thread():
            flush_all(m, thread)
            inherit_calls(m, m.load(thread + MY_ARENA), thread)
        thread = m.load(thread + NEXT)


def mend_threads(m):
    """Let the calling thread be the only one: its cache alone is listed; what others kept is given back.

    A bin is whole at any time; but the list of threads is not known if one took its lock with it.
    """
    head = m.statics() + CACHING
    thread = m.thread()
    known = m.renew(m.statics() + ATTACH_LOCK) == 0
    seat(m, thread)
    if known:
        inherit(m, head)
    m.store(head + NEXT, NULL)
    if m.load(thread + REGISTERED) != 0:
        open_list(m, head)
        insert(m, head, thread)


def after_fork_in_child(m):
    """Mend the heap in the child of a fork, where the calling thread is the only one that is left.

    Nobody owns a lock across a fork: it runs code that is not ours (handlers of others, locks of the C library), and
    that may wait for a thread that waits for memory. So the child finds the heap as the other threads were changing
    it. What a thread changes, it changes under a lock, which it still owns here: the rest is whole. A record whose
    lock is owned is lost, with all that it holds: its blocks stay good, and are never used for another.

    Requires: the calling thread owns no lock; what others stored is here up to some moment of each, and with
              anything that they had seen of each other.
    Ensures:  every lock is free; what the calling thread keeps is as it was; what others kept is given back, if the
              lock of their list was free.
    """
    mend_arenas(m)
    mend_mappings(m)
    mend_threads(m)


# Runs, at the end of the heap and in forks.


def forget_runs(m):
    """Give the reservation back, if there is one; whether the system took it. It is forgotten in any case.

    Requires: no other thread uses the heap, unless it asks for statistics or does this.
    """
    s = m.statics()
    taken = True
    m.lock(s + MAPPINGS + ARENA_LOCK)
    if m.load(s + RUNS_AT) != 0:
        taken = m.munmap(m.load(reservation(m) + RUN_START), RESERVED) != REFUSED
    m.store_relaxed(s + RUNS_AT, 0)
    m.store(s + RUNS_ASKED, 0)
    m.unlock(s + MAPPINGS + ARENA_LOCK)
    return taken


def lose_pool(m):
    """Let the runs that nobody has be nobody's for ever: a thread was taking one, or giving one back."""
    if m.load(m.statics() + RUNS_AT) != 0:
        base = reservation(m)
        m.store(base + RUN_POOL, NULL)
        m.store(base + RUN_POOLED, 0)
        if m.load(base + RUN_NEXT) < RUN_COUNT:
            add(m, base + RUN_NEXT, 1)
