"""Our shrinker: the least trace that still fails, the same every time.

It knows what a trace means: a handle goes with its frees, a dropped realloc leaves the old handle in
its place, sizes matter near the boundaries of blocks. Passes run until none helps (delta debugging,
Zeller and Hildebrandt 2002, over domain moves).
"""

from collections.abc import Callable, Iterator

from heapster.model.geometry import SIZE_MAX
from heapster.model.operation import ALIGNING, NO_HANDLE, POLICY_NAMES, Step, Trace, canonical, requested

Fails = Callable[[Trace], bool]
LANDMARKS = (0, 1, 8, 16, 24, 25, 32, 40, 56, 64, 72, 100, 128, 256, 512, 1000, 2048, 4096, 8192, 65536)
ENOUGH = (1000, 3000, 9000, 40000, 60000)
SHORT = 8                       # steps that a reader takes in at a glance
MOST_REPLAYS = 2000


def shrink(trace: Trace, fails: Fails, most_replays: int = MOST_REPLAYS) -> Trace:
    """The least trace reachable from `trace`, which fails, by moves that keep it failing."""
    search = _Search(canonical(trace), fails, most_replays)
    while sum(search.run(moves) for moves in PASSES) and search.replays_left:
        pass
    return search.best


class _Search:
    def __init__(self, trace: Trace, fails: Fails, replays: int) -> None:
        self.best, self.fails, self.replays_left = trace, fails, replays
        self.seen = {trace}

    def run(self, moves: Callable[[Trace], Iterator[Trace]]) -> bool:
        """Whether any of the moves, tried from the best trace over and over, helped."""
        helped = False
        while self._improve(moves):
            helped = True
        return helped

    def _improve(self, moves: Callable[[Trace], Iterator[Trace]]) -> bool:
        for candidate in moves(self.best):
            smaller = canonical(candidate)
            if smaller in self.seen or not smaller:
                continue
            if not self.replays_left:
                return False
            self.seen.add(smaller)
            self.replays_left -= 1
            if self.fails(smaller):
                self.best = smaller
                return True
        return False


def without(trace: Trace, dropped: set[int]) -> Trace:
    """The trace without the steps at these places, and what cannot stand without them.

    Where a step that resized a block goes, its operand takes the place of its result.
    """
    stands_for: dict[int, int | None] = {NO_HANDLE: NO_HANDLE}
    kept: list[Step] = []
    for place, step in enumerate(trace):
        operand = stands_for.get(step.operand, step.operand)
        if place in dropped or operand is None:
            if step.result != NO_HANDLE:
                stands_for[step.result] = operand if step.operand != NO_HANDLE else None
            continue
        if step.result != NO_HANDLE:
            stands_for[step.result] = step.result
        kept.append(step._replace(operand=operand))
    return tuple(kept)


def cut_tails(trace: Trace) -> Iterator[Trace]:
    """Ever longer beginnings of the trace."""
    keep = 1
    while keep < len(trace):
        yield trace[:keep]
        keep *= 2
    yield trace[:-1]


def drop_runs(trace: Trace) -> Iterator[Trace]:
    """The trace without a run of steps: halves first, single steps last."""
    length = len(trace) // 2
    while length:
        for start in range(0, len(trace), length):
            yield without(trace, set(range(start, min(start + length, len(trace)))))
        length //= 2


def drop_handles(trace: Trace) -> Iterator[Trace]:
    """The trace without all that mentions one handle, or two."""
    handles = sorted({step.result for step in trace if step.result != NO_HANDLE})
    mentions = {h: {i for i, step in enumerate(trace) if h in (step.result, step.operand)} for h in handles}
    for h in handles:
        yield without(trace, mentions[h])
    if len(trace) <= 3 * SHORT:
        for i, first in enumerate(handles):
            for second in handles[i + 1:]:
                yield without(trace, mentions[first] | mentions[second])


def drop_pairs(trace: Trace) -> Iterator[Trace]:
    """The trace without two of its steps, once it is short."""
    if len(trace) <= 2 * SHORT:
        for second in range(len(trace)):
            for first in range(second):
                yield without(trace, {first, second})


def simplify_steps(trace: Trace) -> Iterator[Trace]:
    """A step replaced by a plainer one."""
    for i, step in enumerate(trace):
        for plainer in _plainer(step):
            yield trace[:i] + (plainer,) + trace[i + 1:]


def _plainer(step: Step) -> Iterator[Step]:
    if step.verb in ("calloc", "reallocarray"):
        product = requested(step)
        if product < 1 << 62:
            verb = "malloc" if step.verb == "calloc" else "realloc"
            yield step._replace(verb=verb, numbers=(product,))
        if product <= SIZE_MAX:
            yield step._replace(numbers=(1, product))
    elif step.verb in ALIGNING:
        yield Step("malloc", (step.numbers[1],), step.result)
        if step.verb != "aligned_alloc":
            yield step._replace(verb="aligned_alloc")
    elif step.verb in ("valloc", "pvalloc", "realloc"):
        yield Step("malloc", step.numbers, step.result)
    elif step.verb == "policy" and step.name in POLICY_NAMES:
        for name in POLICY_NAMES[:POLICY_NAMES.index(step.name)]:
            yield step._replace(name=name)


def shrink_numbers(trace: Trace) -> Iterator[Trace]:
    """A number replaced by a smaller one: a landmark, half of it, a little less."""
    for i, step in enumerate(trace):
        for k, number in enumerate(step.numbers):
            for smaller in _smaller(number):
                numbers = step.numbers[:k] + (smaller,) + step.numbers[k + 1:]
                if _is_legal(step, numbers):
                    yield trace[:i] + (step._replace(numbers=numbers),) + trace[i + 1:]


def shrink_equals(trace: Trace) -> Iterator[Trace]:
    """All sizes that are equal replaced by a smaller one."""
    sizes = [number for step in trace for number in step.numbers]
    for size in sorted({size for size in sizes if sizes.count(size) > 1}, reverse=True):
        for smaller in _smaller(size):
            yield tuple(_resized(step, size, smaller) for step in trace)


def _resized(step: Step, size: int, other: int) -> Step:
    numbers = tuple(other if number == size else number for number in step.numbers)
    return step._replace(numbers=numbers) if _is_legal(step, numbers) else step


def enlarge_and_drop(trace: Trace) -> Iterator[Trace]:
    """One block or two larger, so that another can go: large blocks fill a heap faster than many."""
    places = [i for i, step in enumerate(trace) if step.verb == "malloc"]
    if not SHORT < len(trace) <= 3 * SHORT:
        return
    chosen = [(i, j) for i in places for j in places if i <= j]
    for i, j in chosen:
        for size in ENOUGH:
            larger = tuple(step._replace(numbers=(size,)) if k in (i, j) else step for k, step in enumerate(trace))
            for dropped in places:
                if dropped not in (i, j):
                    handle = trace[dropped].result
                    yield without(larger, {k for k, s in enumerate(larger) if handle in (s.result, s.operand)})


def _smaller(number: int) -> Iterator[int]:
    size = abs(number)
    sign = 1 if number >= 0 else -1
    for landmark in LANDMARKS:
        if landmark < size:
            yield sign * landmark
    for less in (size // 2, size - (size % 16), size - 4096, size - 256, size - 16, size - 1):
        if 0 <= less < size:
            yield sign * less


def _is_legal(step: Step, numbers: tuple[int, ...]) -> bool:
    if step.verb == "fail":
        return numbers[0] >= 1
    if step.verb in ALIGNING and numbers[0] != step.numbers[0]:
        return numbers[0] & (numbers[0] - 1) == 0 and numbers[0] >= 16
    return True


PASSES = (cut_tails, drop_runs, drop_handles, simplify_steps, shrink_equals, shrink_numbers, drop_pairs,
          enlarge_and_drop)
