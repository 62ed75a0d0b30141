"""The steps of a long trace as a page shows them: the first, the last and those that are marked; the others fold."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

ENDS, AROUND = 12, 3            # steps shown at each end, and on both sides of one that is marked
WORTH = 8                       # fewer are not folded


class TracePart(NamedTuple):
    """Steps in a row, that are shown or fold together."""

    start: int                  # index of the first
    steps: tuple[str, ...]
    folds: bool


def folded(steps: Sequence[str], marked: Iterable[int]) -> Iterator[TracePart]:
    """The steps in parts; those at the `marked` indices stay in sight."""
    places = {*range(ENDS), *range(len(steps) - ENDS, len(steps))}
    for mark in marked:
        places |= {*range(mark - AROUND, mark + AROUND + 1)}
    hidden = [[*group] for away, group in groupby(range(len(steps)), lambda index: index not in places) if away]
    gone = {index for group in hidden if len(group) >= WORTH for index in group}
    for folds, group in groupby(range(len(steps)), gone.__contains__):
        indices = [*group]
        yield TracePart(indices[0], tuple(steps[index] for index in indices), folds)
