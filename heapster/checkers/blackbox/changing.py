"""Traces changed as a heap's user might: a run of calls more, another size, a part left out, taken twice, or another's.

What comes of a change need not be legal: `fitting` leaves of it what a target may be asked.
"""

from collections.abc import Callable, Iterable, Sequence
from random import Random

from heapster.checkers.blackbox.generator import HUGE, TOO_MUCH, Mood, draw_trace
from heapster.checkers.blackbox.judge import STEPS
from heapster.model.geometry import PTRDIFF_MAX, SIZE_MAX
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import (
    ALIGNING,
    CALLS,
    ON_BLOCKS,
    OPERATIONS,
    PRODUCTS,
    REQUESTS,
    STATING,
    TAKING,
    requested,
)

MOST_STEPS = 300                # of a changed trace
SHORT = (3, 6)                  # steps that are put at a trace's end
SIZES = (0, 1, 7, 8, 15, 16, 17, 24, 25, 32, 40, 48, 63, 64, 65, 100, 120, 128, 129, 250, 256, 257, 504, 512, 520,
         1000, 1024, 1040, 2040, 2048, 4000, 4072, 4080, 4096, 4100, 5000, 8192, 16384, 32768, 65536, 100_000, 131_072,
         200_000, 1 << 20, 5 << 20, 1 << 25)
BEYOND = (TOO_MUCH, PTRDIFF_MAX - 4096, PTRDIFF_MAX, PTRDIFF_MAX + 1, SIZE_MAX - 4096, SIZE_MAX - 40, SIZE_MAX - 8,
          SIZE_MAX)             # what might be had is left to `draw_trace`: it takes long to write to
ALIGNMENTS = (0, 1, 3, 8, 16, 24, 32, 64, 256, 1024, 4096, 8192, 1 << 62)
NEAR = (-32, -16, -8, -1, 1, 8, 16, 32)
TIMES = (1, 1, 2, 3)            # that a trace is changed
NULLS = 0.15                    # of calls drawn one by one that could take a block


class Changing:
    """Changes by one generator, in one mood; `other` answers another trace."""

    def __init__(self, rng: Random, mood: Mood, other: Callable[[], Trace]) -> None:
        self._rng, self._mood, self._other = rng, mood, other
        self._changes = (self._extended, *(3 * [self._probed]), self._spliced, *(2 * [self._resized]),
                         *(2 * [self._inserted]), self._cut, self._twice, self._freed)

    def changed(self, steps: Sequence[Step]) -> Sequence[Step]:
        """The steps after a few changes; of none, calls drawn one by one."""
        for _ in range(self._rng.choice(TIMES)):
            steps = self._rng.choice(self._changes)(steps) if steps else self._probed(steps)
        return steps

    def _extended(self, steps: Sequence[Step]) -> Sequence[Step]:
        """With something at its end that programs do."""
        more = draw_trace(self._rng, self._mood._replace(length=self._rng.choice(SHORT)), self._mood.most)
        return [*steps, *_renumbered(more, _fresh(steps))]

    def _probed(self, steps: Sequence[Step]) -> Sequence[Step]:
        """With calls at its end, each drawn for itself."""
        for _ in range(self._rng.choice((2, 4, 8))):
            steps = [*steps, self._call(steps, _fresh(steps))]
        return steps

    def _inserted(self, steps: Sequence[Step]) -> Sequence[Step]:
        """With a call or two somewhere in it."""
        at, handle = self._rng.randint(0, len(steps)), _fresh(steps)
        calls = [self._call(steps[:at], handle + n) for n in range(self._rng.choice((1, 1, 2)))]
        return [*steps[:at], *calls, *steps[at:]]

    def _spliced(self, steps: Sequence[Step]) -> Sequence[Step]:
        """Its start, and then the start of another."""
        rng, second = self._rng, self._other()
        until = rng.randint(0, len(second)) if rng.random() < 0.5 else len(second)
        return [*steps[:rng.randint(0, len(steps))], *_renumbered(second[:until], _fresh(steps))]

    def _resized(self, steps: Sequence[Step]) -> Sequence[Step]:
        """With another size in one step, in two, or in all."""
        asking = [n for n, step in enumerate(steps) if step.verb in REQUESTS]
        changed = set(self._rng.sample(asking, min(len(asking), self._rng.choice((1, 1, 2, len(asking))))))
        return [self._sized(step) if n in changed else step for n, step in enumerate(steps)]

    def _cut(self, steps: Sequence[Step]) -> Sequence[Step]:
        """Without some steps."""
        at = self._rng.randrange(len(steps))
        return [*steps[:at], *steps[at + self._rng.choice((1, 1, 2, 4)):]]

    def _twice(self, steps: Sequence[Step]) -> Sequence[Step]:
        """Twice, on what the first time has left."""
        return [*steps, *_renumbered(steps, _fresh(steps))]

    def _freed(self, steps: Sequence[Step]) -> Sequence[Step]:
        """With some of what lives at its end freed."""
        live = _live(steps)
        freed = self._rng.sample(live, self._rng.randint(0, len(live)))
        return [*steps, *(Step("free", operand=handle) for handle in freed)]

    def _call(self, before: Sequence[Step], handle: int) -> Step:
        """Any call, with any block that lives, and a size of any kind."""
        verb, live = self._rng.choice(sorted(self._mood.verbs - STATING)), _live(before)
        row, takes = OPERATIONS[verb], verb in ON_BLOCKS and live and self._rng.random() > NULLS
        step = Step(verb, (16,) * len(row.numbers), handle if row.result else NO_HANDLE,
                    self._rng.choice(live) if takes else NO_HANDLE)
        return self._sized(step) if verb in REQUESTS else step

    def _sized(self, step: Step) -> Step:
        size = self._size(requested(step))
        if step.verb in PRODUCTS:
            count = self._rng.choice((1, 1, 2, 4))
            return step._replace(numbers=(count, size // count))
        if step.verb in ALIGNING and self._rng.random() < 0.5:
            return step._replace(numbers=(self._rng.choice(ALIGNMENTS), size))
        return step._replace(numbers=(*step.numbers[:-1], size))

    def _size(self, old: int) -> int:
        rng, mood, kind = self._rng, self._mood, self._rng.random()
        if kind < 0.40:
            return rng.choice(SIZES)
        if kind < 0.50 and mood.zero:
            return 0
        if kind < 0.65 and mood.huge:
            return rng.choice(BEYOND)
        if kind < 0.82:
            return min(SIZE_MAX, max(0, old + rng.choice(NEAR)))
        return min(SIZE_MAX, rng.choice((old // 2, old * 2, old * 4, mood.most, mood.most // 3)))


def fitting(steps: Iterable[Step], mood: Mood, live_budget: int, longest: int = MOST_STEPS) -> Trace:
    """The steps that the target has, on blocks that may live, in sizes that it may be asked for.

    What states the size of the block that it takes is a plain call of its kind: changes leave no statement true.
    """
    sizes: dict[int, int] = {NO_HANDLE: 0}
    fit: list[Step] = []
    for given in steps:
        step = Step(OPERATIONS[given.verb].instead, operand=given.operand) if given.verb in STATING else given
        size = requested(step) if step.verb in REQUESTS else 0
        if step.operand not in sizes or not _is_fit(step, size, mood, live_budget - sum(sizes.values())):
            continue
        if step.verb in TAKING and step.operand != NO_HANDLE and size < HUGE:
            del sizes[step.operand]
        if step.result != NO_HANDLE:
            sizes[step.result] = size if size < HUGE else 0
        fit.append(step)
    return tuple(fit[:longest])


def _is_fit(step: Step, size: int, mood: Mood, room: int) -> bool:
    if step.verb not in (mood.verbs if step.verb in CALLS else STEPS) or step.offset:
        return False
    cleared = step.verb == "calloc" and HUGE <= size < TOO_MUCH
    return not cleared and (size >= HUGE or size <= min(mood.most, room))


def _fresh(steps: Iterable[Step]) -> int:
    """A handle that no step has."""
    return 1 + max((max(step.result, step.operand) for step in steps), default=-1)


def _live(steps: Iterable[Step]) -> list[int]:
    """The handles that live after the steps, if all that can be had is given."""
    handles: dict[int, None] = {}
    for step in steps:
        if step.verb in TAKING:
            handles.pop(step.operand, None)
        if step.result != NO_HANDLE:
            handles[step.result] = None
    return list(handles)


def _renumbered(steps: Iterable[Step], by: int) -> Iterable[Step]:
    return (step._replace(result=step.result + by if step.result != NO_HANDLE else NO_HANDLE,
                          operand=step.operand + by if step.operand != NO_HANDLE else NO_HANDLE) for step in steps)
