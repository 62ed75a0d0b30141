"""Slots as programs free and resize them; `runs` has where they come from and go to."""

from .arena import count_call
from .bins import push
from .classes import class_for_request, class_of
from .layout import (
    ARENA_LOCK,
    BIN_SHIFT,
    BINS,
    CALL_FREE,
    CALL_REALLOC,
    DOUBLE_FREE,
    INVALID_POINTER,
    LIMIT,
    PAGE_SHIFT,
    REGISTERED,
)
from .remote import is_remote
from .run_layout import RUN_CLASS_MASK, RUN_FREE, RUN_FRESH
from .runs import begins_slot, entry_in, owner_of_slot, record_of, release_slot, run_word, size_of_slot
from .stack import holds, is_marked
from .thread_cache import cache_block_slow, count_freed, count_mine, is_cached


def cache_slot(m, base, p, kind):
    """Whether the slot `p` went into a bin that has room, its free counted.

    Where nobody has a run no slot begins, whatever stands before the bins.

    Requires: it lies in the reservation, which begins at `base`.
    """
    word = m.load_relaxed(entry_in(base, p))
    thread = m.thread()
    slot = thread + BINS - (1 << BIN_SHIFT) + (word & RUN_CLASS_MASK)
    if m.load(slot) >= m.load(slot + LIMIT) or not begins_slot(word, p) or is_marked(m, p):
        return False
    push(m, slot, p)
    count_freed(m, thread, kind)
    return True


def free_slot_slow(m, p, kind):
    """As `malloc.free_slow`, of what lies in the reservation."""
    word = used_slot(m, p, DOUBLE_FREE)
    if not cache_block_slow(m, p, size_of_slot(word), kind):
        arena = owner_of_slot(m, word)
        m.lock(arena + ARENA_LOCK)
        if kind == CALL_FREE:
            count_call(m, arena, kind)
        release_slot(m, arena, p)
        m.unlock(arena + ARENA_LOCK)


def used_slot(m, p, freed):
    """What the run of `p` has; abort unless a slot begins there that was handed out, and with `freed` if it waits.

    Requires: it lies in the reservation.
    """
    word = run_word(m, p)
    if word == 0 or not begins_slot(word, p) or p >= m.load_relaxed(record_of(m, p) + RUN_FRESH):
        m.abort(INVALID_POINTER, p)
    arena = owner_of_slot(m, word)
    if is_marked(m, p) and (is_cached(m, class_of(size_of_slot(word)), p) or is_remote(m, arena, p)
                            or is_back(m, arena, p)):
        m.abort(freed, p)
    return word


def is_back(m, arena, p):
    """Whether the run of the slot `p`, which the arena owns, has it back."""
    m.lock(arena + ARENA_LOCK)
    found = holds(m, m.load(record_of(m, p) + RUN_FREE), p)
    m.unlock(arena + ARENA_LOCK)
    return found


def leave_slot(m, p, request):
    """As `malloc.leave_plain`, of what lies in the reservation."""
    if request >> PAGE_SHIFT != 0 or request == 0:
        return False
    word = run_word(m, p)
    if word & RUN_CLASS_MASK != class_for_request(request) + 1 << BIN_SHIFT or not begins_slot(word, p):
        return False
    if is_marked(m, p) or m.load(m.thread() + REGISTERED) == 0:
        return False
    count_mine(m, m.thread(), CALL_REALLOC)
    return True
