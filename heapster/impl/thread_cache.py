"""The caches of threads: a thread's next request of a size that it freed needs no lock.

A miss carves up to half a bin's room from one free block, under one lock; a full bin flushes as much.
"""

from .arena import carve, count_call, count_used, find_or_grow, open_record, owner_of, release
from .bins import batch_size, bin_at, bin_of, check_top, grown_limit, growth_cap, make_room, pop, push, take_top
from .block import block_of, payload, size, size_in
from .classes import class_entry, class_of, least_of_class
from .freelist import add, bypass, insert, open_list
from .layout import (
    ALIGN_SHIFT,
    ARENA_LOCK,
    ATTACH_LOCK,
    BIN_COUNT,
    CACHING,
    CALL_FREE,
    CALL_KINDS,
    CALLS,
    COUNT_SHIFT,
    ENDED,
    LEAST_LARGE,
    LIMIT,
    MIN_BLOCK,
    MOST_CACHED,
    MOST_SENT,
    MY_CALLS,
    NEXT,
    NULL,
    OVERFLOWED,
    PREV,
    REGISTERED,
    SMALL_BIN,
    USED_BLOCKS,
    WORD,
)
from .remote import is_remote, release_all, send, take_all
from .run_layout import LONGER, SPANS
from .runs import is_reserved, owner_of_slot, release_slot, run_word, size_of_slot, take_slots
from .settings import arena_of, attach, detach, get_cache
from .stack import below, count, holds, is_marked, put, top, unmark


def count_mine(m, thread, kind):
    """Count a call that the cache of `thread`, the calling one, served; others may read the count meanwhile."""
    m.store_relaxed(thread + MY_CALLS + kind * WORD, m.load_relaxed(thread + MY_CALLS + kind * WORD) + 1)


def pop_cached(m, index, kind):
    """The payload of a cached block of the least size of a class, the call counted; NULL if the thread has none."""
    thread = m.thread()
    p = pop(m, bin_at(thread, index))
    if p != NULL:
        count_mine(m, thread, kind)
    return p


def is_cached(m, index, p):
    """Whether any thread keeps the payload `p` in its bin for a class.

    Another may be using its bin meanwhile: then the answer may be no where it was yes.

    Ensures:  the lock is released, and no word changes.
    """
    s = m.statics()
    found = False
    m.lock(s + ATTACH_LOCK)
    thread = m.load(s + CACHING + NEXT)
    while thread != NULL and thread != s + CACHING and not found:
        found = holds(m, m.load_relaxed(bin_at(thread, index)), p)
        thread = m.load(thread + NEXT)
    m.unlock(s + ATTACH_LOCK)
    return found


def check_in_use(m, p, header, freed):
    """Abort, with the code `freed`, if the block with the payload `p` waits to be used again: in a bin, or remote.

    Its mark says whether to look: chance alone does not write it, but a caller may have.

    Requires: it belongs to an arena.
    """
    if is_marked(m, p) and size_in(header) <= MOST_CACHED + LONGER:
        arena = arena_of(m, header)
        if is_cached(m, class_of(size_in(header) - LONGER), p) or is_remote(m, arena, p):
            m.abort(freed, p)


def register(m, thread):
    """Put the calling thread on the list of those that have caches, if it is not."""
    if m.load(thread + REGISTERED) == 0:
        attach(m)
        head = m.statics() + CACHING
        m.lock(m.statics() + ATTACH_LOCK)
        open_list(m, head)
        insert(m, head, thread)
        m.unlock(m.statics() + ATTACH_LOCK)
        m.store(thread + REGISTERED, 1)


def grow_bin(m, thread, total, enough):
    """Let the bin for blocks of `total` bytes hold more, up to `enough` bytes if the setting allows; its limit."""
    slot = bin_of(thread, total)
    most = get_cache(m)
    if m.load(thread + ENDED) != 0:
        most = 0
    old = m.load(slot + LIMIT) >> COUNT_SHIFT
    limit = grown_limit(old, total, most, enough)
    if limit != old:
        register(m, thread)
        m.store(slot + LIMIT, limit << COUNT_SHIFT)
    return limit


def owner_arena(m, p):
    """The arena that owns the used block with the payload `p`."""
    if SPANS != 0 and is_reserved(m, p):
        return owner_of_slot(m, run_word(m, p))
    return arena_of(m, m.load_relaxed(block_of(p)))


def send_home(m, home, word):
    """Hand over those blocks of the stack of `word` that the arena `home` owns, in batches; the word for the others."""
    rest = 0
    batch = 0
    while word != 0:
        p = top(word)
        word = below(m, p)
        if owner_arena(m, p) == home:
            batch = put(m, batch, p)
        else:
            rest = put(m, rest, p)
        if count(batch) == MOST_SENT:
            send(m, home, batch)
            batch = 0
    if batch != 0:
        send(m, home, batch)
    return rest


def flush(m, slot, most):
    """Give blocks back until the bin holds at most `most`: to the thread's own arena, or to remote lists."""
    arena = attach(m)
    mine = 0
    foreign = 0
    while count(m.load(slot)) > most:
        p = take_top(m, slot)
        if owner_arena(m, p) == arena:
            mine = put(m, mine, p)
        else:
            foreign = put(m, foreign, p)
    while foreign != 0:
        foreign = send_home(m, owner_arena(m, top(foreign)), foreign)
    if mine != 0:
        m.lock(arena + ARENA_LOCK)
        release_all(m, arena, mine)
        m.unlock(arena + ARENA_LOCK)


def flush_or_grow(m, thread, total):
    """Whether the full bin for blocks of `total` bytes has room for one more: widened, or part of it given back."""
    slot = bin_of(thread, total)
    limit = grow_bin(m, thread, total, SMALL_BIN)
    kept = count(m.load(slot))
    if kept != 0 and kept >= limit:
        flush(m, slot, limit - batch_size(limit, total))
        if limit != 0:
            m.store(slot + LIMIT, (limit << COUNT_SHIFT) + OVERFLOWED)
    return limit != 0


def caches_nothing(m, thread):
    """Whether the calling thread has no cache, and is to have none."""
    return m.load(thread + REGISTERED) == 0 and get_cache(m) == 0


def send_if_remote(m, p):
    """Whether the used block with the payload `p` is of another arena than the calling thread's, and was sent there."""
    owner = owner_arena(m, p)
    if owner == attach(m):
        return False
    send(m, owner, put(m, 0, p))
    return True


def count_freed(m, thread, kind):
    """Count a call of `thread`, the calling one, that freed a block, if that is what it was made for."""
    if kind == CALL_FREE:
        count_mine(m, thread, kind)


def cache_block(m, p, total, kind):
    """Whether the used block of `total` bytes with the payload `p` went into a bin that has room, its free counted.

    No bin of a thread without a cache has room.
    """
    if total >= LEAST_LARGE:
        return False
    entry = class_entry(total >> ALIGN_SHIFT)
    if entry & 1 != 0:
        return False
    thread = m.thread()
    slot = bin_at(thread, (entry >> 1) - 1)
    if m.load(slot) >= m.load(slot + LIMIT) or is_marked(m, p):
        return False
    push(m, slot, p)
    count_freed(m, thread, kind)
    return True


def cache_block_slow(m, p, total, kind):
    """As `cache_block`, where the thread has no cache yet, the bin is full, or the block is marked but in no bin.

    The first block for a bin goes home if it is another arena's. Else a thread that was given a block or two would
    have them for ever, and write to the cache lines of whoever has their neighbours: passive false sharing (Berger,
    McKinley, Blumofe and Wilson, 2000, "Hoard", section 2).
    """
    thread = m.thread()
    if total > MOST_CACHED or caches_nothing(m, thread) or least_of_class(class_of(total)) != total:
        return False
    if SPANS != 0 and total < MIN_BLOCK:
        return False
    slot = bin_of(thread, total)
    had_room = m.load(slot + LIMIT)
    if m.load(slot) >= had_room and not flush_or_grow(m, thread, total):
        return False
    if had_room != 0 or not send_if_remote(m, p):
        push(m, slot, p)
    count_freed(m, thread, kind)
    return True


def collect_remote(m, arena, kind):
    """Take what others have freed of the calling thread's arena: into its bins where those have room.

    Requires: the arena's lock; kind is not CALL_FREE.
    """
    word = take_all(m, arena)
    while word != 0:
        p = top(word)
        word = below(m, p)
        unmark(m, p)
        if SPANS != 0 and is_reserved(m, p):
            collect_slot(m, arena, p, kind)
        elif not cache_block(m, p, size(m, block_of(p)) - LONGER, kind):
            release(m, arena, block_of(p))


def carve_batch(m, arena, total, most, kind):
    """A used block of `total` bytes, and others for the calling thread's bin, `most` in all; NULL if memory is out.

    Requires: the arena's lock; it is the thread's.
    """
    if SPANS != 0:
        p = pop_slot(m, arena, total, most, kind)
        if p != NULL:
            return block_of(p)
        total = total + LONGER
    b = find_or_grow(m, arena, total)
    if b != NULL:
        last = carve(m, arena, b, total, most)
        count_used(m, arena, last + size(m, last) - b, 1)
        count_call(m, arena, kind)
        while last != b:
            push(m, bin_of(m.thread(), total - LONGER), payload(last))
            add(m, arena + USED_BLOCKS, 1)
            last = last - total
    return b


def refill(m, total, kind):
    """A used block of `total` bytes for the caller, and others for the thread's bins; NULL if memory is out.

    What others have freed meanwhile comes first: it need not be joined, and cut again.

    Requires: total is the least size of a class; the thread keeps no block of it; kind is not CALL_FREE.
    """
    arena = attach(m)
    thread = m.thread()
    most = batch_size(grow_bin(m, thread, total, growth_cap(m, bin_of(thread, total))), total)
    m.lock(arena + ARENA_LOCK)
    open_record(m, arena, owner_of(m, arena))
    collect_remote(m, arena, kind)
    check_top(m, bin_of(thread, total))
    p = pop_cached(m, class_of(total), kind)
    if p == NULL:
        b = carve_batch(m, arena, total, most, kind)
    else:
        b = block_of(p)
    m.unlock(arena + ARENA_LOCK)
    return b


def flush_all(m, thread):
    """Give back all that `thread` keeps: the calling one, or one that is no more."""
    index = 0
    while index < BIN_COUNT:
        if m.load(bin_at(thread, index)) != 0:
            flush(m, bin_at(thread, index), 0)
        index = index + 1


def thread_end(m):
    """Give back all that the calling thread keeps; from here on it keeps nothing, and its arena counts its calls.

    Should it ask for more, it gets an arena again, and is told again.
    """
    thread = m.thread()
    m.store(thread + ENDED, 1)
    if m.load(thread + REGISTERED) != 0:
        flush_all(m, thread)
        index = 0
        while index < BIN_COUNT:
            m.store(bin_at(thread, index) + LIMIT, 0)
            index = index + 1
        unregister(m, thread)
    detach(m)


def inherit_calls(m, arena, thread):
    """Let the arena count the calls that the cache of `thread`, which is no more, served.

    Requires: the arena's lock, or no other thread.
    """
    open_record(m, arena, owner_of(m, arena))
    kind = 0
    while kind < CALL_KINDS:
        add(m, arena + CALLS + kind * WORD, m.load(thread + MY_CALLS + kind * WORD))
        kind = kind + 1


def unregister(m, thread):
    """Take the calling thread off the list of those that have caches; its arena counts its calls."""
    m.lock(m.statics() + ATTACH_LOCK)
    bypass(m, m.load(thread + PREV), m.load(thread + NEXT))
    m.unlock(m.statics() + ATTACH_LOCK)
    arena = attach(m)
    m.lock(arena + ARENA_LOCK)
    inherit_calls(m, arena, thread)
    m.unlock(arena + ARENA_LOCK)
    m.fill(thread + NEXT, 0, ENDED - NEXT)


def collect_slot(m, arena, p, kind):
    """As `collect_remote`, of one slot that others have freed.

    Requires: the lock of the arena, which owns it; kind is not CALL_FREE.
    """
    if not cache_block(m, p, size_of_slot(run_word(m, p)), kind):
        release_slot(m, arena, p)


def pop_slot(m, arena, total, most, kind):
    """A slot of `total` bytes, and others for the calling thread's empty bin; NULL if there are none.

    They are up to `most` in all, or more that came as they lay.

    Requires: the arena's lock; it is the thread's.
    """
    stack = take_slots(m, arena, class_of(total), most)
    if stack == 0:
        return NULL
    slot = bin_of(m.thread(), total)
    m.store_relaxed(slot, stack)
    make_room(m, slot, count(stack))
    count_call(m, arena, kind)
    return pop(m, slot)
