"""Invariants of a heap at rest that has runs, beside those of every heap: named generators of counterexamples.

What no run has, `blocks_alone`, is a heap of which the others hold.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from heapster.model.geometry import HEADER, LONGER, RESERVE, RUN
from heapster.model.heap import Arena, Heap, Stack, waiting
from heapster.model.invariants import violations
from heapster.model.problem import Problem
from heapster.model.runs import NO_RUNS, Runs


class Spanned(NamedTuple):
    """A heap with runs, and the slots that callers have."""

    heap: Heap
    live: frozenset[int]

    @property
    def runs(self) -> Runs:
        """Its runs."""
        return self.heap.runs or NO_RUNS

    def waiting(self) -> list[int]:
        """The slots that wait in bins and on remote lists."""
        return [payload for payload in waiting(self.heap) if self.runs.holds(payload)]


def spanned(heap: Heap, live: Iterable[int]) -> Spanned:
    """The heap with those of the caller's blocks that are slots."""
    runs = heap.runs or NO_RUNS
    return Spanned(heap, frozenset(pointer for pointer in live if runs.holds(pointer)))


def slots_are_one_thing_each(seen: Spanned) -> Iterator[str]:
    """A slot that was handed out at some time is live, waits, or its run has it back; nothing else is a slot."""
    known = Counter([*seen.live, *seen.waiting(), *(slot for run in seen.runs.runs for slot in run.back)])
    slots = {slot for run in seen.runs.runs for slot in run.slots}
    if set(known) != slots:
        yield f"{len(slots - set(known))} slots are nobody's, {len(set(known) - slots)} pointers are no slots"
    if both := sum(times > 1 for times in known.values()):
        yield f"{both} slots are two things"


def runs_count_their_slots(seen: Spanned) -> Iterator[str]:
    """A run knows how many of its slots are out, and none stays with none out but the one being carved."""
    for run in seen.runs.runs:
        if run.out + len(run.back) != len(run.slots) or run.out < 0:
            yield f"a run counts {run.out} slots that are out, and has {len(run.back)} of {len(run.slots)} back"
        if run.out == 0 and not run.is_carved:
            yield "a run stays of which no slot is out"


def runs_with_slots_back_are_listed(seen: Spanned) -> Iterator[str]:
    """The runs that have slots back are those that their arena finds by their class."""
    for run in seen.runs.runs:
        if (run.listed >= 0) != bool(run.back):
            yield f"a run that has {len(run.back)} slots back is {'not ' if run.listed < 0 else ''}listed"


def slots_wait_where_they_are_looked_for(seen: Spanned) -> Iterator[str]:
    """A bin has slots of its size, and blocks larger by what a header needs; a remote list has its own arena's."""
    of = {slot: run for run in seen.runs.runs for slot in run.slots}
    sizes = {block.address: block.size for arena in seen.heap.arenas for region in arena.regions
             for block in region.blocks}
    for bin_ in (bin_ for cache in seen.heap.caches for bin_ in cache.bins):
        held = [of[p].size if p in of else sizes.get(p - HEADER, 0) - LONGER for p in bin_.stack.payloads]
        if set(held) - {bin_.size}:
            yield f"the bin of {bin_.size} bytes has {sorted(set(held))}"
    for arena in seen.heap.arenas:
        if any(of[p].owner != arena.index for p in arena.remote.payloads if p in of):
            yield f"the remote list of arena {arena.index} has slots of others"


def runs_are_counted(seen: Spanned) -> Iterator[str]:
    """It is known how many runs are used, and how many that nobody has keep their pages."""
    counted = seen.runs.used, seen.runs.pooled
    found = len(seen.runs.runs), sum(run.has_pages for run in seen.runs.pool)
    if counted != found:
        yield f"{counted} runs are counted as used and as kept, {found} are"


SPANS_ALWAYS: tuple[Callable[[Spanned], Iterator[str]], ...] = (
    slots_are_one_thing_each, runs_count_their_slots, runs_with_slots_back_are_listed,
    slots_wait_where_they_are_looked_for, runs_are_counted)


def spans_violations(heap: Heap, live: Iterable[int]) -> list[Problem]:
    """Every way in which the heap breaks an invariant, if these are the payloads that callers have."""
    seen = spanned(heap, live)
    return [*(Problem(check.__name__, message) for check in SPANS_ALWAYS for message in check(seen)),
            *violations(blocks_alone(heap))]


def blocks_alone(heap: Heap) -> Heap:
    """The heap without what runs have: one of which the invariants of every heap hold."""
    runs = heap.runs or NO_RUNS
    given = runs.start, runs.start + (RESERVE + RUN) * (runs.base != 0)
    caches = tuple(cache._replace(bins=tuple(bin_._replace(stack=_blocks_of(bin_.stack, runs)) for bin_ in cache.bins))
                   for cache in heap.caches)
    return heap._replace(arenas=tuple(_blocks_of_arena(arena, runs) for arena in heap.arenas), caches=caches,
                         system=tuple(piece for extent in heap.system for piece in _without(extent, given)))


def _without(extent: tuple[int, int], given: tuple[int, int]) -> list[tuple[int, int]]:
    """The pieces of an extent that lie outside of another, which it may have been joined with."""
    pieces = (extent[0], min(extent[1], given[0])), (max(extent[0], given[1]), extent[1])
    return [piece for piece in pieces if piece[0] < piece[1]] if given[0] < given[1] else [extent]


def _blocks_of(stack: Stack, runs: Runs) -> Stack:
    kept = tuple(payload for payload in stack.payloads if not runs.holds(payload))
    return Stack(stack.counted - len(stack.payloads) + len(kept), kept)


def _blocks_of_arena(arena: Arena, runs: Runs) -> Arena:
    mine, ledger = runs.of(arena.index), arena.ledger
    left = [run.capacity - run.out for run in mine]
    return arena._replace(remote=_blocks_of(arena.remote, runs), ledger=ledger._replace(
        held=ledger.held - len(mine) * RUN,
        used_bytes=ledger.used_bytes - sum(run.size * run.out for run in mine),
        used_blocks=ledger.used_blocks - sum(run.out for run in mine),
        free_bytes=ledger.free_bytes - sum(run.size * free for run, free in zip(mine, left, strict=True)),
        free_blocks=ledger.free_blocks - sum(left)))
