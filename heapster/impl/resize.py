"""Resizing a block of an arena where it is."""

from .arena import check_neighbours, count_call, count_used, is_lost
from .block import is_free, set_prev_used, size, split, write_used
from .freelist import unlink
from .layout import BREAK, FREE_BYTES, NULL, TOP
from .region import fence_before, grow, settle
from .settings import arena_at


def payload_room(m, b):
    """Bytes of the used block `b` and, if it is free, its right neighbour."""
    total = size(m, b)
    if is_free(m, b + total):
        total = total + size(m, b + total)
    return total


def absorb_right(m, arena, b):
    """Join the used block `b` with its right neighbour, if that is free.

    Requires: the arena's lock.
    Ensures:  the sizes sum; the neighbour is on no list; what lies right of it knows its left as used.
    """
    right = b + size(m, b)
    if is_free(m, right):
        total = size(m, b) + size(m, right)
        unlink(m, arena, right)
        write_used(m, b, total)
        set_prev_used(m, b + total)


def fit_in_place(m, arena, b, want):
    """Whether `b`, with a free right neighbour, could be made `want` bytes where it is.

    Requires: the arena's lock; b is used; want is a legal block size.
    Ensures:  on success size(b) is want, or larger by less than MIN_BLOCK; else nothing changes.
    """
    old = size(m, b)
    if want == old:
        return True
    if want > payload_room(m, b):
        return False
    absorb_right(m, arena, b)
    rest = split(m, b, want)
    count_used(m, arena, size(m, b) - old, 0)
    if rest != NULL:
        settle(m, arena, rest)
    return True


def grow_above(m, arena, b, want):
    """Whether the break was raised for `b`, the last of the top region, which lacks bytes to `want`.

    Not while the arena has as many free bytes: a heap whose last block grows again and again would grow for ever.

    Requires: the arena's lock; want > payload_room(b).
    """
    if m.load(arena + FREE_BYTES) >= want:
        return False
    if arena != arena_at(m.statics(), 0) or m.load(arena + TOP) == NULL:
        return False
    if b + payload_room(m, b) != fence_before(m.load(arena + BREAK)):
        return False
    return grow(m, arena, want - payload_room(m, b)) != NULL


def resize(m, arena, b, want, kind):
    """Whether the used block `b` could be made `want` bytes where it is.

    Requires: the arena's lock; want is a legal block size.
    Ensures:  on success size(b) >= want and its payload up to the lesser size is unchanged;
              else b is unchanged; nothing changes if the arena is lost.
    """
    if is_lost(m, arena):
        return want <= size(m, b)
    check_neighbours(m, b)
    done = fit_in_place(m, arena, b, want)
    if not done and grow_above(m, arena, b, want):
        done = fit_in_place(m, arena, b, want)
    if done:
        count_call(m, arena, kind)
    return done
