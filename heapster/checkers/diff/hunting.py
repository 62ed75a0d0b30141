"""The adversary for each policy: what Robson's constructions do to it, and what Hypothesis finds by varying them.

Hypothesis draws plans and is told how much heap each costs for its live bytes (`target`), so that it climbs.
"""

from collections.abc import Iterator

from hypothesis import HealthCheck, Phase, given, seed, settings, target
from hypothesis import strategies as st

from heapster.checkers.diff.adversary import (
    LEAST,
    LIVE_BYTES,
    MOST,
    Attack,
    Keeping,
    Variation,
    robson_1971,
    robson_1977,
)
from heapster.model.geometry import ALIGN, HEADER

ROUNDS = 120                    # plans that are tried
STAGES = 64                     # at most
RATIOS = (1.05, 1.1, 1.15, 1.2, 1.25, 1.3, 1.4, 1.5, 1.75, 2.0, 3.0)    # of a stage's size to the one before
PLACES = 16                     # of a stage's size, evenly
DENSITIES = (1.0, 0.95, 0.9, 0.75)


def adversary(policy: str, number: int = 0, rounds: int = ROUNDS, live_bytes: int = LIVE_BYTES) -> Attack:
    """The worst trace found for the policy; the same for the same seed."""
    worst = max(robson_1971(policy, live_bytes=live_bytes), robson_1977(policy), key=_factor)

    @seed(number)
    @settings(max_examples=rounds, database=None, deadline=None, derandomize=False, print_blob=False,
              phases=(Phase.generate, Phase.target), suppress_health_check=list(HealthCheck))
    @given(plans())
    def climb(plan: Variation) -> None:
        nonlocal worst
        attack = robson_1971(policy, plan, live_bytes)
        target(attack.factor)
        worst = max(worst, attack, key=_factor)

    climb()
    return worst


def _factor(attack: Attack) -> float:
    return attack.factor


@st.composite
def plans(draw: st.DrawFn) -> Variation:
    """Variations of the construction of 1971: other sizes, choices, order of frees, density."""
    usual, choice = draw(st.sampled_from(RATIOS)), draw(st.sampled_from(Keeping))
    others = draw(st.dictionaries(st.sampled_from(range(STAGES)), st.sampled_from(RATIOS), max_size=2))
    exceptions = draw(st.dictionaries(st.sampled_from(range(STAGES)), st.sampled_from(Keeping), max_size=2))
    sizes = tuple(_sizes([others.get(stage, usual) for stage in range(STAGES)]))
    share = draw(st.sampled_from(range(PLACES)))
    return Variation(sizes, tuple([exceptions.get(stage, choice) for stage in range(len(sizes))]),
                     tuple([size * share // PLACES // ALIGN * ALIGN + HEADER for size in sizes]),
                     draw(st.booleans()), draw(st.sampled_from(DENSITIES)))


def _sizes(ratios: list[float]) -> Iterator[int]:
    """Sizes of the stages, up to the largest."""
    yield LEAST
    size, before = float(LEAST), LEAST
    for ratio in ratios:
        size = max(size * ratio, before + ALIGN)
        rounded = int(size) // ALIGN * ALIGN
        if rounded > MOST:
            return
        yield rounded
        before = rounded
