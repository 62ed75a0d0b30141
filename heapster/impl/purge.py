"""Whole pages inside free blocks: the system may have what they hold, while the blocks stay where they are.

Which pages hold anything nobody notes. But an arena had so many bytes in used blocks at its peak, and more than
those its free blocks hardly hold. When a whole epoch was far below the peak, what is idle is purged, and the peak
is what is used now. So each byte that is purged was used and freed since the last time, and no clock is needed.

What comes in waves would be purged in each trough, and be faulted in again in each crest. So when an arena has used
much of what was purged some times, its epochs get longer each time, until all is trimmed.
"""

from .block import round_up, size
from .classes import class_head, class_of, next_class
from .layout import (
    ARENA_EPOCH,
    CLASS_COUNT,
    FOOTER,
    FORGIVEN,
    FREE_BYTES,
    HEAD,
    IDLE_GROWTHS_SHIFT,
    IDLE_SHIFT,
    LEAST_PURGED,
    MOST_PATIENCE,
    NEXT,
    PAGE,
    PAGE_SHIFT,
    PATIENCE_MASK,
    PEAK,
    PEAK_MASK,
    PREV,
    RECENT,
    REFUSED,
    SEGREGATED,
    SLACK_SHIFT,
    TURNOVER,
    USED_BYTES,
    WAS_PURGED,
    WORD,
)
from .settings import get_growth


def purge_block(m, b):
    """Whether the system took whole pages of the free block `b`.

    Requires: the arena's lock; b is on a free list.
    Ensures:  header, links and footer stay, and so does what lies outside the block; no word is written.
    """
    first = round_up(b + PREV + WORD, PAGE)
    last = (b + size(m, b) + FOOTER) & -PAGE
    return first < last and m.purge(first, last - first) != REFUSED


def purge_list(m, head, least):
    """Purge the blocks of at least `least` bytes on the list of `head`; of how many the system took pages.

    Requires: the arena's lock.
    """
    taken = 0
    b = m.load(head + NEXT)
    while b != head:
        if size(m, b) >= least and purge_block(m, b):
            taken = taken + 1
        b = m.load(b + NEXT)
    return taken


def purge_free(m, arena, least):
    """As `purge_list`, for all free blocks of an open arena.

    Requires: the arena's lock; least is a legal block size.
    """
    if m.load(arena + SEGREGATED) == 0:
        return purge_list(m, arena + HEAD, least)
    taken = 0
    index = next_class(m, arena, class_of(least))
    while index != CLASS_COUNT:
        taken = taken + purge_list(m, class_head(arena, index), least)
        index = next_class(m, arena, index + 1)
    return taken


def may_stay(m, arena, lately):
    """How many bytes of its free blocks may hold something, in an arena that lately used so many bytes.

    Ensures:  at least a quarter of what was used, and a sixteenth of what is free.
    """
    idle = (lately >> SLACK_SHIFT) + (m.load(arena + FREE_BYTES) >> IDLE_SHIFT)
    return idle + (get_growth(m) << IDLE_GROWTHS_SHIFT)


def may_return(m, arena):
    """How many bytes that are free the arena may have again soon: up to its peak, and what may lie idle beside that.

    Where it is lower again, and for how long, is for the epochs to say: what came in waves would else be mapped and
    unmapped in turn.

    Requires: the arena's lock.
    Ensures:  at least may_stay of what is used; more by what was used beyond that since pages were last purged.
    """
    used = m.load(arena + USED_BYTES)
    peak = m.load(arena + PEAK) & PEAK_MASK
    if peak < m.load(arena + RECENT):
        peak = m.load(arena + RECENT)
    if peak < used:
        peak = used
    return may_stay(m, arena, used) + peak - used


def new_patience(m, arena, lately):
    """The patience of an arena that used so many bytes in the epoch that has ended: more if it used what was purged.

    Requires: the arena's lock.
    Ensures:  0 to MOST_PATIENCE.
    """
    peak = m.load(arena + PEAK)
    patience = peak & PATIENCE_MASK
    if peak & WAS_PURGED != 0 and lately - (peak & PEAK_MASK) > may_stay(m, arena, peak & PEAK_MASK):
        patience = patience + 1
    if patience > MOST_PATIENCE:
        patience = MOST_PATIENCE
    return patience


def end_epoch(m, arena):
    """An epoch of the arena has ended: purge its large free blocks, if far more was used before than in this one.

    Requires: the arena's lock; what was used in this epoch is noted.
    Ensures:  the next epoch has begun; the peak is at least what is used.
    """
    lately = m.load(arena + RECENT)
    used = m.load(arena + USED_BYTES)
    patience = new_patience(m, arena, lately)
    peak = m.load(arena + PEAK) & PEAK_MASK
    purged = m.load(arena + PEAK) & WAS_PURGED
    if peak < lately:
        if lately - peak > may_stay(m, arena, peak):
            purged = 0
        peak = lately
    if peak - lately > may_stay(m, arena, lately):
        purge_free(m, arena, LEAST_PURGED)
        peak = used
        purged = WAS_PURGED
    m.store(arena + PEAK, peak + purged + patience)
    m.store(arena + RECENT, used)
    m.store(arena + TURNOVER, 0)


def epoch_length(m, arena):
    """The turnover after which the arena's epoch ends.

    Requires: the arena's lock.
    Ensures:  at least ARENA_EPOCH.
    """
    length = ARENA_EPOCH
    patience = m.load(arena + PEAK) & PATIENCE_MASK
    while patience > FORGIVEN:
        length = length << 3
        patience = patience - 1
    return length


def note_release(m, arena, total):
    """A used block of `total` bytes of the arena is about to become free: a step of its epoch, and one for each page.

    Requires: the arena's lock.
    Ensures:  what was used in this epoch, the block included, is noted, or the epoch has ended.
    """
    used = m.load(arena + USED_BYTES)
    if used > m.load(arena + RECENT):
        m.store(arena + RECENT, used)
    turnover = m.load(arena + TURNOVER) + 1 + (total >> PAGE_SHIFT)
    m.store(arena + TURNOVER, turnover)
    if turnover >= ARENA_EPOCH and turnover >= epoch_length(m, arena):
        end_epoch(m, arena)
