"""Placement policies: which block of the free list serves a request. Knuth, TAOCP 1, 2.5."""

from .block import size
from .layout import BEST_FIT, CURSOR, FIRST_FIT, HEAD, NEXT, NEXT_FIT, NULL


def first_fit(m, arena, want):
    """The first block in list order that fits.

    Requires: the arena's lock; want > 0.
    Ensures:  NULL only if no block on the list fits; otherwise it fits; none before it does;
              no word changes.
    """
    head = arena + HEAD
    b = m.load(head + NEXT)
    while b != head:
        if size(m, b) >= want:
            return b
        b = m.load(b + NEXT)
    return NULL


def next_fit(m, arena, want):
    """The first block from the cursor on that fits, once round the list; the cursor moves there.

    Requires: the arena's lock; want > 0; the cursor is on the list or at its head.
    Ensures:  NULL only if no block on the list fits; otherwise it fits; none from the cursor
              to it does; the cursor is at it; no other word changes.
    """
    start = m.load(arena + CURSOR)
    b = start
    if size(m, b) < want:
        b = m.load(b + NEXT)
        while b != start and size(m, b) < want:
            b = m.load(b + NEXT)
        if b == start:
            return NULL
    m.store(arena + CURSOR, b)
    return b


def best_fit(m, arena, want):
    """The smallest block that fits, the first in list order among equals.

    Requires: the arena's lock; want > 0.
    Ensures:  NULL only if no block on the list fits; otherwise it fits; none that fits is smaller;
              none before it is as small; no word changes.
    """
    head = arena + HEAD
    best = NULL
    least = 0
    b = m.load(head + NEXT)
    while b != head:
        here = size(m, b)
        if here == want:
            return b
        if here > want and (best == NULL or here < least):
            best = b
            least = here
        b = m.load(b + NEXT)
    return best


def worst_fit(m, arena, want):
    """The largest block, if it fits, the first in list order among equals.

    Requires: the arena's lock; want > 0.
    Ensures:  NULL only if no block on the list fits; otherwise it fits; none is larger;
              none before it is as large; no word changes.
    """
    head = arena + HEAD
    worst = NULL
    most = want - 1
    b = m.load(head + NEXT)
    while b != head:
        here = size(m, b)
        if here > most:
            worst = b
            most = here
        b = m.load(b + NEXT)
    return worst


def find(m, arena, want, policy):
    """The block of the free list that `policy` chooses for `want` bytes, or NULL if none fits."""
    if policy == FIRST_FIT:
        return first_fit(m, arena, want)
    if policy == NEXT_FIT:
        return next_fit(m, arena, want)
    if policy == BEST_FIT:
        return best_fit(m, arena, want)
    return worst_fit(m, arena, want)
