"""The placement policies, each a function of the free list alone.

A free list is a sequence of (address, size), head first. A policy answers the index of the block
that it chooses, or -1 when none fits. `cursor` is the block where next fit resumes, or 0 for the
head of the list. Where each class of sizes has a list of its own, each is the part of it that is of the class.
"""

from collections.abc import Callable, Sequence

from heapster.model.geometry import PROBES, class_of

Free = Sequence[tuple[int, int]]
Policy = Callable[[Free, int, int], int]

NONE_FITS = -1


def first_fit(free: Free, want: int, _cursor: int) -> int:
    """The first that fits."""
    for index, (_, size) in enumerate(free):
        if size >= want:
            return index
    return NONE_FITS


def next_fit(free: Free, want: int, cursor: int) -> int:
    """The first that fits, from the cursor on and once around."""
    start = 0
    if cursor:
        while free[start][0] != cursor:
            start += 1
    for index in range(start, start + len(free)):
        if free[index % len(free)][1] >= want:
            return index % len(free)
    return NONE_FITS


def best_fit(free: Free, want: int, _cursor: int) -> int:
    """The smallest that fits; the first of equals."""
    chosen, least = NONE_FITS, 0
    for index, (_, size) in enumerate(free):
        if size >= want and (chosen < 0 or size < least):
            chosen, least = index, size
    return chosen


def worst_fit(free: Free, want: int, _cursor: int) -> int:
    """The largest, if it fits; the first of equals."""
    chosen, most = NONE_FITS, want - 1
    for index, (_, size) in enumerate(free):
        if size > most:
            chosen, most = index, size
    return chosen


def segregated_fit(free: Free, want: int, _cursor: int) -> int:
    """Of the first few of the class of `want` the first that fits; or the first of the next class up."""
    own = class_of(want)
    classes = [class_of(size) for _, size in free]
    same = [index for index, at in enumerate(classes) if at == own]
    fitting = [index for index in same[:PROBES] if free[index][1] >= want]
    above = [at for at in classes if at > own]
    if fitting or not above:
        return fitting[0] if fitting else NONE_FITS
    return classes.index(min(above))


POLICIES: dict[str, Policy] = {          # in the order of their numbers; all lists of policies are this one
    "first_fit": first_fit,
    "next_fit": next_fit,
    "best_fit": best_fit,
    "worst_fit": worst_fit,
    "segregated_fit": segregated_fit,
}
POLICY_NAMES = tuple(POLICIES)
