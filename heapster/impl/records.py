"""Walks over all records of a hardened heap: to show it, to verify it, and to give all of it back."""

from .arena import is_lost
from .classes import least_of_class
from .layout import (
    ARENA_LOCK,
    BASE,
    CHUNK_BYTES,
    CHUNK_RECORDS,
    CHUNKS,
    HEAD,
    KIND,
    LAST_RECORD,
    LEAF_COUNT,
    LEDGERS_EQUAL_RECOMPUTED_TOTALS,
    LENGTH,
    LOOKED_AT,
    MAPPING,
    MAPPINGS,
    MAX_ARENAS,
    MIDDLE_COUNT,
    NEXT,
    NO_RECORD,
    NULL,
    OVERFLOW,
    PAGE,
    RECORD_BYTES,
    ROOT,
    ROOT_COUNT,
    SHOW_BLOCK,
    SHOW_MAPPED,
    SHOW_REGION,
    SLOT,
    SLOTS,
    SLOTS_ARE_COUNTED,
    SPAN,
    SPAN_CLASS,
    SPAN_FREE,
    SPAN_OWNER,
    TAKEN,
    THE_TABLE_LEADS_TO_EACH_RECORD,
    USED_BLOCKS,
    USED_BYTES,
    VAULT,
    VAULT_BYTES,
    WAITING,
    WAITING_SLOTS_ARE_TAKEN,
    WORD,
    WRITE_AFTER_FREE,
)
from .randomness import canary
from .settings import arena_at
from .spans import is_set, is_used, is_zero, slot_at, span_length
from .vault import record_at, unmap_guarded, unmap_pages, vault_of


def passing_ends(m, record):
    """The record, or, if it is the end of a chunk, the first of the chunk before; NULL if there is none."""
    while record != NULL and m.load_acquire(record + KIND) == LAST_RECORD:
        record = m.load(record + NEXT)
    return record


def first_record(m):
    """The first of all records, of any kind; NULL if there is none."""
    vault = vault_of(m)
    if vault == NULL:
        return NULL
    return passing_ends(m, m.load_acquire(vault + CHUNKS))


def record_after(m, record):
    """The record after this one, of any kind; NULL if it is the last."""
    return passing_ends(m, record + RECORD_BYTES)


def show_record(m, record):
    """Write a line for a mapping, or one for a span and one for each of its slots that is taken: used or not.

    Requires: the record's lock, if it has one.
    """
    kind = m.load_acquire(record + KIND)
    if kind == MAPPING:
        m.show(SHOW_MAPPED, m.load(record + BASE), m.load(record + LENGTH), 1)
    if kind == SPAN:
        m.show(SHOW_REGION, m.load(record + BASE), m.load(record + LENGTH), 0)
        number = 0
        while number < m.load(record + SLOTS):
            if is_set(m, record, TAKEN, number):
                used = 0
                if is_used(m, record, number):
                    used = 1
                m.show(SHOW_BLOCK, slot_at(m, record, number), m.load(record + SLOT), used)
            number = number + 1


def lock_owner(m, record):
    """The owner of the record, locked; NULL if it is of no kind."""
    owner = NULL
    if m.load_acquire(record + KIND) != NO_RECORD:
        owner = m.load_relaxed(record + SPAN_OWNER)
        m.lock(owner + ARENA_LOCK)
    return owner


def show_records(m):
    """Write the whole hardened heap to the machine's status dump."""
    record = first_record(m)
    while record != NULL:
        owner = lock_owner(m, record)
        if owner != NULL:
            show_record(m, record)
            m.unlock(owner + ARENA_LOCK)
        record = record_after(m, record)


# To verify.


def expect(m, holds, invariant, address):
    """Abort with the invariant unless it holds."""
    if not holds:
        m.abort(invariant, address)


def verify_slot(m, record, number):
    """Check a slot: one that waits is taken, one that is used ends with its canary, and any other is zero.

    Requires: the record's lock.
    """
    p = slot_at(m, record, number)
    slot = m.load(record + SLOT)
    waits = is_set(m, record, WAITING, number)
    expect(m, is_set(m, record, TAKEN, number) or not waits, WAITING_SLOTS_ARE_TAKEN, p)
    if is_used(m, record, number):
        expect(m, m.load(p + slot - WORD) == canary(m, p), OVERFLOW, p)
    else:
        expect(m, is_zero(m, p, slot), WRITE_AFTER_FREE, p)


def free_slots(m, record):
    """How many slots of the span are not taken, by its bits.

    Requires: the record's lock.
    """
    count = 0
    number = 0
    while number < m.load(record + SLOTS):
        if not is_set(m, record, TAKEN, number):
            count = count + 1
        number = number + 1
    return count


def verify_span(m, record):
    """Check a span: what its record says, each slot, and that the table leads to it from each page.

    Requires: the record's lock.
    """
    expect(m, m.load(record + SLOT) == least_of_class(m.load(record + SPAN_CLASS)), SLOTS_ARE_COUNTED, record)
    expect(m, m.load(record + LENGTH) == span_length(m.load(record + SLOT)), SLOTS_ARE_COUNTED, record)
    expect(m, m.load(record + SPAN_FREE) == free_slots(m, record), SLOTS_ARE_COUNTED, record)
    number = 0
    while number < m.load(record + SLOTS):
        verify_slot(m, record, number)
        number = number + 1
    at = 0
    while at < m.load(record + LENGTH):
        expect(m, record_at(m, m.load(record + BASE) + at) == record, THE_TABLE_LEADS_TO_EACH_RECORD, record)
        at = at + PAGE


def verify_record(m, record):
    """Check a record of any kind.

    Requires: its lock, if it has one.
    """
    kind = m.load_acquire(record + KIND)
    if kind == SPAN:
        verify_span(m, record)
    elif kind == MAPPING:
        expect(m, record_at(m, m.load(record + BASE)) == record, THE_TABLE_LEADS_TO_EACH_RECORD, record)


def used_in(m, record):
    """How many blocks of a record of any kind are used."""
    if m.load(record + KIND) == MAPPING:
        return 1
    if m.load(record + KIND) != SPAN:
        return 0
    used = 0
    number = 0
    while number < m.load(record + SLOTS):
        if is_used(m, record, number):
            used = used + 1
        number = number + 1
    return used


def block_bytes(m, record):
    """Bytes that each used block of this record counts for."""
    if m.load(record + KIND) == MAPPING:
        return m.load(record + LENGTH)
    return m.load(record + SLOT)


def is_of(m, record, owner):
    """Whether the record is of a kind, and this owner's."""
    return m.load_acquire(record + KIND) != NO_RECORD and m.load_relaxed(record + SPAN_OWNER) == owner


def recount(m, owner, blocks):
    """The used blocks of all records of an owner, each taken for one if `blocks` is 1, for its bytes if it is 0.

    Requires: the owner's lock.
    """
    total = 0
    record = first_record(m)
    while record != NULL:
        if is_of(m, record, owner):
            each = 1
            if blocks == 0:
                each = block_bytes(m, record)
            total = total + used_in(m, record) * each
        record = record_after(m, record)
    return total


def verify_used(m, owner):
    """Check what an owner counts as used, unless it is lost, or was never opened."""
    m.lock(owner + ARENA_LOCK)
    if m.load(owner + HEAD) != 0 and not is_lost(m, owner):
        holds = m.load(owner + USED_BLOCKS) == recount(m, owner, 1)
        holds = holds and m.load(owner + USED_BYTES) == recount(m, owner, 0)
        expect(m, holds, LEDGERS_EQUAL_RECOMPUTED_TOTALS, owner)
    m.unlock(owner + ARENA_LOCK)


def verify_records(m):
    """Check the whole hardened heap, each record under its lock; abort with what does not hold.

    Nothing is known of the records of an owner that is lost: a thread that is no more may have been amid one.
    """
    record = first_record(m)
    while record != NULL:
        owner = lock_owner(m, record)
        if owner != NULL:
            if not is_lost(m, owner):
                verify_record(m, record)
            m.unlock(owner + ARENA_LOCK)
        record = record_after(m, record)
    index = 0
    while index < MAX_ARENAS:
        verify_used(m, arena_at(m.statics(), index))
        index = index + 1
    verify_used(m, m.statics() + MAPPINGS)


# To end.


def look_at_span(m, record):
    """Check the canaries of a span, and that what waits is zero still.

    Requires: the record's lock.
    """
    number = 0
    while number < m.load(record + SLOTS):
        if is_set(m, record, TAKEN, number):
            verify_slot(m, record, number)
        number = number + 1


def look_once_more(m):
    """Check the used slots and those that wait, before the program ends, in LOOKED_AT records; in none that is lost."""
    left = LOOKED_AT
    record = first_record(m)
    while record != NULL and left > 0:
        owner = lock_owner(m, record)
        if owner != NULL:
            if m.load(record + KIND) == SPAN and not is_lost(m, owner):
                look_at_span(m, record)
            m.unlock(owner + ARENA_LOCK)
            left = left - 1
        record = record_after(m, record)


def unmap_table(m, table, count):
    """1 if the system did not take a table of `count` words back, else 0."""
    if unmap_guarded(m, table, count * WORD):
        return 0
    return 1


def unmap_below(m, table):
    """Give a table of the middle back, and its leaves; how many pieces the system did not take."""
    kept = 0
    at = table
    while at < table + MIDDLE_COUNT * WORD:
        if m.load(at) != NULL:
            kept = kept + unmap_table(m, m.load(at), LEAF_COUNT)
        at = at + WORD
    return kept + unmap_table(m, table, MIDDLE_COUNT)


def unmap_tables(m, vault):
    """Give the address table back, but for its root; how many pieces the system did not take."""
    kept = 0
    at = vault + ROOT
    while at < vault + ROOT + ROOT_COUNT * WORD:
        if m.load(at) != NULL:
            kept = kept + unmap_below(m, m.load(at))
        at = at + WORD
    return kept


def unmap_records(m):
    """Give the pages of all records back, with their guards; of how many the system did not take them."""
    kept = 0
    record = first_record(m)
    while record != NULL:
        if m.load_acquire(record + KIND) != NO_RECORD and not unmap_pages(m, record):
            kept = kept + 1
        record = record_after(m, record)
    return kept


def unmap_chunks(m, vault):
    """Give the records back; how many pieces the system did not take."""
    kept = 0
    chunk = m.load_acquire(vault + CHUNKS)
    while chunk != NULL:
        older = m.load(chunk + (CHUNK_RECORDS - 1) * RECORD_BYTES + NEXT)
        if not unmap_guarded(m, chunk, CHUNK_BYTES):
            kept = kept + 1
        chunk = older
    return kept


def return_vault(m):
    """Give all that a hardened heap holds back to the system; how many pieces it did not take.

    Requires: no other thread uses the heap.
    Ensures:  there is no vault.
    """
    vault = vault_of(m)
    if vault == NULL:
        return 0
    kept = unmap_records(m) + unmap_chunks(m, vault) + unmap_tables(m, vault)
    m.store_release(m.statics() + VAULT, NULL)
    if not unmap_guarded(m, vault, VAULT_BYTES):
        kept = kept + 1
    return kept
