"""Stacks of blocks that wait to be used again: the word that leads to the top also counts them.

That word stands in each block for those below it, and beside it a mark that agrees with it and with its place. Nothing
else knows how either is written.
"""

from .layout import CORRUPT_LIST, COUNT_SHIFT, KEY, MARK, TOP_MASK


def top(word):
    """The payload on top of the stack that `word` leads to; NULL for the empty one."""
    return word & TOP_MASK


def count(word):
    """How many blocks are on the stack that `word` leads to."""
    return word >> COUNT_SHIFT


def above(word, p):
    """The word that leads to the stack of `word` with the payload `p` put on top.

    Requires: 0 < p < COUNT_ONE; the stack has fewer blocks than 15 bits count.
    Ensures:  its top is p; it counts one more.
    """
    return (word | TOP_MASK) + 1 + p


def is_marked(m, p):
    """Whether the block with the payload `p` waits as far as it shows: its mark agrees with its link and its place.

    Who does not know the key writes what agrees by chance alone, one in 2**61. The link is seldom looked at where there
    is none: its caller may just have written a part of it, which the processor would have to wait for.
    """
    found = m.load_any(p + MARK)
    return found < 0 and found + m.load_any(p) + p == m.load(m.statics() + KEY)


def is_still_marked(m, p):
    """As `is_marked`, of a block that a stack leads to: it was marked, and may have been written over."""
    return m.load_any(p + MARK) + m.load_any(p) + p == m.load(m.statics() + KEY)


def below(m, p):
    """The word that leads to the blocks below the payload `p` on its stack.

    Ensures:  abort if somebody wrote over it since.
    """
    if not is_still_marked(m, p):
        m.abort(CORRUPT_LIST, p)
    return m.load(p)


def set_below(m, p, word):
    """Let the payload `p` lie on the stack that `word` leads to, marked as a block that waits."""
    mark = m.load(m.statics() + KEY) - word - p
    m.store(p, word)
    m.store(p + MARK, mark)


def put(m, word, p):
    """Put the payload `p` on the stack that `word` leads to; the word that leads there now."""
    set_below(m, p, word)
    return above(word, p)


def move(m, word, blocks, onto):
    """Put the `blocks` top blocks of the stack of `word`, in turn, on that of `onto`; the word that leads there now.

    Requires: the stack of `word` has as many.
    Ensures:  the last that was moved is on top; both stacks are else as they were.
    """
    while blocks > 0:
        p = top(word)
        word = below(m, p)
        onto = put(m, onto, p)
        blocks = blocks - 1
    return onto


def unmark(m, p):
    """The block with the payload `p` no longer waits, and shows nothing of where others are."""
    m.store(p, 0)
    m.store(p + MARK, 0)


def holds(m, word, p):
    """Whether the payload `p` is on the stack that `word` leads to.

    Others may be taking blocks off it and using them: what does not count one less than what led to it ends the walk.

    Ensures:  no word changes; on a stack that nobody else changes, the answer is right.
    """
    while count(word) > 0 and top(word) != p:
        after = m.load(top(word))
        if count(after) != count(word) - 1:
            return False
        word = after
    return count(word) > 0
