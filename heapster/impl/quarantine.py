"""What was freed and waits before it may be used again: slots at random first, then in order; mappings in order.

A slot takes the place of one in a pool, which takes the place of the oldest in a ring, which is free again. There are a
pool and a ring for small slots, and shorter ones for large.
"""

from .layout import (
    KEEP_DRAWN,
    KEEP_GROUPS,
    KEEP_POOLS,
    KEEP_TURNS,
    MAPPINGS_TURN,
    MAPPINGS_WAIT,
    WAITING_MAPPINGS,
    WAITING_SHIFT,
    WAITING_SLOTS,
    WORD,
)
from .randomness import draw


def group_of(slot):
    """Which pool and ring slots of `slot` bytes have.

    Ensures:  0 <= result < KEEP_GROUPS; larger slots have no lesser.
    """
    if slot <= 1 << 8:
        return 0
    if slot <= 1 << 11:
        return 1
    return KEEP_GROUPS - 1


def pool_length(group):
    """How many slots the pool of a group has room for, and its ring as many: a power of two."""
    return WAITING_SLOTS >> group * WAITING_SHIFT


def pool_at(keep, group):
    """Where the pool of a group begins, and its ring behind it: each group as far into the keep as it is long."""
    return keep + (KEEP_POOLS >> group * WAITING_SHIFT)


def turn(m, ring, length, turns, entry):
    """Put the entry in the place of the oldest in a ring of `length` words; the oldest, 0 where there was none yet.

    Requires: the word at `turns` says where that is, in bytes; length is a power of two.
    """
    at = m.load(turns)
    oldest = m.load(ring + at)
    m.store(ring + at, entry)
    m.store(turns, at + WORD & length * WORD - 1)
    return oldest


def exchange(m, keep, group, entry):
    """Let the entry of a slot wait; that of one that has waited long enough, or 0.

    Requires: the lock of the arena that the keep belongs to; entry is not 0.
    """
    length = pool_length(group)
    pool = pool_at(keep, group)
    place = pool + (draw(m, keep + KEEP_DRAWN) & length - 1) * WORD
    other = m.load(place)
    m.store(place, entry)
    if other == 0:
        return 0
    return turn(m, pool + length * WORD, length, keep + KEEP_TURNS + group * WORD, other)


def exchange_mapping(m, vault, record):
    """Let the record of a freed mapping wait; that of the one that has waited longest, or NULL.

    Requires: the lock of the mapped blocks.
    """
    return turn(m, vault + MAPPINGS_WAIT, WAITING_MAPPINGS, vault + MAPPINGS_TURN, record)
