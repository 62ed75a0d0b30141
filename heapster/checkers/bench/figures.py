"""Ratios and what may be said of them: pure functions of the samples.

Ratios are paired: a target's sample over libc's of the same round, so that what slows a whole round down
cancels out. Their median is what is shown. Its interval holds the true median with at least CONFIDENCE, whatever
the noise looks like, because each sample lies below the median as likely as above (the sign test).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import comb, exp, fsum, log
from random import Random
from statistics import median

CONFIDENCE = 0.93                   # what the least and the greatest of five samples give
FEWEST = 5                          # samples with which something may be said
FLOOR = 0.02                        # smaller differences come and go with where things lie in memory
RESAMPLES, SEED = 1000, 1


class Standing(Enum):
    """The standing of a ratio beside 1."""

    LESS = "less"
    TIE = "tie"
    MORE = "more"
    OPEN = "too few rounds"


@dataclass(frozen=True)
class Ratio:
    """A median of ratios, with its interval and how far the samples lie from it."""

    value: float
    low: float
    high: float
    spread: float                   # median absolute deviation
    samples: int

    @property
    def standing(self) -> Standing:
        """Less or more than 1, if that is beyond the noise."""
        if self.samples < FEWEST:
            return Standing.OPEN
        if self.low <= 1 <= self.high or abs(self.value - 1) < FLOOR:
            return Standing.TIE
        return Standing.LESS if self.value < 1 else Standing.MORE


Rounds = Mapping[int, float]        # number of the round: a sample or a ratio


def paired(of: Rounds, base: Rounds) -> Rounds:
    """The ratios of samples to those of the base in the same rounds."""
    return {number: of[number] / base[number] for number in sorted(of.keys() & base.keys()) if base[number] > 0}


def summed_up(ratios: Rounds) -> Ratio | None:
    """The median ratio; None if there is no round."""
    if not ratios:
        return None
    values = sorted(ratios.values())
    middle, rank = median(values), least_rank(len(values))
    return Ratio(middle, values[rank], values[-1 - rank], deviation(values), len(values))


def deviation(values: Sequence[float]) -> float:
    """The median absolute deviation from the median."""
    middle = median(values)
    return median(abs(value - middle) for value in values)


def least_rank(count: int) -> int:
    """How many samples may be left off at either end, for an interval of at least CONFIDENCE."""
    rank, outside = 0, 2 * 0.5**count
    while rank + 1 < count / 2:
        outside += 2 * comb(count, rank + 1) * 0.5**count
        if 1 - outside < CONFIDENCE:
            break
        rank += 1
    return rank


def geometric_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """The mean of positive values whose logarithm is the weighted mean of theirs."""
    return exp(fsum(weight * log(value) for value, weight in zip(values, weights, strict=True)) / fsum(weights))


def geomean(ratios: Sequence[Rounds], weights: Sequence[float] = ()) -> Ratio | None:
    """The geometric mean over workloads of their median ratios, with a bootstrap interval over the rounds.

    Without weights, all have the same. Rounds are drawn again with repetition, the same for all workloads; the seed
    is fixed. None if nothing is left that has a weight.
    """
    weights = weights or [1.0] * len(ratios)
    if not ratios or not all(ratios) or not any(weights):
        return None
    value = geometric_mean([median(rounds.values()) for rounds in ratios], weights)
    numbers = sorted(set().union(*ratios))
    random = Random(SEED)
    means = sorted(_resampled(ratios, weights, random.choices(numbers, k=len(numbers))) for _ in range(RESAMPLES))
    tail = round(RESAMPLES * (1 - CONFIDENCE) / 2)
    spread = median(abs(mean - value) for mean in means)
    return Ratio(value, means[tail], means[-1 - tail], spread, len(numbers))


def _resampled(ratios: Sequence[Rounds], weights: Sequence[float], numbers: Sequence[int]) -> float:
    return geometric_mean([median([rounds[number] for number in numbers if number in rounds] or rounds.values())
                           for rounds in ratios], weights)
