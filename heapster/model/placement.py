"""The placement policies, each a function of the free list alone.

A free list is a sequence of (address, size), head first. A policy answers the index of the block
that it chooses, or -1 when none fits. `cursor` is the block where next fit resumes, or 0 for the
head of the list.
"""

from collections.abc import Callable, Sequence

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


POLICIES: dict[str, Policy] = {
    "first_fit": first_fit,
    "next_fit": next_fit,
    "best_fit": best_fit,
    "worst_fit": worst_fit,
}
