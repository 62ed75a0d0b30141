"""Blocks that one thread frees and another's arena owns: handed over without the arena's lock.

A remote list is a stack that anyone adds to by one compare-and-swap, and that is emptied as a whole by
whoever holds the arena's lock. Nobody takes a single block off it, so that it may have been emptied and
refilled between a look and the swap does no harm (the ABA problem of Treiber's stack; IBM System/370
Principles of Operation, appendix A).
"""

from .arena import release
from .block import block_of
from .layout import ARENA_LOCK, MOST_REMOTE, REMOTE
from .stack import above, below, count, holds, mark, set_below, top, unmark


def push_remote(m, arena, p):
    """Put the block with the payload `p` on the remote list of `arena`, its owner; how many are on it now.

    Requires: the block is used, and nobody else's.
    Ensures:  it is on top and marked; all others keep their order; the list counts one more.
    """
    mark(m, p)
    found = m.load_relaxed(arena + REMOTE)
    set_below(m, p, found)
    word = m.cas_release(arena + REMOTE, found, above(found, p))
    while word != found:
        found = word
        set_below(m, p, found)
        word = m.cas_release(arena + REMOTE, found, above(found, p))
    return count(found) + 1


def take_all(m, arena):
    """The word that leads to the blocks on the remote list of `arena`, taken off at once; others may add some again.

    Requires: the arena's lock.
    Ensures:  the result leads to all that were on the list; the list is empty; no other word changes.
    """
    if m.load_relaxed(arena + REMOTE) == 0:
        return 0
    return m.exchange_acquire(arena + REMOTE, 0)


def drain(m, arena):
    """Release all blocks on the remote list of `arena`.

    Requires: the arena's lock.
    """
    word = take_all(m, arena)
    while word != 0:
        p = top(word)
        word = below(m, p)
        unmark(m, p)
        release(m, arena, block_of(p))


def send(m, arena, p):
    """As `push_remote`; a list that has grown long is drained."""
    if push_remote(m, arena, p) >= MOST_REMOTE:
        m.lock(arena + ARENA_LOCK)
        drain(m, arena)
        m.unlock(arena + ARENA_LOCK)


def is_remote(m, arena, p):
    """Whether the payload `p` is on the remote list of `arena`.

    Ensures:  the lock is released.
    """
    m.lock(arena + ARENA_LOCK)
    found = holds(m, m.load_acquire(arena + REMOTE), p)
    m.unlock(arena + ARENA_LOCK)
    return found
