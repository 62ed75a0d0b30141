"""The path of a proof's body, and the way that it took at each place where it could go either."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from heapster.machine.symbolic import Symbolic


class Refutation(NamedTuple):
    """A claim that is false, and the choices and words that make it so."""

    claim: str
    reason: str
    choices: tuple[int, ...]
    words: tuple[int, ...]          # in the order in which the body asked for them


class Path(Protocol):
    """The operations of a proof's body: an encoding of words, or a replay of one counterexample."""

    def word(self, name: str, low: int = ..., high: int = ..., step: int = ..., offset: int = ...) -> Any:
        """An unknown word in [low, high] that is offset modulo step."""

    def require(self, left: Any, sign: str, right: Any) -> None:
        """Assume left `sign` right; the sign is one of <, <=, ==."""

    def apart(self, a: Any, a_bytes: Any, b: Any, b_bytes: Any) -> None:
        """Assume that [a, a + a_bytes) and [b, b + b_bytes) do not overlap."""

    def choose(self, count: int) -> int:
        """Any of 0..count-1."""

    def claim(self, name: str, holds: Callable[[], bool], why: Callable[[], str] = ...) -> None:
        """It holds here; `why` says more if it does not."""


class Decisions:
    """The choices of one path, and those that others must take."""

    def __init__(self, prefix: Sequence[int]) -> None:
        self.prefix = prefix
        self.taken: list[int] = []
        self.chosen: list[int] = []     # of those, what the body chose
        self.pending: list[list[int]] = []
        self.claimed: set[str] = set()
        self.abandoned = False          # its assumptions contradict each other, or a law was broken on it
        self.refuted: list[Refutation] = []

    def replayed(self) -> int | None:
        """The decision that is to be repeated here, if one is."""
        return self.prefix[len(self.taken)] if len(self.taken) < len(self.prefix) else None

    def choose(self, count: int) -> int:
        """See `Path.choose`."""
        choice = self.replayed()
        if choice is None:
            choice = 0
            self.pending += [[*self.taken, other] for other in range(count - 1, 0, -1)]
        self.taken.append(choice)
        self.chosen.append(choice)
        return choice

    def machine(self, statics: Any = 0, thread: Any = 0) -> Any:
        """Memory of which nothing is known yet."""
        return Symbolic(self, statics, thread)

    def fork(self, choice: bool, both: bool) -> bool:
        """Note a comparison that goes this way; whether it could go the other."""
        if both:
            self.pending.append([*self.taken, int(not choice)])
        self.taken.append(int(choice))
        return both
