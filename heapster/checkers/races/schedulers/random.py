"""The scheduler that chooses by chance."""

from random import Random
from typing import Any


class ByChance:
    """Any thread at points that synchronise; at plain accesses too, `gap` accesses apart on average."""

    def __init__(self, rng: Random, gap: int) -> None:
        self._rng, self._gap = rng, gap

    def choose(self, m: Any, me: int, kind: str, target: int) -> int:
        """See `Chooser.choose`."""
        enabled = m.enabled()
        if not enabled:
            raise m.deadlock()
        m.stop = m.steps + 1 + self._rng.randrange(2 * self._gap)
        return int(self._rng.choice(enabled))

    def pick(self, m: Any, number: int) -> int:
        """See `Chooser.pick`: the newest write as often as any."""
        return self._rng.choice((0, self._rng.randrange(number)))
