"""Circular doubly linked lists through a head, and the free list with its ledger and cursor."""

from .block import payload, size
from .layout import CORRUPT_LIST, CURSOR, FREE_BLOCKS, FREE_BYTES, HEAD, NEXT, PREV


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


def link(m, arena, b):
    """Put the free block `b` first on the free list of `arena`.

    Requires: the arena's lock; b is free and on no list.
    Ensures:  b follows the head and precedes the old first; all others keep their order,
              and the cursor its place; the ledger counts it.
    """
    insert(m, arena + HEAD, b)
    add(m, arena + FREE_BYTES, size(m, b))
    add(m, arena + FREE_BLOCKS, 1)


def unlink(m, arena, b):
    """Take the free block `b` from the free list of `arena`; abort if its links disagree.

    Requires: the arena's lock; b is on the list.
    Ensures:  its neighbours on the list are linked both ways; a cursor that was at b is at the next;
              the ledger no longer counts it; no other word changes.
    """
    if not links_agree(m, b):
        m.abort(CORRUPT_LIST, payload(b))
    after = m.load(b + NEXT)
    bypass(m, m.load(b + PREV), after)
    if m.load(arena + CURSOR) == b:
        m.store(arena + CURSOR, after)
    add(m, arena + FREE_BYTES, -size(m, b))
    add(m, arena + FREE_BLOCKS, -1)
