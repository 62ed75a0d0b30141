"""Freed mappings that are kept for the next large block: cut as needed, joined again, newest first.

They cost memory, so how much is kept follows use, without a clock: used and kept together are at most an
eighth more than blocks had at any time in this epoch and the last, an epoch being a number of steps.
What is too much is unmapped, the oldest first; what was kept through a whole epoch is purged before.

All of it lies under the lock of the mapped blocks, whose record counts what is kept as free.
"""

from .freelist import add, bypass, insert, links_agree
from .layout import (
    AGED,
    ARENA_LOCK,
    CORRUPT_LIST,
    EPOCH,
    FREE_BLOCKS,
    FREE_BYTES,
    HELD_BYTES,
    KEEP_BYTES,
    KEPT,
    KEPT_MARK,
    MAPPINGS,
    MAX_REQUEST,
    MOST_KEPT,
    NEW,
    NEXT,
    NULL,
    PAGE,
    PREV,
    PURGED,
    REFUSED,
    SLACK_SHIFT,
    SPARE_SHIFT,
    USED_BEFORE,
    USED_BYTES,
    USED_LATELY,
    USED_STEPS,
)
from .settings import get_keep


def enlist(m, record, k, length):
    """Put the `length` bytes at `k`, whole pages that nobody uses, first on the list.

    Ensures:  k follows the head and precedes the old first; its words say its length, and that it was not
              refused; the record counts it as free; no other word changes.
    """
    m.store(k, length)
    m.store(k + KEPT_MARK, NEW)
    insert(m, m.statics() + KEPT, k)
    add(m, record + FREE_BYTES, length)
    add(m, record + FREE_BLOCKS, 1)


def check_links(m, k):
    """Abort unless the neighbours of the kept mapping `k` on the list know it as theirs."""
    if not links_agree(m, k):
        m.abort(CORRUPT_LIST, k)


def delist(m, record, k):
    """Take the kept mapping `k` off the list; its length.

    Ensures:  its neighbours are linked both ways; the record no longer counts it; no other word changes.
    """
    check_links(m, k)
    bypass(m, m.load(k + PREV), m.load(k + NEXT))
    length = m.load(k)
    add(m, record + FREE_BYTES, -length)
    add(m, record + FREE_BLOCKS, -1)
    return length


def keep(m, record, start, length):
    """Keep the `length` bytes at `start`, joined with what is kept on either side.

    Ensures:  they are part of the first on the list; what does not touch them stays as it is;
              what is kept grows by length.
    """
    end = start + length
    head = m.statics() + KEPT
    k = m.load(head + NEXT)
    while k != head:
        after = m.load(k + NEXT)
        if k == end:
            end = end + delist(m, record, k)
        elif k + m.load(k) == start:
            delist(m, record, k)
            start = k
        k = after
    enlist(m, record, start, end - start)


def smallest(m, length):
    """The smallest kept mapping of at least `length` bytes, the newest of equals; NULL if there is none.

    Ensures:  NULL only if none is large enough; otherwise it is, and none that is large enough is smaller;
              no word changes.
    """
    head = m.statics() + KEPT
    best = NULL
    least = 0
    k = m.load(head + NEXT)
    while k != head:
        here = m.load(k)
        if here >= length and (best == NULL or here < least):
            best = k
            least = here
        k = m.load(k + NEXT)
    return best


def take_from(m, record, k, length):
    """Take the first `length` bytes of the kept mapping `k`, which has as many, and keep the rest.

    Ensures:  they are no longer kept; the rest is first on the list, or there is none.
    """
    rest = delist(m, record, k) - length
    if rest != 0:
        enlist(m, record, k + length, rest)


def reuse(m, record, length):
    """At least `length` bytes of what is kept, or NULL: the smallest that has as many, and of that not much more.

    Ensures:  NULL only if none has as many, and then nothing has changed; else the first word there is
              how many bytes they are; at least length; at most a quarter of that more.
    """
    k = smallest(m, length)
    if k != NULL:
        if m.load(k) - length <= length >> SPARE_SHIFT:
            length = m.load(k)
        take_from(m, record, k, length)
        m.store(k, length)
    return k


def reuse_at(m, record, start, length):
    """Whether `length` bytes at `start` were kept; they no longer are.

    Ensures:  without success nothing changes; else just these are taken.
    """
    head = m.statics() + KEPT
    k = m.load(head + NEXT)
    while k != head and k != start:
        k = m.load(k + NEXT)
    if k == head or m.load(k) < length:
        return False
    take_from(m, record, k, length)
    return True


def room(m, record):
    """How many bytes may be kept now.

    Ensures:  at most the setting; with what is used, at most a quarter more than was used lately.
    """
    s = m.statics()
    lately = m.load(s + USED_LATELY)
    if m.load(s + USED_BEFORE) > lately:
        lately = m.load(s + USED_BEFORE)
    most = lately + (lately >> SLACK_SHIFT) - m.load(record + USED_BYTES)
    if get_keep(m) < most:
        most = get_keep(m)
    return most


def give_back_oldest(m, record):
    """Whether the system took the oldest kept mapping back, of which there is one.

    Ensures:  on success it is no longer kept, and the record no longer holds it; else it stays, and is marked.
    """
    k = m.load(m.statics() + KEPT + PREV)
    check_links(m, k)
    before = m.load(k + PREV)
    after = m.load(k + NEXT)
    length = m.load(k)
    if m.munmap(k, length) == REFUSED:
        m.store(k + KEPT_MARK, REFUSED)
        return False
    bypass(m, before, after)
    add(m, record + FREE_BYTES, -length)
    add(m, record + FREE_BLOCKS, -1)
    add(m, record + HELD_BYTES, -length)
    return True


def too_much(m, record):
    """Whether more is kept than may be."""
    return m.load(record + FREE_BYTES) > room(m, record) or m.load(record + FREE_BLOCKS) > MOST_KEPT


def trim(m, record):
    """Give back what is kept too much, the oldest first, until the system refuses one.

    Ensures:  no more is kept than may be, or the oldest is marked.
    """
    while too_much(m, record) and give_back_oldest(m, record):
        pass


def grow_older(m, k):
    """An epoch has ended: the kept mapping `k` is older, and purged but for its words if it was kept all through it.

    Ensures:  its words are unchanged but for the mark; no page of another is purged.
    """
    mark = m.load(k + KEPT_MARK)
    if mark == NEW:
        m.store(k + KEPT_MARK, AGED)
    elif mark == AGED:
        m.store(k + KEPT_MARK, PURGED)
        if m.load(k) > PAGE:
            m.purge(k + PAGE, m.load(k) - PAGE)


def grow_all_older(m):
    """An epoch has ended for all that is kept."""
    head = m.statics() + KEPT
    k = m.load(head + NEXT)
    while k != head:
        grow_older(m, k)
        k = m.load(k + NEXT)


def step(m, record):
    """What mapped blocks have has changed: note it, and give back what is kept too much."""
    s = m.statics()
    used = m.load(record + USED_BYTES)
    if used > m.load(s + USED_LATELY):
        m.store(s + USED_LATELY, used)
    steps = m.load(s + USED_STEPS) + 1
    if steps == EPOCH:
        steps = 0
        m.store(s + USED_BEFORE, m.load(s + USED_LATELY))
        m.store(s + USED_LATELY, used)
        grow_all_older(m)
    m.store(s + USED_STEPS, steps)
    trim(m, record)


def give_back_kept(m):
    """Whether anything was kept that the system took back: memory is out."""
    record = m.statics() + MAPPINGS
    m.lock(record + ARENA_LOCK)
    before = m.load(record + FREE_BLOCKS)
    while m.load(record + FREE_BLOCKS) != 0 and give_back_oldest(m, record):
        pass
    after = m.load(record + FREE_BLOCKS)
    m.unlock(record + ARENA_LOCK)
    return after < before


def set_keep(m, most):
    """Set how many bytes of freed mappings may be kept, and give back what that makes too much.

    Ensures:  it is 0 to MAX_REQUEST; a legal value is taken as it is.
    """
    if most < 0:
        most = 0
    if most > MAX_REQUEST:
        most = MAX_REQUEST
    record = m.statics() + MAPPINGS
    m.lock(record + ARENA_LOCK)
    m.store_atomic(m.statics() + KEEP_BYTES, most)
    trim(m, record)
    m.unlock(record + ARENA_LOCK)
