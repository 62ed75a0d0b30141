"""Runs of steps to the bounds that other workloads stay below: sizes, alignments, numbers of blocks. Drawn rarely."""

from collections.abc import Iterator
from random import Random

from heapster.checkers.fuzz.workloads import Handles, Workload, allocate_as, free, small_blocks
from heapster.impl.classes import least_of_class
from heapster.impl.layout import CLASS_COUNT
from heapster.model.geometry import ALIGN, HEADER, PAGE
from heapster.model.operation import Step
from heapster.model.operations import ALIGNING, in_order

WIDE = (4 * PAGE, 16 * PAGE, 1 << 18, 1 << 20)      # alignments
CROWD = 560                     # blocks: of the least size, one run after the other until runs are as long as may be
SLOTS = 72                      # blocks: of 1,000 bytes, more than a run has
LONELY = 0.5                    # how often there is none: it is slow
LARGE = 1 << 20                 # threshold that lets every class of sizes lie in an arena


def every_class(rng: Random, live: Handles) -> Iterator[Step]:
    """Blocks of any class up to the last, freed between others, while the policy changes and blocks are asked for."""
    yield Step("threshold", (LARGE,))
    mine = []
    for index in [CLASS_COUNT - 1, *rng.sample(range(CLASS_COUNT), 4)]:
        mine.append(live.fresh())
        yield allocate_as(mine[-1], least_of_class(index) - HEADER)
        yield allocate_as(live.fresh(), 24)
    yield from (free(live, handle) for handle in (mine[0], *rng.sample(mine[1:], 3)) if handle in live.sizes)
    one, other = rng.choice(live.policies), "segregated_fit" if "segregated_fit" in live.policies else live.policies[0]
    for name in rng.sample((one, other), 2):
        yield Step("policy", name=name)
        yield allocate_as(live.fresh(), least_of_class(rng.randrange(CLASS_COUNT)) - HEADER - rng.choice((0, ALIGN)))
    yield from (free(live, handle) for handle in mine if handle in live.sizes)
    yield Step("threshold", (live.threshold,))


def wide_alignments(rng: Random, live: Handles) -> Iterator[Step]:
    """Alignments far beyond a page, of blocks in arenas and with mappings of their own."""
    yield Step("threshold", (rng.choice((live.threshold, 4 * LARGE)),))
    mine = []
    for _ in range(rng.randint(1, 3)):
        mine.append(live.fresh())
        yield Step(rng.choice(in_order(ALIGNING)), (rng.choice(WIDE), rng.choice((1, 24, 5000, 3 * PAGE))), mine[-1])
    yield from (free(live, handle) for handle in rng.sample(mine, rng.randint(1, len(mine))) if handle in live.sizes)
    yield Step("threshold", (live.threshold,))


def little_growth(rng: Random, live: Handles) -> Iterator[Step]:
    """A growth below a page, which is taken for a page; then blocks past it."""
    yield Step("growth", (rng.choice((0, 1, 100, PAGE - 1)),))
    for _ in range(rng.randint(2, 6)):
        yield allocate_as(live.fresh(), rng.choice((1000, PAGE - 64, PAGE, 2 * PAGE)))


def crowd(rng: Random, live: Handles) -> Iterator[Step]:
    """Many blocks of one size, in runs that grow; then another thread frees them, more than a remote list may hold."""
    if rng.random() < LONELY:
        yield from small_blocks(rng, live)
        return
    first, second = rng.sample(range(4), 2)
    mine: list[int] = []
    before, live.most = live.most, CROWD + 2 * live.most
    yield Step("arenas", (3,))
    yield Step("cache", (1 << 15,))
    yield Step("thread", (first,))
    for _ in range(CROWD):
        mine.append(live.fresh())
        yield allocate_as(mine[-1], 24)
    yield Step("thread", (second,))
    yield Step("cache", (PAGE,))
    yield from (free(live, handle) for handle in mine if handle in live.sizes)
    yield Step("thread", (rng.choice((0, first)),))
    yield allocate_as(live.fresh(), 24)
    live.most = before


def whole_runs(rng: Random, live: Handles) -> Iterator[Step]:
    """More blocks of one size than a run has slots, all freed again by who keeps none; then runs of another size."""
    before, live.most = live.most, SLOTS + 2 * live.most
    yield Step("cache", (rng.choice((1 << 10, 1 << 12)),))
    mine = [live.fresh() for _ in range(SLOTS)]
    yield from (allocate_as(handle, 1000) for handle in mine)
    yield from (free(live, handle) for handle in rng.sample(mine, len(mine)) if handle in live.sizes)
    yield Step("thread_end")
    if rng.random() < 0.5:
        yield Step("trim", (0,))
    yield from (allocate_as(live.fresh(), size) for size in (1000, 700))
    live.most = before


EXTREMES: tuple[Workload, ...] = (every_class, wide_alignments, little_growth, crowd, whole_runs, whole_runs)
RARE = range(101, 101 + len(EXTREMES))      # the choices, of 256, that stand for one of them: the ends are drawn often


def chosen(choice: int, workloads: tuple[Workload, ...]) -> Workload:
    """The workload that a choice of 256 stands for."""
    return EXTREMES[choice - RARE.start] if choice in RARE else workloads[choice % len(workloads)]
