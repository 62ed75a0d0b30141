"""What the runs of an arena come to, recomputed, and their slots one by one: for checks, figures, the status dump."""

from .layout import SHOW_BLOCK, SHOW_REGION, WORD
from .run_layout import FIRST_RUN, RUN_BYTES, RUN_FREE, RUN_FRESH, RUN_LIVE, RUN_NEXT, RUN_SHIFT, RUNS_AT
from .runs import owner_of_slot, record_of, reservation, size_of_slot, slots_in
from .stack import holds


def runs_end(m):
    """Number of the next run that nobody ever had; 0 if there is no reservation."""
    if m.load_relaxed(m.statics() + RUNS_AT) == 0:
        return 0
    return m.load_relaxed(reservation(m) + RUN_NEXT)


def slots_of_run(m, start, word, is_free):
    """How many slots of the run at `start`, which has `word`, are out; or, if `is_free`, are not."""
    out = m.load(record_of(m, start) + RUN_LIVE)
    if is_free:
        return slots_in(word) - out
    return out


def next_run(m, arena, index):
    """Number of the first run of the arena's from that number on; of the end if there is none.

    Requires: the arena's lock.
    """
    base = reservation(m)
    while index < runs_end(m):
        word = m.load_relaxed(base + index * WORD)
        if word != 0 and owner_of_slot(m, word) == arena:
            return index
        index = index + 1
    return index


def runs_have(m, arena, is_free, in_bytes):
    """How many slots of the arena's runs are out, or are not; or how many bytes those have.

    Requires: the arena's lock.
    """
    base = reservation(m)
    index = next_run(m, arena, FIRST_RUN)
    total = 0
    while index < runs_end(m):
        word = m.load_relaxed(base + index * WORD)
        slots = slots_of_run(m, base + (index << RUN_SHIFT), word, is_free)
        if in_bytes:
            slots = slots * size_of_slot(word)
        total = total + slots
        index = next_run(m, arena, index + 1)
    return total


def runs_hold(m, arena):
    """Bytes of the arena's runs.

    Requires: the arena's lock.
    """
    index = next_run(m, arena, FIRST_RUN)
    total = 0
    while index < runs_end(m):
        total = total + RUN_BYTES
        index = next_run(m, arena, index + 1)
    return total


def show_run(m, start, word):
    """Write a line for the run at `start`, which has `word`, and one for each slot that was handed out at some time.

    A slot that its run has back is free there; one that waits in a bin or on a remote list is used, as a block is.

    Requires: its arena's lock.
    """
    m.show(SHOW_REGION, start, RUN_BYTES, 0)
    record = record_of(m, start)
    slot = size_of_slot(word)
    p = start + RUN_BYTES - slots_in(word) * slot
    while p < m.load(record + RUN_FRESH):
        used = 1
        if holds(m, m.load(record + RUN_FREE), p):
            used = 0
        m.show(SHOW_BLOCK, p, slot, used)
        p = p + slot


def show_runs(m, arena):
    """Write the status of the arena's runs, by their addresses.

    Requires: the arena's lock.
    """
    base = reservation(m)
    index = next_run(m, arena, FIRST_RUN)
    while index < runs_end(m):
        show_run(m, base + (index << RUN_SHIFT), m.load_relaxed(base + index * WORD))
        index = next_run(m, arena, index + 1)
