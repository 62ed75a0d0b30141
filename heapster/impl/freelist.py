"""Circular doubly linked lists through a head, and the free lists of an arena with their ledger and cursor."""

from .block import is_intact, payload, size
from .classes import class_at, class_head, class_of, close_class, next_class, open_class
from .layout import (
    ARENA_BYTES,
    CLASS_COUNT,
    CORRUPT_HEADER,
    CORRUPT_LIST,
    CURSOR,
    FREE_BLOCKS,
    FREE_BYTES,
    HEAD,
    NEXT,
    NULL,
    PREV,
    SEGREGATED,
)


def open_list(m, head):
    """Make the list of `head`, both links zero when new, ready for use.

    Ensures:  a new list is circular and empty; an open one is unchanged.
    """
    if m.load(head + NEXT) == NULL:
        m.store(head + NEXT, head)
        m.store(head + PREV, head)


def insert(m, head, node):
    """Put `node` first on the list of `head`.

    Requires: node is on no list.
    Ensures:  node follows head and precedes the old first; all others keep their order.
    """
    first = m.load(head + NEXT)
    m.store(node + NEXT, first)
    m.store(node + PREV, head)
    m.store(first + PREV, node)
    m.store(head + NEXT, node)


def bypass(m, before, after):
    """Join two nodes, leaving out what lay between them.

    Ensures:  after follows before; before precedes after; no other word changes.
    """
    m.store(before + NEXT, after)
    m.store(after + PREV, before)


def links_agree(m, node):
    """Whether the neighbours of `node` on its list know it as theirs."""
    return m.load(m.load(node + PREV) + NEXT) == node and m.load(m.load(node + NEXT) + PREV) == node


def add(m, word, amount):
    """Add `amount` to the word at `word`."""
    m.store(word, m.load(word) + amount)


def list_for(m, arena, b):
    """The head of the list that the free block `b` belongs on: that of its class, or the only one.

    Requires: the arena's lock.
    """
    if m.load(arena + SEGREGATED) == 0:
        return arena + HEAD
    return open_class(m, arena, class_of(size(m, b)))


def link(m, arena, b):
    """Put the free block `b` first on the free list of `arena`, or on that of its class.

    Requires: the arena's lock; b is free and on no list.
    Ensures:  b follows the head and precedes the old first; all others keep their order,
              and the cursor its place; the ledger counts it.
    """
    insert(m, list_for(m, arena, b), b)
    add(m, arena + FREE_BYTES, size(m, b))
    add(m, arena + FREE_BLOCKS, 1)


def unlink(m, arena, b):
    """Take the free block `b` from its free list in `arena`.

    Abort if its header is not intact, or its links disagree, or lead to one block alone.

    Requires: the arena's lock; b is on the list.
    Ensures:  its neighbours on the list are linked both ways; it shows nothing of them;
              a cursor that was at b is at the next; the ledger no longer counts it; no other word changes.
    """
    if not is_intact(m, b, m.load(b)):
        m.abort(CORRUPT_HEADER, payload(b))
    if not links_agree(m, b):
        m.abort(CORRUPT_LIST, payload(b))
    before = m.load(b + PREV)
    after = m.load(b + NEXT)
    if before == after and (before < arena + HEAD or before >= arena + ARENA_BYTES):
        m.abort(CORRUPT_LIST, payload(b))
    bypass(m, before, after)
    m.store(b + NEXT, NULL)
    m.store(b + PREV, NULL)
    if before == after and before != arena + HEAD:
        close_class(m, arena, class_at(arena, before))
    if m.load(arena + CURSOR) == b:
        m.store(arena + CURSOR, after)
    add(m, arena + FREE_BYTES, -size(m, b))
    add(m, arena + FREE_BLOCKS, -1)


def relink(m, arena, head):
    """Put the blocks on the list of `head` where they belong now, each before those that were after it.

    Requires: the arena's lock; they belong on other lists.
    """
    b = m.load(head + PREV)
    m.store(head + NEXT, head)
    m.store(head + PREV, head)
    while b != head:
        before = m.load(b + PREV)
        insert(m, list_for(m, arena, b), b)
        b = before


def segregate(m, arena):
    """Put the free blocks of `arena` on the lists of their classes.

    Requires: the arena's lock; it has one list.
    Ensures:  each class has its blocks in the order in which they were on the list.
    """
    m.store(arena + SEGREGATED, 1)
    m.store(arena + CURSOR, arena + HEAD)
    relink(m, arena, arena + HEAD)


def unite(m, arena):
    """Put the free blocks of `arena` on one list.

    Requires: the arena's lock; it has a list for each class.
    Ensures:  they are there class by class, least first, and in each in the order in which they were.
    """
    m.store(arena + SEGREGATED, 0)
    index = CLASS_COUNT
    while index > 0:
        index = index - 1
        if next_class(m, arena, index) == index:
            relink(m, arena, class_head(arena, index))
            close_class(m, arena, index)
