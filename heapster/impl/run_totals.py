"""What the runs of an arena come to, recomputed: for checks, figures and the status dump."""

from .layout import SHOW_RUN, WORD
from .run_layout import FIRST_RUN, RUN_BYTES, RUN_LIVE, RUN_NEXT, RUN_SHIFT, RUNS_AT
from .runs import owner_of_slot, record_of, reservation, size_of_slot, slots_in


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


def show_runs(m, arena):
    """Write a line for each of the arena's runs, by their addresses: its slots' size, and how many are out.

    Requires: the arena's lock.
    """
    base = reservation(m)
    index = next_run(m, arena, FIRST_RUN)
    while index < runs_end(m):
        word = m.load_relaxed(base + index * WORD)
        start = base + (index << RUN_SHIFT)
        m.show(SHOW_RUN, start, size_of_slot(word), slots_of_run(m, start, word, False))
        index = next_run(m, arena, index + 1)
