"""What the runs of an arena come to, recomputed: for checks and figures."""

from .layout import WORD
from .run_layout import FIRST_RUN, INVERSE_SHIFT, RUN_BYTES, RUN_LIVE, RUN_NEXT, RUN_SHIFT, RUNS_AT
from .runs import owner_of_slot, record_of, reservation, size_of_slot


def runs_end(m):
    """Number of the next run that nobody ever had; 0 if there is no reservation."""
    if m.load_relaxed(m.statics() + RUNS_AT) == 0:
        return 0
    return m.load_relaxed(reservation(m) + RUN_NEXT)


def slots_of_run(m, start, word, is_free):
    """How many slots of the run at `start`, which has `word`, are out; or, if `is_free`, are not."""
    out = m.load(record_of(m, start) + RUN_LIVE)
    if is_free:
        return (RUN_BYTES * (word >> INVERSE_SHIFT) >> INVERSE_SHIFT) - out
    return out


def runs_have(m, arena, is_free, in_bytes):
    """How many slots of the arena's runs are out, or are not; or how many bytes those have.

    Requires: the arena's lock.
    """
    base = reservation(m)
    index = FIRST_RUN
    total = 0
    while index < runs_end(m):
        word = m.load_relaxed(base + index * WORD)
        if word != 0 and owner_of_slot(m, word) == arena:
            slots = slots_of_run(m, base + (index << RUN_SHIFT), word, is_free)
            if in_bytes:
                slots = slots * size_of_slot(word)
            total = total + slots
        index = index + 1
    return total


def runs_hold(m, arena):
    """Bytes of the arena's runs.

    Requires: the arena's lock.
    """
    base = reservation(m)
    index = FIRST_RUN
    total = 0
    while index < runs_end(m):
        word = m.load_relaxed(base + index * WORD)
        if word != 0 and owner_of_slot(m, word) == arena:
            total = total + RUN_BYTES
        index = index + 1
    return total
