"""Sizes and alignments that callers state when they free, held against what a block shows of its request.

A block does not know how many bytes it was asked for, but requests are rounded only so far: a statement is wrong
where no request for it could have got the block.
"""

from .arena import is_lost
from .block import block_of, block_size, round_up, size, size_in
from .classes import class_for, least_of_class
from .layout import (
    ALIGN,
    ARENA_LOCK,
    LEAD,
    MAPPED,
    MIN_BLOCK,
    MOST_CACHED,
    PAGE,
    PAYLOAD,
    SPARE_SHIFT,
    WRONG_SIZE,
)
from .mapping import mapped_usable, mapping_length
from .run_layout import LONGER, SHORT, SPANS
from .settings import arena_of


def is_made_of(total, want):
    """Whether a block of `total` bytes may be one of `want`, with a rest that is too small for a block.

    Ensures:  true exactly if want <= total < want + MIN_BLOCK.
    """
    return want <= total and total - want < MIN_BLOCK


def could_serve(total, request, alignment):
    """Whether a block of an arena of `total` bytes may have been got for `request` bytes at a multiple of `alignment`.

    Requires: 0 <= request <= MAX_REQUEST; alignment is at least ALIGN.
    Ensures:  true for the block that the request needs, and for one of the least size of a class that holds it where
              that may be cached, each with a rest that is too small for a block; false for all others.
    """
    want = block_size(request)
    if is_made_of(total, want):
        return True
    if alignment > ALIGN or want > MOST_CACHED:
        return False
    if SPANS != 0:
        want = block_size(request - SHORT)
    return is_made_of(total, least_of_class(class_for(want)) + LONGER)


def could_map(m, b, request, alignment):
    """Whether the mapping of the block `b` may have been got for `request` bytes at a multiple of `alignment`.

    Requires: 0 <= request <= mapped_usable(b); alignment is a power of two, ALIGN to MAX_REQUEST.
    Ensures:  true for what `resize_mapped` makes of the request; true for what `map_block` does, up to a quarter too
              large; false for all others.
    """
    length = size(m, b)
    if round_up(m.load(b + LEAD) + PAYLOAD + request, PAGE) == length:
        return True
    need = mapping_length(request, alignment)
    return need <= length and length - need <= need >> SPARE_SHIFT


def is_of_lost_arena(m, header):
    """Whether the arena that owns the block with this header is lost: there blocks stay as they are when they shrink.

    Ensures:  no word changes; the lock is released.
    """
    arena = arena_of(m, header)
    m.lock(arena + ARENA_LOCK)
    lost = is_lost(m, arena)
    m.unlock(arena + ARENA_LOCK)
    return lost


def could_be_asked(m, p, header, request, alignment):
    """Whether the used block with this header and the payload `p` may have been asked for so.

    Requires: alignment is a power of two that divides p, at least ALIGN.
    Ensures:  false if fewer bytes are usable than `request`; else true exactly if such a request could have got it, or
              its arena is lost.
    """
    if request < 0:
        return False
    if header & MAPPED != 0:
        b = block_of(p)
        return request <= mapped_usable(m, b) and could_map(m, b, request, alignment)
    total = size_in(header)
    if request > total - PAYLOAD:
        return False
    return could_serve(total, request, alignment) or is_of_lost_arena(m, header)


def stated_alignment(m, p, alignment):
    """The alignment that a caller states, ALIGN at least; abort if it is no power of two that divides `p`.

    Ensures:  no word changes.
    """
    if alignment < 1 or alignment & (alignment - 1) != 0 or p & (alignment - 1) != 0:
        m.abort(WRONG_SIZE, p)
    if alignment < ALIGN:
        alignment = ALIGN
    return alignment


def check_asked(m, p, header, request, alignment):
    """Abort if the used block with this header and the payload `p` cannot have been asked for so.

    Ensures:  it aborts if alignment is no power of two that divides p; else exactly if not could_be_asked; no word
              changes.
    """
    alignment = stated_alignment(m, p, alignment)
    if not could_be_asked(m, p, header, request, alignment):
        m.abort(WRONG_SIZE, p)
