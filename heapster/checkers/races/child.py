"""What a forked child finds: one thread, the memory as it was, and the locks of threads that are gone."""

from collections.abc import Iterable, Mapping

from heapster.checkers.lockstep.decode import decode
from heapster.checkers.lockstep.decode_runs import counts_of_runs, owner_of
from heapster.checkers.lockstep.undecodable import Undecodable
from heapster.checkers.targets.source import Source
from heapster.impl.layout import (
    ALL_ARENAS,
    ARENA_BYTES,
    ARENAS,
    CACHING,
    DEFAULT_THRESHOLD,
    HEAD,
    LOST,
    MAPPED,
    MAX_ARENAS,
    NEXT,
    NULL,
    OWNER_MASK,
    OWNER_SHIFT,
    PAYLOAD,
    STATS_BYTES,
    WORD,
)
from heapster.machine.protocol import Aborted, MachineFault
from heapster.machine.simulated import Simulated
from heapster.machine.traced import Broken
from heapster.model.heap import waiting
from heapster.model.invariants import violations
from heapster.model.problem import Problem
from heapster.model.run_invariants import spans_violations

FRESH_THREAD = 60                   # no program has as many
BETWEEN_CALLS = frozenset({         # a thread that is gone may have got a block, and not yet listed or counted it
    "memory_is_accounted_for", "calls_are_counted"})
OF_WHAT_IS_LOST = frozenset({       # what is said of blocks that are in no arena that is known
    "ledgers_equal_recomputed_totals", "bins_hold_blocks_of_their_size", "cached_blocks_are_used", "settings_are_legal",
    "mapped_list_is_linked_both_ways", "slots_are_one_thing_each", "slots_wait_where_they_are_looked_for",
    "runs_are_counted"})
SMALL = 24                          # bytes of a block that has no mapping of its own
GROWTH = 100                        # bytes by which the child lets its blocks grow


def check_child(source: Source, child: Simulated, blocks: Iterable[tuple[int, int]] = ()) -> None:
    """Broken unless the child can use its whole heap, and the blocks of the thread that forked: payload and bytes."""
    try:
        before = counts_of_runs(child) if source.has_spans else {}
        source.lifecycle.after_fork_in_child(child)
        _keeps_alone(child)
        _use_blocks(source, child, blocks)
        _use(source, child)
        if source.has_spans:
            source.trim.trim(child, 0)
            _leaves_lost_runs(child, before)
        source.verify.verify(child)
        excused = BETWEEN_CALLS | (OF_WHAT_IS_LOST if _has_lost(child) else frozenset())
        found = [v for v in _violations(source, child) if v.code not in excused]
    except MachineFault as fault:
        raise Broken("fork_unsafe", f"in the forked child: {fault}", fault.address) from fault
    except Aborted as aborted:
        raise Broken("fork_unsafe", f"the forked child notices misuse where there is none: {aborted}",
                     aborted.address) from aborted
    except Undecodable as error:
        raise Broken("fork_unsafe", f"the forked child's heap: {error}") from error
    if found:
        raise Broken("fork_unsafe", f"the forked child's heap breaks {found[0].code}: {found[0].message}")


def _violations(source: Source, child: Simulated) -> list[Problem]:
    """What is wrong with the child's heap, whatever threads that it does not have had of it."""
    heap = decode(child, spans=source.has_spans)
    if heap.runs is None:
        return violations(heap)
    return spans_violations(heap, heap.runs.used_slots() - waiting(heap))


def _leaves_lost_runs(child: Simulated, before: Mapping[int, tuple[int | None, int | None]]) -> None:
    """Broken if a run of an arena that the child lost got slots back, or gave any."""
    for start, counts in counts_of_runs(child).items():
        owner = owner_of(child.load, child.statics(), start)
        is_lost = owner is not None and child.load(child.statics() + ARENAS + owner * ARENA_BYTES + HEAD) & LOST
        if is_lost and before.get(start) != counts:
            raise Broken("fork_unsafe", "the forked child changes a run of an arena that it lost", start)


def _has_lost(child: Simulated) -> bool:
    records = range(child.statics() + ARENAS, child.statics() + ARENAS + (MAX_ARENAS + 1) * ARENA_BYTES, ARENA_BYTES)
    return any(child.load(record + HEAD) & LOST for record in records)


def _keeps_alone(child: Simulated) -> None:
    """Broken if a thread that the child does not have is among those that have caches."""
    caching = child.load(child.statics() + CACHING + NEXT)
    if caching not in (NULL, child.statics() + CACHING, child.thread()) or \
            caching == child.thread() and child.load(caching + NEXT) != child.statics() + CACHING:
        raise Broken("fork_unsafe", "the forked child counts a thread that it does not have among those with caches",
                     caching)


def _use_blocks(source: Source, child: Simulated, blocks: Iterable[tuple[int, int]]) -> None:
    """Each block grows, with what it holds, and is freed."""
    for payload, size in blocks:
        words = range(0, size & -WORD, WORD)
        before = [child.peek(payload + offset) for offset in words]
        moved = source.api.realloc(child, payload, size + GROWTH)
        if moved == NULL:
            continue
        if [child.peek(moved + offset) for offset in words] != before:
            raise Broken("fork_unsafe", "a block that grows in the forked child loses what it holds", moved)
        source.api.free(child, moved)


def _cached(child: Simulated) -> frozenset[int]:
    """What threads of the child keep; it may be of a lost arena: a block that is used again touches no list."""
    bins = (each for cache in decode(child).caches for each in cache.bins)
    return frozenset(payload for each in bins for payload in each.stack.payloads)


def _is_of_lost(source: Source, child: Simulated, payload: int) -> bool:
    """Whether a small block has a mapping of its own, or an owner that the child lost."""
    slots = owner_of(child.load, child.statics(), payload) if source.has_spans else None
    if slots is None:
        header = child.load(payload - PAYLOAD) if payload else 0
    else:
        header = slots << OWNER_SHIFT
    owner = child.statics() + ARENAS + ((header & OWNER_MASK) >> OWNER_SHIFT) * ARENA_BYTES
    return bool(header & MAPPED or child.load(owner + HEAD) & LOST)


def _use_small(source: Source, child: Simulated) -> None:
    """A small block comes from an arena that will take it back, or from the thread's own cache; if there is memory."""
    kept = _cached(child) if _has_lost(child) else frozenset()
    payload = source.api.malloc(child, SMALL)
    if payload not in kept and _is_of_lost(source, child, payload):
        raise Broken("fork_unsafe", "the forked child gets a block from an arena that it lost", payload)
    source.api.free(child, payload)


def _use(source: Source, child: Simulated) -> None:
    """Take every lock that there is, also as a thread that has no arena yet."""
    source.settings.set_arenas(child, 1)
    for thread in (child.running, FRESH_THREAD):
        child.on_thread(thread)
        _use_small(source, child)
        source.api.free(child, source.api.malloc(child, DEFAULT_THRESHOLD))
    source.stats.stats(child, ALL_ARENAS, child.outside(STATS_BYTES))
