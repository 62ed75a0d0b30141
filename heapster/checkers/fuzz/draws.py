"""Hypothesis's draws, by the seed alone.

Hypothesis mixes constants of the modules that happen to be loaded into what it draws, which finds more in a program
that it knows nothing of. Ours say their boundaries themselves, and a seed must draw the same in an editable
checkout, in an installed wheel, and after an unrelated change.
"""

from typing import Any

from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider

BACKEND = "heapster"            # of `hypothesis.settings`


class Draws(HypothesisProvider):
    """Hypothesis's own draws, without the constants."""

    def _maybe_draw_constant(self, choice_type: Any, constraints: Any, *, p: float = 0.05) -> None:
        return None


AVAILABLE_PROVIDERS[BACKEND] = f"{__name__}.{Draws.__name__}"
