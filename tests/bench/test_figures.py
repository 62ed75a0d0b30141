"""Ratios, intervals, means and ties, on samples that are made up."""

from math import comb
from random import Random

import pytest

from heapster.checkers.bench.figures import (
    CONFIDENCE,
    Standing,
    deviation,
    geomean,
    geometric_mean,
    least_rank,
    paired,
    summed_up,
)


def numbered(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def standing(*values: float) -> Standing:
    ratio = summed_up(numbered(*values))
    assert ratio is not None
    return ratio.standing


def test_ratios_are_of_the_same_round() -> None:
    assert paired({0: 2.0, 2: 9.0, 3: 1.0}, {0: 4.0, 1: 1.0, 2: 3.0}) == {0: 0.5, 2: 3.0}


def test_what_slows_a_whole_round_down_cancels_out() -> None:
    base = numbered(1.0, 5.0, 1.0, 2.0, 9.0)
    ratio = summed_up(paired({n: value / 2 for n, value in base.items()}, base))
    assert ratio is not None
    assert (ratio.value, ratio.low, ratio.high, ratio.spread) == (0.5, 0.5, 0.5, 0.0)


def test_a_base_of_nothing_gives_no_ratio() -> None:
    assert summed_up(paired(numbered(1.0), numbered(0.0))) is None


def test_the_median_and_its_deviation() -> None:
    ratio = summed_up(numbered(0.5, 0.7, 0.6, 0.9, 0.6))
    assert ratio is not None
    assert (ratio.value, ratio.low, ratio.high, ratio.samples) == (0.6, 0.5, 0.9, 5)
    assert deviation([1.0, 2.0, 3.0, 5.0, 100.0]) == 2.0


@pytest.mark.parametrize(("values", "expected"), [
    ((0.9, 0.9, 0.9, 0.9, 0.9), Standing.LESS),
    ((1.1, 1.2, 1.1, 1.3, 1.1), Standing.MORE),
    ((0.9, 0.9, 0.9, 0.9, 1.0), Standing.TIE),              # one round of five as slow as libc
    ((0.99, 0.99, 0.99, 0.99, 0.99), Standing.TIE),         # less, but by less than the floor
    ((1.01, 1.01, 1.01, 1.01, 1.01), Standing.TIE),
    ((0.1, 0.1, 0.1, 0.1), Standing.OPEN),                  # however clear: four rounds prove little
    ((0.5, 0.6, 0.5, 0.6, 0.5, 0.6, 0.5, 0.6, 1.5), Standing.LESS),     # nine bear one that went wrong
    ((0.5, 0.6, 0.5, 0.6, 0.5, 0.6, 0.5, 1.5, 1.5), Standing.TIE),      # but not two
])
def test_a_difference_within_the_noise_is_a_tie(values: tuple[float, ...], expected: Standing) -> None:
    assert standing(*values) is expected


@pytest.mark.parametrize("count", range(5, 31))
def test_intervals_are_as_narrow_as_their_confidence_allows(count: int) -> None:
    def inside(rank: int) -> float:
        """The chance that the median lies between the samples of this rank: the sign test."""
        return 1 - sum(comb(count, i) for i in range(rank + 1)) / float(2**(count - 1))

    rank = least_rank(count)
    assert inside(rank) >= CONFIDENCE > inside(rank + 1)


def test_equal_allocators_are_seldom_told_apart() -> None:
    random = Random(5)
    told = sum(standing(*(random.lognormvariate(0, 0.3) for _ in range(9))) is not Standing.TIE for _ in range(1000))
    assert 0 < told < 70


def test_the_geometric_mean() -> None:
    assert geometric_mean([0.5, 2.0], [1, 1]) == pytest.approx(1.0)
    assert geometric_mean([1.0, 10.0, 100.0], [1, 1, 1]) == pytest.approx(10.0)


def test_a_weight_counts_as_that_many_workloads() -> None:
    assert geometric_mean([0.5, 2.0], [2, 1]) == pytest.approx(geometric_mean([0.5, 0.5, 2.0], [1, 1, 1]))
    one, other = numbered(*[0.5] * 5), numbered(*[0.8] * 5)
    weighted, plain = geomean([one, other], [3, 1]), geomean([one, one, one, other])
    assert weighted is not None
    assert plain is not None
    assert weighted.value == pytest.approx(plain.value)
    assert weighted.low == pytest.approx(plain.low)
    assert geomean([one, other], [0, 0]) is None


def test_the_mean_over_workloads_is_of_medians() -> None:
    mean = geomean([numbered(0.4, 0.5, 9.0), numbered(2.0, 2.0, 2.0)])
    assert mean is not None
    assert mean.value == pytest.approx(1.0)
    assert mean.low < 1 < mean.high


def test_the_means_interval_is_the_same_each_time_and_narrow_without_noise() -> None:
    noisy = [numbered(0.4, 0.5, 0.6, 0.5, 0.7), numbered(0.8, 1.2, 1.0, 0.9, 1.1)]
    assert geomean(noisy) == geomean(noisy)
    steady = geomean([numbered(*[0.5] * 5), numbered(*[0.8] * 5)])
    assert steady is not None
    assert steady.low == pytest.approx(steady.value) == steady.high
    assert steady.standing is Standing.LESS


def test_a_mean_over_nothing_is_none() -> None:
    assert geomean([]) is None
    assert geomean([numbered(1.0), {}]) is None


def test_rounds_that_a_workload_lacks_do_not_count_for_it() -> None:
    mean = geomean([numbered(*[0.5] * 6), {0: 2.0}])
    assert mean is not None
    assert mean.value == pytest.approx(1.0)
