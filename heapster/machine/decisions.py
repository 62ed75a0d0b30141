"""The path of a proof's body, and the way that it took at each place where it could go either."""

from collections.abc import Callable
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
    """What a path came by."""

    def __init__(self) -> None:
        self.chosen: list[int] = []     # by the body
        self.pending: list[Any] = []    # where other paths begin
        self.claimed: set[str] = set()
        self.abandoned = False          # its assumptions contradict each other, or a law was broken on it
        self.refuted: list[Refutation] = []

    def machine(self, statics: Any = 0, thread: Any = 0) -> Any:
        """Memory of which nothing is known yet."""
        return Symbolic(self, statics, thread)
