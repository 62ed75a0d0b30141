"""At which sizes a stranger's allocator does something else: two neighbours of each size, and what lies between them.

Where the distance of two blocks, or what is usable of one, goes on in steps that are all alike, the first step stands
for them; where it goes on in another way, or dies, is a threshold. So is the largest block that lies where the first
one's memory goes on, behind it or in its place. Numbers that its C source mentions are thresholds that nobody sees from
outside.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.protocol import NONE, Ended, Mode, Status
from heapster.checkers.blackbox.stepwise import ALL_SUSPICIONS, hurried
from heapster.checkers.exhaust.scope import HUGE
from heapster.model.geometry import PAGE, SIZE_MAX
from heapster.model.operation import Step

DENSE = 1100                    # bytes: up to there each size is asked for
MOST_PROBED = 1 << 20
MOST_THRESHOLDS, MOST_LITERALS = 4, 6
LEAST_LITERAL, MOST_LITERAL = 8, 1 << 20
BEYOND_32_BITS = (1 << 32) + 8
NUMBER = re.compile(r"(?<![\w.\"])(0[xX][0-9a-fA-F]+|[1-9]\d*)(?:[uUlL]*)(?![\w.\"])")
SHIFTED = re.compile(r"\b1[uUlL]*\)?\s*<<\s*(\d+)")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


class Sizes(NamedTuple):
    """Sizes, and why these, in words."""

    sizes: tuple[int, ...]
    few: tuple[int, ...]            # of them: for programs that are too long for all
    why: tuple[str, ...]


class NeighbourShape(NamedTuple):
    """How two neighbours of one size lie."""

    distance: int
    usable: int
    mapped: bool                # they lie in pages of their own


def probed(judge: Judge) -> Sizes:
    """The sizes at which the target's behaviour changes."""
    room = judge.target.room
    most = min(MOST_PROBED, room // 64) if room else MOST_PROBED
    with hurried(judge):
        thresholds, fatal = _thresholds(judge, most)
        ends = _ends(judge, room or MOST_PROBED)
    mentioned = literals(judge.target.source, most)
    changes = (*thresholds, *(end + 1 for end in ends))
    sizes = {0, 1, *fatal, *(size for at in changes for size in (at - 1, at)), *mentioned, SIZE_MAX}
    why = ["0, 1 and SIZE_MAX: as ever"]
    if not room:
        sizes.add(BEYOND_32_BITS)
        why.append(f"{BEYOND_32_BITS}: beyond what 32 bits hold")
    if thresholds:
        why.append(f"{', '.join(map(str, thresholds))}, and one byte less: what blocks take changes there")
    if fatal:
        why.append(f"{', '.join(map(str, fatal))}: asking for it ends the run")
    if ends:
        why.append(f"{', '.join(map(str, ends))}, and one byte more: the largest that fits beside the first block, or "
                   "in its place")
    if mentioned:
        why.append(f"{', '.join(map(str, mentioned))}: its source mentions it")
    few = dict.fromkeys((1, *thresholds[:1], *ends[:1]))
    return Sizes(tuple(sorted(sizes)), tuple(sorted(few)), tuple(why))


def _thresholds(judge: Judge, most: int) -> tuple[list[int], list[int]]:
    """Sizes from which on blocks lie otherwise, and sizes that nobody may ask for."""
    dense = range(1, min(DENSE, most) + 1)
    shapes, fatal = _shapes(judge, dense)
    found = list(_irregular(shapes))
    sparse = list(_growing(dense[-1], most))
    wide, more = _shapes(judge, sparse)
    known = [(size, wide[size].mapped) for size in sparse if size in wide]
    for (low, before), (high, after) in pairwise(known):
        if before != after:
            found.append(_between(judge, low, high, is_mapped=after))
            break
    return found, (fatal + more)[:MOST_THRESHOLDS]


def _ends(judge: Judge, most: int) -> list[int]:
    """The largest sizes that lie where the first block's memory goes on: behind it, or in its place if it is freed."""
    first = Step("malloc", (1,), 0)
    found = (_largest(judge, (first,), most), _largest(judge, (first, Step("free", operand=0)), most))
    return [size for size in dict.fromkeys(found) if DENSE < size < most - 1]


def _largest(judge: Judge, before: tuple[Step, ...], most: int) -> int:
    """The largest size whose block lies, after some steps, where the smallest one would."""
    place, low, high = _place(judge, before, 1), 1, most
    while place is not None and high - low > 1:
        middle = (low + high) // 2
        if _place(judge, before, middle) == place:
            low = middle
        else:
            high = middle
    return low


def _place(judge: Judge, before: tuple[Step, ...], size: int) -> int | None:
    """How far from the first block a block lies after some steps; None: it has no place, or nobody can write there."""
    steps = [*before, Step("malloc", (size,), 1)]
    judge.header.masked = ALL_SUSPICIONS
    judge.run(Mode.PRECISE, judge.set_steps(steps))
    seen = judge.observed(len(steps))
    done = all(one.status == Status.DONE for one in seen) and seen[0].pointer and seen[-1].pointer
    return seen[-1].pointer - seen[0].pointer if done else None


def _growing(start: int, most: int) -> Iterator[int]:
    size = start
    while size + size // 3 <= most:
        size += size // 3
        yield size


def _shapes(judge: Judge, sizes: Iterable[int]) -> tuple[dict[int, NeighbourShape], list[int]]:
    """How two neighbours of each size lie, and the sizes that end the run."""
    left, found, fatal = list(sizes), dict[int, NeighbourShape](), list[int]()
    while left and len(fatal) <= MOST_THRESHOLDS:
        steps = [Step("malloc", (size,), 2 * n + k) for n, size in enumerate(left) for k in (0, 1)]
        judge.header.masked = ALL_SUSPICIONS
        ending = judge.run(Mode.PRECISE, judge.set_steps(steps))
        seen = judge.observed(len(steps))
        for size, one, two in zip(left, seen[::2], seen[1::2], strict=True):
            if one.status == two.status == Status.DONE and one.pointer and two.pointer:
                apart, usable = abs(two.pointer - one.pointer), 0 if one.usable == NONE else one.usable
                mapped = apart % PAGE == 0 and apart >= PAGE
                if mapped or apart <= 4 * size + PAGE:          # else they lie in two regions
                    found[size] = NeighbourShape(apart, usable, mapped)
        if ending.ended in (Ended.RETURNED, Ended.TIRED):
            break
        fatal.append(left[min(ending.current // 2, len(left) - 1)])
        left = left[ending.current // 2 + 1:]
    return found, fatal


def _irregular(shapes: dict[int, NeighbourShape]) -> Iterator[int]:
    """Where steps begin, and where they go on in another way than before."""
    sizes = sorted(shapes)
    steps = [size for before, size in pairwise(sizes)
             if shapes[before].usable != shapes[size].usable or _strides(shapes[before], shapes[size])]
    yielded, width = 0, 0
    for n, size in enumerate(steps):
        before = size - steps[n - 1] if n else 0
        if yielded < MOST_THRESHOLDS and (n == 0 or before != width and n > 1):
            yield size
            yielded += 1
        width = before


def _strides(before: NeighbourShape, after: NeighbourShape) -> bool:
    return before.distance != after.distance and not after.mapped


def _between(judge: Judge, low: int, high: int, *, is_mapped: bool) -> int:
    """The least size that lies as `high` does."""
    while high - low > 1:
        middle = (low + high) // 2
        shapes, _ = _shapes(judge, [middle])
        if middle in shapes and shapes[middle].mapped == is_mapped:
            high = middle
        else:
            low = middle
    return high


def literals(source: Path | None, most: int) -> list[int]:
    """The numbers in a C source that may be sizes, those first that its comparisons have."""
    if source is None:
        return []
    text = COMMENT.sub(" ", source.read_text(errors="replace"))
    text = SHIFTED.sub(lambda shifted: str(1 << min(int(shifted[1]), 62)), text)
    compared = re.findall(r"[<>=]=?\s*\(?\s*((?:0[xX][0-9a-fA-F]+|\d+))[uUlL]*\b", text)
    numbers = [*map(_number, compared), *map(_number, NUMBER.findall(text))]
    fitting = dict.fromkeys(number for number in numbers if LEAST_LITERAL <= number <= min(MOST_LITERAL, most, HUGE))
    return sorted(list(fitting)[:MOST_LITERALS])


def _number(text: str) -> int:
    return int(text, 0) if text.lower().startswith("0x") else int(text, 10)


def words(sizes: Sequence[int]) -> str:
    """Sizes as a list for people."""
    return ", ".join("SIZE_MAX" if size == SIZE_MAX else str(size) for size in sizes)
