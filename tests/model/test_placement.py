"""The policies as functions of a list."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heapster.model.placement import NONE_FITS, POLICIES, POLICY_NAMES, best_fit, first_fit, next_fit, worst_fit

FREE = [(100, 64), (200, 32), (300, 96), (400, 32), (500, 96)]


@pytest.mark.parametrize(("want", "first", "best", "worst"), [
    (32, 0, 1, 2),          # the first of the two of 32, the first of the two of 96
    (48, 0, 0, 2),
    (64, 0, 0, 2),
    (80, 2, 2, 2),
    (96, 2, 2, 2),
    (112, NONE_FITS, NONE_FITS, NONE_FITS),
])
def test_what_each_policy_chooses(want: int, first: int, best: int, worst: int) -> None:
    """Ties go to the first in list order."""
    assert [policy(FREE, want, 0) for policy in (first_fit, best_fit, worst_fit)] == [first, best, worst]


@pytest.mark.parametrize(("want", "cursor", "chosen"), [
    (32, 0, 0),             # no cursor: from the head
    (32, 200, 1),           # the cursor's own block counts
    (64, 200, 2),
    (96, 400, 4),
    (64, 400, 4),
    (32, 500, 4),
    (48, 500, 4),
    (112, 300, NONE_FITS),  # one whole round, then none
])
def test_next_fit_goes_on_from_its_cursor(want: int, cursor: int, chosen: int) -> None:
    """Circularly, and once around."""
    assert next_fit(FREE, want, cursor) == chosen


def test_next_fit_wraps_around() -> None:
    """Past the end it begins again at the head."""
    assert next_fit([(100, 64), (200, 32), (300, 32)], 64, 200) == 0


def test_nothing_fits_an_empty_list() -> None:
    """And no policy stumbles over it."""
    assert {policy([], 32, 0) for policy in POLICIES.values()} == {NONE_FITS}


def test_policies_have_the_names_that_traces_use() -> None:
    """One list of names, in the order of the allocator's numbers."""
    assert tuple(POLICIES) == POLICY_NAMES


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(2, 20), max_size=12), st.integers(2, 20), st.data())
def test_policies_agree_with_their_definitions(sizes: list[int], want: int, data: st.DataObject) -> None:
    """Least, greatest and first of those that fit; all four fail together."""
    free = [(1000 * (i + 1), size) for i, size in enumerate(sizes)]
    cursor = data.draw(st.sampled_from([0, *[address for address, _ in free]]))
    fitting = [i for i, size in enumerate(sizes) if size >= want]
    turned = sorted(fitting, key=lambda i: (free[i][0] < cursor, i))
    assert first_fit(free, want, cursor) == (fitting[0] if fitting else NONE_FITS)
    assert next_fit(free, want, cursor) == (turned[0] if fitting else NONE_FITS)
    assert best_fit(free, want, cursor) == min(fitting, key=lambda i: sizes[i], default=NONE_FITS)
    assert worst_fit(free, want, cursor) == max(fitting, key=lambda i: sizes[i], default=NONE_FITS)
