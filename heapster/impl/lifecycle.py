"""The end of the heap, and forks of the process that it lives in."""

from .block import size
from .freelist import insert, open_list
from .layout import (
    ARENA_BYTES,
    ARENA_LOCK,
    ARENA_SHIFT,
    ATTACH_LOCK,
    ATTACHED,
    BREAK,
    CACHING,
    ENROLLED,
    FROM_MMAP,
    HEAD,
    KEEPING_END,
    KEPT,
    LEAD,
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
    THREAD_BYTES,
    TOP,
    WORD,
)
from .region import lower_break
from .settings import arena_at, count_thread


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
    kept = return_blocks(m, record + HEAD) + return_kept(m, s + KEPT)
    forget(m, record)
    m.fill(s + KEPT, 0, KEEPING_END - KEPT)
    m.unlock(record + ARENA_LOCK)
    return kept


def empty_caches(m):
    """Forget what threads keep, and their calls; they stay on the list of those that have caches.

    Requires: no other thread uses the heap.
    """
    head = m.statics() + CACHING
    thread = m.load(head + NEXT)
    while thread != NULL and thread != head:
        m.fill(thread + MY_CALLS, 0, THREAD_BYTES - MY_CALLS)
        thread = m.load(thread + NEXT)


def finalize(m):
    """Return everything to the system; how many pieces it did not take, which are forgotten.

    Requires: no other thread uses the heap, now or with blocks from before.
    Ensures:  every arena is closed and every ledger zero; settings stay, threads keep their arenas.
    """
    empty_caches(m)
    kept = return_mappings(m)
    index = 0
    while index < MAX_ARENAS:
        kept = kept + return_arena(m, arena_at(m.statics(), index))
        index = index + 1
    return kept


def before_fork(m):
    """Own every lock, in the one order in which locks nest, so that the child finds the heap at rest."""
    s = m.statics()
    m.lock(s + ATTACH_LOCK)
    index = 0
    while index < MAX_ARENAS:
        m.lock(arena_at(s, index) + ARENA_LOCK)
        index = index + 1
    m.lock(s + MAPPINGS + ARENA_LOCK)


def after_fork_in_child(m):
    """As `after_fork`; what the threads that the child does not have kept is lost to it, and they are on no list."""
    head = m.statics() + CACHING
    m.store(head + NEXT, NULL)
    thread = m.thread()
    if m.load(thread + ENROLLED) != 0:
        open_list(m, head)
        insert(m, head, thread)
    m.fill(m.statics() + ATTACHED, 0, MAX_ARENAS * WORD)
    arena = m.load(thread + MY_ARENA)
    if arena != NULL:
        count_thread(m, (arena - arena_at(m.statics(), 0)) >> ARENA_SHIFT, 1)
    after_fork(m)


def after_fork(m):
    """Release in the parent what `before_fork` owned."""
    s = m.statics()
    m.unlock(s + MAPPINGS + ARENA_LOCK)
    index = MAX_ARENAS
    while index > 0:
        index = index - 1
        m.unlock(arena_at(s, index) + ARENA_LOCK)
    m.unlock(s + ATTACH_LOCK)
