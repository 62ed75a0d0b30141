"""Broken promises: what threads saw that no sequential order explains, and heaps left broken.

Linearizability: Herlihy and Wing, TOPLAS 12(3), 1990. A call takes effect between its first and its
last access; a correct order keeps calls that did not overlap in the order in which they ran.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

from heapster.checkers.lockstep.decode import decode
from heapster.checkers.lockstep.decode_hardened import decode_hardened
from heapster.checkers.lockstep.undecodable import Undecodable
from heapster.impl.layout import HARDENED, MIN_BLOCK, PAYLOAD
from heapster.machine.simulated import Simulated
from heapster.machine.traced import Broken
from heapster.model.hardened import hardened_violations, used_addresses
from heapster.model.heap import Heap, waiting
from heapster.model.invariants import violations
from heapster.model.live import Held, Live
from heapster.model.operations import RELEASING, REQUESTS
from heapster.model.problem import Problem
from heapster.model.run_invariants import spans_violations
from heapster.model.spec import OURS, Operation, Promises, Result, advance, explains
from heapster.wording import counted

MODEST = 1 << 30                    # bytes that the system always has, unless told to refuse



class CallEvent(NamedTuple):
    """A call of a thread, as its caller saw it."""

    thread: int
    start: int                      # switch point of its first access
    end: int                        # and after its last
    operation: Operation
    result: Result


class ReturnedBlock(Protocol):
    """A block in a program's hands."""

    pointer: int
    serial: int

    def words(self) -> dict[int, int]:
        """Addresses of its watched words, and what they must hold."""


def unexplained(events: Sequence[CallEvent], start: Iterable[tuple[int, int]], refused: bool,
                promises: Promises = OURS) -> Problem | None:
    """Why no sequential order explains the events, if none does; `start` is what was live: pointer, request."""
    if not refused:
        for event in events:
            if _is_needless_null(event):
                return Problem("spurious_null", f"{_text(event)} answered NULL, though the system refused nothing")
    live = Live(Held(pointer, request) for pointer, request in start)
    if _runs(live.copy(), sorted(events, key=_likely), promises) is None or _some_order(live, events, promises):
        return None
    reason = _runs(live, sorted(events, key=_likely), promises)
    assert reason is not None
    return reason._replace(message=f"no order of the calls explains what threads saw: {reason.message}")


def _likely(event: CallEvent) -> int:
    """Blocks are given by a call's end, and taken from its start."""
    return event.start if event.operation.verb in RELEASING else event.end


def _is_needless_null(event: CallEvent) -> bool:
    operation, result = event.operation, event.result
    if operation.verb not in REQUESTS or result.pointer != 0:
        return False
    return max(operation.numbers) < MODEST


def _text(event: CallEvent) -> str:
    numbers = ", ".join(str(n) for n in event.operation.numbers)
    return f"{event.operation.verb}({numbers}) of thread {event.thread}"


def _runs(live: Live, events: Iterable[CallEvent], promises: Promises) -> Problem | None:
    """Why the events cannot have run in this order."""
    for event in events:
        reason = _wrong_now(live, event, promises)
        if reason is not None:
            return reason
        advance(live, event.operation, event.result, promises)
    return None


def _wrong_now(live: Live, event: CallEvent, promises: Promises) -> Problem | None:
    """Why the event cannot come next; callers pass only blocks that they hold."""
    pointer = event.operation.pointer
    if pointer and pointer not in live:
        return Problem("overlap", f"{_text(event)}: its block is not live by then", pointer)
    reasons = explains(live, event.operation, event.result, promises)
    return reasons[0]._replace(message=f"{_text(event)}: {reasons[0].message}") if reasons else None


def _some_order(live: Live, events: Sequence[CallEvent], promises: Promises) -> bool:
    """Whether some order that keeps real time explains all; each set of events is tried once."""
    events = sorted(events, key=lambda event: event.end)        # calls of one thread keep their order
    everything = (1 << len(events)) - 1
    todo, seen = [(0, live)], {0}
    while todo:
        done, now = todo.pop()
        if done == everything:
            return True
        left = [i for i in range(len(events)) if not done >> i & 1]
        for i in left:
            after = done | 1 << i
            held_up = any(events[e].end <= events[i].start for e in left if e < i)
            if not held_up and after not in seen and _wrong_now(now, events[i], promises) is None:
                seen.add(after)
                then = now.copy()
                advance(then, events[i].operation, events[i].result, promises)
                todo.append((after, then))
    return False


def damaged(rest: Simulated, blocks: Iterable[ReturnedBlock]) -> Problem | None:
    """The first block whose payload is not what its owner wrote."""
    for block in blocks:
        address = rest.first_difference(block.words())
        if address is not None:
            where = f"byte {address - block.pointer} of block {block.serial - 1}"
            return Problem("contents_damaged", f"{where} is not what its owner wrote", address)
    return None


def not_whole(rest: Simulated, blocks: Collection[ReturnedBlock], whole: set[Any], *,
              spans: bool = False) -> Problem | None:
    """Why the heap at rest is not as it must be; heaps that were found to be so are kept in `whole`."""
    kind = IN_SPANS if rest.peek(rest.statics() + HARDENED) else WITH_RUNS if spans else WITH_HEADERS
    try:
        heap = kind.decode(rest)
    except Undecodable as error:
        return Problem("undecodable_heap", f"the heap at rest cannot be read: {error}")
    key = (heap, frozenset(block.pointer for block in blocks))
    if key in whole:
        return None
    live, kept = {block.pointer for block in blocks if block.pointer}, kind.waiting(heap)
    found = kind.violations(heap, live)
    if found:
        return found[0]._replace(message=f"at rest: {found[0].message}")
    if live & kept:
        where = min(live & kept)
        return Problem("live_block_is_cached", f"the block at {where:#x} is live and waits to be used again", where)
    stray = kind.used(heap) ^ (live | kept)
    if stray:
        where = min(stray)
        return Problem("lost_block", f"the block at {where:#x} is used and nobody's, or live and not used", where)
    whole.add(key)
    return None


def used_payloads(heap: Heap) -> set[int]:
    """The payloads of all used blocks, and of slots that are out."""
    blocks = heap.runs.used_slots() if heap.runs else set()
    regions = (region for arena in heap.arenas for region in arena.regions)
    blocks |= {b.address + PAYLOAD for region in regions for b in region.blocks if b.used}
    return blocks | {b.address + PAYLOAD for b in heap.mapped if b.used}


class _HeapKind(NamedTuple):
    """How a heap at rest is read, and what is asked of it."""

    decode: Callable[[Simulated], Any]
    violations: Callable[[Any, set[int]], list[Problem]]        # if these are the payloads that callers have
    used: Callable[[Any], set[int]]             # payloads of blocks that are used as far as arenas can see
    waiting: Callable[[Any], set[int]]          # and of those among them that are freed


WITH_HEADERS = _HeapKind(decode, lambda heap, _: violations(heap), used_payloads, waiting)
WITH_RUNS = _HeapKind(partial(decode, spans=True), spans_violations, used_payloads, waiting)
IN_SPANS = _HeapKind(decode_hardened, lambda heap, _: hardened_violations(heap), used_addresses,
                     lambda _: set())               # bits tell what waits


def expect_sane(figures: Sequence[int]) -> None:
    """Broken if statistics read under way are those of no heap."""
    held, used, used_blocks, free, free_blocks, largest = figures[:6]
    if min(figures) < 0 or used + free > held or largest > free \
            or used_blocks * MIN_BLOCK > used or free_blocks * MIN_BLOCK > free:
        raise Broken("torn_statistics", f"the statistics are those of no heap: {counted(held, 'byte')} held, {used} in "
                                        f"{used_blocks} used and {free} in {counted(free_blocks, 'free block')}")


