"""Large blocks, each with a mapping of its own, on a list under a lock of their own."""

from .arena import count_call, count_used, open_record
from .block import payload, round_up, size
from .freelist import add, bypass, insert, links_agree
from .layout import (
    ALIGN,
    ARENA_LOCK,
    CALL_FREE,
    CORRUPT_LIST,
    FREE_BLOCKS,
    FREE_BYTES,
    HEAD,
    HELD_BYTES,
    LEAD,
    MAPPED,
    MAPPED_LEAD,
    MAPPINGS,
    NEXT,
    NODE,
    NOT_USED,
    NULL,
    PAGE,
    PAYLOAD,
    PREV,
    PREV_USED,
    REFUSED,
    USED,
)


def mapped_usable(m, b):
    """Bytes of payload of the mapped block `b`."""
    return size(m, b) - m.load(b + LEAD) - PAYLOAD


def mapping_length(request, alignment):
    """Bytes to map so that an aligned payload of `request` bytes fits wherever the mapping starts.

    Requires: 0 <= request, alignment <= MAX_REQUEST; alignment is a power of two, at least ALIGN.
    Ensures:  a multiple of PAGE; holds the lead, the alignment and the request, at least a byte.
    """
    lead = MAPPED_LEAD + PAYLOAD
    if alignment > PAGE:
        lead = lead + alignment
    elif alignment > ALIGN:
        lead = round_up(lead, alignment)
    if request == 0:
        request = 1
    return round_up(lead + request, PAGE)


def write_mapped(m, start, length, alignment):
    """Write the header and lead of the one block of a new mapping; return the block.

    Ensures:  its payload is a multiple of alignment; it lies in the mapping;
              header and lead say where the mapping is, and no other word changes.
    """
    b = round_up(start + MAPPED_LEAD + PAYLOAD, alignment) - PAYLOAD
    m.store(b + LEAD, b - start)
    m.store(b, length | MAPPED | PREV_USED | USED)
    return b


def map_block(m, request, alignment, kind):
    """A used block with a mapping of its own, its payload aligned; NULL if the system refused.

    Requires: as `mapping_length`.
    Ensures:  NULL only if the system refused, and then nothing has changed;
              else it is first on the list, and counted; the lock is released.
    """
    length = mapping_length(request, alignment)
    start = m.mmap(length)
    if start == REFUSED:
        return NULL
    b = write_mapped(m, start, length, alignment)
    record = m.statics() + MAPPINGS
    m.lock(record + ARENA_LOCK)
    open_record(m, record, 0)
    insert(m, record + HEAD, b + NODE)
    add(m, record + HELD_BYTES, length)
    count_used(m, record, length, 1)
    count_call(m, record, kind)
    m.unlock(record + ARENA_LOCK)
    return b


def keep_mapping(m, record, b, length):
    """Note that the system refused to take the freed block `b` back: it stays listed, no longer used."""
    m.store(b, m.load(b) & NOT_USED)
    add(m, record + FREE_BYTES, length)
    add(m, record + FREE_BLOCKS, 1)


def unmap_block(m, b, kind):
    """Free the mapped block `b`, counting a call if it is one of CALL_FREE.

    Ensures:  its memory is back with the system; or, if that refused, listed as free;
              the lock is released.
    """
    record = m.statics() + MAPPINGS
    m.lock(record + ARENA_LOCK)
    node = b + NODE
    if not links_agree(m, node):
        m.abort(CORRUPT_LIST, payload(b))
    before = m.load(node + PREV)
    after = m.load(node + NEXT)
    length = size(m, b)
    count_used(m, record, -length, -1)
    if kind == CALL_FREE:
        count_call(m, record, kind)
    if m.munmap(b - m.load(b + LEAD), length) == REFUSED:
        keep_mapping(m, record, b, length)
    else:
        bypass(m, before, after)
        add(m, record + HELD_BYTES, -length)
    m.unlock(record + ARENA_LOCK)


def shrink_mapped(m, b, request, kind):
    """Whether the mapped block `b` can serve `request` where it is; what it then needs no more is unmapped.

    Ensures:  on success it holds the request; a refusal of the system only keeps it larger;
              without success nothing changes; the lock is released.
    """
    length = size(m, b)
    lead = m.load(b + LEAD)
    need = round_up(lead + PAYLOAD + request, PAGE)
    if need > length:
        return False
    record = m.statics() + MAPPINGS
    m.lock(record + ARENA_LOCK)
    if need < length and m.munmap(b - lead + need, length - need) != REFUSED:
        m.store(b, need | MAPPED | PREV_USED | USED)
        add(m, record + HELD_BYTES, need - length)
        count_used(m, record, need - length, 0)
    count_call(m, record, kind)
    m.unlock(record + ARENA_LOCK)
    return True
