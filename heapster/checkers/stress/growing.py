"""Growth over the rests of a pattern, at each of which every block is given back: it must come to an end."""

from collections.abc import Sequence
from typing import NamedTuple

from heapster.checkers.growth import MARKS, steady_growth
from heapster.wording import counted

CODE = "memory_never_returned"
LEAST = 2 << 20                 # bytes of growth after the warm-up, below which nothing is said
LEAST_RESTS = 12
ENOUGH = 256 << 20              # bytes more than at first, which is growth however it came; the harness stops there
LONGER, TRIES = 3, 2            # times: a run that confirms; such runs, if a loaded machine does not let it be longer
LONG_ENOUGH = 1.5               # times the operations
GOES_ON = 0.67                  # of the growth for each operation that the first run had


class RestSample(NamedTuple):
    """A rest: operations until then, and bytes of memory that the process has."""

    ops: int
    resident: int


def is_judged(samples: Sequence[RestSample]) -> bool:
    """Whether there are enough rests to tell growth from a warm-up."""
    return len(samples) >= LEAST_RESTS or is_enough(samples)


def is_enough(samples: Sequence[RestSample]) -> bool:
    """Whether it grew by so much that the harness stopped."""
    return bool(samples) and samples[-1].resident - min(sample.resident for sample in samples) > ENOUGH


def grown(samples: Sequence[RestSample]) -> int:
    """Bytes by which memory grew after the warm-up, if it grew all the time; 0 if it came to rest."""
    if not is_judged(samples):
        return 0
    if is_enough(samples):
        return samples[-1].resident - samples[0].resident
    return steady_growth([_at(samples, mark) for mark in MARKS], LEAST)


def goes_on(first: Sequence[RestSample], longer: Sequence[RestSample]) -> bool:
    """Whether a longer run grew for each operation about as much as the first, which did."""
    return grown(longer) / longer[-1].ops >= GOES_ON * grown(first) / first[-1].ops if longer else False


def is_longer(first: Sequence[RestSample], longer: Sequence[RestSample]) -> bool:
    """Whether so much more was done, or so much seen, that what only warms up would have come to rest."""
    return longer[-1].ops >= LONG_ENOUGH * first[-1].ops or is_enough(longer)


def _at(samples: Sequence[RestSample], mark: int) -> int:
    """Memory when so many eighths of the operations were done: what a loaded machine takes of time is all one."""
    ops = samples[-1].ops * mark // MARKS[-1]
    return max((sample for sample in samples if sample.ops <= ops), default=samples[0]).resident


def told(samples: Sequence[RestSample], bytes_grown: int, lives: int) -> str:
    """What a finding says."""
    of, unit = (lives, "thread that ended") if lives else (samples[-1].ops / 1000, "thousand operations")
    each = bytes_grown / of if of else 0.0
    return (f"memory grew by {bytes_grown / (1 << 20):,.1f} MiB over {counted(len(samples), 'rest')}, at each of which "
            f"every block was given back: about {counted(max(1, round(each)), 'byte')} for each {unit}")
