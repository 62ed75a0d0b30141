"""A hardened heap: what malloc and its kin do where all blocks are slots of spans or have mappings between guards.

Nothing beside a block is believed: its record says whether it is used, and a canary behind it whether its caller kept
to it. What is freed is zeroed, waits, and must still be zero when it is used again.
"""

from .arena import count_call, count_used, is_lost, open_record, owner_of
from .block import round_up
from .classes import class_for
from .freelist import add, open_list
from .layout import (
    ALIGN,
    ARENA_LOCK,
    BASE,
    CALL_FREE,
    CALL_REALLOC,
    DOUBLE_FREE,
    FREE_BLOCKS,
    FREE_BYTES,
    FREED_MAPPING,
    GROWN_SHIFT,
    HELD_BYTES,
    INVALID_POINTER,
    KIND,
    LENGTH,
    MAPPING,
    MAPPING_BYTES,
    MAPPING_START,
    MAPPINGS,
    MAX_REQUEST,
    NULL,
    OVERFLOW,
    PAGE,
    RECORD_BYTES,
    REFUSED,
    RETAINED_LIST,
    SLOT,
    SPAN,
    SPAN_OWNER,
    UNTAKEN,
    WAITING,
    WORD,
    WRITE_AFTER_FREE,
    WRONG_SIZE,
)
from .quarantine import exchange, exchange_mapping, group_of
from .randomness import canary
from .settings import attach, get_hardened
from .spans import (
    free_slot,
    is_used,
    set_bit,
    slot_at,
    slot_for,
    slot_number,
    span_with_room,
    take_slot,
)
from .vault import (
    abandon,
    enter,
    exchange_spare,
    give_up,
    keep_of,
    map_pages,
    new_record,
    open_vault,
    record_at,
    take_spare,
    unmap_pages,
    vault_of,
)


def is_hardened(m):
    """Whether there are spans and nothing else."""
    return get_hardened(m) != 0


def count_slot(m, arena, record, used):
    """Count a slot of the span more as used and one less as free, or with `used` of -1 the contrary."""
    slot = used * m.load(record + SLOT)
    count_used(m, arena, slot, used)
    add(m, arena + FREE_BYTES, -slot)
    add(m, arena + FREE_BLOCKS, -used)


def place_in_span(m, arena, index, kind):
    """The payload of a slot of a class, the call counted; NULL if the system refused memory, or the arena is lost.

    Ensures:  the lock is released.
    """
    p = NULL
    m.lock(arena + ARENA_LOCK)
    open_record(m, arena, owner_of(m, arena))
    if not is_lost(m, arena):
        record = span_with_room(m, arena, index)
        if record != NULL:
            p = take_slot(m, arena, record)
            count_slot(m, arena, record, 1)
            count_call(m, arena, kind)
    m.unlock(arena + ARENA_LOCK)
    return p


def pages_for(request):
    """Bytes of pages that hold `request` bytes, at least one page.

    Requires: 0 <= request <= MAX_WORD - PAGE.
    """
    if request == 0:
        request = 1
    return round_up(request, PAGE)


def grown(request):
    """Bytes that realloc asks for where it makes a mapping for `request`: so that the next is not so soon."""
    return request + (request >> GROWN_SHIFT)


def may_map(length, request):
    """Whether a mapping of `length` bytes may have been made for `request`, by realloc or another call.

    Requires: 0 <= request <= MAX_REQUEST.
    """
    return pages_for(request) <= length <= pages_for(grown(request))


def make_mapping(m, vault, length, alignment):
    """The record of a mapping of `length` bytes, which the table leads to; NULL if the system refused memory.

    Requires: the lock of the mapped blocks.
    """
    record = take_spare(m, vault, length, alignment)
    if record != NULL:
        m.store_release(record + KIND, MAPPING)
        return record
    record = new_record(m, vault)
    if record == NULL:
        return NULL
    if map_pages(m, record, length, alignment):
        m.store_relaxed(record + SPAN_OWNER, m.statics() + MAPPINGS)
        m.store_release(record + KIND, MAPPING)
        if enter(m, m.load(record + BASE), record):
            return record
        abandon(m, vault, record)
    else:
        give_up(m, vault, record)
    return NULL


def place_mapping(m, length, alignment, kind):
    """The payload of a block with `length` bytes of pages of its own, the call counted; NULL if the system refused.

    Ensures:  the lock is released.
    """
    mappings = m.statics() + MAPPINGS
    p = NULL
    m.lock(mappings + ARENA_LOCK)
    open_record(m, mappings, 0)
    open_list(m, m.statics() + RETAINED_LIST)
    open_list(m, m.statics() + UNTAKEN)
    vault = open_vault(m)
    if vault != NULL:
        record = make_mapping(m, vault, length, alignment)
        if record != NULL:
            p = m.load(record + BASE)
            add(m, mappings + HELD_BYTES, length)
            count_used(m, mappings, length, 1)
            count_call(m, mappings, kind)
    m.unlock(mappings + ARENA_LOCK)
    return p


def place_hardened(m, request, alignment, kind):
    """The payload of a block for `request` bytes at a multiple of `alignment`, all zero; NULL if memory is out.

    Requires: 0 <= request <= MAX_REQUEST; alignment is a power of two, ALIGN to MAX_REQUEST.
    Ensures:  NULL only if the system refused.
    """
    p = NULL
    slot = slot_for(request, alignment)
    if slot != 0:
        p = place_in_span(m, attach(m), class_for(slot), kind)
    if p == NULL and kind == CALL_REALLOC:
        p = place_mapping(m, pages_for(grown(request)), alignment, kind)
    if p == NULL:
        p = place_mapping(m, pages_for(request), alignment, kind)
    return p


def check_end(m, record, number):
    """Abort unless the slot ends as it must: a used one with its canary, any other with zero.

    Requires: the span's lock.
    """
    p = slot_at(m, record, number)
    last = m.load(p + m.load(record + SLOT) - WORD)
    if is_used(m, record, number):
        if last != canary(m, p):
            m.abort(OVERFLOW, p)
    elif last != 0:
        m.abort(WRITE_AFTER_FREE, p)


def check_slot(m, record, p):
    """Abort unless a used slot of the span begins at `p`, and nobody wrote behind it, nor behind the one before.

    In an arena that is lost a thread that is no more may have been amid the one before: that is not looked at.

    Requires: the span's lock.
    """
    number = slot_number(m, record, p)
    if number < 0:
        m.abort(INVALID_POINTER, p)
    if not is_used(m, record, number):
        m.abort(DOUBLE_FREE, p)
    check_end(m, record, number)
    if number > 0 and not is_lost(m, m.load_relaxed(record + SPAN_OWNER)):
        check_end(m, record, number - 1)


def check_mapping(m, record, p):
    """Abort unless the record, which is no span's, is that of a used mapping at `p`.

    Requires: its lock.
    """
    kind = m.load(record + KIND)
    if kind == FREED_MAPPING and m.load(record + BASE) == p:
        m.abort(DOUBLE_FREE, p)
    if kind != MAPPING or m.load(record + BASE) != p:
        m.abort(INVALID_POINTER, p)


def own(m, p):
    """The record of the used block at `p`, which may be any word, and its owner's lock; abort if it is none.

    Where the slot before ends is known at once, and far, unless that was used lately.
    """
    m.prefetch(p - WORD)
    record = record_at(m, p)
    if record == NULL:
        m.abort(INVALID_POINTER, p)
    m.lock(m.load_relaxed(record + SPAN_OWNER) + ARENA_LOCK)
    if m.load(record + KIND) == SPAN:
        check_slot(m, record, p)
    else:
        check_mapping(m, record, p)
    return record


def disown(m, record):
    """Release the lock of the record's owner."""
    m.unlock(m.load_relaxed(record + SPAN_OWNER) + ARENA_LOCK)


def let_wait(m, arena, record, p):
    """Free the used slot at `p`: it is zeroed, and waits; the one that has waited long enough in its place is free.

    Requires: the arena's lock.
    """
    number = slot_number(m, record, p)
    slot = m.load(record + SLOT)
    m.fill(p, 0, slot)
    set_bit(m, record, WAITING, number)
    count_slot(m, arena, record, -1)
    entry = exchange(m, keep_of(m, arena), group_of(slot), record + number)
    if entry != 0:
        free_slot(m, arena, entry & -RECORD_BYTES, entry & RECORD_BYTES - 1)


def give_back(m, vault, record):
    """Give the mapping of the record, which is used no more, back to the system; if that refuses, it waits for ever.

    Requires: the lock of the mapped blocks.
    """
    if unmap_pages(m, record):
        enter(m, m.load(record + BASE), NULL)
        give_up(m, vault, record)


def retire(m, vault, record):
    """Let the mapping of the record, which has waited, be spare, or give it back, or another where there are enough.

    Requires: the lock of the mapped blocks.
    """
    other = exchange_spare(m, vault, record)
    if other != NULL:
        give_back(m, vault, other)


def close_mapping(m, mappings, record):
    """Free the mapping of the record: nobody has access to it, and it waits; the one that waited longest is spare.

    What lies beside its pages is closed with them: it may have had no guards.

    Requires: the lock of the mapped blocks.
    """
    start = m.load(record + MAPPING_START)
    held = m.load(record + MAPPING_BYTES)
    length = m.load(record + LENGTH)
    vault = vault_of(m)
    add(m, mappings + HELD_BYTES, -length)
    count_used(m, mappings, -length, -1)
    m.store_release(record + KIND, FREED_MAPPING)
    if m.purge(start, held) == REFUSED or m.protect(start, held) == REFUSED:
        give_back(m, vault, record)
    else:
        oldest = exchange_mapping(m, vault, record)
        if oldest != NULL:
            retire(m, vault, oldest)


def free_hardened(m, p, kind):
    """Free the payload at `p`, which may be any word, counting a call if it is one of CALL_FREE; abort if it is none.

    A block of an arena that is lost stays as it is.
    """
    record = own(m, p)
    owner = m.load_relaxed(record + SPAN_OWNER)
    if kind == CALL_FREE:
        count_call(m, owner, kind)
    if m.load(record + KIND) == MAPPING:
        close_mapping(m, owner, record)
    elif not is_lost(m, owner):
        let_wait(m, owner, record, p)
    m.unlock(owner + ARENA_LOCK)


def usable_in(m, record):
    """Bytes of payload of a block with this record."""
    if m.load(record + KIND) == MAPPING:
        return m.load(record + LENGTH)
    return m.load(record + SLOT) - WORD


def usable_hardened(m, p):
    """Bytes of payload at `p`, which may be any word; abort if no used block is there."""
    record = own(m, p)
    usable = usable_in(m, record)
    disown(m, record)
    return usable


def stays(m, record, request):
    """Whether realloc leaves a block with this record as it is: another for the request would be as large."""
    slot = slot_for(request, ALIGN)
    if m.load(record + KIND) == MAPPING:
        return slot == 0 and may_map(m.load(record + LENGTH), request)
    return slot == m.load(record + SLOT)


def resize_hardened(m, p, request):
    """The payload at `p`, which may be any word, if it may hold `request` bytes as it is, the call counted; else NULL.

    Abort if no used block is there.
    """
    record = own(m, p)
    answer = NULL
    if stays(m, record, request):
        count_call(m, m.load_relaxed(record + SPAN_OWNER), CALL_REALLOC)
        answer = p
    disown(m, record)
    return answer


def check_asked_hardened(m, p, request, alignment):
    """Abort if the used block at `p` cannot have been asked for with `request` bytes at a multiple of `alignment`.

    Requires: alignment is a power of two, ALIGN to MAX_REQUEST, that divides p.
    """
    record = own(m, p)
    could = request >= 0 and request <= MAX_REQUEST
    if could and m.load(record + KIND) == MAPPING:
        could = may_map(m.load(record + LENGTH), request)
    elif could:
        could = slot_for(request, alignment) == m.load(record + SLOT)
    disown(m, record)
    if not could:
        m.abort(WRONG_SIZE, p)
