"""The scheduler that chooses by priorities which change at random."""

from random import Random
from typing import Any

from heapster.machine.traced import NOBODY, STEP_LIMIT


class ByPriority:
    """Probabilistic concurrency testing: Burckhardt and others, ASPLOS 2010, section 3.

    Threads have random priorities; at depth - 1 random ones of the first `length` points the runner's
    becomes the lowest. A bug of that depth is found with probability at least 1 / (n * length ** (depth - 1)).
    """

    def __init__(self, rng: Random, threads: int, depth: int, length: int) -> None:
        self._rng = rng
        self._priority = rng.sample(range(depth, depth + threads), threads)
        changes = {rng.randrange(max(1, length)) for _ in range(depth - 1)}
        self._changes = sorted(changes, reverse=True)
        self._lowest = depth

    def choose(self, m: Any, me: int, kind: str, target: int) -> int:
        """See `Chooser.choose`."""
        while self._changes and self._changes[-1] <= m.steps:
            self._changes.pop()
            self._lowest -= 1
            self._priority[me if me != NOBODY else m.running] = self._lowest
        enabled = m.enabled()
        if not enabled:
            raise m.deadlock()
        m.stop = self._changes[-1] if self._changes else STEP_LIMIT
        return int(max(enabled, key=self._priority.__getitem__))

    def pick(self, m: Any, number: int) -> int:
        """See `Chooser.pick`: the newest write as often as any."""
        return self._rng.choice((0, self._rng.randrange(number)))
