"""The adversary: Robson's constructions reach what is proven, the search climbs, and its traces are traces."""

import pytest

from heapster.checkers.diff.adversary import (
    DOUBLING,
    MOST,
    Keeping,
    Variation,
    bounds,
    covering,
    robson_1971,
    robson_1977,
    spread,
)
from heapster.checkers.diff.hunting import adversary
from heapster.checkers.diff.lockstep import play_compiled
from heapster.checkers.traces.legality import first_misuse
from heapster.model.placement import POLICY_NAMES

LIVE = 1 << 14                  # bytes: a small attack, that tests have time for


@pytest.mark.parametrize("policy", POLICY_NAMES)
def test_the_construction_of_1971_reaches_the_lower_bound_for_all_allocators(policy: str) -> None:
    attack = robson_1971(policy)
    assert attack.factor >= attack.bounds.any_allocator > 4
    assert attack.sizes == (DOUBLING[0], MOST)
    assert first_misuse(attack.trace) is None


def test_the_construction_of_1977_leads_best_fit_to_holes_with_a_unit_between() -> None:
    attack = robson_1977("best_fit", 20)
    played = play_compiled(attack.trace, "best_fit")
    assert played.parting is None
    assert (played.measures.peak_live, played.measures.peak_heap) == (attack.peak_live, attack.peak_heap)
    assert played.measures.series["free_blocks"][-1] in (20, 21)        # and what is free at the top


@pytest.mark.parametrize("policy", ["best_fit", "first_fit"])
def test_it_costs_more_than_first_fit_by_address_ever_does(policy: str) -> None:
    """And ever more the longer it goes on."""
    short, long = robson_1977(policy, 40), robson_1977(policy, 80)
    assert long.factor > short.factor + 3
    assert long.factor > long.bounds.first_fit


@pytest.mark.slow
def test_the_search_is_repeatable_and_finds_worse_than_the_construction() -> None:
    found = adversary("worst_fit", 0, rounds=20, live_bytes=LIVE)
    assert adversary("worst_fit", 0, rounds=20, live_bytes=LIVE).trace.columns == found.trace.columns
    assert found.factor > robson_1971("worst_fit", live_bytes=LIVE).factor > robson_1977("worst_fit", 10).factor
    assert first_misuse(found.trace) is None


@pytest.mark.parametrize("keeping", Keeping)
def test_every_way_of_keeping_makes_the_policy_ask_for_more(keeping: Keeping) -> None:
    stages = len(DOUBLING)
    plan = Variation(DOUBLING, (keeping,) * stages, (8,) * stages, backwards=True)
    attack = robson_1971("worst_fit", plan, LIVE)
    assert attack.factor >= attack.bounds.any_allocator


def test_what_is_kept_leaves_no_hole_of_the_size() -> None:
    blocks = [(32 * place, 32 * (1 + place % 2), place) for place in range(0, 40, 2)]
    assert covering(blocks, 128, 8) == {place for _, _, place in blocks if place % 4 == 0}
    for lightest in (False, True):
        kept = [(address, size) for address, size, handle in blocks
                if handle in spread(blocks, 128, 1280, lightest=lightest)]
        edges = [0, *[end for address, size in kept for end in (address, address + size)], 1280]
        assert all(end - start < 128 for start, end in zip(edges[::2], edges[1::2], strict=True))


def test_bounds_by_hand() -> None:
    known = bounds(16, 16 * 2, 16 * 100)
    assert known.any_allocator == 1.5 - 1 / 100
    assert known.first_fit == pytest.approx(1.5 / 0.693147, rel=1e-5)
    assert bounds(32, 32 * 34, 32 * 1000).best_fit == (1000 - 4 * 34 + 11) * 32 / 1000
