"""The adversary: its construction reaches what is proven of every allocator, and its traces are traces."""

import pytest

from heapster.checkers.diffing.adversary import LEAST, MOST, adversary, bounds, robson
from heapster.checkers.diffing.playing import play_compiled
from heapster.checkers.traces.legality import first_misuse
from heapster.model.operation import POLICY_NAMES


@pytest.mark.parametrize("policy", POLICY_NAMES)
def test_the_construction_reaches_the_lower_bound_for_all_allocators(policy: str) -> None:
    attack = robson(policy, {})
    assert attack.factor >= bounds(MOST // LEAST).any_allocator
    assert first_misuse(attack.trace) is None


def test_the_compiled_allocator_is_hurt_as_the_model_is() -> None:
    attack = robson("best_fit", {})
    played = play_compiled(attack.trace, "best_fit")
    assert played.parting is None
    assert (played.measures.peak_live, played.measures.peak_heap) == (attack.peak_live, attack.peak_heap)


def test_the_search_is_repeatable_and_never_worse() -> None:
    found = adversary("first_fit", 3, rounds=1)
    assert adversary("first_fit", 3, rounds=1).trace.columns == found.trace.columns
    assert found.factor >= robson("first_fit", {}).factor


def test_bounds_are_ordered() -> None:
    known = bounds(1 << 10)
    assert known.any_allocator == 6
    assert known.any_allocator < known.best_possible <= known.best_fit
