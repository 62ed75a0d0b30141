"""Blocks that one thread frees and another's arena owns: handed over without the arena's lock, in batches.

A remote list is a stack that anyone adds to by one compare-and-swap for a whole batch, and that is emptied as a whole
by whoever holds the arena's lock. Nobody takes a single block off it, so that it may have been emptied and
refilled between a look and the swap does no harm (the ABA problem of Treiber's stack; IBM System/370
Principles of Operation, appendix A).
"""

from .arena import is_lost, join_used, release
from .block import block_of
from .layout import ARENA_LOCK, MOST_REMOTE, NULL, REMOTE
from .run_layout import RUN_BYTES, SPANS
from .runs import back_in_run, is_reserved, take_back
from .stack import below, count, holds, move, put, top, unmark


def push_remote(m, arena, batch, blocks):
    """Put the `blocks` top blocks of the stack of `batch` on the remote list of `arena`, their owner, all at once.

    Requires: they are used, marked, and nobody else's.
    Ensures:  0, and they are on top, all others keep their order, and the list counts so many more; or, if the list is
              too long, it is as it was, and the result leads to a stack that has them on top.
    """
    found = m.load_relaxed(arena + REMOTE)
    while count(found) < MOST_REMOTE:
        batch = move(m, batch, blocks, found)
        word = m.cas_release(arena + REMOTE, found, batch)
        if word == found:
            return 0
        found = word
    return batch


def take_all(m, arena):
    """The word that leads to the blocks on the remote list of `arena`, taken off at once; others may add some again.

    Requires: the arena's lock.
    Ensures:  the result leads to all that were on the list; the list is empty; no other word changes.
    """
    if m.load_relaxed(arena + REMOTE) == 0:
        return 0
    return m.exchange_acquire(arena + REMOTE, 0)


def gather(m, arena, run, b):
    """The block that is to be released next: `run`, made one with its neighbour `b`, or `b`, and `run` is released.

    So what is freed side by side meets its free neighbours and the free list once. Either may be NULL.

    Requires: the arena's lock; it owns both, which are used and nobody else's.
    """
    if run == NULL:
        return b
    joined = NULL
    if b != NULL:
        joined = join_used(m, arena, run, b)
    if joined != NULL:
        return joined
    release(m, arena, run)
    return b


def release_slots(m, arena, word):
    """Release the slot on top of the stack of `word`, and those of its run that follow, at once; the word for the rest.

    Nothing is given back to an arena that is lost: there, one slot waits no more.

    Requires: the lock of the arena, which owns them.
    """
    first = top(word)
    if is_lost(m, arena):
        word = below(m, first)
        unmark(m, first)
        return word
    back = back_in_run(m, first)
    while word != 0 and top(word) & -RUN_BYTES == first & -RUN_BYTES:
        p = top(word)
        word = below(m, p)
        back = put(m, back, p)
    take_back(m, arena, first, back)
    return word


def release_all(m, arena, word):
    """Release the blocks of the stack of `word`, which `arena` owns, neighbours that follow each other at once.

    Requires: the arena's lock.
    """
    run = NULL
    while word != 0:
        p = top(word)
        if SPANS != 0 and is_reserved(m, p):
            word = release_slots(m, arena, word)
        else:
            word = below(m, p)
            unmark(m, p)
            run = gather(m, arena, run, block_of(p))
    gather(m, arena, run, NULL)


def drain(m, arena):
    """Release all blocks on the remote list of `arena`.

    Requires: the arena's lock.
    """
    release_all(m, arena, take_all(m, arena))


def send(m, arena, batch):
    """Put the blocks of the stack of `batch`, at most MOST_SENT, on the remote list of `arena`, their owner.

    A list that is too long is drained before. So no thread waits for the lock with a list that has no bound.
    """
    blocks = count(batch)
    batch = push_remote(m, arena, batch, blocks)
    while batch != 0:
        m.lock(arena + ARENA_LOCK)
        drain(m, arena)
        m.unlock(arena + ARENA_LOCK)
        batch = push_remote(m, arena, batch, blocks)


def is_remote(m, arena, p):
    """Whether the payload `p` is on the remote list of `arena`.

    Ensures:  the lock is released.
    """
    m.lock(arena + ARENA_LOCK)
    found = holds(m, m.load_acquire(arena + REMOTE), p)
    m.unlock(arena + ARENA_LOCK)
    return found
