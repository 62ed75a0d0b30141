"""From counterexamples to traces of public calls: what a program must do to meet a broken contract.

A counterexample on a whole heap says how to get there: blocks are allocated in the order in which they lie,
and freed in the reverse order of the list. Of others, the numbers are tried as sizes. Last, programs are
generated, as `heapster fuzz` does. What is found is shrunk and described as any other finding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from heapster.checkers.findings.describe import describe, least_trace
from heapster.checkers.fuzz.campaign import smallest
from heapster.checkers.fuzz.stateful import Record, live_lives
from heapster.checkers.lockstep.run_trace import Make, rerun
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    FENCE_BYTES,
    FIRST_BLOCK,
    MAX_REQUEST,
    MIN_BLOCK,
    PAGE,
    PAYLOAD,
    STATICS,
)
from heapster.checkers.proofs.replay import PathReplay, ReplayWords
from heapster.checkers.targets.opening import make_for
from heapster.checkers.targets.target import Target
from heapster.machine.protocol import REFUSED, SYSTEM_CALLS
from heapster.machine.simulated import MEMORY
from heapster.model.geometry import SIZE_MAX
from heapster.model.heap import Block, Heap
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.placement import POLICY_NAMES
from heapster.results import Finding, HeapsterError

REGION_ENDS = FIRST_BLOCK + FENCE_BYTES + PAYLOAD       # bytes of a region of whole pages that are in no block
MOST_NUMBERS = 8
BATCHES, EXAMPLES = 15, 4       # of generated programs


def seen_by_programs(paths: Sequence[PathReplay], target: Target) -> Finding | None:
    """The finding of a trace of public calls under which the source of `target` fails, or None if none is found."""
    make = make_for(target)
    for trace in programs(paths):
        if codes := rerun(trace, make).codes:
            return _described(least_trace(trace, codes[0], make).trace, codes[0], make, target)
    return _generated(make, target)


def _generated(make: Make, target: Target) -> Finding | None:
    record = Record(make, POLICY_NAMES, 3, faults=True)
    for batch in range(BATCHES):
        live_lives(record, batch, EXAMPLES)
        if record.failure:
            return _described(smallest(record, batch).trace, record.failure[1].code, make, target)
    return None


def _described(trace: Trace, code: str, make: Make, target: Target) -> Finding:
    found = describe(trace, code, make, target)
    return replace(found, details=(*found.details, "a program that meets what the proofs refuted"))


def programs(paths: Sequence[PathReplay]) -> Iterator[Trace]:
    """Traces that may lead to what was replayed: to its heaps first, then with its numbers."""
    for path in paths:
        for m in path.machines:
            if m.reader is not None and path.made:
                yield from _to_heap(path, m)
    yield from _with_numbers(sorted({number for path in paths for number in _numbers(path)}, key=abs)[:MOST_NUMBERS])


# Whole heaps.

def _to_heap(path: PathReplay, m: Any) -> Iterator[Trace]:
    """The heap of a counterexample, and the call that failed on it, under each policy."""
    memory = ReplayWords(m, after=False)
    try:
        heap: Heap = m.reader(memory)
    except HeapsterError:
        return
    held = sum(region.end - region.start for arena in heap.arenas for region in arena.regions)
    if held > MEMORY // 2:
        return
    setting = {name: memory.load(m.statics() + STATICS[name]) for name in ("growth", "threshold")}
    settings = [Step(name, (number,)) for name, number in setting.items() if 0 < number <= MAX_REQUEST]
    blocks = [block for region in reversed(heap.arenas[0].regions) for block in region.blocks]
    handles = {block.address: handle for handle, block in enumerate(blocks)}
    calls = [call for call in (_public(made, handles) for made in path.made) if call]
    for policy in POLICY_NAMES:
        yield (*_built(heap, handles), *settings, Step("policy", name=policy), *_refusals(m), *calls)


def _built(heap: Heap, handles: dict[int, int]) -> Iterator[Step]:
    """Steps after which blocks lie as in the heap, but for one that fills each region up to whole pages."""
    arena = heap.arenas[0]
    yield Step("threshold", (MAX_REQUEST,))
    if arena.index:
        yield from (Step("arenas", (2,)), Step("malloc", (0,), len(handles)), Step("thread", (1,)))
    for number, region in enumerate(reversed(arena.regions)):
        yield from _region(region.blocks, region.kind == "mmap" and not arena.index, handles,
                           filler=len(handles) + 1 + number)
    for address in reversed(arena.forward):
        yield Step("free", operand=handles.get(address, NO_HANDLE))


def _region(blocks: Sequence[Block], mapped: bool, handles: dict[int, int], filler: int) -> Iterator[Step]:
    total = sum(block.size for block in blocks)
    length = total + MIN_BLOCK + REGION_ENDS + PAGE - 1 & -PAGE
    yield Step("growth", (length,))
    yield Step("fail", (1,), name="sbrk") if mapped else Step("foreign_sbrk", (ALIGN,))
    yield Step("malloc", (length - REGION_ENDS - total - PAYLOAD,), filler)
    yield from (Step("malloc", (block.size - PAYLOAD,), handles[block.address]) for block in blocks)


def _public(made: Any, handles: dict[int, int]) -> Step | None:
    """The public call that comes to a call of the source, or None."""
    fresh = 2 * len(handles) + 2        # after the fillers
    function, words = made.name.partition(".")[2], made.words
    if made.name == "api.malloc":
        return Step("malloc", (words[0] & SIZE_MAX,), fresh)
    operand = next((handles[word - shift] for word in words for shift in (0, PAYLOAD) if word - shift in handles), None)
    if operand is None:
        return None
    if function == "free":
        return Step("free", operand=operand)
    if function in ("realloc", "resize", "fit_in_place"):
        request = words[1] if function == "realloc" else words[2] - PAYLOAD
        return Step("realloc", (request & SIZE_MAX,), fresh, operand)
    return None


def _refusals(m: Any) -> Iterator[Step]:
    """The system refuses what it refused in the counterexample."""
    for name in SYSTEM_CALLS:
        calls = [call for call in m.calls if call.name == name]
        yield from (Step("fail", (place,), name=name) for place, call in enumerate(calls, 1) if call.answer == REFUSED)


# Numbers.

def _numbers(path: PathReplay) -> Iterator[int]:
    for made in path.made:
        yield from (word for word in made.words if abs(word) < MEMORY or abs(word) > MAX_REQUEST)


def _with_numbers(numbers: Sequence[int]) -> Iterator[Trace]:
    sizes = [number & SIZE_MAX for number in numbers]
    for n in sizes:
        yield Step("malloc", (n,), 0), Step("free", operand=0)
        yield Step("malloc", (n,), 0), Step("malloc", (n,), 1), Step("free", operand=0), Step("free", operand=1)
    for n, k in product(sizes, sizes):
        yield Step("calloc", (n, k), 0), Step("free", operand=0)
        yield Step("aligned_alloc", (n, k), 0), Step("free", operand=0)
        yield Step("malloc", (n,), 0), Step("realloc", (k,), 1, 0), Step("free", operand=1)
        yield (Step("malloc", (n,), 0), Step("malloc", (0,), 1), Step("free", operand=0), Step("malloc", (k,), 2),
               Step("free", operand=2))
