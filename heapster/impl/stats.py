"""Statistics, the status dump, and a walk over all blocks."""

from .bins import bin_at
from .block import block_of, size
from .classes import class_head, least_of_class, next_class
from .freelist import add
from .hardened import is_hardened
from .layout import (
    ALL_ARENAS,
    ARENA_LOCK,
    ATTACH_LOCK,
    BIN_COUNT,
    CACHING,
    CALL_KINDS,
    CALLS,
    CLASS_COUNT,
    FIRST_BLOCK,
    FREE_BLOCKS,
    FREE_BYTES,
    HEAD,
    HELD_BYTES,
    LEAD,
    MAPPINGS,
    MAX_ARENAS,
    MY_ARENA,
    MY_CALLS,
    NEXT,
    NODE,
    NULL,
    ONLY_MAPPINGS,
    REGION_LENGTH,
    REGION_NEXT,
    REGIONS,
    REMOTE,
    RETAINED_LIST,
    SEGREGATED,
    SHOW_ARENA,
    SHOW_BLOCK,
    SHOW_MAPPED,
    SHOW_REGION,
    STAT_CACHED_BLOCKS,
    STAT_CACHED_BYTES,
    STAT_CALLS,
    STAT_FREE_BLOCKS,
    STAT_FREE_BYTES,
    STAT_HELD,
    STAT_LARGEST_FREE,
    STAT_USED_BLOCKS,
    STAT_USED_BYTES,
    STATS_BYTES,
    UNTAKEN,
    USED,
    USED_BLOCKS,
    USED_BYTES,
    WORD,
)
from .records import show_records
from .run_layout import SPANS
from .run_totals import show_runs
from .runs import is_reserved, run_word, size_of_slot
from .settings import arena_at
from .spans import largest_slot
from .stack import below, count, top


def largest_listed(m, head):
    """Bytes of the largest block on the list of `head`; 0 for none."""
    most = 0
    b = m.load(head + NEXT)
    while b != head:
        if size(m, b) > most:
            most = size(m, b)
        b = m.load(b + NEXT)
    return most


def largest_free(m, arena):
    """Bytes of the largest free block of an open arena, or of the largest free slot; 0 for none."""
    if is_hardened(m):
        return largest_slot(m, arena)
    if m.load(arena + SEGREGATED) == 0:
        return largest_listed(m, arena + HEAD)
    index = CLASS_COUNT - 1
    while index > 0 and next_class(m, arena, index) != index:
        index = index - 1
    if next_class(m, arena, index) != index:
        return 0
    return largest_listed(m, class_head(arena, index))


def add_ledger(m, record, out):
    """Add the ledger of `record` to the figures at `out`.

    Requires: the record's lock.
    """
    add(m, out + STAT_HELD, m.load(record + HELD_BYTES))
    add(m, out + STAT_USED_BYTES, m.load(record + USED_BYTES))
    add(m, out + STAT_USED_BLOCKS, m.load(record + USED_BLOCKS))
    add(m, out + STAT_FREE_BYTES, m.load(record + FREE_BYTES))
    add(m, out + STAT_FREE_BLOCKS, m.load(record + FREE_BLOCKS))
    call = 0
    while call < CALL_KINDS * WORD:
        add(m, out + STAT_CALLS + call, m.load(record + CALLS + call))
        call = call + WORD


def add_arena(m, arena, out):
    """Add the figures of an arena, which may not be open, to those at `out`."""
    m.lock(arena + ARENA_LOCK)
    if m.load(arena + HEAD + NEXT) != NULL:
        add_ledger(m, arena, out)
        largest = largest_free(m, arena)
        if largest > m.load(out + STAT_LARGEST_FREE):
            m.store(out + STAT_LARGEST_FREE, largest)
    m.unlock(arena + ARENA_LOCK)


def largest_kept(m):
    """Bytes of the largest kept mapping; 0 for none."""
    head = m.statics() + RETAINED_LIST
    most = 0
    k = m.load(head + NEXT)
    while k != NULL and k != head:
        if m.load(k) > most:
            most = m.load(k)
        k = m.load(k + NEXT)
    return most


def add_mappings(m, out):
    """Add the figures of the mapped blocks, and of the mappings that are kept, to those at `out`."""
    record = m.statics() + MAPPINGS
    m.lock(record + ARENA_LOCK)
    add_ledger(m, record, out)
    m.store(out + STAT_LARGEST_FREE, largest_kept(m))
    m.unlock(record + ARENA_LOCK)


def add_remote(m, arena, out):
    """Add the blocks on the remote list of `arena` to the cached ones at `out`."""
    m.lock(arena + ARENA_LOCK)          # so that nobody drains it
    word = m.load_acquire(arena + REMOTE)
    while word != 0:
        if SPANS != 0 and is_reserved(m, top(word)):
            add(m, out + STAT_CACHED_BYTES, size_of_slot(run_word(m, top(word))))
        else:
            add(m, out + STAT_CACHED_BYTES, size(m, block_of(top(word))))
        add(m, out + STAT_CACHED_BLOCKS, 1)
        word = below(m, top(word))
    m.unlock(arena + ARENA_LOCK)


def add_calls(m, thread, out):
    """Add the calls that the cache of `thread` served to those at `out`."""
    call = 0
    while call < CALL_KINDS * WORD:
        add(m, out + STAT_CALLS + call, m.load_relaxed(thread + MY_CALLS + call))
        call = call + WORD


def add_bins(m, thread, out):
    """Add the blocks that `thread` keeps to the cached ones at `out`."""
    index = 0
    while index < BIN_COUNT:
        kept = count(m.load_relaxed(bin_at(thread, index)))
        add(m, out + STAT_CACHED_BLOCKS, kept)
        add(m, out + STAT_CACHED_BYTES, kept * least_of_class(index))
        index = index + 1


def add_caches(m, which, out):
    """Add to the figures at `out` the calls of threads of arena `which`; of ALL_ARENAS also what they keep."""
    s = m.statics()
    m.lock(s + ATTACH_LOCK)
    thread = m.load(s + CACHING + NEXT)
    while thread != NULL and thread != s + CACHING:
        if which == ALL_ARENAS or m.load(thread + MY_ARENA) == arena_at(s, which):
            add_calls(m, thread, out)
        if which == ALL_ARENAS:
            add_bins(m, thread, out)
        thread = m.load(thread + NEXT)
    m.unlock(s + ATTACH_LOCK)


def stats(m, which, out):
    """Write the figures of one arena, of ONLY_MAPPINGS or of ALL_ARENAS and the mappings to `out`.

    Requires: STATS_BYTES of the caller's memory at out; which < MAX_ARENAS.
    Ensures:  each figure is what a walk over the blocks would find; sums are over one arena at a time.
    """
    m.fill(out, 0, STATS_BYTES)
    if which == ALL_ARENAS or which == ONLY_MAPPINGS:
        add_mappings(m, out)
    if which != ONLY_MAPPINGS:
        add_caches(m, which, out)
    index = 0
    while index < MAX_ARENAS:
        if which == ALL_ARENAS or which == index:
            add_arena(m, arena_at(m.statics(), index), out)
        if which == ALL_ARENAS:
            add_remote(m, arena_at(m.statics(), index), out)
        index = index + 1


def show_region(m, region):
    """Write a line for a region and one for each of its blocks."""
    m.show(SHOW_REGION, region, m.load(region + REGION_LENGTH), 0)
    b = region + FIRST_BLOCK
    while size(m, b) != 0:
        m.show(SHOW_BLOCK, b, size(m, b), m.load(b) & USED)
        b = b + size(m, b)


def show_arena(m, arena):
    """Write the status of an open arena: its regions, newest first, then its runs."""
    m.lock(arena + ARENA_LOCK)
    if m.load(arena + HEAD + NEXT) != NULL:
        m.show(SHOW_ARENA, arena, m.load(arena + HELD_BYTES), m.load(arena + USED_BYTES))
        region = m.load(arena + REGIONS)
        while region != NULL:
            show_region(m, region)
            region = m.load(region + REGION_NEXT)
        if SPANS != 0:
            show_runs(m, arena)
    m.unlock(arena + ARENA_LOCK)


def show_kept(m, head):
    """Write a line for each kept mapping on the list of `head`."""
    k = m.load(head + NEXT)
    while k != NULL and k != head:
        m.show(SHOW_MAPPED, k, m.load(k), 0)
        k = m.load(k + NEXT)


def show_mappings(m):
    """Write a line for each mapped block, for each kept mapping, and for each that the system did not take."""
    record = m.statics() + MAPPINGS
    m.lock(record + ARENA_LOCK)
    head = record + HEAD
    node = m.load(head + NEXT)
    while node != NULL and node != head:
        b = node - NODE
        m.show(SHOW_MAPPED, b - m.load(b + LEAD), size(m, b), m.load(b) & USED)
        node = m.load(node + NEXT)
    show_kept(m, m.statics() + RETAINED_LIST)
    show_kept(m, m.statics() + UNTAKEN)
    m.unlock(record + ARENA_LOCK)


def status(m):
    """Write the whole heap, block by block, to the machine's status dump."""
    index = 0
    while index < MAX_ARENAS:
        show_arena(m, arena_at(m.statics(), index))
        index = index + 1
    show_mappings(m)
    show_records(m)
