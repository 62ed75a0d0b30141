"""Ways through two readings of one function: at each condition that can go either way, one is taken and one is noted.

A way is run again from the start for each that was noted, as `machine.paths` does; words here wrap around, as the
compiled ones do, and memory is a function of addresses.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from time import process_time
from typing import Any

import z3

STEPS = 30_000_000                  # of z3, for one question: then it has no answer


class OtherReading(Exception):
    """On this way the readings part; the words say on what."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(reason)
        self.reason, self.words = reason, words


class NotCovered(Exception):
    """What is not looked at, and why."""


class NoWay(Exception):
    """This way leads nowhere: it is impossible, or all of it was looked at."""


class JointWay:
    """What is assumed and decided on one way."""

    def __init__(self, answers: tuple[int, ...]) -> None:
        self._before, self._answers = answers, list[int]()      # of the way that this one parts from, and all so far
        self.noted: list[tuple[int, ...]] = []
        self._solver = z3.SolverFor("QF_BV")
        self._solver.set("rlimit", STEPS)
        self._model: Any = None
        self._known: dict[int, tuple[bool, Any]] = {}   # conditions that were asked, by their numbers
        self.named: list[tuple[str, Any]] = []          # words to say where the readings part
        self._looked_up: dict[str, list[tuple[Any, Any]]] = {}
        self._places: list[Any] = []
        self._products: list[tuple[Any, Any, Any]] = []

    def word(self, name: str, width: int = 64) -> Any:
        """Any word, which is told by that name."""
        made = z3.BitVec(name, width)
        self.named.append((name, made))
        return made

    def found_at(self, where: str, place: Any, width: int = 64) -> Any:
        """What is at a place: any word, the same each time that the place is the same."""
        known = self._looked_up.setdefault(where, [])
        for other, found in known:
            if other.eq(place):
                return found
        known.append((place, z3.BitVec(f"{where}.{len(known)}", width)))
        if self._model is not None and self._contradicted(self._model, where) is not None:
            self._model = None
        return known[-1][1]

    def _contradicted(self, model: Any, where: str) -> Any:
        """That one place holds one word, where a model has two there."""
        seen: dict[int, tuple[Any, Any, int]] = {}
        for place, found in self._looked_up[where]:
            at, value = (model.eval(term, model_completion=True).as_long() for term in (place, found))
            other = seen.setdefault(at, (place, found, value))
            if other[2] != value:
                return z3.Implies(other[0] == place, other[1] == found)
        return None

    def product(self, a: Any, b: Any) -> Any:
        """The product of two words: of two unknown ones, a word of its own, as solvers are lost in what they make."""
        if z3.is_bv_value(a) or z3.is_bv_value(b):
            return a * b
        a, b = self.place(a), self.place(b)
        for one, other, product in self._products:
            if one.eq(a) and other.eq(b) or one.eq(b) and other.eq(a):
                return product
        self._products.append((a, b, z3.BitVec(f"product.{len(self._products)}", a.size())))
        return self._products[-1][2]

    def assume(self, condition: Any) -> None:
        """It holds from here on."""
        self._solver.add(condition)
        if self._model is not None and not z3.is_true(self._model.eval(condition, model_completion=True)):
            self._model = None

    def _ask(self, *more: Any) -> Any:
        """A model, None if there is none. That a place holds one word is said of those that a model gets wrong."""
        while True:
            answer = self._solver.check(*more)
            if answer == z3.unknown:
                raise NotCovered("z3 has no answer")
            if answer == z3.unsat:
                return None
            model = self._solver.model()
            wrong = [fact for where in self._looked_up if (fact := self._contradicted(model, where)) is not None]
            if not wrong:
                return model
            for fact in wrong:
                self._solver.add(fact)

    def _found(self) -> Any:
        if self._model is None:
            self._model = self._ask()
            if self._model is None:
                raise NoWay
        return self._model

    def _holds_here(self, condition: Any) -> bool:
        return bool(z3.is_true(self._found().eval(condition, model_completion=True)))

    def _must_hold(self, condition: Any) -> bool:
        return self._holds_here(condition) and self._ask(z3.Not(condition)) is None

    def decide(self, condition: Any) -> bool:
        """Whether it holds; where both can be, a way for each."""
        condition = z3.simplify(condition)
        known = self._settled(condition)
        if known is not None:
            return known
        holds = bool(self._answer(lambda: self._chosen(condition)))
        self._know(condition, holds)
        self.assume(condition if holds else z3.Not(condition))
        return holds

    def _chosen(self, condition: Any) -> bool:
        """What a model of this way says; if another says otherwise, that way is noted."""
        holds = self._holds_here(condition)
        if self._ask(z3.Not(condition) if holds else condition) is not None:
            self.noted.append((*self._answers, int(not holds)))
        return holds

    def implied(self, condition: Any) -> bool:
        """Whether it must hold here; no way is made for the contrary."""
        condition = z3.simplify(condition)
        known = self._settled(condition)
        if known is not None:
            return known
        holds = bool(self._answer(lambda: self._must_hold(condition)))
        if holds:
            self._know(condition, True)
        return holds

    def _retraces(self) -> bool:
        """Whether it has not yet parted from the way that it comes from."""
        return len(self._answers) < len(self._before)

    def _answer(self, ask: Callable[[], int]) -> int:
        """What was answered here on the way that it comes from, or is now that it has parted from that."""
        answer = self._before[len(self._answers)] if self._retraces() else int(ask())
        self._answers.append(answer)
        return answer

    def _settled(self, condition: Any) -> bool | None:
        if z3.is_true(condition) or z3.is_false(condition):
            return bool(z3.is_true(condition))
        known = self._known.get(condition.get_id())
        return None if known is None else known[0]

    def _know(self, condition: Any, holds: bool) -> None:
        opposite = z3.simplify(z3.Not(condition))
        self._known[condition.get_id()] = holds, condition
        self._known[opposite.get_id()] = not holds, opposite

    def insist(self, condition: Any, reason: Callable[[], str]) -> None:
        """It must hold, or the readings part."""
        condition = z3.simplify(condition)
        if self._settled(condition) or self._retraces():
            return                  # what was asked on the way from which this one parts held there
        model = self._ask(z3.Not(condition))
        if model is not None and self._products:
            model = self._ask(z3.Not(condition), *(made == one * other for one, other, made in self._products))
        if model is not None:
            raise OtherReading(reason(), self.told(model))
        self._know(condition, True)

    def place(self, address: Any) -> Any:
        """The address as it was written first: one that must be the same, if one was met before."""
        for other in self._places:
            if other.eq(address):
                return other
        answer = self._answer(lambda: next(
            (number for number, other in enumerate(self._places) if self._must_be(other, address)), -1))
        if answer < 0:
            self._places.append(address)
        return self._places[answer]

    def _must_be(self, other: Any, address: Any) -> bool:
        condition = z3.simplify(other == address)
        return not z3.is_false(condition) and self._must_hold(condition)

    def part(self, reason: str) -> None:
        """The readings part, if this way can be taken at all."""
        model = self._ask(*(made == one * other for one, other, made in self._products))
        if model is None:
            raise NoWay
        raise OtherReading(reason, self.told(model))

    def told(self, model: Any) -> str:
        """The words that make it so."""
        return ", ".join(f"{name} = {_shown(model.eval(word, model_completion=True))}" for name, word in self.named)


def _shown(value: Any) -> str:
    number = value.as_signed_long() if z3.is_bv_value(value) else 0
    return str(number) if abs(number) < 1 << 16 else hex(number)


def all_ways(body: Callable[[JointWay], None], seconds: float) -> Iterator[JointWay]:
    """Every way through the body, within so many seconds of processor time."""
    todo: list[tuple[int, ...]] = [()]
    end = process_time() + seconds
    while todo:
        if process_time() > end:
            raise NotCovered(f"more ways than are walked in {seconds:g} s")
        way = JointWay(todo.pop())
        with suppress(NoWay):
            body(way)
        todo += way.noted
        yield way
