"""Freed mappings that are kept for the next large block: cut as needed, joined again, newest first.

Where none is large enough, the largest is stretched, if it has at least half: the system moves pages, and gives but
those that lack.

They cost memory, so how much is kept follows use, without a clock: used and kept together are at most a
quarter more than blocks had at any time in this epoch and the last, an epoch being a number of steps.
What is too much is unmapped, the oldest first; what was kept through a whole epoch is purged before.

A system may refuse to unmap, for ever: where it has too many mappings already, say. What it does not take is purged
and set aside, on a list that nothing walks: a few of its newest are used again, its oldest is offered again whenever
another was taken. So what is kept has its bounds whatever the system answers, and so has what a call costs.

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
    KEPT_MARK,
    MAPPINGS,
    MAX_REQUEST,
    MAX_RETAINED,
    NEW,
    NEXT,
    NULL,
    PAGE,
    PREV,
    PROBES,
    PURGED,
    REFUSED,
    RETAINED_LIST,
    SLACK_SHIFT,
    SPARE_SHIFT,
    UNTAKEN,
    USED_BEFORE,
    USED_BYTES,
    USED_LATELY,
    USED_STEPS,
)
from .settings import get_hardened, get_keep


def enlist(m, record, k, length):
    """Put the `length` bytes at `k`, whole pages that nobody uses, first on the list.

    Ensures:  k follows the head and precedes the old first; its words say its length, and that it is new;
              the record counts it as free; no other word changes.
    """
    m.store(k, length)
    m.store(k + KEPT_MARK, NEW)
    insert(m, m.statics() + RETAINED_LIST, k)
    add(m, record + FREE_BYTES, length)
    add(m, record + FREE_BLOCKS, 1)


def take_off(m, k):
    """Take the mapping `k` off the list that it is on; abort unless its neighbours there know it as theirs."""
    if not links_agree(m, k):
        m.abort(CORRUPT_LIST, k)
    bypass(m, m.load(k + PREV), m.load(k + NEXT))


def delist(m, record, k):
    """Take the kept mapping `k` off the list; its length.

    Ensures:  its neighbours are linked both ways; the record no longer counts it; no other word changes.
    """
    take_off(m, k)
    length = m.load(k)
    add(m, record + FREE_BYTES, -length)
    add(m, record + FREE_BLOCKS, -1)
    return length


def retain(m, record, start, length):
    """Keep the `length` bytes at `start`, joined with what is kept on either side.

    Ensures:  they are part of the first on the list; what does not touch them stays as it is;
              what is kept grows by length.
    """
    end = start + length
    head = m.statics() + RETAINED_LIST
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
    head = m.statics() + RETAINED_LIST
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


def reclaim(m, record, length):
    """At least `length` bytes that were set aside, kept again with what is kept beside them; NULL if there are none.

    Only the newest few are looked at.

    Ensures:  NULL only if none of these is large enough, and then no word changes;
              else it is the first kept mapping, and no longer set aside.
    """
    head = m.statics() + UNTAKEN
    k = m.load(head + NEXT)
    left = PROBES
    while left > 0 and k != head and m.load(k) < length:
        k = m.load(k + NEXT)
        left = left - 1
    if left == 0 or k == head:
        return NULL
    take_off(m, k)
    retain(m, record, k, m.load(k))
    return m.load(m.statics() + RETAINED_LIST + NEXT)


def take_retained(m, record, length):
    """At least `length` bytes of what is kept, or NULL: the smallest that has as many, and of that not much more.

    Where none has, one that was set aside may.

    Ensures:  NULL only if none has as many, and then nothing has changed; else the first word there is
              how many bytes they are; at least length; at most a quarter of that more.
    """
    k = smallest(m, length)
    if k == NULL:
        k = reclaim(m, record, length)
    if k != NULL:
        if m.load(k) - length <= length >> SPARE_SHIFT:
            length = m.load(k)
        take_from(m, record, k, length)
        m.store(k, length)
    return k


def largest(m):
    """The largest kept mapping, the newest of equals; NULL if there is none.

    Ensures:  NULL only if nothing is kept; no kept mapping is larger; no word changes.
    """
    head = m.statics() + RETAINED_LIST
    most = NULL
    k = m.load(head + NEXT)
    while k != head:
        if most == NULL or m.load(k) > m.load(most):
            most = k
        k = m.load(k + NEXT)
    return most


def stretch(m, record, length):
    """`length` bytes, half of them kept before: the largest kept mapping, made longer; NULL if it could not be.

    Where sizes vary, none that is kept may be large enough: to map another would cost a fault for each of its pages.

    Requires: no kept mapping has `length` bytes.
    Ensures:  NULL only if each has less than half of them, or the system refused, and then nothing has changed;
              else the first word there is length, they are not kept, and the record holds what was added.
    """
    k = largest(m)
    if k == NULL or m.load(k) < length - m.load(k):
        return NULL
    if not links_agree(m, k):
        m.abort(CORRUPT_LIST, k)
    start = m.remap(k, m.load(k), length)
    if start == REFUSED:
        return NULL
    bypass(m, m.load(start + PREV), m.load(start + NEXT))
    held = m.load(start)
    add(m, record + FREE_BYTES, -held)
    add(m, record + FREE_BLOCKS, -1)
    add(m, record + HELD_BYTES, length - held)
    m.store(start, length)
    return start


def take_retained_at(m, record, start, length):
    """Whether `length` bytes at `start` were kept; they no longer are.

    Ensures:  without success nothing changes; else just these are taken.
    """
    head = m.statics() + RETAINED_LIST
    k = m.load(head + NEXT)
    while k != head and k != start:
        k = m.load(k + NEXT)
    if k == head or m.load(k) < length:
        return False
    take_from(m, record, k, length)
    return True


def retained_capacity(m, record):
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


def release_mapping(m, record, k, length):
    """Whether the system took the `length` bytes at `k`, which are on no list; the record no longer holds them then."""
    if m.munmap(k, length) == REFUSED:
        return False
    add(m, record + HELD_BYTES, -length)
    return True


def set_aside(m, k, length):
    """The system did not take the `length` bytes at `k`, which are no longer kept: it may have what they hold.

    Ensures:  they are first on the list of those set aside, and marked; their length stands there;
              no page of another is purged.
    """
    if m.load(k + KEPT_MARK) != PURGED and length > PAGE:
        m.purge(k + PAGE, length - PAGE)
    m.store(k + KEPT_MARK, REFUSED)
    insert(m, m.statics() + UNTAKEN, k)


def release_oldest(m, record):
    """Whether the system took the oldest kept mapping back, of which there is one.

    Ensures:  it is no longer kept; on success the record no longer holds it;
              else it is set aside.
    """
    k = m.load(m.statics() + RETAINED_LIST + PREV)
    length = delist(m, record, k)
    taken = release_mapping(m, record, k, length)
    if not taken:
        set_aside(m, k, length)
    return taken


def offer_again(m, record, most):
    """Offer what was set aside to the system again, the oldest first, until it refuses one; how many it took.

    Ensures:  at most `most`; the record no longer holds them; one that is refused becomes the newest.
    """
    head = m.statics() + UNTAKEN
    taken = 0
    k = m.load(head + PREV)
    while taken < most and k != NULL and k != head:
        take_off(m, k)
        if not release_mapping(m, record, k, m.load(k)):
            insert(m, head, k)
            return taken
        taken = taken + 1
        k = m.load(head + PREV)
    return taken


def too_much(m, record):
    """Whether more is kept than may be."""
    return m.load(record + FREE_BYTES) > retained_capacity(m, record) or m.load(record + FREE_BLOCKS) > MAX_RETAINED


def trim(m, record):
    """Give back what is kept too much, the oldest first; if the system took any, offer it one that it had not taken.

    Ensures:  no more is kept than may be.
    """
    taken = False
    while too_much(m, record):
        taken = release_oldest(m, record) or taken
    if taken:
        offer_again(m, record, 1)


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
    head = m.statics() + RETAINED_LIST
    k = m.load(head + NEXT)
    while k != head:
        grow_older(m, k)
        k = m.load(k + NEXT)


def step(m, record):
    """Note the bytes of mapped blocks, end an epoch after so many notes, and release what is retained too much."""
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
        offer_again(m, record, MAX_RETAINED)
    m.store(s + USED_STEPS, steps)
    trim(m, record)


def release_retained(m):
    """Whether the system took anything of what is kept, all of which it is offered: memory is out."""
    record = m.statics() + MAPPINGS
    m.lock(record + ARENA_LOCK)
    held = m.load(record + HELD_BYTES)
    while m.load(record + FREE_BLOCKS) != 0:
        release_oldest(m, record)
    offer_again(m, record, MAX_RETAINED)
    taken = m.load(record + HELD_BYTES) < held
    m.unlock(record + ARENA_LOCK)
    return taken


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
    m.store_relaxed(m.statics() + KEEP_BYTES, most)
    if get_hardened(m) == 0:
        trim(m, record)
    m.unlock(record + ARENA_LOCK)
