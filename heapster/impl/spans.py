"""Spans: runs of pages with slots of one class, of which any that is free may be the next.

A record, far from the slots, has two bits for each: whether it is taken, and whether it waits. So it is known of any
address whether a used block begins there. A slot that is not used is all zero; a used one ends with its canary.
"""

from .block import round_up
from .classes import class_for_request, class_head, class_of, least_of_class, lowest_bit
from .freelist import add, bypass, insert, open_list
from .layout import (
    ALIGN,
    ALL_SLOTS,
    ARENA_LOCK,
    BASE,
    CHOSEN,
    FREE_BLOCKS,
    FREE_BYTES,
    HELD_BYTES,
    KEEP_DRAWN,
    KEEP_EMPTY,
    KIND,
    LEAST_SLOTS,
    LENGTH,
    MAPPINGS,
    MOST_EMPTY,
    MOST_SLOT,
    MOST_SLOTS,
    MOST_SPAN,
    NEXT,
    NONE_CHOSEN,
    NULL,
    PAGE,
    PREV,
    RECIPROCAL,
    RECIPROCAL_SHIFT,
    SLOT,
    SLOT_BITS,
    SLOT_BITS_SHIFT,
    SLOT_STRIDE,
    SLOTS,
    SPAN,
    SPAN_CLASS,
    SPAN_FREE,
    SPAN_OWNER,
    SPAN_WORDS_MASK,
    TAKEN,
    WAITING,
    WORD,
    WRITE_AFTER_FREE,
)
from .randomness import canary, draw
from .run_layout import SHORT
from .vault import (
    abandon,
    enter_pages,
    give_up,
    keep_of,
    leave_pages,
    map_pages,
    new_record,
    open_vault,
    unmap_pages,
    vault_of,
)


def reciprocal(slot):
    """1 << RECIPROCAL_SHIFT, divided by `slot`, rounded up.

    Requires: 1 < slot <= MOST_SLOT.
    Ensures:  (result - 1) * slot < 1 << RECIPROCAL_SHIFT <= result * slot.
    """
    result = 0
    rest = (1 << RECIPROCAL_SHIFT) + slot - 1
    shift = RECIPROCAL_SHIFT
    while shift > 0:
        shift = shift - 1
        if rest >= slot << shift:
            rest = rest - (slot << shift)
            result = result + (1 << shift)
    return result


def span_length(slot):
    """Bytes of pages of a span with slots of `slot` bytes.

    Requires: slot is the least size of a class, at most MOST_SLOT.
    Ensures:  a multiple of PAGE; room for LEAST_SLOTS at least and MOST_SLOTS at most, but for a rest under a slot.
    """
    length = slot * MOST_SLOTS
    if length > MOST_SPAN:
        length = MOST_SPAN
    if length < slot * LEAST_SLOTS:
        length = slot * LEAST_SLOTS
    return round_up(length, PAGE)


def slot_for(request, alignment):
    """Bytes of the slots that blocks for `request` bytes at a multiple of `alignment` have; 0 if they are too large.

    Requires: 0 <= request <= MAX_REQUEST; alignment is a power of two, ALIGN to MAX_REQUEST.
    Ensures:  0 or the least size of a class, at most MOST_SLOT; a multiple of alignment; it holds the request and a
              canary.
    """
    if request > MOST_SLOT - WORD or alignment > PAGE:
        return 0
    if alignment == ALIGN:
        return least_of_class(class_for_request(request + SHORT))
    slot = alignment
    while slot < request + WORD:
        slot = slot << 1
    if slot > MOST_SLOT:
        return 0
    return slot


def slot_number(m, record, p):
    """The number of the slot that begins at `p`, in the pages of the span; -1 if none does."""
    distance = p - m.load(record + BASE)
    number = distance * m.load(record + RECIPROCAL) >> RECIPROCAL_SHIFT
    if number >= m.load(record + SLOTS) or number * m.load(record + SLOT) != distance:
        return -1
    return number


def slot_at(m, record, number):
    """Where the slot of that number begins."""
    return m.load(record + BASE) + number * m.load(record + SLOT)


def bits_at(record, bits, number):
    """Where the record has the bit of a slot, of its bits TAKEN or WAITING."""
    return record + bits + (number >> SLOT_BITS_SHIFT) * SLOT_STRIDE


def bit_of(number):
    """The bit of a slot in its word."""
    return 1 << (number & SLOT_BITS - 1)


def is_set(m, record, bits, number):
    """Whether the slot has its bit set."""
    return m.load(bits_at(record, bits, number)) & bit_of(number) != 0


def is_used(m, record, number):
    """Whether the slot is used: taken, and not waiting."""
    return is_set(m, record, TAKEN, number) and not is_set(m, record, WAITING, number)


def set_bit(m, record, bits, number):
    """Set the bit of a slot that has it not set."""
    add(m, bits_at(record, bits, number), bit_of(number))


def clear_bit(m, record, bits, number):
    """Clear the bit of a slot that has it set."""
    add(m, bits_at(record, bits, number), -bit_of(number))


def nearest_free(m, record, number):
    """The first slot that is not taken, from that number on and round the end.

    Requires: the lock; a slot is not taken; 0 <= number < MOST_SLOTS.
    Ensures:  it is not taken; no word changes.
    """
    word = number >> SLOT_BITS_SHIFT
    bits = (ALL_SLOTS - m.load(record + TAKEN + word * SLOT_STRIDE)) & -bit_of(number)
    while bits == 0:
        word = (word + 1) & SPAN_WORDS_MASK
        bits = ALL_SLOTS - m.load(record + TAKEN + word * SLOT_STRIDE)
    return (word << SLOT_BITS_SHIFT) + lowest_bit(bits)


def random_slot(m, record, random):
    """The number of a slot that is not taken, which the random number chooses: each may be it."""
    return nearest_free(m, record, (random & ALL_SLOTS) * m.load(record + SLOTS) >> SLOT_BITS)


def write_slots(m, record, slots):
    """Let no slot of the record be taken, but those that do not exist; none waits."""
    left = slots
    word = 0
    while word <= SPAN_WORDS_MASK:
        bits = 0
        if left <= 0:
            bits = ALL_SLOTS
        elif left < SLOT_BITS:
            bits = ALL_SLOTS - (1 << left) + 1
        m.store(record + TAKEN + word * SLOT_STRIDE, bits)
        m.store(record + WAITING + word * SLOT_STRIDE, 0)
        left = left - SLOT_BITS
        word = word + 1


def is_zero(m, start, length):
    """Whether all of `length` bytes from `start`, whole words, are zero.

    Most of them are looked at eight in a turn: a turn costs as much as a word.
    """
    at = start
    found = 0
    while at + 8 * WORD <= start + length:
        found = found | m.load(at) | m.load(at + WORD) | m.load(at + 2 * WORD) | m.load(at + 3 * WORD)
        found = found | m.load(at + 4 * WORD) | m.load(at + 5 * WORD) | m.load(at + 6 * WORD) | m.load(at + 7 * WORD)
        at = at + 8 * WORD
    while at < start + length:
        found = found | m.load(at)
        at = at + WORD
    return found == 0


# Spans of an arena.


def write_span(m, arena, record, index):
    """Let the record, which has its pages, be that of a span of the arena with no slot taken.

    Requires: both locks.
    """
    slot = least_of_class(index)
    m.store_relaxed(record + SPAN_OWNER, arena)
    m.store(record + SPAN_CLASS, index)
    m.store(record + SLOT, slot)
    m.store(record + RECIPROCAL, reciprocal(slot))
    slots = m.load(record + LENGTH) * m.load(record + RECIPROCAL) >> RECIPROCAL_SHIFT
    if slots > MOST_SLOTS:
        slots = MOST_SLOTS
    m.store(record + SLOTS, slots)
    m.store(record + SPAN_FREE, slots)
    m.store(record + CHOSEN, NONE_CHOSEN)
    write_slots(m, record, slots)
    m.store_release(record + KIND, SPAN)


def make_span(m, arena, index):
    """The record of a new span of a class, which the table leads to; NULL if the system refused memory.

    Requires: the arena's lock, and that of the mapped blocks.
    Ensures:  NULL only if the system refused, and then nothing has changed but what the vault has to spare, or holds
              because the system does not take it back.
    """
    vault = open_vault(m)
    if vault == NULL:
        return NULL
    record = new_record(m, vault)
    if record == NULL:
        return NULL
    if map_pages(m, record, span_length(least_of_class(index)), PAGE):
        write_span(m, arena, record, index)
        if enter_pages(m, m.load(record + BASE), m.load(record + LENGTH), record):
            return record
        abandon(m, vault, record)
    else:
        give_up(m, vault, record)
    return NULL


def count_empty(m, arena, record, sign):
    """Count the span as one of which no slot is taken; with a `sign` of -1, no longer."""
    add(m, keep_of(m, arena) + KEEP_EMPTY, sign * m.load(record + LENGTH))


def count_span(m, arena, record, sign):
    """Count the span, no slot of which is taken, in the arena's ledger; with a `sign` of -1, no longer."""
    count_empty(m, arena, record, sign)
    add(m, arena + HELD_BYTES, sign * m.load(record + LENGTH))
    add(m, arena + FREE_BYTES, sign * m.load(record + SLOTS) * m.load(record + SLOT))
    add(m, arena + FREE_BLOCKS, sign * m.load(record + SLOTS))


def add_span(m, arena, index):
    """As `make_span`, counted and first on the list of its class.

    Requires: the arena's lock; the list of the class is open.
    """
    m.lock(m.statics() + MAPPINGS + ARENA_LOCK)
    record = make_span(m, arena, index)
    m.unlock(m.statics() + MAPPINGS + ARENA_LOCK)
    if record != NULL:
        count_span(m, arena, record, 1)
        insert(m, class_head(arena, index), record)
    return record


def span_with_room(m, arena, index):
    """The record of a span of that class in which a slot is not taken; NULL if the system refused memory for one.

    Requires: the arena's lock.
    """
    head = class_head(arena, index)
    open_list(m, head)
    record = m.load(head + NEXT)
    if record == head:
        record = add_span(m, arena, index)
    return record


def choose_slot(m, arena, record):
    """The number of a slot of the span that is not taken, at random: what is noted as the one that is taken next.

    Requires: the arena's lock; a slot is not taken.
    """
    number = random_slot(m, record, draw(m, keep_of(m, arena) + KEEP_DRAWN))
    m.store(record + CHOSEN, number)
    return number


def choose_ahead(m, arena, record):
    """Choose the slot that is taken next before it is asked for, so that it is near by then: at random, it never is.

    Requires: the arena's lock; a slot is not taken.
    """
    p = slot_at(m, record, choose_slot(m, arena, record))
    m.prefetch(p)
    m.prefetch(p + m.load(record + SLOT) - WORD)


def take_slot(m, arena, record):
    """Take a slot of the span that is not taken, at random; its payload. Abort if it was written to since it was freed.

    What is chosen stays free until it is taken: nobody else takes of the span.

    Requires: the arena's lock; a slot is not taken; the span is on the list of its class.
    Ensures:  the slot is used, zero, and ends with its canary; the span is on the list if a slot is left.
    """
    number = m.load(record + CHOSEN)
    if number == NONE_CHOSEN:
        number = choose_slot(m, arena, record)
    p = slot_at(m, record, number)
    if m.load(record + SPAN_FREE) == m.load(record + SLOTS):
        count_empty(m, arena, record, -1)
    set_bit(m, record, TAKEN, number)
    add(m, record + SPAN_FREE, -1)
    if m.load(record + SPAN_FREE) == 0:
        bypass(m, m.load(record + PREV), m.load(record + NEXT))
        m.store(record + CHOSEN, NONE_CHOSEN)
    else:
        choose_ahead(m, arena, record)
    write_canary(m, p, m.load(record + SLOT) - WORD)
    return p


def write_canary(m, p, usable):
    """Let the slot at `p` end with its canary, behind its usable bytes; abort unless all of it is zero before.

    The canary is added to what is there, and looked at afterwards: a page that nobody has touched is written to at
    once, where the system would have to give it twice if it were read before.
    """
    last = canary(m, p)
    add(m, p + usable, last)
    if m.load_relaxed(p + usable) != last or not is_zero(m, p, usable):
        m.abort(WRITE_AFTER_FREE, p)


def drop_span(m, arena, record):
    """Whether the system took back the span, no slot of which is taken.

    Requires: the arena's lock; it is on the list of its class.
    """
    m.lock(m.statics() + MAPPINGS + ARENA_LOCK)
    leave_pages(m, m.load(record + BASE), m.load(record + LENGTH))
    taken = unmap_pages(m, record)
    if taken:
        bypass(m, m.load(record + PREV), m.load(record + NEXT))
        count_span(m, arena, record, -1)
        give_up(m, vault_of(m), record)
    else:
        enter_pages(m, m.load(record + BASE), m.load(record + LENGTH), record)
    m.unlock(m.statics() + MAPPINGS + ARENA_LOCK)
    return taken


def retain_span(m, arena, record):
    """Let the span, of which the last slot was just freed, be used again when no other of its class has room.

    It is given back where the arena has enough such spans already, and another of its class has room.

    Requires: the arena's lock; it is on the list of its class.
    """
    count_empty(m, arena, record, 1)
    is_only = m.load(record + NEXT) == m.load(record + PREV)
    if is_only or m.load(keep_of(m, arena) + KEEP_EMPTY) > MOST_EMPTY and drop_span(m, arena, record):
        return
    bypass(m, m.load(record + PREV), m.load(record + NEXT))
    insert(m, m.load(class_head(arena, m.load(record + SPAN_CLASS)) + PREV), record)


def drop_empty_spans(m, arena):
    """Give back all spans of the arena of which no slot is taken, as far as the system takes them.

    Requires: the arena's lock.
    """
    index = 0
    while index <= class_of(MOST_SLOT):
        head = class_head(arena, index)
        record = m.load(head + NEXT)
        while record != NULL and record != head:
            after = m.load(record + NEXT)
            if m.load(record + SPAN_FREE) == m.load(record + SLOTS):
                drop_span(m, arena, record)
            record = after
        index = index + 1


def largest_slot(m, arena):
    """Bytes of the largest slot of the arena that is not taken; 0 for none.

    Requires: the arena's lock.
    """
    index = class_of(MOST_SLOT)
    while index >= 0:
        head = class_head(arena, index)
        if m.load(head + NEXT) != NULL and m.load(head + NEXT) != head:
            return least_of_class(index)
        index = index - 1
    return 0


def free_slot(m, arena, record, number):
    """Let the slot, which waits, be free again.

    A span that was full is the last with room: when its turn comes, more of its slots are free, so there are more to
    choose from, and its record is looked at once for many blocks.

    Requires: the arena's lock.
    Ensures:  the span is on the list of its class, or the system's.
    """
    clear_bit(m, record, TAKEN, number)
    clear_bit(m, record, WAITING, number)
    add(m, record + SPAN_FREE, 1)
    if m.load(record + SPAN_FREE) == 1:
        insert(m, m.load(class_head(arena, m.load(record + SPAN_CLASS)) + PREV), record)
    if m.load(record + SPAN_FREE) == m.load(record + SLOTS):
        retain_span(m, arena, record)
