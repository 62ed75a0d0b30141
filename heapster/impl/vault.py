"""The vault of a hardened heap: records of spans and mappings, and the table that leads from an address to its record.

All of it lies in mappings of its own with guards on both sides, far from what callers write to. It
changes under the lock of the mapped blocks. The table is read without it: its words change by one store each, so it is
whole at any time, in the child of a fork too.
"""

from .layout import (
    ADDRESS_BITS,
    ARENA_SHIFT,
    CHUNK_BYTES,
    CHUNK_RECORDS,
    CHUNKS,
    FREE_RECORDS,
    FRESH_RECORD,
    KEEPS,
    KIND,
    LAST_RECORD,
    LEAF_COUNT,
    MIDDLE_COUNT,
    MIDDLE_SHIFT,
    NEXT,
    NO_RECORD,
    NULL,
    PAGE,
    PAGE_SHIFT,
    RECORD_BYTES,
    REFUSED,
    ROOT,
    ROOT_SHIFT,
    SHOW_UNGUARDED,
    UNGUARDED,
    VAULT,
    VAULT_BYTES,
    VAULT_GUARD,
    WORD,
)
from .settings import arena_at


def vault_of(m):
    """The vault; NULL before the first request."""
    return m.load_acquire(m.statics() + VAULT)


def guard(m, start, end):
    """Take the pages from `start` to `end` all access, unless the system refuses: that is said once, and goes on."""
    if m.protect(start, end - start) == REFUSED and m.load_relaxed(m.statics() + UNGUARDED) == 0:
        m.store_relaxed(m.statics() + UNGUARDED, 1)
        m.show(SHOW_UNGUARDED, start, end - start, 0)


def map_guarded(m, length):
    """`length` bytes of zeroes, whole pages, with a guard of VAULT_GUARD bytes on either side; NULL if refused."""
    start = m.mmap(length + 2 * VAULT_GUARD)
    if start == REFUSED:
        return NULL
    guard(m, start, start + VAULT_GUARD)
    guard(m, start + VAULT_GUARD + length, start + length + 2 * VAULT_GUARD)
    m.known_zero(start + VAULT_GUARD, length)
    return start + VAULT_GUARD


def unmap_guarded(m, start, length):
    """Whether the system took back what `map_guarded` gave."""
    return m.munmap(start - VAULT_GUARD, length + 2 * VAULT_GUARD) != REFUSED


def open_vault(m):
    """The vault, made if there is none; NULL if the system refused.

    Requires: the lock of the mapped blocks.
    """
    vault = vault_of(m)
    if vault == NULL:
        vault = map_guarded(m, VAULT_BYTES)
        if vault != NULL:
            m.store_release(m.statics() + VAULT, vault)
    return vault


def keep_of(m, arena):
    """Where the vault has what waits in the arena.

    Requires: there is a vault.
    Ensures:  a multiple of PAGE; arenas have pages of their own.
    """
    return vault_of(m) + KEEPS + ((arena - arena_at(m.statics(), 0)) >> ARENA_SHIFT << PAGE_SHIFT)


# The address table.


def root_word(vault, p):
    """Where the root has the table for the address `p`.

    Requires: 0 <= p < 1 << ADDRESS_BITS.
    Ensures:  it lies between ROOT and KEEPS; addresses with other bits from ROOT_SHIFT on have others.
    """
    return vault + ROOT + (p >> ROOT_SHIFT) * WORD


def middle_word(table, p):
    """Where a table of the middle has the leaf for the address `p`, by bits MIDDLE_SHIFT to ROOT_SHIFT."""
    return table + (p >> MIDDLE_SHIFT & MIDDLE_COUNT - 1) * WORD


def leaf_word(table, p):
    """Where a leaf has the record for the address `p`, by bits PAGE_SHIFT to MIDDLE_SHIFT."""
    return table + (p >> PAGE_SHIFT & LEAF_COUNT - 1) * WORD


def record_at(m, p):
    """The record that the table has for the address `p`, which may be any word; NULL for none.

    Ensures:  no word changes.
    """
    table = vault_of(m)
    if table == NULL or p >> ADDRESS_BITS != 0:
        return NULL
    table = m.load_acquire(root_word(table, p))
    if table != NULL:
        table = m.load_acquire(middle_word(table, p))
    if table == NULL:
        return NULL
    return m.load_acquire(leaf_word(table, p))


def table_in(m, word, count):
    """The table that the word at `word` leads to, made with `count` words if there is none; NULL if refused.

    Requires: the lock of the mapped blocks.
    """
    table = m.load(word)
    if table == NULL:
        table = map_guarded(m, count * WORD)
        if table != NULL:
            m.store_release(word, table)
    return table


def enter(m, p, record):
    """Whether the table could be told of the record, or of NULL, for the page of the address `p`.

    Requires: the lock of the mapped blocks; there is a vault.
    Ensures:  false only if the system refused memory for the table, and then it leads where it did.
    """
    table = table_in(m, root_word(vault_of(m), p), MIDDLE_COUNT)
    if table != NULL:
        table = table_in(m, middle_word(table, p), LEAF_COUNT)
    if table == NULL:
        return False
    m.store_release(leaf_word(table, p), record)
    return True


def enter_pages(m, start, length, record):
    """As `enter`, for all pages from `start` on; where it is false, the table leads from none of them to a record."""
    at = start
    while at < start + length and enter(m, at, record):
        at = at + PAGE
    if at < start + length:
        leave_pages(m, start, at - start)
        return False
    return True


def leave_pages(m, start, length):
    """Let the table lead from none of the pages to a record.

    Requires: the lock of the mapped blocks; the table was told of them.
    """
    at = start
    while at < start + length:
        enter(m, at, NULL)
        at = at + PAGE


# Records.


def add_chunk(m, vault):
    """Whether there is memory for more records.

    Requires: the lock of the mapped blocks.
    """
    chunk = map_guarded(m, CHUNK_BYTES)
    if chunk == NULL:
        return False
    last = chunk + (CHUNK_RECORDS - 1) * RECORD_BYTES
    m.store(last + NEXT, m.load_relaxed(vault + CHUNKS))
    m.store_release(last + KIND, LAST_RECORD)
    m.store_release(vault + CHUNKS, chunk)
    m.store(vault + FRESH_RECORD, chunk)
    return True


def new_record(m, vault):
    """A record that is of no kind, NULL if the system refused memory.

    Requires: the lock of the mapped blocks.
    """
    record = m.load(vault + FREE_RECORDS)
    if record != NULL:
        m.store(vault + FREE_RECORDS, m.load(record + NEXT))
        return record
    record = m.load(vault + FRESH_RECORD)
    if record == NULL or m.load_acquire(record + KIND) == LAST_RECORD:
        if not add_chunk(m, vault):
            return NULL
        record = m.load(vault + FRESH_RECORD)
    m.store(vault + FRESH_RECORD, record + RECORD_BYTES)
    return record


def give_up(m, vault, record):
    """Let the record be of no kind, for others to take.

    Requires: the lock of the mapped blocks, and the record's own; the table does not lead to it.
    """
    m.store_release(record + KIND, NO_RECORD)
    m.store(record + NEXT, m.load(vault + FREE_RECORDS))
    m.store(vault + FREE_RECORDS, record)


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


def forget_records(m):
    """In the child of a fork that took the lock of the mapped blocks with it: begin a new chunk for the next record.

    What it had half done has no reader; which records are free nobody knows.
    """
    vault = vault_of(m)
    if vault != NULL:
        m.store(vault + FREE_RECORDS, NULL)
        m.store(vault + FRESH_RECORD, NULL)
