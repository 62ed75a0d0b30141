"""A heap with spans and what a program may see, side by side; and invariants of the runs as they lie in memory.

A relation, not a prediction: what the caller sees is held against the specification at each step, and each slot is
live, or waits in one bin or on one remote list, or its run has it back, or it was never handed out. What no run has is
held against the invariants of every heap.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from heapster.checkers.lockstep.calls import SHIPPED, Answer
from heapster.checkers.lockstep.decode import Undecodable, decode
from heapster.checkers.lockstep.decode_runs import Runs, decode_runs
from heapster.checkers.lockstep.lockstep import AT_EACH_LOOK, FAILURES, KEY, Lockstep, joined, problem_of
from heapster.impl import run_layout
from heapster.machine.checked_memory import FUEL, MAPPINGS
from heapster.machine.observed import Observed
from heapster.machine.protocol import REFUSED
from heapster.machine.simulated import Simulated
from heapster.model import misuse
from heapster.model.geometry import ALIGN, HEADER
from heapster.model.heap import Arena, Heap, Stack, waiting
from heapster.model.invariants import violations
from heapster.model.operation import Step
from heapster.model.operations import STATING, WRITING
from heapster.model.problem import Problem

VERIFIED_EVERY = 16             # looks
IN_BINS_OF_SLOTS = "bins_hold_blocks_of_their_size"     # there blocks are larger than what they serve


class Spanned(NamedTuple):
    """A heap with spans, as decoded."""

    heap: Heap
    runs: Runs
    live: frozenset[int]            # slots that callers have

    def waiting(self) -> list[int]:
        """The slots that wait in bins and on remote lists."""
        return [payload for payload in waiting(self.heap) if self.runs.holds(payload)]


class Reservable:
    """Lets a machine have addresses beside its memory that spans can reserve."""

    _memory: int

    def mmap(self, length: int) -> int:
        """See `Machine.mmap`."""
        beside = length * (length == run_layout.RESERVED)
        self._memory += beside
        answer: int = super().mmap(length)       # type: ignore[misc]
        self._memory -= beside * (answer == REFUSED)
        return answer

    def munmap(self, address: int, length: int) -> int:
        """See `Machine.munmap`."""
        answer: int = super().munmap(address, length)       # type: ignore[misc]
        if length == run_layout.RESERVED and answer != REFUSED:
            self._memory -= length
        return answer


class SimulatedWithRoom(Reservable, Simulated):
    """A simulated machine that has."""


class ObservedWithRoom(Reservable, Observed):
    """A compiled allocator's machine that has."""


# Invariants, each a generator of counterexamples.

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
        if run.is_listed != bool(run.back):
            yield f"a run that has {len(run.back)} slots back is {'' if run.is_listed else 'not '}listed"


def slots_wait_where_they_are_looked_for(seen: Spanned) -> Iterator[str]:
    """A bin has slots of its size, and blocks larger by what a header needs; a remote list has its own arena's."""
    of = {slot: run for run in seen.runs.runs for slot in run.slots}
    sizes = {block.address: block.size for arena in seen.heap.arenas for region in arena.regions
             for block in region.blocks}
    for bin_ in (bin_ for cache in seen.heap.caches for bin_ in cache.bins):
        held = [of[p].size if p in of else sizes.get(p - HEADER, 0) - ALIGN for p in bin_.stack.payloads]
        if set(held) - {bin_.size}:
            yield f"the bin of {bin_.size} bytes has {sorted(set(held))}"
    for arena in seen.heap.arenas:
        if any(of[p].owner != arena.index for p in arena.remote.payloads if p in of):
            yield f"the remote list of arena {arena.index} has slots of others"


def runs_are_counted(seen: Spanned) -> Iterator[str]:
    """It is known how many runs are used, and how many that nobody has keep their pages."""
    counted, found = (seen.runs.used, seen.runs.pooled), (len(seen.runs.runs), sum(seen.runs.pool))
    if counted != found:
        yield f"{counted} runs are counted as used and as kept, {found} are"


SPANS_ALWAYS: tuple[Callable[[Spanned], Iterator[str]], ...] = (
    slots_are_one_thing_each, runs_count_their_slots, runs_with_slots_back_are_listed,
    slots_wait_where_they_are_looked_for, runs_are_counted)


def blocks_alone(heap: Heap, runs: Runs) -> Heap:
    """The heap without what runs have: one of which the invariants of every heap hold."""
    given = runs.start, runs.start + run_layout.RESERVED * (runs.base != 0)
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
    mine, ledger = [run for run in runs.runs if run.owner == arena.index], arena.ledger
    left = [run_layout.RUN_BYTES // run.size - run.out for run in mine]
    return arena._replace(remote=_blocks_of(arena.remote, runs), ledger=ledger._replace(
        held=ledger.held - len(mine) * run_layout.RUN_BYTES,
        used_bytes=ledger.used_bytes - sum(run.size * run.out for run in mine),
        used_blocks=ledger.used_blocks - sum(run.out for run in mine),
        free_bytes=ledger.free_bytes - sum(run.size * free for run, free in zip(mine, left, strict=True)),
        free_blocks=ledger.free_blocks - sum(left)))


class SpansLockstep(Lockstep):
    """As `Lockstep`, of a heap that has spans."""

    def __init__(self, m: Any, source: Any = SHIPPED, look_every: int = 1, key: int = KEY) -> None:
        super().__init__(m, source, look_every, key)
        self._runs = Runs()
        self._reserved = 0                      # how often the system was asked for a reservation, in this heap's life

    def checks(self) -> dict[str, int]:
        """How often each check was evaluated."""
        held = (*(name for name in AT_EACH_LOOK if name not in (IN_BINS_OF_SLOTS, "live_block_is_cached")), "verify",
                *(check.__name__ for check in SPANS_ALWAYS))
        return {**dict.fromkeys(("specification", "contents"), self.steps), **dict.fromkeys(held, self._looks)}

    def take(self, step: Step) -> list[Problem]:
        """See `Lockstep.take`; a caller that writes where it may not ends the run."""
        if step.verb in WRITING:
            self.misused = misuse.UNNOTICED
            return []
        self.m.calls.clear()                    # a misuse would leave those of the step before
        problems = super().take(step)
        self._reserved += sum(call.name == "mmap" and call.arguments == (run_layout.RESERVED,) for call in self.m.calls)
        if self._reserved > 1:
            problems.append(Problem("memory_is_reserved_once", f"the system was asked {self._reserved} times"))
        return problems

    def _predict(self, step: Step, pointer: int, answer: Answer) -> list[Problem]:
        return []

    def _misuse(self, step: Step, pointer: int) -> list[Problem]:
        """A slot that waits, or that its run has back, is told, and what begins none; of others' words none is held."""
        may_fit = step.verb in STATING and pointer in self.live         # what is stated wrong may be of the same class
        must = self._runs.holds(pointer) and not may_fit and not self._is_fresh(pointer)
        self.misused = self._outcome(step, pointer)
        if self.misused == misuse.UNNOTICED and must:
            return [Problem("misuse_unnoticed", f"{step.verb} of no used slot is unnoticed")]
        return []

    def _is_fresh(self, pointer: int) -> bool:
        """Whether a slot begins there that was never handed out: a bin with room takes it unseen."""
        return any(pointer >= run.fresh and (pointer - run.first) % run.size == 0
                   for run in self._runs.runs if 0 <= pointer - run.start < run_layout.RUN_BYTES)

    def _after_finalize(self) -> list[Problem]:
        """All mappings went back, unless the system refused one; where a foreigner moved the break, who knows."""
        kept = [extent for extent in joined(self.m.system()) if extent[0] >= MAPPINGS]
        if kept and not any(call.answer == REFUSED for call in self.m.calls):
            return [Problem("memory_not_returned", f"finalize left {sum(e - s for s, e in kept)} bytes unreturned")]
        self.m.disown()
        self._reserved = 0
        return []

    def _look(self, *, is_asked: bool = False) -> list[Problem]:
        self._looked_at = self.steps
        self._looks += 1
        before = self._runs
        try:
            heap, self._runs = decode(self.m), decode_runs(self.m)
        except Undecodable as error:
            return [Problem("undecodable_heap", str(error))]
        live = frozenset(held.pointer for held in self.live if self._runs.holds(held.pointer))
        seen = Spanned(heap, self._runs, live)
        self._see(before, seen)
        return [*(Problem(check.__name__, message) for check in SPANS_ALWAYS for message in check(seen)),
                *(found for found in violations(blocks_alone(heap, self._runs)) if found.code != IN_BINS_OF_SLOTS),
                *(self._verified() if is_asked or self._looks % VERIFIED_EVERY == 0 else [])]

    def _see(self, before: Runs, seen: Spanned) -> None:
        waits = seen.waiting()
        events = {"a_run_was_cut": len(seen.runs.runs) > len(before.runs),
                  "a_run_got_slots_back": any(run.back for run in seen.runs.runs),
                  "a_run_went_to_the_pool": len(seen.runs.pool) > len(before.pool),
                  "a_run_of_the_pool_was_cut_again": len(seen.runs.pool) < len(before.pool),
                  "a_slot_waited": bool(waits),
                  "a_slot_was_sent_to_its_owner": any(self._runs.holds(payload) for arena in seen.heap.arenas
                                                      for payload in arena.remote.payloads),
                  "a_block_served_as_a_slot": len(waits) < len(waiting(seen.heap)),
                  "no_memory_was_reserved": not seen.runs.base and bool(seen.heap.caches)}
        self.witnesses.update(name for name, holds in events.items() if holds)

    def _verified(self) -> list[Problem]:
        self.m.refuel(FUEL * 4)
        try:
            self.source.verify.verify(self.m)
        except FAILURES as error:
            return [problem_of("verifying", error)]
        return []
