"""Memory that comes to rest, and memory that does not."""

import itertools
from collections.abc import Sequence

STEADY = 0.6                    # of the mean growth, that every part must show
MARKS = (2, 3, 4, 5, 6, 7, 8)   # eighths of the work; what comes before them is the warm-up


def steady_growth(marks: Sequence[int], least: int) -> int:
    """Bytes by which memory grew over marks at equal shares of work; 0 if that is little, or not in each part."""
    parts = [after - before for before, after in itertools.pairwise(marks)]
    grown = sum(parts)
    return grown if grown > least and min(parts) > STEADY * grown / len(parts) else 0
