"""All that the system can have back at once: malloc_trim of malloc.h."""

from .block import is_free, left_is_free, size
from .freelist import link, unlink
from .hardened import is_hardened
from .layout import (
    ARENA_LOCK,
    BREAK,
    FIRST_BLOCK,
    FROM_MMAP,
    HEAD,
    HELD_BYTES,
    MAX_ARENAS,
    MIN_BLOCK,
    NEXT,
    NULL,
    PAGE,
    PEAK,
    REGION_KIND,
    REGION_NEXT,
    REGIONS,
    REGISTERED,
    TOP,
    USED_BYTES,
)
from .purge import purge_free
from .region import drop_region, fence_before, left_neighbour, trim_top
from .remote import drain
from .retained import release_retained
from .run_layout import SPANS
from .run_totals import runs_hold
from .runs import purge_pool
from .settings import arena_at
from .spare import release_spare
from .thread_cache import flush_all


def spare_top(m, b, pad):
    """Bytes at the end of the free block `b` that are more than `pad`, which may be any word, and a block.

    Ensures:  a multiple of PAGE, at least 0.
    """
    most = size(m, b) - MIN_BLOCK
    if pad < 0 or pad >= most:
        return 0
    return (most - pad) & -PAGE


def lower_top(m, arena, pad):
    """Give back what the top of the arena has free beyond `pad` bytes and a page.

    Requires: the arena's lock.
    """
    if m.load(arena + TOP) != NULL and left_is_free(m, fence_before(m.load(arena + BREAK))):
        b = left_neighbour(m, fence_before(m.load(arena + BREAK)))
        extra = spare_top(m, b, pad)
        if extra != 0:
            unlink(m, arena, b)
            trim_top(m, arena, b, extra)
            link(m, arena, b)


def is_empty(m, region):
    """Whether the region came from mmap and holds nothing but a free block."""
    b = region + FIRST_BLOCK
    return m.load(region + REGION_KIND) == FROM_MMAP and is_free(m, b) and size(m, b + size(m, b)) == 0


def drop_empty(m, arena):
    """Unmap the regions of the arena that hold nothing, as far as the system lets it.

    Requires: the arena's lock.
    """
    region = m.load(arena + REGIONS)
    while region != NULL:
        older = m.load(region + REGION_NEXT)
        if is_empty(m, region):
            unlink(m, arena, region + FIRST_BLOCK)
            if not drop_region(m, arena, region):
                link(m, arena, region + FIRST_BLOCK)
        region = older


def trim_arena(m, arena, pad):
    """Whether the system took anything of an arena, which may not be open."""
    taken = False
    m.lock(arena + ARENA_LOCK)
    if m.load(arena + HEAD + NEXT) != NULL:
        held = m.load(arena + HELD_BYTES)
        if SPANS != 0:
            held = held - runs_hold(m, arena)
        drain(m, arena)
        drop_empty(m, arena)
        lower_top(m, arena, pad)
        if SPANS != 0:
            held = held + runs_hold(m, arena)       # runs that it gave up are in the pool, which keeps what they hold
        taken = purge_free(m, arena, PAGE) != 0 or m.load(arena + HELD_BYTES) < held
        m.store(arena + PEAK, m.load(arena + USED_BYTES))
    m.unlock(arena + ARENA_LOCK)
    return taken


def trim(m, pad):
    """Give back what the calling thread keeps, what is kept of mappings, and all pages that no used block lies in.

    The free end of the top stays as far as `pad` bytes, though they may be purged; what other threads keep is theirs.

    Of a hardened heap goes what waits there, and spans of which no slot is taken then.

    Ensures:  1 if the system took anything, else 0; no used block changes.
    """
    if m.load(m.thread() + REGISTERED) != 0:
        flush_all(m, m.thread())
    taken = 0
    if release_retained(m):
        taken = 1
    if is_hardened(m) and release_spare(m):
        taken = 1
    index = 0
    while index < MAX_ARENAS:
        if trim_arena(m, arena_at(m.statics(), index), pad):
            taken = 1
        index = index + 1
    if SPANS != 0 and purge_pool(m):
        taken = 1
    return taken
