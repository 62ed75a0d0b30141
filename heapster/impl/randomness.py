"""Random numbers and canaries, made of the key: nobody who does not know it foretells one from where it is used.

A number is mixed from how many were drawn and from where that is counted, as Steele, Lea and Flood do (2014, "Fast
splittable pseudorandom number generators", section 3). That is no cipher: whoever sees enough of them may find the key.
"""

from .layout import DRAW_STEP, KEY, MAX_WORD, MIX_FIRST, MIX_SECOND


def mix(x):
    """A number of which each bit depends on each bit of `x`.

    Requires: 0 <= x.
    Ensures:  0 <= result; different numbers have different results.
    """
    x = (x ^ x >> 30) * MIX_FIRST & MAX_WORD
    x = (x ^ x >> 27) * MIX_SECOND & MAX_WORD
    return x ^ x >> 31


def draw(m, counter):
    """The next random number, of 63 bits, of those that the word at `counter` counts.

    Ensures:  0 <= result; the word changes, and no other.
    """
    drawn = m.load(counter) + DRAW_STEP & MAX_WORD
    m.store(counter, drawn)
    return mix((m.load(m.statics() + KEY) ^ drawn ^ counter) & MAX_WORD)


def canary(m, p):
    """The canary of the block with the payload `p`: no zero, so that it stops no string, nor is one of a block freed.

    One product suffices where each place has its own: of those of two blocks, each bit may differ.

    Ensures:  0 < result; its least byte is not 0; no word changes.
    """
    x = (m.load(m.statics() + KEY) ^ p) * MIX_FIRST & MAX_WORD
    return x ^ x >> 32 | 1
