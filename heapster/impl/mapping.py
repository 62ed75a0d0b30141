"""Large blocks, each with a mapping of its own, on a list under a lock of their own."""

from .arena import count_call, count_used, is_lost, open_record
from .block import is_free, payload, round_up, size, write_header
from .freelist import add, bypass, insert, links_agree, open_list
from .layout import (
    ALIGN,
    ARENA_LOCK,
    CALL_CALLOC,
    CALL_FREE,
    CORRUPT_HEADER,
    CORRUPT_LIST,
    DOUBLE_FREE,
    HEAD,
    HELD_BYTES,
    KEY,
    LEAD,
    MAPPED,
    MAPPED_LEAD,
    MAPPINGS,
    NEXT,
    NODE,
    NOT_CHECKSUM,
    NOT_USED,
    NULL,
    PAGE,
    PAYLOAD,
    PREV,
    PREV_USED,
    REFUSED,
    RETAINED_LIST,
    UNTAKEN,
    USED,
)
from .retained import retain, step, stretch, take_retained, take_retained_at


def mapped_usable(m, b):
    """Bytes of payload of the mapped block `b`."""
    return size(m, b) - m.load(b + LEAD) - PAYLOAD


def seal_of(m, b):
    """Return the seal of the mapped block `b`: it changes with its address, its header and its lead."""
    return m.load(m.statics() + KEY) - b - (m.load(b) & NOT_CHECKSUM) - m.load(b + LEAD)


def seal(m, b):
    """Note the header and the lead of the mapped block `b`, as nobody can who does not know the key."""
    m.store(b + NODE, seal_of(m, b))


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
              header and lead say where the mapping is, sealed, and no other word changes.
    """
    b = round_up(start + MAPPED_LEAD + PAYLOAD, alignment) - PAYLOAD
    m.store(b + LEAD, b - start)
    write_header(m, b, length | MAPPED | PREV_USED | USED)
    seal(m, b)
    return b


def map_anew(m, record, length):
    """`length` bytes from the system, as `reuse` answers them; NULL if it refused."""
    start = m.mmap(length)
    if start == REFUSED:
        return NULL
    m.store(start, length)
    add(m, record + HELD_BYTES, length)
    return start


def list_mapped(m, record, b, kind):
    """Put the new mapped block `b` first on the list, unless that is lost, and count it and the call."""
    if not is_lost(m, record):
        insert(m, record + HEAD, b + NODE)
    count_used(m, record, size(m, b), 1)
    count_call(m, record, kind)
    step(m, record)


def make_zero(m, b, fresh):
    """Let the payload of the mapped block `b` be zero; a fresh one is."""
    if fresh:
        m.known_zero(payload(b), mapped_usable(m, b))
    else:
        m.fill(payload(b), 0, mapped_usable(m, b))


def map_block(m, request, alignment, kind):
    """A used block with pages of its own, kept or from the system, its payload aligned; NULL if there are none.

    Requires: as `mapping_length`; the list is not lost, or the block is on none.
    Ensures:  NULL only if nothing kept is large enough and the system refused, and then all is as it was;
              else it is first on the list, and counted; its payload is zero if the call is CALL_CALLOC;
              the lock is released.
    """
    length = mapping_length(request, alignment)
    record = m.statics() + MAPPINGS
    m.lock(record + ARENA_LOCK)
    open_record(m, record, 0)
    open_list(m, m.statics() + RETAINED_LIST)
    open_list(m, m.statics() + UNTAKEN)
    start = take_retained(m, record, length)
    if start == NULL:
        start = stretch(m, record, length)
    fresh = start == NULL
    if fresh:
        start = map_anew(m, record, length)
    b = NULL
    if start != NULL:
        b = write_mapped(m, start, m.load(start), alignment)
        list_mapped(m, record, b, kind)
    m.unlock(record + ARENA_LOCK)
    if b != NULL and kind == CALL_CALLOC:
        make_zero(m, b, fresh)
    return b


def check_mapped(m, record, b):
    """Abort unless the mapped block `b` is used still, under the lock, sealed, and known to its neighbours on the list.

    Where the list is lost, the block is on none.
    """
    if is_free(m, b):
        m.abort(DOUBLE_FREE, payload(b))
    if m.load(b + NODE) != seal_of(m, b):
        m.abort(CORRUPT_HEADER, payload(b))
    if not is_lost(m, record) and not links_agree(m, b + NODE):
        m.abort(CORRUPT_LIST, payload(b))


def unlist_mapped(m, record, b):
    """Take the mapped block `b` off the list, unless that is lost; abort unless its neighbours know it as theirs.

    Requires: the lock.
    """
    check_mapped(m, record, b)
    if not is_lost(m, record):
        bypass(m, m.load(b + NODE + PREV), m.load(b + NODE + NEXT))


def unmap_block(m, b, kind):
    """Free the mapped block `b`, counting a call if it is one of CALL_FREE.

    Ensures:  it is on no list, and not USED; its mapping is kept, back with the system, or set aside;
              the lock is released.
    """
    record = m.statics() + MAPPINGS
    m.lock(record + ARENA_LOCK)
    unlist_mapped(m, record, b)
    length = size(m, b)
    count_used(m, record, -length, -1)
    if kind == CALL_FREE:
        count_call(m, record, kind)
    write_header(m, b, m.load(b) & NOT_USED & NOT_CHECKSUM)
    retain(m, record, b - m.load(b + LEAD), length)
    step(m, record)
    m.unlock(record + ARENA_LOCK)


def become(m, record, b, length):
    """Let the mapped block `b` have a mapping of `length` bytes from here on."""
    count_used(m, record, length - size(m, b), 0)
    write_header(m, b, length | MAPPED | PREV_USED | USED)
    seal(m, b)


def extend(m, record, b, extra):
    """Whether the mapped block `b` could take `extra` bytes, whole pages, that were kept after it."""
    length = size(m, b)
    done = take_retained_at(m, record, b - m.load(b + LEAD) + length, extra)
    if done:
        become(m, record, b, length + extra)
    return done


def remap_block(m, record, b, extra):
    """The mapped block `b` with `extra` bytes more, whole pages, wherever the system puts it; NULL if it refused."""
    listed = not is_lost(m, record)
    before = m.load(b + NODE + PREV)
    after = m.load(b + NODE + NEXT)
    length = size(m, b)
    lead = m.load(b + LEAD)
    start = m.remap(b - lead, length, length + extra)
    if start == REFUSED:
        return NULL
    b = start + lead
    if listed:
        m.store(before + NEXT, b + NODE)
        m.store(after + PREV, b + NODE)
    become(m, record, b, length + extra)
    add(m, record + HELD_BYTES, extra)
    return b


def grow_mapped(m, record, b, extra):
    """The mapped block `b` with `extra` bytes more, from what was kept or from the system; NULL if there are none."""
    if extend(m, record, b, extra):
        return b
    return remap_block(m, record, b, extra)


def cut_off(m, record, b, extra):
    """Keep the last `extra` bytes, whole pages, of the mapping of the mapped block `b`."""
    length = size(m, b) - extra
    become(m, record, b, length)
    retain(m, record, b - m.load(b + LEAD) + length, extra)


def resize_mapped(m, b, request, kind):
    """The mapped block `b`, made to serve `request` without a copy, perhaps elsewhere; NULL if that cannot be.

    Ensures:  on success it holds the request, in as few pages as it can, and what it held;
              without success nothing changes; the lock is released.
    """
    length = size(m, b)
    need = round_up(m.load(b + LEAD) + PAYLOAD + request, PAGE)
    record = m.statics() + MAPPINGS
    m.lock(record + ARENA_LOCK)
    check_mapped(m, record, b)
    if need > length:
        b = grow_mapped(m, record, b, need - length)
    elif need < length:
        cut_off(m, record, b, length - need)
    if b != NULL:
        count_call(m, record, kind)
        step(m, record)
    m.unlock(record + ARENA_LOCK)
    return b
