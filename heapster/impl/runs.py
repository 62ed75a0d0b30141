"""Runs: slots of one size without headers, in aligned pieces of memory that was reserved once.

A table leads from an address to what its run has: which class of sizes, and which arena owns it. It is hot, where a
header would lie beside a dead block. A slot waits in bins and on remote lists as a block does; its run, which is cut
from the end back, knows the rest: slots that it got back, and those that were never handed out.
"""

from .arena import is_lost
from .classes import least_of_class
from .freelist import add
from .layout import (
    ARENA_LOCK,
    ARENA_SHIFT,
    BIN_SHIFT,
    FREE_BLOCKS,
    FREE_BYTES,
    HELD_BYTES,
    MAPPINGS,
    NEXT,
    NULL,
    PREV,
    REFUSED,
    USED_BLOCKS,
    USED_BYTES,
    WORD,
)
from .purge import note_release
from .run_layout import (
    FAR,
    FIRST_RUN,
    INVERSE_DROPPED,
    INVERSE_SHIFT,
    MOST_POOLED,
    MOST_RUN_SLOT,
    PLACES_SHIFT,
    RESERVE_SHIFT,
    RESERVED,
    RUN_BYTES,
    RUN_CARVED,
    RUN_CLASS_MASK,
    RUN_COUNT,
    RUN_FREE,
    RUN_FRESH,
    RUN_HEADER,
    RUN_LIVE,
    RUN_NEXT,
    RUN_OWNER_MASK,
    RUN_PLACES,
    RUN_POOL,
    RUN_POOLED,
    RUN_PURGED,
    RUN_RECORD_SHIFT,
    RUN_RECORDS,
    RUN_ROOM,
    RUN_SHIFT,
    RUN_START,
    RUN_USED,
    RUNS_ASKED,
    RUNS_AT,
)
from .settings import arena_at, get_cache
from .spans import reciprocal
from .stack import below, count, put, top


def reserve(m):
    """Whether there is a reservation: made by who comes first, unless the system refused it then.

    Requires: no lock but an arena's.
    """
    s = m.statics()
    if m.load_relaxed(s + RUNS_AT) == 0:
        m.lock(s + MAPPINGS + ARENA_LOCK)
        if m.load(s + RUNS_ASKED) == 0:
            ask_for_runs(m)
        m.unlock(s + MAPPINGS + ARENA_LOCK)
    return m.load_relaxed(s + RUNS_AT) != 0


def ask_for_runs(m):
    """Ask the system for a reservation; it is not asked again before the heap ends.

    Requires: the lock of the mapped blocks.
    """
    s = m.statics()
    m.store(s + RUNS_ASKED, 1)
    start = m.mmap(RESERVED)
    if start != REFUSED:
        base = start + RUN_BYTES - 1 & -RUN_BYTES
        m.known_zero(base, RUN_HEADER)
        m.store(base + RUN_NEXT, FIRST_RUN)
        m.store(base + RUN_START, start)
        m.store_relaxed(s + RUNS_AT, base - FAR)


# From an address to its run.


def reservation(m):
    """Where the reservation begins; FAR, where no program has memory, if there is none."""
    return m.load_relaxed(m.statics() + RUNS_AT) + FAR


def lies_in(base, p):
    """Whether `p`, any word, lies in the reservation that begins at `base`."""
    return p - base >> RESERVE_SHIFT == 0


def is_reserved(m, p):
    """Whether `p`, any word, lies in the reservation."""
    return lies_in(reservation(m), p)


def entry_in(base, p):
    """Where the table of the reservation that begins at `base` has what the run of `p`, which lies there, has."""
    return base + (p - base >> RUN_SHIFT) * WORD


def entry_of(m, p):
    """Where the table has what the run of `p`, which lies in the reservation, has."""
    return entry_in(reservation(m), p)


def run_word(m, p):
    """What the run of `p`, which lies in the reservation, has; 0 if nobody has the run.

    From bit 0 it has the place of its class, from PLACES_SHIFT its owner's index, from INVERSE_SHIFT the reciprocal
    of its slots' size.
    """
    return m.load_relaxed(entry_of(m, p))


def begins_slot(word, p):
    """Whether a slot begins at `p`, in a run that has `word`.

    A number is a multiple of a size exactly if the product with its reciprocal leaves less than that.
    Lemire, Kaser and Kurz (2019), "Faster remainder by direct computation", section 3.2.
    """
    inverse = word >> INVERSE_SHIFT
    distance = RUN_BYTES - (p & RUN_BYTES - 1)
    return distance * inverse & (1 << INVERSE_SHIFT) - 1 < inverse


def size_of_slot(word):
    """Bytes of the slots of a run that has `word`."""
    return least_of_class(((word & RUN_CLASS_MASK) >> BIN_SHIFT) - 1)


def slots_in(word):
    """Into how many slots a run that has `word` is cut."""
    return RUN_BYTES * (word >> INVERSE_SHIFT) >> INVERSE_SHIFT


def owner_of_slot(m, word):
    """The arena that owns a run that has `word`."""
    return arena_at(m.statics(), (word & RUN_OWNER_MASK) >> PLACES_SHIFT)


def place_of(m, word):
    """Where it stands what runs of that class and owner there are."""
    return reservation(m) + RUN_PLACES + (word & RUN_OWNER_MASK | word & RUN_CLASS_MASK)


def inverse_of(size):
    """1 << INVERSE_SHIFT, divided by the size, rounded up."""
    return reciprocal(size) + (1 << INVERSE_DROPPED) - 1 >> INVERSE_DROPPED


def low_word_for(m, arena, index):
    """What a run of that arena has, with slots of that class, but the reciprocal: it leads to their place."""
    return (arena - arena_at(m.statics(), 0) >> ARENA_SHIFT << PLACES_SHIFT) + (index + 1 << BIN_SHIFT)


def word_for(m, arena, index):
    """What a run of that arena has, with slots of that class."""
    return low_word_for(m, arena, index) + (inverse_of(least_of_class(index)) << INVERSE_SHIFT)


def record_of(m, p):
    """The record of the run of `p`."""
    base = reservation(m)
    return base + RUN_RECORDS + (p - base >> RUN_SHIFT << RUN_RECORD_SHIFT)


def run_of(m, record):
    """Where the run with that record begins."""
    base = reservation(m)
    return base + (record - base - RUN_RECORDS >> RUN_RECORD_SHIFT << RUN_SHIFT)


# Runs come and go.


def take_record(m):
    """The record of a run that nobody has: of one that was used, or of the next; NULL if all are taken.

    Requires: the lock of the mapped blocks.
    """
    base = reservation(m)
    record = m.load(base + RUN_POOL)
    if record != NULL:
        m.store(base + RUN_POOL, m.load(record + NEXT))
        add(m, base + RUN_POOLED, m.load(record + RUN_PURGED) - 1)
    elif m.load(base + RUN_NEXT) < RUN_COUNT:
        record = base + RUN_RECORDS + (m.load(base + RUN_NEXT) << RUN_RECORD_SHIFT)
        add(m, base + RUN_NEXT, 1)
    if record != NULL:
        add(m, base + RUN_USED, 1)
    return record


def count_run(m, arena, word, sign):
    """Count the run, no slot of which is out, in the arena's ledger; with a `sign` of -1, no longer."""
    slots = slots_in(word)
    add(m, arena + HELD_BYTES, sign * RUN_BYTES)
    add(m, arena + FREE_BYTES, sign * slots * size_of_slot(word))
    add(m, arena + FREE_BLOCKS, sign * slots)


def new_run(m, arena, word):
    """The record of a run that has `word`, no slot of which is out; NULL if there is none.

    Requires: the arena's lock.
    """
    s = m.statics()
    m.lock(s + MAPPINGS + ARENA_LOCK)
    record = take_record(m)
    m.unlock(s + MAPPINGS + ARENA_LOCK)
    if record != NULL:
        start = run_of(m, record)
        slots = slots_in(word)
        m.store(record + RUN_FREE, 0)
        m.store_relaxed(record + RUN_FRESH, start + RUN_BYTES - slots * size_of_slot(word))
        m.store(record + RUN_LIVE, 0)
        m.store_relaxed(entry_of(m, start), word)
        count_run(m, arena, word, 1)
    return record


def list_run(m, place, record):
    """Put the run first on the list of those that got slots back."""
    first = m.load(place + RUN_ROOM)
    m.store(record + NEXT, first)
    m.store(record + PREV, NULL)
    if first != NULL:
        m.store(first + PREV, record)
    m.store(place + RUN_ROOM, record)


def unlist_run(m, place, record):
    """Take the run off that list."""
    after = m.load(record + NEXT)
    before = m.load(record + PREV)
    if before == NULL:
        m.store(place + RUN_ROOM, after)
    else:
        m.store(before + NEXT, after)
    if after != NULL:
        m.store(after + PREV, before)


def purge_run(m, record):
    """Whether the system took what the run, which nobody has, holds."""
    taken = m.purge(run_of(m, record), RUN_BYTES) != REFUSED
    if taken:
        m.store(record + RUN_PURGED, 1)
    return taken


def pool_run(m, record):
    """Let nobody have the run. As many as there are used, and a few more, keep their pages: they are soon used again.

    Requires: the lock of the mapped blocks.
    """
    base = reservation(m)
    add(m, base + RUN_USED, -1)
    m.store(record + RUN_PURGED, 0)
    if m.load(base + RUN_POOLED) < MOST_POOLED + m.load(base + RUN_USED) or not purge_run(m, record):
        add(m, base + RUN_POOLED, 1)
    m.store(record + NEXT, m.load(base + RUN_POOL))
    m.store(base + RUN_POOL, record)


def drop_run(m, arena, word, record):
    """Let nobody have the run, of which no slot is out.

    Requires: the arena's lock; it is on the list of those that got slots back.
    """
    s = m.statics()
    unlist_run(m, place_of(m, word), record)
    count_run(m, arena, word, -1)
    m.store_relaxed(entry_of(m, run_of(m, record)), 0)
    m.lock(s + MAPPINGS + ARENA_LOCK)
    pool_run(m, record)
    m.unlock(s + MAPPINGS + ARENA_LOCK)


def purge_pool(m):
    """Whether the system took anything that runs which nobody has held."""
    s = m.statics()
    taken = False
    m.lock(s + MAPPINGS + ARENA_LOCK)
    record = NULL
    if m.load(s + RUNS_AT) != 0:
        record = m.load(reservation(m) + RUN_POOL)
    while record != NULL:
        if m.load(record + RUN_PURGED) == 0 and purge_run(m, record):
            add(m, reservation(m) + RUN_POOLED, -1)
            taken = True
        record = m.load(record + NEXT)
    m.unlock(s + MAPPINGS + ARENA_LOCK)
    return taken


# Slots come and go.


def count_slots(m, arena, size, slots):
    """Count that so many slots more, which may be negative, are out."""
    add(m, arena + USED_BYTES, slots * size)
    add(m, arena + USED_BLOCKS, slots)
    add(m, arena + FREE_BYTES, -slots * size)
    add(m, arena + FREE_BLOCKS, -slots)


def back_in_run(m, p):
    """The stack of the slots that the run of `p` has back."""
    return m.load(record_of(m, p) + RUN_FREE)


def release_slot(m, arena, p):
    """Let the run of the slot, which is out and waits nowhere, have it back, unless the arena is lost.

    Requires: the lock of the arena, which owns it.
    """
    if not is_lost(m, arena):
        take_back(m, arena, p, put(m, back_in_run(m, p), p))


def take_back(m, arena, p, stack):
    """Let the run of `p` have `stack` back: what it had, and above it slots of it that were out.

    Requires: the lock of the arena, which owns it.
    """
    word = run_word(m, p)
    record = record_of(m, p)
    had = m.load(record + RUN_FREE)
    slots = count(stack) - count(had)
    note_release(m, arena, slots * size_of_slot(word))
    count_slots(m, arena, size_of_slot(word), -slots)
    if had == 0:
        list_run(m, place_of(m, word), record)
    m.store(record + RUN_FREE, stack)
    add(m, record + RUN_LIVE, -slots)
    if m.load(record + RUN_LIVE) == 0 and m.load(place_of(m, word) + RUN_CARVED) != record:
        drop_run(m, arena, word, record)


def is_carved(m, record):
    """Whether all slots of the run were handed out at some time."""
    return m.load(record + RUN_FRESH) == run_of(m, record) + RUN_BYTES


def run_to_carve(m, arena, place, index):
    """The record of a run of that class and place of which a slot was never handed out; NULL if there is none.

    Requires: the arena's lock.
    """
    record = m.load(place + RUN_CARVED)
    if record == NULL or is_carved(m, record):
        record = new_run(m, arena, word_for(m, arena, index))
        if record != NULL:
            m.store(place + RUN_CARVED, record)
    return record


def carve_slots(m, record, size, most):
    """A stack of up to `most` slots that were never handed out, one at least, the first on top.

    Requires: the lock of the arena that owns the run, of which one is left.
    """
    fresh = m.load(record + RUN_FRESH)
    length = most * size
    if length > run_of(m, record) + RUN_BYTES - fresh:
        length = run_of(m, record) + RUN_BYTES - fresh
    m.store_relaxed(record + RUN_FRESH, fresh + length)
    stack = 0
    while length > 0:
        length = length - size
        stack = put(m, stack, fresh + length)
    return stack


def take_freed(m, place, record, most):
    """A stack of `most` slots that the run got back, or of all: so that nothing of them need be touched.

    Requires: the arena's lock; it got some back; most > 0.
    """
    stack = m.load(record + RUN_FREE)
    if count(stack) <= most:
        m.store(record + RUN_FREE, 0)
        unlist_run(m, place, record)
        return stack
    taken = 0
    while most > 0:
        p = top(stack)
        stack = below(m, p)
        taken = put(m, taken, p)
        most = most - 1
    m.store(record + RUN_FREE, stack)
    return taken


def as_many(m, record, size, most):
    """How many to take of the slots that the run got back: all, if a bin may keep so many; else `most`."""
    back = count(m.load(record + RUN_FREE))
    if back * size <= get_cache(m):
        return back
    return most


def take_slots(m, arena, index, most):
    """A stack of up to `most` slots of that class, or more that came as they lay: that a run got back, or new ones.

    They are out then, and marked as what waits. The result is 0 if there are none, or none may wait.

    Requires: the arena's lock.
    """
    size = least_of_class(index)
    if size > MOST_RUN_SLOT or most == 0 or is_lost(m, arena) or not reserve(m):
        return 0
    place = place_of(m, low_word_for(m, arena, index))
    record = m.load(place + RUN_ROOM)
    if record != NULL:
        stack = take_freed(m, place, record, as_many(m, record, size, most))
    else:
        record = run_to_carve(m, arena, place, index)
        if record == NULL:
            return 0
        stack = carve_slots(m, record, size, most)
    add(m, record + RUN_LIVE, count(stack))
    count_slots(m, arena, size, count(stack))
    return stack
