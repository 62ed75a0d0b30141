"""What paths that follow each other share: what was asserted, and what was worked out, until they part.

Paths are explored depth first: all that a path repeats is what the path before it did. So what came of each step there
is read off, and the solver keeps what it was told, up to where the paths part.
"""

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import z3

from heapster.machine.linear import Forms, Terms, Variable, Word, scaled
from heapster.machine.solvers import SecondOpinion, Solver


class Facts:
    """The facts asserted on a path; a scope of the solver begins where paths part."""

    def __init__(self, second: SecondOpinion | None = None) -> None:
        self.second = second
        self.scopes = 0
        self._solver = Solver(z3.SimpleSolver(), second)
        self.mark()

    def mark(self) -> None:
        """Another path parts from this one here."""
        self.scopes += 1
        self._solver.push()

    def back_to(self, scopes: int) -> None:
        """Take back what was asserted since the path parted from which so many had."""
        if self.scopes > scopes:
            self._solver.pop(self.scopes - scopes)
            self.scopes = scopes

    def add(self, term: Any) -> None:
        """Assert a condition on this path."""
        self._solver.add(term)

    def can_be(self, *more: Any) -> bool:
        """Whether all that is asserted can hold, and more."""
        return self._ask(more, lambda: True) is not None

    def model(self, *more: Any) -> Any:
        """Values for which all that is asserted holds, and more; None if there are none."""
        return self._ask(more, self._solver.model)

    def _ask(self, more: Sequence[Any], answer: Callable[[], Any]) -> Any:
        if more:
            self._solver.push()
        for term in more:
            self._solver.add(term)
        result = answer() if self._solver.can_be() else None
        if more:
            self._solver.pop()
        return result


class Limits:
    """Between which values terms lie on a path, by what was assumed and decided there; the last can be taken back."""

    def __init__(self) -> None:
        self._of: dict[Terms, tuple[int, int]] = {}
        self._before: list[tuple[Terms, tuple[int, int] | None]] = []

    def of(self, terms: Terms) -> tuple[int, int]:
        """The least and greatest value that they may have."""
        return self._of.get(terms) or (terms.low, terms.high)

    def narrow(self, word: Word, low: int, high: int) -> None:
        """The word lies between these, and so does its opposite between theirs."""
        self._narrow(word.terms, low - word.const, high - word.const)
        self._narrow(scaled(word, -1).terms, word.const - high, word.const - low)

    def _narrow(self, terms: Terms, low: int, high: int) -> None:
        step, (least, most) = terms.step, self.of(terms)
        self._before.append((terms, self._of.get(terms)))
        self._of[terms] = max(least, -(-low // step) * step), min(most, high // step * step)

    def __len__(self) -> int:
        return len(self._before)

    def pop(self) -> None:
        """As before it was narrowed last."""
        terms, limits = self._before.pop()
        if limits is None:
            del self._of[terms]
        else:
            self._of[terms] = limits


class Fork(NamedTuple):
    """Where a path parts from another: how much they share, and the way that it takes."""

    scopes: int
    counts: tuple[int, ...]         # of what the trail has
    of: Any
    choice: int


class Trail:
    """What came of each step of a path, and what came up on it, in the order in which it did."""

    def __init__(self, second: SecondOpinion | None = None) -> None:
        self.facts = Facts(second)
        self.forms = Forms()
        self.events: list[tuple[Any, Any]] = []         # of what, so that a body that strays is noticed; what came
        self.variables: list[Variable] = []
        self.asked: list[Any] = []                      # words, by the body
        self.cuts: dict[Any, tuple[Any, Any]] = {}      # quotient and remainder of forms
        self.products: dict[tuple[int, int], Variable] = {}
        self.masks: dict[Any, Any] = {}                 # forms under masks
        self.settled: dict[Any, bool] = {}              # relations, by form and sign: whether they hold

        self.limits = Limits()

    def came_of(self, of: Any, result: Any, first: int | None = None) -> None:
        """Note it, in the place of all since the first."""
        if first is not None:
            del self.events[first:]
        self.events.append((of, result))

    def fork(self, of: Any, choice: int) -> Fork:
        """Where a path that takes this choice parts from the one that is explored."""
        fork = Fork(self.facts.scopes, tuple(map(len, self._all())), of, choice)
        self.facts.mark()
        return fork

    def back_to(self, fork: Fork | tuple[()]) -> int:
        """Forget all since, and note the other way; how many events the path repeats with it. Without a fork: all."""
        self.facts.back_to(fork.scopes if fork else 0)
        for kept, count in zip(self._all(), fork.counts if fork else repeat(0), strict=False):
            while len(kept) > count:
                kept.popitem() if isinstance(kept, dict) else kept.pop()
        if fork:
            self.events.append((fork.of, fork.choice))
        else:
            self.facts.mark()
        return len(self.events)

    def _all(self) -> tuple[Any, ...]:
        return self.events, self.variables, self.asked, self.cuts, self.products, self.masks, self.settled, self.limits
