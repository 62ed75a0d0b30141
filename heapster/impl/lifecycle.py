"""The end of the heap, and forks of the process that it lives in."""

from .block import size
from .layout import (
    ARENA_BYTES,
    ARENA_LOCK,
    ATTACH_LOCK,
    BREAK,
    FROM_MMAP,
    HEAD,
    LEAD,
    MAPPINGS,
    MAX_ARENAS,
    NEXT,
    NODE,
    NULL,
    REFUSED,
    REGION_KIND,
    REGION_LENGTH,
    REGION_NEXT,
    REGION_START,
    REGIONS,
    TOP,
)
from .region import lower_break
from .settings import arena_at


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


def return_mappings(m):
    """Unmap all mapped blocks; how many the system did not take."""
    record = m.statics() + MAPPINGS
    m.lock(record + ARENA_LOCK)
    kept = 0
    head = record + HEAD
    node = m.load(head + NEXT)
    while node != NULL and node != head:
        after = m.load(node + NEXT)
        b = node - NODE
        if m.munmap(b - m.load(b + LEAD), size(m, b)) == REFUSED:
            kept = kept + 1
        node = after
    forget(m, record)
    m.unlock(record + ARENA_LOCK)
    return kept


def finalize(m):
    """Return everything to the system; how many pieces it did not take, which are forgotten.

    Requires: no other thread uses the heap, now or with blocks from before.
    Ensures:  every arena is closed and every ledger zero; settings stay, threads keep their arenas.
    """
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


def after_fork(m):
    """Release in parent and child what `before_fork` owned."""
    s = m.statics()
    m.unlock(s + MAPPINGS + ARENA_LOCK)
    index = MAX_ARENAS
    while index > 0:
        index = index - 1
        m.unlock(arena_at(s, index) + ARENA_LOCK)
    m.unlock(s + ATTACH_LOCK)
