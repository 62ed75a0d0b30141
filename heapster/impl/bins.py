"""Bins: stacks of the blocks of one size class that a thread caches, in the thread's own storage.

A bin starts with no room at all and gets twice as much whenever it was empty when asked, or full when given to,
until it is no longer small; from there, up to a number of bytes that is set for all bins, only if it was full and
then empty: so a thread keeps little that frees little, or only asks, or only frees.
Bonwick and Adams (2001), "Magazines and Vmem", section 3.
"""

from .classes import class_of
from .layout import (
    BIN_SHIFT,
    BINS,
    COUNT_SHIFT,
    LIMIT,
    MAX_CACHE,
    MOST_COUNTED,
    MOST_MOVED,
    NULL,
    OVERFLOWED,
    SMALL_BIN,
)
from .stack import above, below, is_still_marked, set_below, top, unmark


def bin_at(thread, index):
    """Where `thread` keeps blocks of the least size of a class.

    Requires: 0 <= index < BIN_COUNT.
    Ensures:  it lies between BINS and the storage's end; classes have bins of their own.
    """
    return thread + BINS + (index << BIN_SHIFT)


def bin_of(thread, total):
    """Where `thread` keeps blocks of `total` bytes.

    Requires: total is the least size of a class, MIN_BLOCK to MOST_CACHED.
    """
    return bin_at(thread, class_of(total))


def push(m, slot, p):
    """Put the block with the payload `p` on the bin.

    Ensures:  it is on top and marked; those below keep their order.
    """
    word = m.load(slot)
    set_below(m, p, word)
    m.store_relaxed(slot, above(word, p))


def take_top(m, slot):
    """Take the block on top off the bin, marked as it is; its payload. Abort if it was written over since it waits.

    Requires: the bin is not empty.
    Ensures:  those below keep their order.
    """
    p = top(m.load(slot))
    m.store_relaxed(slot, below(m, p))
    return p


def pop(m, slot):
    """Take the block on top off the bin, to be used; its payload. NULL if there is none, or it was written over.

    Ensures:  it is no longer marked, nor linked; those below keep their order; nothing changes if there is none.
    """
    p = top(m.load(slot))
    if p == NULL or not is_still_marked(m, p):
        return NULL
    m.store_relaxed(slot, m.load(p))
    unmark(m, p)
    return p


def check_top(m, slot):
    """Abort if the block on top of the bin was written over since it waits."""
    if m.load(slot) != 0:
        below(m, top(m.load(slot)))


def grown_limit(limit, total, most, enough):
    """Return a bin's new limit, in blocks of `total` bytes: doubled within `most` and `enough` bytes, halved above.

    Ensures:  0 if not one block may be; else the blocks have at most that many bytes;
              it at most doubles, and is at most MOST_COUNTED; it does not grow beyond `enough` bytes.
    """
    if limit == 0:
        limit = 1
    if limit * 2 * total <= most and limit * 2 * total <= enough and limit < MOST_COUNTED:
        limit = limit * 2
    while limit * total > most:
        limit = limit >> 1
    return limit


def make_room(m, slot, blocks):
    """Let the bin, if it may hold any, hold so many blocks that it gets at once."""
    limit = m.load(slot + LIMIT)
    if limit != 0 and limit < blocks << COUNT_SHIFT:
        m.store(slot + LIMIT, blocks << COUNT_SHIFT)


def batch_size(limit, total):
    """How many blocks of `total` bytes come into a bin of this limit when it is empty, or leave it when it is full.

    Requires: limit is 0 to MOST_COUNTED; total is MIN_BLOCK to MOST_CACHED.
    Ensures:  they are at most half the limit, rounded up, and none only if that is 0;
              one, or at most MOST_MOVED bytes.
    """
    blocks = (limit + 1) >> 1
    while blocks > 1 and blocks * total > MOST_MOVED:
        blocks = blocks >> 1
    return blocks


def growth_cap(m, slot):
    """Up to how many bytes the empty bin gets room, if the setting allows.

    Ensures:  MAX_CACHE if it was full since it last got some, else SMALL_BIN.
    """
    if m.load(slot + LIMIT) & OVERFLOWED == 0:
        return SMALL_BIN
    return MAX_CACHE
