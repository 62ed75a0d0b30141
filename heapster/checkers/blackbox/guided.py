"""Generation guided by coverage: traces that were first to take an edge are kept, and changed into new ones.

What is kept of a trace ends with the operation that took the last new edge, so that seeds stay short; the short ones
are chosen more often (Zalewski, american fuzzy lop).
"""

from collections.abc import Mapping
from random import Random

from heapster.checkers.blackbox.changing import Changing, fitting
from heapster.checkers.blackbox.generator import Mood, draw_trace
from heapster.model.operation import Trace, canonical

FRESH, CHANGED = 0.15, 0.85     # of traces are drawn as without a guide; from there on seeds are changed, up to here
LENGTHS = (3, 6, 12, 20)        # steps of what is drawn as without a guide
BESIDE = 5                      # steps that each seed counts as having more, when one is chosen


class Guide:
    """The edges taken so far, and the traces that were first."""

    def __init__(self) -> None:
        self.edges: set[int] = set()
        self.seeds: list[Trace] = []

    def note(self, trace: Trace, taken: Mapping[int, int]) -> Trace:
        """What is kept of a trace that took these edges, each first at an operation; nothing if none is new."""
        news = taken.keys() - self.edges
        if not news:
            return ()
        self.edges |= news
        kept = canonical(trace[:max(taken[edge] for edge in news) + 1])
        self.seeds.append(kept)
        return kept

    def draw(self, rng: Random, mood: Mood, live_budget: int) -> Trace:
        """A trace for that mood: drawn as without a guide, a seed that is changed, or calls drawn one by one."""
        fresh = draw_trace(rng, mood._replace(length=rng.choice(LENGTHS)), live_budget)
        kind = rng.random()
        if kind < FRESH or not self.seeds:
            return fresh
        steps = Changing(rng, mood, lambda: self._chosen(rng)).changed(self._chosen(rng) if kind < CHANGED else ())
        return fitting(steps, mood, live_budget) or fresh

    def _chosen(self, rng: Random) -> Trace:
        return rng.choices(self.seeds, [1 / (BESIDE + len(seed)) for seed in self.seeds])[0]


def widened(mood: Mood, verbs: frozenset[str]) -> Mood:
    """All functions and sizes: what is drawn with a guide is short, and of what helps nothing is kept."""
    return mood._replace(verbs=mood.verbs | verbs - {"init", "check"}, huge=True, zero=True)
