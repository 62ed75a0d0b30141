"""A walk over the whole heap that aborts with the first invariant that does not hold.

It believes no word that it has not checked, so it ends on any heap whose links lead to readable memory.
"""

from .arena import is_lost
from .bins import bin_at
from .block import block_of, is_free, left_is_free, owner_in, payload, size, size_in
from .classes import class_head, class_of, least_of_class, next_class
from .freelist import links_agree
from .hardened import is_hardened
from .layout import (
    ALIGN,
    ARENA_LOCK,
    BIN_COUNT,
    BINS_HOLD_BLOCKS_OF_THEIR_SIZE,
    BLOCKS_TILE_THEIR_REGION,
    BOUNDARY_TAGS_AGREE,
    BREAK,
    CLASS_COUNT,
    CLASSES_ARE_MARKED_WHILE_THEY_HAVE_BLOCKS,
    CURSOR,
    CURSOR_IS_ON_THE_LIST,
    FENCE_REGION,
    FENCES_END_THEIR_REGIONS,
    FIRST_BLOCK,
    FLAGS_AGREE_WITH_NEIGHBOURS,
    FOOTER,
    FREE_BLOCKS,
    FREE_BLOCKS_ARE_IN_THEIR_CLASS,
    FREE_BYTES,
    FREE_LIST_IS_EXACTLY_THE_FREE_BLOCKS,
    FREE_LIST_IS_LINKED_BOTH_WAYS,
    HEAD,
    HELD_BYTES,
    KEPT_MAPPINGS_KEEP_TO_THEIR_BOUNDS,
    KEPT_MARK,
    LEAD,
    LEDGERS_EQUAL_RECOMPUTED_TOTALS,
    MAPPED_BLOCKS_FIT_THEIR_MAPPINGS,
    MAPPED_LEAD,
    MAPPED_LIST_IS_LINKED_BOTH_WAYS,
    MAPPINGS,
    MAX_ARENAS,
    MIN_BLOCK,
    NEXT,
    NO_TWO_FREE_NEIGHBOURS,
    NODE,
    NULL,
    OWNERS_ARE_RIGHT,
    PAGE,
    PAYLOAD,
    REFUSED,
    REGION_LENGTH,
    REGION_NEXT,
    REGION_START,
    REGIONS,
    RETAINED_LIST,
    SEGREGATED,
    SIZES_ARE_LEGAL,
    STACKS_COUNT_THEIR_BLOCKS,
    THE_TOP_REGION_ENDS_AT_THE_BREAK,
    TOP,
    UNTAKEN,
    USED,
    USED_BLOCKS,
    USED_BYTES,
)
from .records import expect, verify_records
from .region import fence_before
from .retained import too_much
from .run_layout import LONGER, SPANS
from .run_totals import runs_have, runs_hold
from .runs import begins_slot, is_reserved, run_word, size_of_slot
from .settings import arena_at
from .stack import count, is_marked, top


def verify_block(m, arena, b, left):
    """Check one block by its header; `left` is the block before it, or NULL.

    Requires: the arena's lock.
    """
    expect(m, owner_in(m.load(b)) == owner_in(m.load(arena + HEAD)), OWNERS_ARE_RIGHT, payload(b))
    if left != NULL and is_free(m, left):
        expect(m, left_is_free(m, b), FLAGS_AGREE_WITH_NEIGHBOURS, payload(b))
        expect(m, not is_free(m, b), NO_TWO_FREE_NEIGHBOURS, payload(b))
    else:
        expect(m, not left_is_free(m, b), FLAGS_AGREE_WITH_NEIGHBOURS, payload(b))
    if is_free(m, b):
        expect(m, m.load(b + size(m, b) + FOOTER) == size(m, b), BOUNDARY_TAGS_AGREE, payload(b))


def verify_region(m, arena, region):
    """Check the blocks of a region from its first to its fence.

    Requires: the arena's lock.
    """
    end = m.load(region + REGION_START) + m.load(region + REGION_LENGTH)
    fence = fence_before(end)
    left = NULL
    b = region + FIRST_BLOCK
    while b != fence:
        total = size(m, b)
        expect(m, total >= MIN_BLOCK and total & (ALIGN - 1) == 0, SIZES_ARE_LEGAL, payload(b))
        expect(m, b + total <= fence, BLOCKS_TILE_THEIR_REGION, payload(b))
        verify_block(m, arena, b, left)
        left = b
        b = b + total
    verify_block(m, arena, fence, left)
    is_fence = size(m, fence) == 0 and not is_free(m, fence) and m.load(fence + FENCE_REGION) == region
    expect(m, is_fence, FENCES_END_THEIR_REGIONS, payload(fence))
    if region == m.load(arena + TOP):
        expect(m, end == m.load(arena + BREAK), THE_TOP_REGION_ENDS_AT_THE_BREAK, region)


def walked_bytes(m, arena, free):
    """Bytes in the blocks of the arena that are free, or in those that are used."""
    total = 0
    region = m.load(arena + REGIONS)
    while region != NULL:
        b = region + FIRST_BLOCK
        while size(m, b) != 0:
            if is_free(m, b) == free:
                total = total + size(m, b)
            b = b + size(m, b)
        region = m.load(region + REGION_NEXT)
    return total


def walked_blocks(m, arena, free):
    """Number of blocks of the arena that are free, or that are used."""
    count = 0
    region = m.load(arena + REGIONS)
    while region != NULL:
        b = region + FIRST_BLOCK
        while size(m, b) != 0:
            if is_free(m, b) == free:
                count = count + 1
            b = b + size(m, b)
        region = m.load(region + REGION_NEXT)
    return count


def verify_list(m, head, count):
    """Check that the list of `head` is linked both ways and holds at most `count` blocks, all free; how many less.

    Requires: the arena's lock; its regions hold.
    """
    b = m.load(head + NEXT)
    while b != head:
        expect(m, links_agree(m, b), FREE_LIST_IS_LINKED_BOTH_WAYS, payload(b))
        expect(m, is_free(m, b) and count > 0, FREE_LIST_IS_EXACTLY_THE_FREE_BLOCKS, payload(b))
        count = count - 1
        b = m.load(b + NEXT)
    return count


def verify_classes(m, arena, count):
    """As `verify_list`, for the lists of all classes; each holds blocks of its own."""
    index = next_class(m, arena, 0)
    while index != CLASS_COUNT:
        head = class_head(arena, index)
        left = verify_list(m, head, count)
        expect(m, left < count, CLASSES_ARE_MARKED_WHILE_THEY_HAVE_BLOCKS, arena)
        b = m.load(head + NEXT)
        while b != head:
            expect(m, class_of(size(m, b)) == index, FREE_BLOCKS_ARE_IN_THEIR_CLASS, payload(b))
            b = m.load(b + NEXT)
        count = left
        index = next_class(m, arena, index + 1)
    return count


def verify_cursor(m, arena):
    """Check that the cursor is on the list of the arena's head."""
    b = m.load(arena + HEAD + NEXT)
    while b != m.load(arena + CURSOR) and b != arena + HEAD:
        b = m.load(b + NEXT)
    expect(m, b == m.load(arena + CURSOR), CURSOR_IS_ON_THE_LIST, m.load(arena + CURSOR))


def verify_lists(m, arena):
    """Check that the free lists hold what the walk found free.

    Requires: the arena's lock; its regions hold.
    """
    count = verify_list(m, arena + HEAD, walked_blocks(m, arena, True))
    if m.load(arena + SEGREGATED) != 0:
        count = verify_classes(m, arena, count)
    expect(m, count == 0, FREE_LIST_IS_EXACTLY_THE_FREE_BLOCKS, arena)
    verify_cursor(m, arena)


def verify_ledger(m, arena, held):
    """Check the running totals of an arena against a walk.

    Requires: the arena's lock; its regions hold.
    """
    if SPANS != 0:
        verify_runs_ledger(m, arena, held)
        return
    holds = (m.load(arena + HELD_BYTES) == held
             and m.load(arena + USED_BYTES) == walked_bytes(m, arena, False)
             and m.load(arena + USED_BLOCKS) == walked_blocks(m, arena, False)
             and m.load(arena + FREE_BYTES) == walked_bytes(m, arena, True)
             and m.load(arena + FREE_BLOCKS) == walked_blocks(m, arena, True))
    expect(m, holds, LEDGERS_EQUAL_RECOMPUTED_TOTALS, arena)


def verify_runs_ledger(m, arena, held):
    """As `verify_ledger`, with what the arena's runs come to.

    Requires: the arena's lock; its regions hold.
    """
    holds = (m.load(arena + HELD_BYTES) == held + runs_hold(m, arena)
             and m.load(arena + USED_BYTES) == walked_bytes(m, arena, False) + runs_have(m, arena, False, True)
             and m.load(arena + USED_BLOCKS) == walked_blocks(m, arena, False) + runs_have(m, arena, False, False)
             and m.load(arena + FREE_BYTES) == walked_bytes(m, arena, True) + runs_have(m, arena, True, True)
             and m.load(arena + FREE_BLOCKS) == walked_blocks(m, arena, True) + runs_have(m, arena, True, False))
    expect(m, holds, LEDGERS_EQUAL_RECOMPUTED_TOTALS, arena)


def verify_arena(m, arena):
    """Check an arena, which may not be open; of one that is lost nothing is known."""
    m.lock(arena + ARENA_LOCK)
    if m.load(arena + HEAD + NEXT) != NULL and not is_lost(m, arena):
        held = 0
        region = m.load(arena + REGIONS)
        while region != NULL:
            verify_region(m, arena, region)
            held = held + m.load(region + REGION_LENGTH)
            region = m.load(region + REGION_NEXT)
        verify_lists(m, arena)
        verify_ledger(m, arena, held)
    m.unlock(arena + ARENA_LOCK)


def verify_mapped(m, b):
    """Check one mapped block.

    Requires: the lock of the mappings.
    """
    lead = m.load(b + LEAD)
    total = size(m, b)
    whole = (b - lead) & (PAGE - 1) == 0 and total & (PAGE - 1) == 0
    fits = lead >= MAPPED_LEAD and lead < total - PAYLOAD
    expect(m, whole and fits, MAPPED_BLOCKS_FIT_THEIR_MAPPINGS, payload(b))


def verify_idle(m, head, untaken):
    """Check the list of kept mappings, or of those that the system did not take; its bytes.

    Requires: the lock of the mappings.
    """
    total = 0
    k = m.load(head + NEXT)
    while k != NULL and k != head:
        expect(m, links_agree(m, k), MAPPED_LIST_IS_LINKED_BOTH_WAYS, k)
        whole = k & (PAGE - 1) == 0 and m.load(k) & (PAGE - 1) == 0
        expect(m, whole and m.load(k) > 0, MAPPED_BLOCKS_FIT_THEIR_MAPPINGS, k)
        refused = m.load(k + KEPT_MARK) == REFUSED
        expect(m, refused == untaken, KEPT_MAPPINGS_KEEP_TO_THEIR_BOUNDS, k)
        total = total + m.load(k)
        k = m.load(k + NEXT)
    return total


def listed(m, head):
    """How many nodes the list of `head`, which may not be open, has."""
    count = 0
    k = m.load(head + NEXT)
    while k != NULL and k != head:
        count = count + 1
        k = m.load(k + NEXT)
    return count


def verify_kept(m, record):
    """Check the kept mappings, those that the system did not take, and what the record says of them.

    Requires: the lock of the mappings.
    """
    s = m.statics()
    total = verify_idle(m, s + RETAINED_LIST, False)
    aside = verify_idle(m, s + UNTAKEN, True)
    holds = m.load(record + FREE_BYTES) == total and m.load(record + FREE_BLOCKS) == listed(m, s + RETAINED_LIST)
    holds = holds and m.load(record + HELD_BYTES) == total + aside + m.load(record + USED_BYTES)
    expect(m, holds, LEDGERS_EQUAL_RECOMPUTED_TOTALS, record)
    expect(m, not too_much(m, record), KEPT_MAPPINGS_KEEP_TO_THEIR_BOUNDS, record)


def verify_mappings(m):
    """Check the mapped blocks, their list and their ledger."""
    record = m.statics() + MAPPINGS
    m.lock(record + ARENA_LOCK)
    head = record + HEAD
    total = 0
    count = 0
    node = m.load(head + NEXT)
    while node != NULL and node != head:
        expect(m, links_agree(m, node), MAPPED_LIST_IS_LINKED_BOTH_WAYS, payload(node - NODE))
        verify_mapped(m, node - NODE)
        total = total + size(m, node - NODE)
        count = count + 1
        node = m.load(node + NEXT)
    holds = m.load(record + USED_BYTES) == total and m.load(record + USED_BLOCKS) == count or is_lost(m, record)
    expect(m, holds, LEDGERS_EQUAL_RECOMPUTED_TOTALS, record)
    verify_kept(m, record)
    m.unlock(record + ARENA_LOCK)


def is_slot_of(word, p, total):
    """Whether a slot of `total` bytes begins at `p`, in a run that has `word`."""
    return begins_slot(word, p) and size_of_slot(word) == total


def verify_bin(m, slot, total):
    """Check the blocks of `total` bytes that the calling thread keeps."""
    word = m.load(slot)
    while word != 0:
        p = top(word)
        if SPANS != 0 and is_reserved(m, p):
            expect(m, is_slot_of(run_word(m, p), p, total), BINS_HOLD_BLOCKS_OF_THEIR_SIZE, p)
        else:
            header = m.load_relaxed(block_of(p))
            expect(m, size_in(header) == total + LONGER and header & USED != 0, BINS_HOLD_BLOCKS_OF_THEIR_SIZE, p)
        agrees = is_marked(m, p) and count(m.load(p)) == count(word) - 1
        expect(m, agrees, STACKS_COUNT_THEIR_BLOCKS, p)
        word = m.load(p)


def verify_cache(m):
    """Check what the calling thread keeps; others may be using theirs."""
    index = 0
    while index < BIN_COUNT:
        verify_bin(m, bin_at(m.thread(), index), least_of_class(index))
        index = index + 1


def verify(m):
    """Check every arena and the mapped blocks, each under its lock, and what the calling thread keeps.

    It aborts with what does not hold.
    """
    if is_hardened(m):
        verify_records(m)
        return
    verify_cache(m)
    index = 0
    while index < MAX_ARENAS:
        verify_arena(m, arena_at(m.statics(), index))
        index = index + 1
    verify_mappings(m)
