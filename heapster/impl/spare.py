"""What a hardened heap holds and does not need: slots and mappings that wait, and spans of which no slot is taken."""

from .arena import is_lost
from .hardened import give_back
from .layout import (
    ARENA_LOCK,
    HEAD,
    HELD_BYTES,
    KEEP_GROUPS,
    MAPPINGS,
    MAPPINGS_WAIT,
    MAX_ARENAS,
    MOST_SPARES,
    NEXT,
    NULL,
    PAGE,
    RECORD_BYTES,
    SLOT,
    SPARE_MAPPINGS,
    SPARES,
    WORD,
    WRITE_AFTER_FREE,
)
from .quarantine import pool_at
from .settings import arena_at
from .spans import drop_empty_spans, free_slot, is_zero, slot_at
from .vault import keep_of, vault_of


def end_wait(m, arena, record, number):
    """Let the slot, which waits and is no longer kept in mind, be free again; abort if it was written to meanwhile.

    Requires: the arena's lock.
    """
    if not is_zero(m, slot_at(m, record, number), m.load(record + SLOT)):
        m.abort(WRITE_AFTER_FREE, slot_at(m, record, number))
    free_slot(m, arena, record, number)


def end_waits(m, arena):
    """Let all slots of the arena that wait be free again.

    Requires: the arena's lock.
    """
    keep = keep_of(m, arena)
    at = pool_at(keep, KEEP_GROUPS - 1)
    while at < keep + PAGE:
        entry = m.load(at)
        if entry != 0:
            m.store(at, 0)
            end_wait(m, arena, entry & -RECORD_BYTES, entry & RECORD_BYTES - 1)
        at = at + WORD


def release_spans(m, arena):
    """Whether the system took any span of the arena, which may not be open, when none of its slots waits any more.

    Ensures:  the lock is released.
    """
    taken = False
    m.lock(arena + ARENA_LOCK)
    if vault_of(m) != NULL and m.load(arena + HEAD + NEXT) != NULL and not is_lost(m, arena):
        held = m.load(arena + HELD_BYTES)
        end_waits(m, arena)
        drop_empty_spans(m, arena)
        taken = m.load(arena + HELD_BYTES) < held
    m.unlock(arena + ARENA_LOCK)
    return taken


def end_spares(m, vault):
    """Let no mapping be spare; the words of those that were lead to them, the others to none.

    Requires: the lock of the mapped blocks.
    """
    at = vault + SPARE_MAPPINGS + m.load(vault + SPARES) * WORD
    while at < vault + SPARE_MAPPINGS + MOST_SPARES * WORD:
        m.store(at, NULL)
        at = at + WORD
    m.store(vault + SPARES, 0)


def release_waiting(m):
    """Whether mappings waited or were spare: they go back to the system, as far as it takes them.

    Ensures:  the lock is released.
    """
    waited = False
    m.lock(m.statics() + MAPPINGS + ARENA_LOCK)
    vault = vault_of(m)
    at = vault + MAPPINGS_WAIT
    if vault != NULL:
        end_spares(m, vault)
    while vault != NULL and at < vault + SPARE_MAPPINGS + MOST_SPARES * WORD:
        record = m.load(at)
        if record != NULL:
            waited = True
            m.store(at, NULL)
            give_back(m, vault, record)
        at = at + WORD
    m.unlock(m.statics() + MAPPINGS + ARENA_LOCK)
    return waited


def release_spare(m):
    """Whether there may be more memory now, as what is not needed was given back to the system."""
    taken = release_waiting(m)
    index = 0
    while index < MAX_ARENAS:
        if release_spans(m, arena_at(m.statics(), index)):
            taken = True
        index = index + 1
    return taken
