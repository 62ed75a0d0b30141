"""Stacks of cached blocks: the word that leads to the top also counts them, and stands in each for those below."""

from .layout import COUNT_ONE, COUNT_SHIFT, TOP_MASK


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
    return word - (word & TOP_MASK) + COUNT_ONE + p
