"""Regions: memory from the system, cut into blocks, extended at the break and given back."""

from .block import is_free, left_is_free, owner_in, round_up, size, write_free, write_header
from .freelist import add, link, unlink
from .layout import (
    ALIGN,
    BREAK,
    CORRUPT_HEADER,
    FENCE_BYTES,
    FENCE_REGION,
    FIRST_BLOCK,
    FOOTER,
    FREE_BYTES,
    FROM_MMAP,
    FROM_SBRK,
    HEAD,
    HELD_BYTES,
    MIN_BLOCK,
    NOT_CHECKSUM,
    NOT_USED,
    NULL,
    PAGE,
    PAYLOAD,
    PREV_USED,
    REFUSED,
    REGION_KIND,
    REGION_LENGTH,
    REGION_NEXT,
    REGION_OVERHEAD,
    REGION_PREV,
    REGION_START,
    REGIONS,
    TOP,
    USED,
)
from .purge import may_return
from .settings import arena_at, get_growth


def fence_before(end):
    """The last place for a fence in a region that ends at `end`.

    Ensures:  a payload after it would be aligned; it ends at or before `end`, by less than ALIGN.
    """
    return ((end - FENCE_BYTES - PAYLOAD) & -ALIGN) + PAYLOAD


def write_fence(m, arena, fence, region):
    """End `region` with a used block of size 0 whose left neighbour is used."""
    m.store(fence, owner_in(m.load(arena + HEAD)) | PREV_USED | USED)
    m.store(fence + FENCE_REGION, region)


def left_neighbour(m, b):
    """The free block before `b`; abort unless it and its footer agree.

    Requires: PREV_USED is clear in the header of `b`.
    Ensures:  it ends at b; it is free.
    """
    total = m.load(b + FOOTER)
    if total < MIN_BLOCK or total & (ALIGN - 1) != 0 or total > b:
        m.abort(CORRUPT_HEADER, b + PAYLOAD)
    left = b - total
    if not is_free(m, left) or size(m, left) != total:
        m.abort(CORRUPT_HEADER, b + PAYLOAD)
    return left


def coalesce(m, arena, b):
    """Join `b` with its free neighbours; return the whole, a free block on no list.

    Requires: the arena's lock; b is used, or on no list; its header states size, owner, PREV_USED.
    Ensures:  sizes sum; neither neighbour of the whole is free; header and footer agree;
              the right neighbour knows; absorbed blocks are on no list and not USED;
              the ledger no longer counts them;
              no word outside the blocks, the list and the ledger changes.
    """
    total = size(m, b)
    right = b + total
    if is_free(m, right):
        unlink(m, arena, right)
        total = total + size(m, right)
    if left_is_free(m, b):
        left = left_neighbour(m, b)
        unlink(m, arena, left)
        total = total + size(m, left)
        write_header(m, b, m.load(b) & NOT_USED & NOT_CHECKSUM)
        b = left
    write_free(m, b, total)
    return b


def new_region(m, arena, start, length, kind):
    """Make [start, start + length) the newest region of `arena`; return its one block, free, unlisted.

    Requires: the arena's lock; length >= REGION_OVERHEAD + MIN_BLOCK.
    Ensures:  the block and the fence tile what alignment leaves; HELD_BYTES counts the length;
              it is first on the list of regions; no other word changes.
    """
    region = round_up(start, ALIGN)
    newest = m.load(arena + REGIONS)
    m.store(region + REGION_NEXT, newest)
    m.store(region + REGION_PREV, NULL)
    m.store(region + REGION_START, start)
    m.store(region + REGION_LENGTH, length)
    m.store(region + REGION_KIND, kind)
    if newest != NULL:
        m.store(newest + REGION_PREV, region)
    m.store(arena + REGIONS, region)
    add(m, arena + HELD_BYTES, length)
    fence = fence_before(start + length)
    write_fence(m, arena, fence, region)
    b = region + FIRST_BLOCK
    m.store(b, owner_in(m.load(arena + HEAD)))
    write_free(m, b, fence - b)
    return b


def extend_top(m, arena, length):
    """Take `length` bytes that the break has just passed into the top region; return the free block there.

    Requires: the arena's lock; the top region ended at the old break; length is a multiple of PAGE.
    Ensures:  the old fence starts a block that reaches to the new one, joined with a free block
              before it; HELD_BYTES counts the length; no other word changes.
    """
    region = m.load(arena + TOP)
    end = m.load(arena + BREAK)
    b = fence_before(end)
    fence = fence_before(end + length)
    m.store(b, (m.load(b) & NOT_USED) | (fence - b))
    m.store(b + FENCE_REGION, NULL)
    write_fence(m, arena, fence, region)
    add(m, region + REGION_LENGTH, length)
    m.store(arena + BREAK, end + length)
    add(m, arena + HELD_BYTES, length)
    return coalesce(m, arena, b)


def grow_by_mmap(m, arena, length):
    """A region of `length` bytes from mmap; its block, or NULL if the system refused."""
    start = m.mmap(length)
    if start == REFUSED:
        return NULL
    return new_region(m, arena, start, length, FROM_MMAP)


def grow_by_sbrk(m, arena, length):
    """`length` bytes from sbrk, in the top region or, if a foreigner moved the break, in a new one."""
    old = m.sbrk(length)
    if old == REFUSED:
        return grow_by_mmap(m, arena, length)
    if m.load(arena + TOP) != NULL and old == m.load(arena + BREAK):
        return extend_top(m, arena, length)
    b = new_region(m, arena, old, length, FROM_SBRK)
    m.store(arena + TOP, m.load(arena + REGIONS))
    m.store(arena + BREAK, old + length)
    return b


def grow(m, arena, want):
    """Get memory from the system; return a listed free block of at least `want` bytes, or NULL.

    Requires: the arena's lock; 0 < want <= MAX_REQUEST + PAGE.
    Ensures:  NULL only if the system refused, and then nothing has changed;
              else the block is first on the list; it has at least want bytes.
    """
    length = want + REGION_OVERHEAD
    growth = get_growth(m)
    if length < growth:
        length = growth
    length = round_up(length, PAGE)
    if arena == arena_at(m.statics(), 0):
        b = grow_by_sbrk(m, arena, length)
    else:
        b = grow_by_mmap(m, arena, length)
    if b != NULL:
        link(m, arena, b)
    return b


def surplus(m, arena, b):
    """Bytes at the end of `b`, the free block at the top, that the system may have back; 0 while it may be used again.

    What comes and goes would be faulted in again each time.

    Requires: the arena's lock.
    Ensures:  a multiple of PAGE; what stays is at least the growth.
    """
    total = size(m, b)
    if total < may_return(m, arena):
        return 0
    return (total - get_growth(m)) & -PAGE


def lower_break(m, brk, extra):
    """Whether the break, if it is at `brk`, could be lowered by `extra` bytes.

    If a foreigner moved it between both calls, it is raised again; what lay in the bytes below it is lost.
    """
    if m.sbrk(0) != brk:
        return False
    old = m.sbrk(-extra)
    if old != REFUSED and old != brk:
        m.sbrk(extra)
    return old == brk


def trim_top(m, arena, b, extra):
    """Give the last `extra` bytes of `b`, the free block before the top region's fence, back to the system.

    Tags at the end are written even if nothing was: they may have been on pages that went and came, see `lower_break`.

    Requires: the arena's lock; b is on no list; extra is a multiple of PAGE, and leaves a block; 0 gives back nothing.
    Ensures:  b ends at the fence; HELD_BYTES counts what is left; nothing changes if the system
              refuses or a foreigner has moved the break.
    """
    if extra == 0:
        return
    region = m.load(arena + TOP)
    end = m.load(arena + BREAK)
    if lower_break(m, end, extra):
        end = end - extra
        add(m, region + REGION_LENGTH, -extra)
        m.store(arena + BREAK, end)
        add(m, arena + HELD_BYTES, -extra)
    fence = fence_before(end)
    write_fence(m, arena, fence, region)
    write_free(m, b, fence - b)


def drop_region(m, arena, region):
    """Unmap `region`, whose one block is free and unlisted; whether the system took it.

    Requires: the arena's lock; the region came from mmap.
    Ensures:  on success it is on no list and HELD_BYTES no longer counts it; else nothing changes.
    """
    newer = m.load(region + REGION_PREV)
    older = m.load(region + REGION_NEXT)
    length = m.load(region + REGION_LENGTH)
    if m.munmap(m.load(region + REGION_START), length) == REFUSED:
        return False
    if newer == NULL:
        m.store(arena + REGIONS, older)
    else:
        m.store(newer + REGION_NEXT, older)
    if older != NULL:
        m.store(older + REGION_PREV, newer)
    add(m, arena + HELD_BYTES, -length)
    return True


def may_drop(m, arena, region, b):
    """Whether `region` came from mmap, holds nothing but the free block `b`, and can be spared.

    As many free bytes stay beside it as may be used again, or lie idle.
    """
    if m.load(region + REGION_KIND) != FROM_MMAP or b != region + FIRST_BLOCK:
        return False
    return m.load(arena + FREE_BYTES) >= may_return(m, arena)


def settle(m, arena, b):
    """Let `b` become free: join it with its neighbours, give back what may be, list the rest.

    Requires: the arena's lock; b is used and no longer counted as used.
    """
    b = coalesce(m, arena, b)
    fence = b + size(m, b)
    if size(m, fence) == 0:
        region = m.load(fence + FENCE_REGION)
        if region == m.load(arena + TOP):
            trim_top(m, arena, b, surplus(m, arena, b))
        elif may_drop(m, arena, region, b) and drop_region(m, arena, region):
            return
    link(m, arena, b)
