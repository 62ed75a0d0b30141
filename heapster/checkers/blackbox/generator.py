"""Traces for a stranger: the workloads of our own heap, narrowed to what the stranger has and to a mood.

Each case draws a subset of verbs and sizes (Groce et al., Swarm testing, 2012), so that a fault that
needs little is found in cases that other faults do not reach.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from heapster.checkers.fuzz.workloads import (
    Handles,
    alternating_frees,
    churn,
    fill_and_empty,
    free,
    free_all,
    holes_then_refill,
    impossible,
    nudges,
    realloc_ladder,
    small_blocks,
)
from heapster.model.geometry import SIZE_MAX
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import (
    ALIGNING,
    ASKING,
    OPERATIONS,
    PAGE_ALIGNING,
    PRODUCTS,
    RELEASING,
    REQUESTS,
    STATING,
    alignment_asked,
    in_order,
    requested,
)

BUCKETS = (16, 128, 1024, 8192, 131072, 1 << 25)        # bytes: the most of each class of sizes
BUCKET_NAMES = ("tiny", "small", "medium", "page", "large", "giant")
LENGTHS = (6, 12, 30, 80, 200)
HUGE = 1 << 31
TOO_MUCH = 1 << 47              # bytes that no machine has
PLAIN = frozenset({"malloc", "free"})


class Mood(NamedTuple):
    """What a case may do."""

    verbs: frozenset[str]
    buckets: tuple[int, ...]        # indices into BUCKETS
    zero: bool
    huge: bool
    refusals: bool
    length: int
    strangers: bool = False         # others take memory from the system as well
    least: int = 1                  # bytes of an ordinary request
    most: int = BUCKETS[-1]

    def without(self, need: str) -> "Mood":
        """The mood without a function, without sizes that are no sizes, or without refusals of the system."""
        return self._replace(verbs=self.verbs - {need}, zero=self.zero and need != "zero",
                             huge=self.huge and need != "huge", refusals=self.refusals and need != "fail",
                             strangers=self.strangers and need != "foreign_sbrk")

    @property
    def tags(self) -> frozenset[str]:
        """What a case of this mood may have in it."""
        extra = {name for name, has in (("zero", self.zero), ("huge", self.huge), ("fail", self.refusals),
                                   ("foreign_sbrk", self.strangers)) if has}
        return frozenset(self.verbs | {BUCKET_NAMES[bucket] for bucket in self.buckets} | extra)


def tags(trace: Trace) -> frozenset[str]:
    """What a trace has in it, in the words of moods."""
    found: set[str] = set()
    for step in trace:
        found.add(step.verb)
        if step.verb in REQUESTS:
            found.add(_size_tag(step))
    return frozenset(found)


def _size_tag(step: Step) -> str:
    size = requested(step)
    if size == 0:
        return "zero"
    return next((name for most, name in zip(BUCKETS, BUCKET_NAMES, strict=True) if size <= most), "huge")


def narrowed(number: int) -> int:
    """The number for a target of 32 bits: what is near an edge of 64 bits comes near the edge of 32."""
    if number < 1 << 32:
        return number
    for edge in (64, 63):
        if abs(number - (1 << edge)) < 1 << 16:
            return (1 << edge - 32) + number - (1 << edge)
    return number % (1 << 32) | 1 << 31


def draw_mood(rng: Random, verbs: frozenset[str], most_size: int) -> Mood:
    """A subset of what is possible, at times all of it."""
    some = rng.random() < 0.7
    chosen = frozenset(verb for verb in sorted(verbs - PLAIN - {"init", "check"}) if not some or rng.random() < 0.4)
    usable = [n for n, most in enumerate(BUCKETS) if n == 0 or BUCKETS[n - 1] < most_size]
    buckets = tuple(n for n in usable if rng.random() < (0.7 if n < 4 else 0.25)) or (rng.choice(usable),)
    return Mood(chosen | PLAIN, buckets, rng.random() < 0.3, rng.random() < 0.25, rng.random() < 0.08,
                rng.choice(LENGTHS), rng.random() < 0.1, most=most_size)


def draw_trace(rng: Random, mood: Mood, live_budget: int) -> Trace:
    """A trace of that mood; all of it is legal whatever the target answers."""
    live, budget = Handles(), _Budget(live_budget)
    steps: list[Step] = []
    workloads = [workload for workload in WORKLOADS if mood.huge or workload not in HUGE_ONES]
    while len(steps) < mood.length:
        for drawn in rng.choice(workloads)(rng, live):
            step = _narrowed(drawn, rng, mood, live)
            if step is not None and budget.allows(step, live):
                _note(step, live)
                steps.append(step)
    for _ in range(rng.randint(1, 3) if mood.strangers else 0):
        taken = Step("foreign_sbrk", (rng.choice((16, 4096, 65536, -1)),))
        steps.insert(rng.randrange(len(steps)), taken)
    if mood.refusals:
        steps.insert(rng.randrange(len(steps)), Step("fail", (1,), name="mmap"))
    return tuple(steps)


class _Budget:
    """Bytes that may live at once."""

    def __init__(self, most: int) -> None:
        self._most = most

    def allows(self, step: Step, live: Handles) -> bool:
        """Whether the step may be taken as well."""
        if step.verb not in REQUESTS:
            return True
        size = requested(step)
        return size >= HUGE or sum(live.sizes.values()) + size <= self._most


def _narrowed(step: Step, rng: Random, mood: Mood, live: Handles) -> Step | None:
    """The step as the mood has it, or None."""
    if step.operand != NO_HANDLE and step.operand not in live.sizes:
        return None
    if step.verb in STATING - mood.verbs:
        return Step(OPERATIONS[step.verb].instead, operand=step.operand)
    if step.verb in RELEASING | ASKING:
        return step if step.verb in mood.verbs else None
    if step.verb not in REQUESTS:
        return None
    if step.verb not in mood.verbs:
        if step.operand != NO_HANDLE:
            return None
        step = Step("malloc", (step.numbers[-1],), step.result)
    return _resized(step, rng, mood)


def _resized(step: Step, rng: Random, mood: Mood) -> Step | None:
    size = requested(step)
    if size >= HUGE:
        affordable = step.verb != "calloc" or size > TOO_MUCH       # or it would be zeroed
        return step if mood.huge and affordable else None
    if size == 0:
        if mood.zero:
            return step
        size = 1
    size = max(mood.least, min(_into_bucket(size, rng, mood), mood.most))
    if step.verb in PRODUCTS:
        count = step.numbers[0] if 0 < step.numbers[0] <= size else 1
        return step._replace(numbers=(count, max(1, size // count)))
    return step._replace(numbers=(*step.numbers[:-1], size))


def _into_bucket(size: int, rng: Random, mood: Mood) -> int:
    bucket = next(n for n, most in enumerate(BUCKETS) if size <= most or n == len(BUCKETS) - 1)
    if bucket in mood.buckets:
        return size
    bucket = rng.choice(mood.buckets)
    least = BUCKETS[bucket - 1] + 1 if bucket else 1
    most = min(BUCKETS[bucket], 8 * least) if bucket > 3 else BUCKETS[bucket]
    return rng.choice((rng.randint(least, most), most, most - rng.randint(0, 8), least))


def _note(step: Step, live: Handles) -> None:
    """Let the handles be what they will be if all that can be had is given."""
    if step.verb in ASKING or requested(step) >= HUGE:
        return
    live.sizes.pop(step.operand, None)
    if step.result != NO_HANDLE:
        live.sizes[step.result] = requested(step)
        live.aligned[step.result] = alignment_asked(step)
        if step.verb in ALIGNING | PAGE_ALIGNING and step.verb != "aligned_alloc":
            live.unstated.add(step.result)      # C23 knows no more than aligned_alloc


Workload = Callable[[Random, Handles], Iterator[Step]]


def reused_zeroes(rng: Random, live: Handles) -> Iterator[Step]:
    """calloc of what was written and freed before."""
    sizes = [rng.choice((8, 24, 40, 100, 500, 2000, 5000)) for _ in range(rng.randint(1, 4))]
    handles = [live.fresh() for _ in sizes]
    for handle, size in zip(handles, sizes, strict=True):
        yield Step("malloc", (size,), handle)
    for handle in rng.sample(handles, len(handles)):
        yield free(_kept(live, handle), handle) if handle in live.sizes else Step("free")
    for size in sizes:
        yield Step("calloc", rng.choice(((1, size), (size, 1), (size // 4, 4))), live.fresh())


def _kept(live: Handles, handle: int) -> Handles:
    """The same handles in a copy, so that a step may be dropped later on."""
    copy = Handles()
    copy.sizes = {handle: live.sizes[handle]}
    return copy


def size_sweep(rng: Random, live: Handles) -> Iterator[Step]:
    """Every size of a range, once."""
    start, step = rng.choice(((1, 1), (8, 8), (16, 16), (100, 1), (1000, 8), (4080, 1))), rng.randint(5, 24)
    for n in range(step):
        yield Step("malloc", (start[0] + n * start[1],), live.fresh())


def tiers(rng: Random, live: Handles) -> Iterator[Step]:
    """Sizes about the limits of ints, of pointer differences and of size_t; then something ordinary."""
    edges = (1 << 31, 1 << 32, 1 << 33, (1 << 63) - 1, 1 << 63, SIZE_MAX, SIZE_MAX - 64, 1 << 46, 1 << 62)
    for _ in range(rng.randint(1, 4)):
        size = min(SIZE_MAX, max(HUGE, rng.choice(edges) + rng.randint(-40, 40)))
        verb = rng.choice(("malloc", "malloc", "realloc", "calloc", "aligned_alloc"))
        numbers = {"calloc": (1, size), "aligned_alloc": (16, size)}.get(verb, (size,))
        yield Step(verb, numbers, live.fresh(), live.pick(rng) if verb == "realloc" else NO_HANDLE)
        yield Step("malloc", (rng.choice((1, 24, 100, 1000)),), live.fresh())


def odd_alignments(rng: Random, live: Handles) -> Iterator[Step]:
    """Alignments that are legal, and some that are not."""
    for _ in range(rng.randint(1, 6)):
        verb = rng.choice(in_order(ALIGNING))
        legal = 1 << rng.randint(3, 13)
        alignment = rng.choice((legal, legal, legal, 0, 1, 2, 3, 4, 6, 12, 24, 48, 100, 4095, 1 << 62, (1 << 63) + 1))
        yield Step(verb, (alignment, rng.choice((1, 8, 24, 100, 1000, legal))), live.fresh())


def asked_again(rng: Random, live: Handles) -> Iterator[Step]:
    """How much is usable of blocks, before and after their neighbours come and go."""
    sizes = [rng.choice((1, 8, 24, 40, 100, 500, 5000)) for _ in range(rng.randint(2, 5))]
    handles = [live.fresh() for _ in sizes]
    for handle, size in zip(handles, sizes, strict=True):
        yield Step("malloc", (size,), handle)
    for handle in rng.choices([*handles, NO_HANDLE], k=2):
        yield Step("usable_size", operand=handle)
    asked, freed = rng.sample(handles, 2)
    yield Step("usable_size", operand=asked)
    if freed in live.sizes:
        yield Step("free", operand=freed)
    for _ in range(2):
        yield Step("usable_size", operand=asked)
        yield Step("malloc", (rng.choice(sizes),), live.fresh())


def to_the_brim(rng: Random, live: Handles) -> Iterator[Step]:
    """Large blocks until no more are given, all freed, and again."""
    for _ in range(2):
        mine = [live.fresh() for _ in range(rng.randint(3, 12))]
        for handle in mine:
            yield Step("malloc", (rng.choice((3000, 20000, 100_000)),), handle)
        for handle in mine:
            if handle in live.sizes:
                yield Step("free", operand=handle)


def aligned_sizes(rng: Random, live: Handles) -> Iterator[Step]:
    """Aligned blocks whose sizes lie between multiples of their alignment, beside small ones; some are freed."""
    verb = rng.choice(in_order(ALIGNING))
    alignment = 1 << rng.randint(5, 12)
    for _ in range(rng.randint(4, 20)):
        size = alignment * rng.randint(1, 3) + rng.choice((-1, 0, 1, 8, alignment // 4, alignment // 2))
        yield Step(verb, (alignment, size), live.fresh())
        if rng.random() < 0.3:
            yield Step("malloc", (rng.choice((1, 24, 40)),), live.fresh())
        if live.sizes and rng.random() < 0.3:
            yield Step("free", operand=live.pick(rng))


def edge(rng: Random) -> int:
    """A size about where a header, a rounding or a class takes the next one."""
    multiple = rng.choice((8, 16, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096))
    return max(1, multiple * rng.randint(1, 8) + rng.choice((-32, -16, -9, -8, -7, -1, 0, 1)))


def many_of_one(rng: Random, live: Handles) -> Iterator[Step]:
    """Many blocks of one size; some freed in order, backwards, or every other; then as many again, or larger ones."""
    size, handles = edge(rng), [live.fresh() for _ in range(rng.choice((8, 20, 50, 120)))]
    for handle in handles:
        yield Step("malloc", (size,), handle)
    freed = rng.choice((handles, handles[::-1], handles[::2], handles[1::2], handles[::3], handles[len(handles) // 2:]))
    for handle in freed:
        if handle in live.sizes:
            yield Step("free", operand=handle)
    larger = rng.choice((size, size, size + 16, 2 * size + 8))
    for _ in freed:
        yield Step("malloc", (larger,), live.fresh())


def down_and_up(rng: Random, live: Handles) -> Iterator[Step]:
    """Blocks made smaller across thresholds, with others put into what that leaves, and larger again."""
    handles = [live.fresh() for _ in range(rng.randint(1, 4))]
    for handle in handles:
        yield Step("malloc", (edge(rng),), handle)
    for handle in handles:
        if handle in live.sizes:
            size, smaller = live.sizes[handle], live.fresh()
            less = max(1, rng.choice((rng.randint(1, 16), size // 5, size // 2, size - rng.choice((16, 24, 32, 64)))))
            yield Step("realloc", (less,), smaller, handle)
            yield Step("malloc", (rng.choice((1, 8, 24, max(1, size - less - 16))),), live.fresh())
            if smaller in live.sizes and rng.random() < 0.7:
                yield Step("realloc", (size + rng.choice((-16, 0, 8, 16, 100)),), live.fresh(), smaller)


def ever_larger(rng: Random, live: Handles) -> Iterator[Step]:
    """A long run of sizes that only grow, or only shrink, freed as a stack or as a queue."""
    first, step = edge(rng), rng.choice((0, 1, 8, 16, 24, 100))
    sizes = [first + n * step for n in range(rng.choice((10, 40, 100)))]
    handles = [live.fresh() for _ in sizes]
    for handle, size in zip(handles, rng.choice((sizes, sizes[::-1])), strict=True):
        yield Step("malloc", (size,), handle)
    for handle in rng.choice((handles, handles[::-1], ())):
        if handle in live.sizes:
            yield Step("free", operand=handle)


WORKLOADS: tuple[Workload, ...] = (
    churn, churn, small_blocks, alternating_frees, holes_then_refill, holes_then_refill, free_all, fill_and_empty,
    realloc_ladder, realloc_ladder, nudges, nudges, impossible, reused_zeroes, reused_zeroes, size_sweep, tiers,
    to_the_brim, odd_alignments, asked_again, aligned_sizes, many_of_one, many_of_one, down_and_up, down_and_up,
    ever_larger)
HUGE_ONES = (impossible, tiers)
