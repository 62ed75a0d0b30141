"""Our shrinker: the least trace that still fails, the same every time.

It knows what a trace means: a handle goes with its frees, a dropped realloc leaves the old handle in
its place, sizes matter near the boundaries of blocks. Passes run until none helps (delta debugging,
Zeller and Hildebrandt 2002, over domain moves).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from heapster.model.geometry import SIZE_MAX
from heapster.model.operation import NO_HANDLE, Step, Trace, canonical
from heapster.model.operations import ALIGNING, OPERATIONS, PRODUCTS, REQUESTS, RESIZING, STATING, TAKING, requested
from heapster.model.placement import POLICY_NAMES

Fails = Callable[[Trace], bool]
Late = Callable[[], bool]
LANDMARKS = (0, 1, 8, 16, 24, 25, 32, 40, 56, 64, 72, 100, 128, 256, 512, 1000, 2048, 4096, 8192, 65536)
ENOUGH = (1000, 3000, 9000, 40000, 60000)
SHORT = 8                       # steps that a reader takes in at a glance
LONG = 100                      # steps that are first swept through in large parts
LEAST_SWEPT = 4                 # steps of a part whose sizes are made smaller at once
MOST_DOUBLED = 1 << 20          # bytes
MOST_REPLAYS = 2000


class Shrunk(NamedTuple):
    """A trace after shrinking."""

    trace: Trace
    at_rest: bool                   # no step can be left out; else the budget was spent before that was tried


def once(_: Trace) -> float:
    """The cost of a replay, where none costs more than another."""
    return 1.0


def never() -> bool:
    """Whether it is too late, where it never is."""
    return False


def shrink(trace: Trace, fails: Fails, budget: float = MOST_REPLAYS, cost: Callable[[Trace], float] = once,
           late: Late = never) -> Shrunk:
    """The least trace reachable from `trace`, which fails, by moves that keep it failing.

    Each replay takes its cost from the budget: how far it goes depends on no clock, unless `late` looks at one.
    """
    search = _Search(canonical(trace), fails, budget, cost, late)
    if len(search.best) > 3 * SHORT:
        search.run(asking_for_all)
    helped = True
    while helped and not search.spent:
        if len(search.best) > LONG:
            search.sweep_steps()
            search.sweep_sizes()
        helped = sum(search.run(moves) for moves in SHORTENING) > 0
        search.settle()
        helped = sum(search.run(moves) for moves in PASSES) > 0 or helped
    return Shrunk(search.best, search.settled == len(search.best))


class _Search:
    def __init__(self, trace: Trace, fails: Fails, budget: float, cost: Callable[[Trace], float], late: Late) -> None:
        self.best, self.fails, self.left, self.cost, self.late = trace, fails, budget, cost, late
        self.spent = False
        self.settled = -1               # steps of the best trace from which none could be left out
        self.seen = {trace}

    def settle(self) -> None:
        """Note that no step of the best trace can be left out, if that could be tried."""
        if not self.spent:
            self.settled = len(self.best)

    def run(self, moves: Callable[[Trace], Iterator[Trace]]) -> bool:
        """Whether any of the moves, tried from the best trace over and over, helped."""
        helped = False
        while any(self._helps(candidate) for candidate in moves(self.best) if not self.spent):
            helped = True
        return helped

    def _helps(self, candidate: Trace) -> bool:
        """Whether the candidate fails as well: it is the best then."""
        smaller = canonical(candidate)
        if smaller in self.seen or not smaller or self.spent:
            return False
        cost = self.cost(smaller)
        self.spent = cost > self.left or self.late()
        if self.spent:
            return False
        self.seen.add(smaller)
        self.left -= cost
        if self.fails(smaller):
            self.best = smaller
            return True
        return False

    def sweep_steps(self) -> None:
        """Drop runs of steps, long ones first, and go on where the last one went (delta debugging)."""
        length = len(self.best) // 2
        while length and not self.spent:
            place = 0
            while place < len(self.best) and not self.spent:
                if not self._helps(without(self.best, set(range(place, min(place + length, len(self.best)))))):
                    place += length
            self._helps(with_fewer_larger_blocks(self.best))
            length //= 2

    def sweep_sizes(self) -> None:
        """No size above a landmark, in the whole trace, then in ever shorter parts of it."""
        length = len(self.best)
        while length > LEAST_SWEPT and not self.spent:
            for start in range(0, len(self.best), length):
                part = range(start, min(start + length, len(self.best)))
                any(self._helps(_capped(self.best, part, size)) for size in LANDMARKS)
            length //= 2


def _capped(trace: Trace, part: range, most: int) -> Trace:
    """The trace with no number above `most` in a part of it, where that is legal."""
    def capped(step: Step) -> Step:
        numbers = (*step.numbers[:-1], min(step.numbers[-1], most)) if step.numbers else ()
        return step._replace(numbers=numbers) if _is_legal(step, numbers) else step

    return tuple(capped(step) if place in part and not OPERATIONS[step.verb].setting else step
                 for place, step in enumerate(trace))


def with_fewer_larger_blocks(trace: Trace) -> Trace:
    """Every other block gone, and twice the size for the others: memory may be filled with fewer."""
    handles = [step.result for step in trace if step.verb == "malloc"]
    gone = set(handles[1::2])
    if not gone:
        return trace
    larger = tuple(step._replace(numbers=(2 * step.numbers[0],)) if step.verb == "malloc" and
                   step.numbers[0] < MOST_DOUBLED else step for step in trace)
    return without(larger, {place for place, step in enumerate(larger) if {step.result, step.operand} & gone})


def asking_for_all(trace: Trace) -> Iterator[Trace]:
    """The last call alone, for as much as all that lives besides; or after one block that is as large as all that.

    What fails where memory is out needs no more.
    """
    last, live = trace[-1], dict[int, int]()
    for step in trace[:-1]:
        if step.verb in TAKING:
            live.pop(step.operand, None)
        if step.result != NO_HANDLE:
            live[step.result] = requested(step)
    own = live.pop(last.operand, None)
    before = () if own is None else (Step("malloc", (own,), last.operand),)
    others = sum(live.values())
    if others and last.verb in REQUESTS and (before or last.operand == NO_HANDLE):
        if last.numbers[-1] + others <= SIZE_MAX:
            yield (*before, last._replace(numbers=(*last.numbers[:-1], last.numbers[-1] + others)))
        fresh = max(last.result, last.operand, *live) + 1
        yield (*before, Step("malloc", (others,), fresh), last)


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
    if step.verb in PRODUCTS:
        product = requested(step)
        if product < 1 << 62:
            verb = "realloc" if step.verb in RESIZING else "malloc"
            yield step._replace(verb=verb, numbers=(product,))
        if product <= SIZE_MAX:
            yield step._replace(numbers=(1, product))
    elif step.verb in ALIGNING:
        yield Step("malloc", (step.numbers[1],), step.result)
        if step.verb != "aligned_alloc":
            yield step._replace(verb="aligned_alloc")
    elif step.verb in STATING:
        yield Step(OPERATIONS[step.verb].instead, operand=step.operand, offset=step.offset)
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
    parts = [size >> shift for shift in (2, 4, 6, 8, 10)] if size > LANDMARKS[-1] else []
    for less in (size // 2, *(size - part for part in parts), size - (size % 16), size - 4096, size - 256, size - 16,
                 size - 1):
        if 0 <= less < size:
            yield sign * less


def _is_legal(step: Step, numbers: tuple[int, ...]) -> bool:
    if step.verb == "fail":
        return numbers[0] >= 1
    if step.verb in ALIGNING and numbers[0] != step.numbers[0]:
        return numbers[0] & (numbers[0] - 1) == 0 and numbers[0] >= 16
    return True


SHORTENING = (cut_tails, drop_runs, drop_handles)
PASSES = (simplify_steps, shrink_equals, shrink_numbers, drop_pairs, enlarge_and_drop)
