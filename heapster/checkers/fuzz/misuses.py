"""Mistakes that callers make, drawn: blocks freed twice, in their middle, or with a size that they have not."""

from collections.abc import Iterator, Sequence
from random import Random

from heapster.checkers.fuzz.pokes import poked
from heapster.checkers.fuzz.workloads import free_stating
from heapster.model.geometry import PAGE, PTRDIFF_MAX
from heapster.model.operation import NO_HANDLE, Step
from heapster.model.operations import RELEASING, Stated
from heapster.model.placement import POLICY_NAMES


def misuse(rng: Random, trace: Sequence[Step], places: Sequence[int] = ()) -> Iterator[Step]:
    """Now and then nothing; else a mistake that callers make, which ends a heap's life. For `places` see `poked`."""
    handles = [step.result for step in trace if step.result != NO_HANDLE]
    freed = [step.operand for step in trace if step.verb in RELEASING and step.operand != NO_HANDLE]
    mistake = rng.randrange(18)
    if mistake == 0 and freed:
        yield Step("free", operand=freed[-1])
    elif mistake == 1 and freed:
        yield Step("realloc", (rng.randint(1, 100),), max(handles) + 1, rng.choice(freed))
    elif mistake == 2 and handles:
        yield Step("free", operand=rng.choice(handles), offset=rng.choice((1, 4, 8, 16, 32, -8, -16)))
    elif mistake in (3, 4) and handles:
        left, middle, right = (max(handles) + i for i in (1, 2, 3))
        for handle in (left, middle, right):
            yield Step("malloc", (rng.choice((0, 40, 1000)),), handle)
        for handle in rng.choice(((left, middle, middle), (right, middle, middle), (middle, middle))):
            yield Step("free", operand=handle)
    elif mistake in (5, 6) and freed:
        yield from freed_again(rng, freed, max(handles) + 1)
    elif mistake >= 10:
        yield from poked(rng, max(handles, default=-1) + 1, places)
    elif mistake in (7, 8):
        yield from misstated(rng, max(handles, default=-1) + 1)


def misstated(rng: Random, handle: int) -> Iterator[Step]:
    """A block is freed with a size, or an alignment, that it was not asked for with; by a little, or by much."""
    size = rng.choice((0, 24, 25, 40, 100, 504, 505, 600, 2000, PAGE, 3 * PAGE, 70_000, 20 * PAGE))
    alignment = rng.choice((None, None, 8, 64, PAGE, 2 * PAGE))
    yield Step("malloc", (size,), handle) if alignment is None else Step("aligned_alloc", (alignment, size), handle)
    if size and rng.random() < 0.3:
        size, alignment = max(1, size - rng.choice((1, 16, size // 2))), None
        yield Step("realloc", (size,), handle, handle)
    other = size + rng.choice((-1, 1, 7, 8, -16, 16, -24, 32, -40, 64, size // 4, -size // 4, size, PAGE, -PAGE,
                               PTRDIFF_MAX))
    if alignment is not None and rng.random() < 0.5:
        other, alignment = size, rng.choice((0, 3, 16, alignment // 2, 2 * alignment, 1 << 63))
    yield free_stating(handle, Stated(alignment, max(0, other)))


def freed_again(rng: Random, freed: Sequence[int], fresh: int) -> Iterator[Step]:
    """A block is freed again, by whichever thread, perhaps after settings changed or its thread ended."""
    changes = (Step("cache", (0,)), Step("policy", name=rng.choice(POLICY_NAMES)), Step("keep", (0,)),
               Step("thread_end"))
    yield from rng.sample(changes, rng.choice((0, 0, 0, 1, 2)))
    if rng.random() < 0.5:
        yield Step("thread", (rng.randint(0, 5),))
    handle = rng.choice((freed[-1], rng.choice(freed[-10:]), rng.choice(freed)))
    if rng.random() < 0.2:
        yield Step("realloc", (rng.choice((0, 10, 3000)),), fresh, handle)
    else:
        yield Step("free", operand=handle)
