"""The vault of a hardened heap: records of spans and mappings, and the table that leads from an address to its record.

All of it lies in mappings of its own with guards on both sides, far from what callers write to. It
changes under the lock of the mapped blocks. The table is read without it: its words change by one store each, so it is
whole at any time, in the child of a fork too.
"""

from .block import round_up
from .freelist import add
from .layout import (
    ADDRESS_BITS,
    ALL_SLOTS,
    ARENA_SHIFT,
    BASE,
    CHUNK_BYTES,
    CHUNK_RECORDS,
    CHUNKS,
    DRAWN,
    FREE_RECORDS,
    FRESH_RECORD,
    GUARD_MASK,
    KEEPS,
    KIND,
    LAST_RECORD,
    LEAF_COUNT,
    LENGTH,
    MAPPING_BYTES,
    MAPPING_START,
    MIDDLE_COUNT,
    MIDDLE_SHIFT,
    MOST_GUARDED,
    MOST_SPARE,
    MOST_SPARES,
    NEXT,
    NO_RECORD,
    NULL,
    PAGE,
    PAGE_SHIFT,
    PIECES,
    RECORD_BYTES,
    REFUSED,
    ROOT,
    ROOT_SHIFT,
    SHOW_UNGUARDED,
    SLOT_BITS,
    SPARE_MAPPINGS,
    SPARES,
    UNFOUND,
    UNGUARDED,
    VAULT,
    VAULT_BYTES,
    VAULT_GUARD,
    WORD,
)
from .randomness import draw
from .settings import arena_at


def vault_of(m):
    """The vault; NULL before the first request."""
    return m.load_acquire(m.statics() + VAULT)


def guard(m, start, end):
    """Take the pages from `start` to `end` all access, unless the system refuses: that is said once, and goes on."""
    if m.protect(start, end - start) == REFUSED:
        leave_unguarded(m, start, end)


def leave_unguarded(m, start, end):
    """Say once that pages have no guard, of which these are the first."""
    if m.load_relaxed(m.statics() + UNGUARDED) == 0:
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


# Pages of spans and mappings.


def guard_bytes(number):
    """How long a guard is that the random number chooses.

    Ensures:  a multiple of PAGE, one to GUARD_MASK + 1 of them.
    """
    return (number & GUARD_MASK) + 1 << PAGE_SHIFT


def map_pages(m, record, length, alignment):
    """Whether the record got `length` bytes of pages at a multiple of `alignment`, between guards of random size.

    Those of more than MOST_GUARDED pieces are no guards: the program needs mappings, too.

    Requires: the lock of the mapped blocks; alignment is a power of two.
    Ensures:  the pages are zero; false only if the system refused, and then nothing has changed.
    """
    before = guard_bytes(draw(m, vault_of(m) + DRAWN))
    after = guard_bytes(draw(m, vault_of(m) + DRAWN))
    if alignment > PAGE:
        after = after + alignment
    start = m.mmap(before + length + after)
    if start == REFUSED:
        return False
    base = start + before
    if alignment > PAGE:
        base = round_up(base, alignment)
    if m.load(vault_of(m) + PIECES) < MOST_GUARDED:
        guard(m, start, base)
        guard(m, base + length, start + before + length + after)
    else:
        leave_unguarded(m, start, base)
    add(m, vault_of(m) + PIECES, 1)
    m.known_zero(base, length)
    m.store(record + BASE, base)
    m.store(record + LENGTH, length)
    m.store(record + MAPPING_START, start)
    m.store(record + MAPPING_BYTES, before + length + after)
    return True


def unmap_pages(m, record):
    """Whether the system took the pages of the record back, with their guards.

    Requires: the lock of the mapped blocks.
    """
    taken = m.munmap(m.load(record + MAPPING_START), m.load(record + MAPPING_BYTES)) != REFUSED
    if taken:
        add(m, vault_of(m) + PIECES, -1)
    return taken


# Mappings that are spare: freed, waited for, and without access.


def with_margins(length, alignment):
    """Bytes in which `length` bytes at a multiple of `alignment` lie with a page at least on either side.

    Requires: length is a multiple of PAGE; alignment is a power of two.
    """
    room = length + 2 * PAGE
    if alignment > PAGE:
        room = room + alignment
    return room


def start_within(m, record, length, alignment, random):
    """Where in what the record has of the system `length` bytes at a multiple of `alignment` begin.

    At least a page is left on either side; how many before, GUARD_MASK + 1 at most, the random number chooses.

    Requires: length is a multiple of PAGE; alignment is a power of two; they lie there with their margins.
    """
    spread = m.load(record + MAPPING_BYTES) - with_margins(length, alignment)
    if spread > GUARD_MASK << PAGE_SHIFT:
        spread = GUARD_MASK << PAGE_SHIFT
    before = ((random & ALL_SLOTS) * ((spread >> PAGE_SHIFT) + 1) >> SLOT_BITS) + 1
    base = m.load(record + MAPPING_START) + (before << PAGE_SHIFT)
    if alignment > PAGE:
        base = round_up(base, alignment)
    return base


def reopen(m, record, base, length):
    """Whether the record, which is spare, has `length` bytes of pages at `base` now, and the table leads to it.

    What else it has of the system stays without access.

    Requires: the lock of the mapped blocks; they lie in what it has of the system; there is a vault.
    Ensures:  the pages are zero; false only if the system refused, and then it is spare as before.
    """
    old = m.load(record + BASE)
    if not enter(m, base, record):
        return False
    gone = old
    opened = m.unprotect(base, length) != REFUSED
    if opened:
        m.known_zero(base, length)
        m.store(record + BASE, base)
        m.store(record + LENGTH, length)
    else:
        gone = base
    if old != base:
        enter(m, gone, NULL)
    return opened


def least_spare(m, vault, need):
    """Where the vault has the spare mapping of the fewest bytes, of at least `need`; NULL if it has none.

    Requires: the lock of the mapped blocks.
    """
    found = NULL
    least = MOST_SPARE + 1
    at = vault + SPARE_MAPPINGS
    while at < vault + SPARE_MAPPINGS + m.load(vault + SPARES) * WORD:
        held = m.load(m.load(at) + MAPPING_BYTES)
        if need <= held < least:
            found = at
            least = held
        at = at + WORD
    return found


def take_spare(m, vault, length, alignment):
    """The record of a spare mapping, with `length` bytes of pages at a multiple of `alignment`, and in the table.

    Requires: the lock of the mapped blocks; length is a multiple of PAGE; alignment is a power of two.
    Ensures:  it is not spare any more; NULL if there is none, or the system refused.
    """
    at = least_spare(m, vault, with_margins(length, alignment))
    if at == NULL:
        return NULL
    record = m.load(at)
    if not reopen(m, record, start_within(m, record, length, alignment, draw(m, vault + DRAWN)), length):
        return NULL
    add(m, vault + SPARES, -1)
    m.store(at, m.load(vault + SPARE_MAPPINGS + m.load(vault + SPARES) * WORD))
    return record


def exchange_spare(m, vault, record):
    """Let the record be spare; if it may not be it is answered, if all places are taken another.

    Those of many bytes may not, nor any while there are more pieces than have guards: they would have some when used.

    Requires: the lock of the mapped blocks; all that the record has of the system is without access.
    Ensures:  NULL if there was a place.
    """
    if m.load(record + MAPPING_BYTES) > MOST_SPARE or m.load(vault + PIECES) > MOST_GUARDED:
        return record
    spares = m.load(vault + SPARES)
    other = NULL
    if spares == MOST_SPARES:
        spares = draw(m, vault + DRAWN) & MOST_SPARES - 1
        other = m.load(vault + SPARE_MAPPINGS + spares * WORD)
    else:
        m.store(vault + SPARES, spares + 1)
    m.store(vault + SPARE_MAPPINGS + spares * WORD, record)
    return other


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


def abandon(m, vault, record):
    """Give the pages of the record back and the record up; what the system does not take back stays the record's.

    Requires: the lock of the mapped blocks, and the record's own; the table does not lead to it.
    """
    if unmap_pages(m, record):
        give_up(m, vault, record)
    else:
        m.store_release(record + KIND, UNFOUND)


def forget_records(m):
    """In the child of a fork that took the lock of the mapped blocks with it: begin a new chunk for the next record.

    What it had half done has no reader; which records are free, or of spare mappings, nobody knows.
    """
    vault = vault_of(m)
    if vault != NULL:
        m.store(vault + FREE_RECORDS, NULL)
        m.store(vault + FRESH_RECORD, NULL)
        m.store(vault + SPARES, 0)
