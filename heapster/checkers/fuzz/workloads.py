"""Runs of steps that uniform choice does not reach: what programs do, and what allocators get wrong.

A workload is a function of a seeded generator and of the live handles; it yields steps. Each is a
known pattern of real programs or a known way for a heap to go wrong.
"""

from collections.abc import Callable, Iterator
from random import Random

from heapster.model.geometry import ALIGN, HEADER, MAX_REQUEST, PAGE, PROBES, PTRDIFF_MAX, SIZE_MAX
from heapster.model.operation import NO_HANDLE, Step
from heapster.model.operations import (
    ALIGNING,
    CALLS,
    ON_BLOCKS,
    OPERATIONS,
    PRODUCTS,
    Stated,
    in_order,
    release_stating,
)
from heapster.model.system import USUAL_CALL_NAMES

ALIGNMENTS = (16, 32, 64, 128, 256, 1024, PAGE, 2 * PAGE)
WRONG_ALIGNMENTS = (0, 3, 4, 24, 1 << 62, 1 << 63)     # for posix_memalign; some are powers of two
BOUNDARIES = (0, HEADER, ALIGN, 24, 40, 56, 72, 120, 248, 504, 1000, 2040, PAGE - 64, PAGE, PAGE + 64)
WIDE_CLASSES = ((512, 64), (960, 64), (1024, 128), (1920, 128))     # their least sizes, and how wide they are
STATED_EVERY = 3                # handles, of which one is freed with what it was asked for
COUNTS = (1, 2, 3, 8)
RARE = tuple(verb for verb in CALLS if verb not in ON_BLOCKS | ALIGNING | {"malloc", "calloc"})
MOST_LIVE = 64                  # blocks; more make a heap slower to check, not richer
HUGE = (PTRDIFF_MAX, SIZE_MAX, MAX_REQUEST, 1 << 32, 1 << 47)


class Handles:
    """The handles that a walk may use: those it believes to be blocks."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}         # handle: requested bytes
        self.aligned: dict[int, int | None] = {}        # of handles that were blocks: the alignment asked for, if any
        self.unstated: set[int] = set()         # those that only `free` may free
        self.threshold = PAGE
        self.policies: tuple[str, ...] = ()     # that may be in force
        self.most = MOST_LIVE                   # live blocks, before some are freed
        self._next = 0

    def fresh(self) -> int:
        """A handle that no step has defined."""
        self._next += 1
        return self._next - 1

    def pick(self, rng: Random) -> int:
        """A live handle; NO_HANDLE if there is none."""
        return rng.choice(list(self.sizes)) if self.sizes else NO_HANDLE


Workload = Callable[[Random, Handles], Iterator[Step]]


def near(rng: Random, size: int) -> int:
    """A size at most 16 bytes off."""
    return max(0, size + rng.randint(-16, 16))


def any_size(rng: Random, live: Handles) -> int:
    """Mostly small sizes, boundaries often, the threshold sometimes, the impossible rarely."""
    kind = rng.random()
    if kind < 0.45:
        return rng.randint(0, 128)
    if kind < 0.70:
        return near(rng, rng.choice(BOUNDARIES))
    if kind < 0.88:
        return rng.randint(0, 1500)
    if kind < 0.985:
        return near(rng, rng.choice((live.threshold, PAGE, 2 * PAGE, 3 * PAGE)))
    return min(SIZE_MAX, max(0, rng.choice(HUGE) + rng.randint(-8, 8)))


def allocate(rng: Random, live: Handles, size: int) -> Step:
    """A step that allocates `size` bytes, mostly by malloc."""
    h = live.fresh()
    kind = rng.random()
    if kind < 0.70:
        return Step("malloc", (size,), h)
    if kind < 0.80:
        count = rng.choice(COUNTS)
        return Step("calloc", (count, size // count), h)
    if kind < 0.83:
        return Step("realloc", (size,), h, NO_HANDLE)
    if kind < 0.97:
        verb = rng.choice(in_order(ALIGNING))
        return Step(verb, (rng.choice(ALIGNMENTS), size), h)
    verb = rng.choice(RARE)
    count = rng.choice(COUNTS) if verb in PRODUCTS else 1
    return Step(verb, (count, size // count)[-len(OPERATIONS[verb].numbers):], h)


def free(live: Handles, handle: int) -> Step:
    """The step that frees a handle, which is no longer live; of some it says what they were asked for with."""
    size = live.sizes.pop(handle, None)
    if size is None or handle % STATED_EVERY or handle in live.unstated:
        return Step("free", operand=handle)
    return free_stating(handle, Stated(live.aligned.get(handle), size))


def free_stating(handle: int, block: Stated) -> Step:
    """The step that frees a block, and says this of it."""
    return Step(*release_stating(block), operand=handle)


def churn(rng: Random, live: Handles) -> Iterator[Step]:
    """Allocate and free in any order, about as many of each."""
    for _ in range(rng.randint(4, 40)):
        if live.sizes and rng.random() < 0.25 + len(live.sizes) / 96:
            yield free(live, live.pick(rng))
        else:
            yield allocate(rng, live, any_size(rng, live))


def small_blocks(rng: Random, live: Handles) -> Iterator[Step]:
    """A long run of small live blocks."""
    size = rng.choice((1, 8, 24, 40, 100, 120))
    for _ in range(rng.randint(10, 40)):
        yield Step("malloc", (near(rng, size),), live.fresh())


def alternating_frees(rng: Random, live: Handles) -> Iterator[Step]:
    """Free every other block, then the rest: no neighbour free, then both."""
    handles = sorted(live.sizes)
    for handle in handles[rng.randrange(2)::2]:
        yield free(live, handle)
    if rng.random() < 0.5:
        for handle in sorted(live.sizes):
            yield free(live, handle)


def holes_then_refill(rng: Random, live: Handles) -> Iterator[Step]:
    """Blocks of growing or shrinking sizes, freed between separators, then asked for again."""
    sizes = [32 * rng.randint(1, 12) for _ in range(rng.randint(2, 6))]
    holes = []
    for size in sizes:
        holes.append(live.fresh())
        yield Step("malloc", (size,), holes[-1])
        yield Step("malloc", (rng.choice((1, 24, 40)),), live.fresh())
    rng.shuffle(holes)
    for hole in holes:
        if hole in live.sizes:
            yield free(live, hole)
    for size in rng.sample(sizes, len(sizes)):
        yield Step("malloc", (max(0, size - rng.choice((0, 0, 8, 16, 24, 40, 64))),), live.fresh())


def holes_of_one_class(rng: Random, live: Handles) -> Iterator[Step]:
    """Holes of one class of sizes between live blocks, as many as are probed or more; then requests near its top."""
    if rng.random() < 0.5:
        yield Step("finalize")
    yield Step("cache", (0,))
    least, width = rng.choice(WIDE_CLASSES)
    small, large = least - HEADER, least - HEADER + width - ALIGN
    holes = []
    for size in (large, *[small] * rng.choice((1, PROBES - 1, PROBES, PROBES + 1)), large):
        holes.append(live.fresh())
        yield allocate_as(holes[-1], size)
        yield allocate_as(live.fresh(), 24)
    if rng.random() < 0.3:
        rng.shuffle(holes)
    for hole in holes[:-1]:
        if hole in live.sizes:
            yield free(live, hole)
    yield allocate_as(live.fresh(), large - rng.choice((0, 0, ALIGN)))


def free_all(rng: Random, live: Handles) -> Iterator[Step]:
    """Free all, in address order, backwards or in any; or give all back at once."""
    if rng.random() < 0.2:
        yield Step("finalize")
        return
    handles = sorted(live.sizes)
    order = rng.randrange(3)
    if order == 1:
        handles.reverse()
    elif order == 2:
        rng.shuffle(handles)
    for handle in handles:
        yield free(live, handle)


def fill_and_empty(rng: Random, live: Handles) -> Iterator[Step]:
    """Allocate to past the growth of an arena, free it all, and again."""
    for _ in range(2):
        mine = []
        for _ in range(rng.randint(3, 9)):
            mine.append(live.fresh())
            yield Step("malloc", (rng.randint(500, 3000),), mine[-1])
        for handle in rng.sample(mine, len(mine)):
            if handle in live.sizes:
                yield free(live, handle)


def realloc_ladder(rng: Random, live: Handles) -> Iterator[Step]:
    """Grow one block step by step, past everything, and shrink it again."""
    if not live.sizes:
        yield Step("malloc", (rng.randint(1, 200),), live.fresh())
    handle = live.pick(rng)
    size = live.sizes.get(handle, 1)
    factor = rng.choice((1, 1, 2, 3))
    rungs = [size]
    for _ in range(rng.randint(2, 8)):
        rungs.append(min(3 * PAGE, rungs[-1] * factor + rng.choice((1, 8, 16, 100, 600))))
    rungs += [max(1, rungs[-1] // divisor) for divisor in (2, 4, 9)[:rng.randint(0, 3)]]
    for rung in rungs[1:]:
        if handle in live.sizes:
            resized = live.fresh()
            yield Step("realloc", (rung,), resized, handle)
            handle = resized


def large_blocks(rng: Random, live: Handles) -> Iterator[Step]:
    """Blocks around the threshold, aligned or not, resized around page boundaries."""
    for _ in range(rng.randint(1, 3)):
        handle = live.fresh()
        size = near(rng, live.threshold + rng.choice((0, 0, PAGE, 2 * PAGE - 48)))
        if rng.random() < 0.5:
            yield Step("malloc", (size,), handle)
        else:
            yield Step("aligned_alloc", (rng.choice(ALIGNMENTS), size), handle)
        for _ in range(rng.randint(0, 3)):
            if handle in live.sizes:
                resized = live.fresh()
                size = PAGE * rng.randint(0, 4) + rng.choice((-48, -8, 0, 8, 100)) + rng.randint(-9, 9)
                yield Step("realloc", (max(1, size),), resized, handle)
                handle = resized
        if handle in live.sizes and rng.random() < 0.6:
            yield free(live, handle)


def through_kept_mappings(rng: Random, live: Handles) -> Iterator[Step]:
    """Large blocks take each other's place: pages that one leaves are cut, joined and used again."""
    yield Step("keep", (rng.choice((2 * PAGE, 8 * PAGE, 1 << 20, 1 << 20)),))
    mine: list[int] = []
    for _ in range(rng.randint(4, 16)):
        mine = [handle for handle in mine if handle in live.sizes]
        kind = rng.random()
        size = max(1, live.threshold + PAGE * rng.choice((0, 0, 1, 2, 3, 5, 8)) + rng.choice((-48, 0, 100)))
        if mine and kind < 0.4:
            yield free(live, mine.pop(rng.randrange(len(mine))))
        elif mine and kind < 0.6:
            resized = live.fresh()
            yield Step("realloc", (size,), resized, mine.pop(rng.randrange(len(mine))))
            mine.append(resized)
        else:
            mine.append(live.fresh())
            yield Step("calloc", (1, size), mine[-1]) if kind > 0.8 else allocate_as(mine[-1], size)
    if rng.random() < 0.2:
        yield Step("keep", (rng.choice((0, PAGE)),))


def many_large_blocks(rng: Random, live: Handles) -> Iterator[Step]:
    """More are freed than can be kept; or one is, over and over."""
    yield Step("keep", (1 << 20,))
    size = max(1, live.threshold + rng.choice((-48, 0, PAGE)))
    idle, busy = live.fresh(), live.fresh()
    yield allocate_as(idle, size + 5 * PAGE)
    yield allocate_as(busy, size)
    yield from (free(live, handle) for handle in (idle, busy) if handle in live.sizes)
    if rng.random() < 0.5:
        mine = [live.fresh() for _ in range(rng.randint(17, 24))]
        yield from (allocate_as(handle, size) for handle in mine)
        yield from (free(live, handle) for handle in mine if handle in live.sizes)
    else:
        for _ in range(280 if rng.random() < 0.1 else rng.randint(20, 60)):
            handle = live.fresh()
            yield allocate_as(handle, size)
            yield free(live, handle)


def trimmed(rng: Random, live: Handles) -> Iterator[Step]:
    """Blocks of whole pages among others, some of them freed; then what is idle goes back, and all goes on."""
    yield Step("threshold", (live.threshold,)) if rng.random() < 0.5 else Step("threshold", (1 << 20,))
    mine = []
    for _ in range(rng.randint(2, 8)):
        mine.append(live.fresh())
        yield allocate_as(mine[-1], rng.choice((24, 3000, 2 * PAGE, 3 * PAGE, 5 * PAGE, 9 * PAGE)))
    for handle in rng.sample(mine, rng.randint(1, len(mine))):
        if handle in live.sizes:
            yield free(live, handle)
    yield Step("trim", (rng.choice((0, 0, 1, PAGE, 3 * PAGE, PTRDIFF_MAX, SIZE_MAX)),))
    yield Step("calloc", (1, rng.choice((24, 2 * PAGE, 4 * PAGE))), live.fresh())
    if rng.random() < 0.2:
        yield from idle_pages(rng, live)
    yield Step("threshold", (live.threshold,))


def idle_pages(rng: Random, live: Handles) -> Iterator[Step]:
    """Many pages between live blocks are used and freed; then one block, over and over, for epochs of the arena."""
    yield Step("threshold", (1 << 20,))
    for _ in range(rng.choice((1, 1, 2))):
        mine = [live.fresh() for _ in range(rng.choice((2, 12, 12)))]
        for handle in mine:
            yield allocate_as(handle, 60_000)
            yield allocate_as(live.fresh(), 24)
        yield from (free(live, handle) for handle in mine if handle in live.sizes)
        for _ in range(rng.choice((40, 75))):
            handle = live.fresh()
            yield allocate_as(handle, 61 * PAGE)
            yield free(live, handle)


def nudges(rng: Random, live: Handles) -> Iterator[Step]:
    """Resize live blocks by -16 to +16 bytes, to the same size, to anything, or to nothing."""
    for _ in range(rng.randint(1, 8)):
        handle = live.pick(rng)
        if handle == NO_HANDLE:
            return
        size = live.sizes[handle]
        size = rng.choice((near(rng, size), size, any_size(rng, live), size // 2, 2 * size, 0))
        if rng.random() < 0.15:
            yield Step("reallocarray", (2, size // 2), live.fresh(), handle)
        else:
            yield Step("realloc", (min(size, SIZE_MAX),), live.fresh(), handle)


def hand_over(rng: Random, live: Handles) -> Iterator[Step]:
    """Blocks of one thread freed and resized by another."""
    first, second = rng.sample(range(4), 2)
    yield Step("thread", (first,))
    mine = []
    for _ in range(rng.randint(2, 8)):
        mine.append(live.fresh())
        yield allocate_as(mine[-1], any_size(rng, live))
    yield Step("thread", (second,))
    yield Step("malloc", (rng.randint(0, 300),), live.fresh())
    for handle in mine:
        if handle in live.sizes and rng.random() < 0.8:
            if rng.random() < 0.2:
                yield Step("realloc", (any_size(rng, live),), live.fresh(), handle)
            else:
                yield free(live, handle)
    yield Step("thread", (rng.choice((0, first)),))


def through_caches(rng: Random, live: Handles) -> Iterator[Step]:
    """Two threads that keep what they free ask for the same few sizes; one of them may end."""
    yield Step("cache", (rng.choice((64, 200, 1024, 1 << 15, 1 << 21)),))
    sizes = [rng.choice((0, 24, 40, 100, 500, 1016, 1017)) for _ in range(2)]
    threads = rng.randint(0, 4), rng.randint(0, 4)
    for _ in range(rng.randint(2, 6)):
        yield Step("thread", (rng.choice(threads),))
        for _ in range(rng.randint(1, 8)):
            if live.sizes and rng.random() < 0.6:
                yield free(live, live.pick(rng))
            else:
                yield allocate_as(live.fresh(), rng.choice(sizes))
    if rng.random() < 0.3:
        yield Step("thread_end")
    if rng.random() < 0.3:
        yield Step("cache", (0,))


def allocate_as(handle: int, size: int) -> Step:
    """malloc(size) as this handle."""
    return Step("malloc", (size,), handle)


def refusals(rng: Random, live: Handles) -> Iterator[Step]:
    """The system says no to what a large request, a large free or a realloc needs; then all goes on."""
    for name in rng.sample(USUAL_CALL_NAMES, rng.randint(1, 3)):
        yield Step("fail", (rng.randint(1, 2),), name=name)
    large = live.fresh()
    yield Step("malloc", (rng.choice((2, 3)) * PAGE + rng.randint(0, 4 * PAGE),), large)
    victim = live.pick(rng)
    if victim != NO_HANDLE and rng.random() < 0.5:
        yield Step("realloc", (rng.randint(1, 5) * PAGE,), live.fresh(), victim)
    if large in live.sizes and rng.random() < 0.7:
        yield free(live, large)
    yield Step("malloc", (rng.randint(0, 2000),), live.fresh())
    yield from fill_and_empty(rng, live)


def refusals_for_ever(rng: Random, live: Handles) -> Iterator[Step]:
    """The system says no to each call of a kind, while many large blocks come and go; then it relents."""
    names = rng.sample(USUAL_CALL_NAMES, rng.randint(1, 3))
    if rng.random() < 0.7 and "munmap" not in names:
        names.append("munmap")
    yield from (Step("fail", (0,), name=name) for name in names)
    for _ in range(rng.randint(1, 3)):
        mine = [live.fresh() for _ in range(rng.randint(2, 22))]
        for handle in mine:
            yield allocate_as(handle, live.threshold + PAGE * rng.choice((0, 1, 1, 4)))
        yield from (free(live, handle) for handle in rng.sample(mine, len(mine)) if handle in live.sizes)
    if rng.random() < 0.3:
        yield Step("trim", (0,))
    yield from fill_and_empty(rng, live)
    yield from (Step("fail", (1,), name=name) for name in names)
    yield from large_blocks(rng, live)


def foreigners(rng: Random, live: Handles) -> Iterator[Step]:
    """Someone else moves the break, by any amount, while the heap grows and is trimmed."""
    moved = rng.choice((1, 8, 24, 100, PAGE, PAGE + 8))
    yield Step("foreign_sbrk", (moved,))
    yield from fill_and_empty(rng, live)
    if rng.random() < 0.5:
        yield Step("foreign_sbrk", (-moved,))
        yield from fill_and_empty(rng, live)


def impossible(rng: Random, live: Handles) -> Iterator[Step]:
    """Sizes, products and alignments that must be refused; then a call that must not be."""
    huge = min(SIZE_MAX, rng.choice(HUGE) + rng.randint(-2, 2))
    victim = live.pick(rng)
    half = rng.choice((1 << 31, 1 << 32, (1 << 32) + 1, 1 << 33, 1 << 48, 1 << 62, SIZE_MAX // 3))
    steps = (
        Step("malloc", (huge,), live.fresh()),
        Step("calloc", (half, rng.choice((2, half, SIZE_MAX // half, SIZE_MAX // half + 1))), live.fresh()),
        Step("calloc", (rng.choice((0, huge)), 0), live.fresh()),
        Step(rng.choice(("aligned_alloc", "posix_memalign")), (rng.choice(WRONG_ALIGNMENTS), 8), live.fresh()),
        Step("pvalloc", (huge,), live.fresh()),
        Step("realloc", (huge,), live.fresh(), victim),
        Step("reallocarray", (half, SIZE_MAX // half + rng.randint(0, 1)), live.fresh(), victim),
    )
    yield from rng.sample(steps, rng.randint(1, 4))
    yield Step("malloc", (rng.randint(0, 100),), live.fresh())


def settings(rng: Random, live: Handles) -> Iterator[Step]:
    """Thresholds, statistics, arenas, forks, usable sizes."""
    kind = rng.random()
    if kind < 0.3:
        live.threshold = rng.choice((0, PAGE, PAGE + 1, 2 * PAGE, 3 * PAGE))
        yield Step("threshold", (live.threshold,))
    elif kind < 0.5:
        yield Step("stats")
    elif kind < 0.65:
        yield Step("arenas", (rng.choice((0, 1, 2, 3, 64, 65, SIZE_MAX)),))
        yield Step("thread", (rng.randint(0, 5),))
        yield Step("malloc", (rng.randint(0, 100),), live.fresh())
    elif kind < 0.8:
        yield Step("fork")
    else:
        yield Step("usable_size", operand=live.pick(rng))
        yield Step("free", operand=NO_HANDLE)


PLAIN: tuple[Workload, ...] = (
    churn, churn, small_blocks, alternating_frees, holes_then_refill, holes_then_refill,
    holes_of_one_class, free_all, fill_and_empty,
    realloc_ladder, large_blocks, through_kept_mappings, through_kept_mappings, many_large_blocks, trimmed,
    nudges, nudges, hand_over, through_caches, through_caches, foreigners, impossible, settings)
WITH_FAULTS: tuple[Workload, ...] = (*PLAIN, refusals, refusals, refusals_for_ever)
