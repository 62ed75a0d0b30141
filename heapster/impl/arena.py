"""Arenas: blocks handed out and taken back under the arena's lock."""

from .block import (
    is_free,
    is_intact,
    owner_in,
    payload,
    set_prev_used,
    size,
    size_in,
    split,
    write_free,
    write_header,
    write_used,
)
from .freelist import add, link, unlink
from .layout import (
    ALIGN,
    ARENA_LOCK,
    ARENA_SHIFT,
    CALLS,
    CORRUPT_HEADER,
    CURSOR,
    DOUBLE_FREE,
    HEAD,
    LOST,
    MIN_BLOCK,
    NEXT,
    NOT_CHECKSUM,
    NOT_USED,
    NULL,
    OWNER_SHIFT,
    PREV,
    PREV_USED,
    USED,
    USED_BLOCKS,
    USED_BYTES,
    WORD,
)
from .placement import find, find_further
from .purge import note_release
from .region import grow, settle
from .settings import arena_at, get_policy


def open_record(m, arena, owner):
    """Make the record at `arena`, all zero when new, ready for use.

    Requires: its lock; owner is an arena's index, shifted into place.
    Ensures:  its list is circular and its cursor on it; an open record is unchanged.
    """
    head = arena + HEAD
    if m.load(head + NEXT) == NULL:
        m.store(head, owner | PREV_USED | USED)
        m.store(head + NEXT, head)
        m.store(head + PREV, head)
        m.store(arena + CURSOR, head)


def is_lost(m, record):
    """Whether nothing may be taken from the arena at `record`, or given back to it: see `lifecycle`.

    Requires: the arena's lock.
    """
    return m.load(record + HEAD) & LOST != 0


def owner_of(m, arena):
    """Return the owner's place in the headers of the blocks of `arena`: its index, shifted."""
    return ((arena - arena_at(m.statics(), 0)) >> ARENA_SHIFT) << OWNER_SHIFT


def count_call(m, arena, kind):
    """Count a successful call in the ledger."""
    add(m, arena + CALLS + kind * WORD, 1)


def count_used(m, arena, total, blocks):
    """Count `blocks` more used blocks of `total` bytes in all; either may be negative."""
    add(m, arena + USED_BYTES, total)
    add(m, arena + USED_BLOCKS, blocks)


def align_front(m, arena, b, alignment):
    """Make the front of the used block `b` a free block, so that the payload of the rest is aligned.

    Requires: the arena's lock; size(b) leaves room for alignment + ALIGN bytes; its left neighbour is used.
    Ensures:  the lead is absent or a legal block, on the list; the payload is a multiple of alignment;
              the rest loses less than alignment + MIN_BLOCK bytes.
    """
    p = (payload(b) + alignment - 1) & -alignment
    lead = p - payload(b)
    if lead == 0:
        return b
    if lead < MIN_BLOCK:
        lead = lead + alignment
    rest = split(m, b, lead)
    write_free(m, b, lead)
    link(m, arena, b)
    return rest


def put_back(m, arena, b, rest):
    """List what was cut off the used block `b`; where that is nothing, tell the right neighbour that b is used.

    Requires: the arena's lock; `rest` is the right neighbour of b and on no list, or NULL;
              what lies right of both thinks its left neighbour free.
    """
    if rest == NULL:
        set_prev_used(m, b + size(m, b))
    else:
        write_free(m, rest, size(m, rest))
        link(m, arena, rest)


def take(m, arena, b, want, alignment):
    """Hand out the free block `b`: cut its lead and its tail off, and list them; return what is used.

    Requires: the arena's lock; b is on the list and large enough.
    Ensures:  the result is used; holds want bytes, less than MIN_BLOCK more;
              its payload is a multiple of alignment; what is cut off is free and on the list.
    """
    unlink(m, arena, b)
    write_used(m, b, size(m, b))
    b = align_front(m, arena, b, alignment)
    put_back(m, arena, b, split(m, b, want))
    return b


def carve(m, arena, b, want, most):
    """Hand out up to `most` neighbours of `want` bytes, at least one, from the front of the free block `b`; the last.

    An only one may be larger, by less than MIN_BLOCK. What is left is free and on the list.

    Requires: the arena's lock; b is on the list and large enough.
    """
    unlink(m, arena, b)
    write_used(m, b, size(m, b))
    rest = split(m, b, want)
    while most > 1 and rest != NULL and (size(m, rest) == want or size(m, rest) >= want + MIN_BLOCK):
        most = most - 1
        b = rest
        rest = split(m, b, want)
    put_back(m, arena, b, rest)
    return b


def room_for(want, alignment):
    """Bytes that surely hold a block of `want` bytes with an aligned payload."""
    if alignment <= ALIGN:
        return want
    return want + alignment + ALIGN


def find_or_grow(m, arena, room):
    """A free block of at least `room` bytes, on the list; NULL if the system refused, or the arena is lost.

    Requires: the arena's lock; the arena is open.
    """
    b = find(m, arena, room, get_policy(m))
    if b == NULL and not is_lost(m, arena):
        b = grow(m, arena, room)
    if b == NULL:
        b = find_further(m, arena, room)
    return b


def acquire(m, arena, want, alignment, kind):
    """A used block of at least `want` bytes from `arena`, its payload aligned; NULL if memory is out.

    Requires: want is a legal block size; alignment is a power of two, at least ALIGN.
    Ensures:  NULL only if the system refused, and then nothing has changed; the lock is released.
    """
    m.lock(arena + ARENA_LOCK)
    open_record(m, arena, owner_of(m, arena))
    b = find_or_grow(m, arena, room_for(want, alignment))
    if b != NULL:
        b = take(m, arena, b, want, alignment)
        count_used(m, arena, size(m, b), 1)
        count_call(m, arena, kind)
    m.unlock(arena + ARENA_LOCK)
    return b


def check_neighbours(m, b):
    """Abort unless the block `b` is intact and used, and what lies right of it is of the same owner, and knows that.

    Without the lock it was, but two threads may be freeing it at once.

    Requires: the arena's lock.
    """
    if not is_intact(m, b, m.load(b)):
        m.abort(CORRUPT_HEADER, payload(b))
    if is_free(m, b):
        m.abort(DOUBLE_FREE, payload(b))
    total = size(m, b)
    if total < MIN_BLOCK:
        m.abort(CORRUPT_HEADER, payload(b))
    right = m.load(b + total)
    if right & PREV_USED == 0 or owner_in(right) != owner_in(m.load(b)):
        m.abort(CORRUPT_HEADER, payload(b))


def is_joinable(m, left, right):
    """Whether `right` begins where `left` ends, and both are intact and used blocks of one owner that know it."""
    here = m.load(left)
    if left + size_in(here) != right:
        return False
    there = m.load(right)
    if here & USED == 0 or there & USED == 0 or there & PREV_USED == 0 or owner_in(here) != owner_in(there):
        return False
    return is_intact(m, left, here) and is_intact(m, right, there)


def join_used(m, arena, b, other):
    """Make two used blocks one, if they are neighbours; its address, or NULL.

    Requires: the arena's lock; it owns both, and nobody else has them.
    Ensures:  NULL only if they are no neighbours that `release` would take, or the arena is lost, and then nothing
              changes;
              else it is used, with the bytes of both, and the right one's header is not USED;
              the ledger counts one block less; no other word changes.
    """
    left = b
    right = other
    if other < b:
        left = other
        right = b
    if not is_joinable(m, left, right) or is_lost(m, arena):
        return NULL
    write_used(m, left, size(m, left) + size(m, right))
    write_header(m, right, m.load(right) & NOT_USED & NOT_CHECKSUM)
    add(m, arena + USED_BLOCKS, -1)
    return left


def release(m, arena, b):
    """Take the used block `b` back.

    Requires: the arena's lock.
    Ensures:  its bytes are free, or back with the system; nothing changes if the arena is lost.
    """
    if is_lost(m, arena):
        return
    if size(m, b) > m.load(arena + USED_BYTES):
        m.abort(CORRUPT_HEADER, payload(b))
    check_neighbours(m, b)
    note_release(m, arena, size(m, b))
    count_used(m, arena, -size(m, b), -1)
    settle(m, arena, b)
