"""Placement policies: which block of the free list serves a request. Knuth, TAOCP 1, 2.5."""

from .block import size
from .classes import class_head, class_of, next_class
from .freelist import segregate, unite
from .layout import (
    BEST_FIT,
    CLASS_COUNT,
    CURSOR,
    FIRST_FIT,
    FREE_BLOCKS,
    HEAD,
    NEXT,
    NEXT_FIT,
    NULL,
    PROBES,
    SEGREGATED,
    SEGREGATED_FIT,
    WORST_FIT,
)


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


def fitting_in_class(m, arena, index, want, most):
    """The first of at most `most` blocks of a class that fits, or NULL.

    Requires: the arena's lock; the class is marked.
    """
    head = class_head(arena, index)
    b = m.load(head + NEXT)
    while b != head and size(m, b) < want:
        b = m.load(b + NEXT)
        most = most - 1
        if most == 0:
            return NULL
    if b == head:
        return NULL
    return b


def segregated_fit(m, arena, want):
    """Good fit: of the first PROBES blocks of its own class the first that fits, else the first of the next class up.

    So it takes constant time: the arena grows before it looks further.

    Requires: the arena's lock; want is a legal block size; the arena's free blocks are segregated.
    Ensures:  NULL only if no block of a larger class is there, and none of these few of its own fits;
              otherwise it fits; no word changes.
    """
    own = class_of(want)
    index = next_class(m, arena, own)
    b = NULL
    if index == own:
        b = fitting_in_class(m, arena, own, want, PROBES)
        index = next_class(m, arena, own + 1)
    if b == NULL and index < CLASS_COUNT:
        b = m.load(class_head(arena, index) + NEXT)
    return b


def find_further(m, arena, want):
    """The first block of its own class that fits, where `find` gave up and memory is out; NULL if none does.

    It may look at all blocks of that class.

    Requires: the arena's lock; want is a legal block size; `find` answered NULL.
    Ensures:  NULL only if no free block fits; otherwise it fits; no word changes.
    """
    own = class_of(want)
    if m.load(arena + SEGREGATED) == 0 or next_class(m, arena, own) != own:
        return NULL
    return fitting_in_class(m, arena, own, want, m.load(arena + FREE_BLOCKS))


def arrange(m, arena, policy):
    """See that the free blocks of `arena` are on the lists that `policy` searches.

    Requires: the arena's lock.
    """
    segregated = m.load(arena + SEGREGATED)
    if policy == SEGREGATED_FIT and segregated == 0:
        segregate(m, arena)
    elif policy != SEGREGATED_FIT and segregated != 0:
        unite(m, arena)


def find(m, arena, want, policy):
    """The free block that `policy` chooses for `want` bytes, or NULL if none fits."""
    arrange(m, arena, policy)
    if policy == FIRST_FIT:
        return first_fit(m, arena, want)
    if policy == NEXT_FIT:
        return next_fit(m, arena, want)
    if policy == BEST_FIT:
        return best_fit(m, arena, want)
    if policy == WORST_FIT:
        return worst_fit(m, arena, want)
    return segregated_fit(m, arena, want)
