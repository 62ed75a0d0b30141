"""All paths through a piece of code over unknown words: branches fork by replay.

A body is a function of a path. It asks the path for words, assumes, runs the code, and claims. The
first time that a comparison can go either way the path takes one and notes the other, and the body is
run again from the start for each way noted. A claim is a comparison like any other, so one that can
be false is false on some path; the words of that path's model are the counterexample.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import z3

from heapster.machine.decisions import Decisions, Path, Refutation
from heapster.machine.linear import (
    STAYS,
    WORD_MAX,
    WORD_MIN,
    Infeasible,
    Relation,
    Undecided,
    Unsupported,
    Variable,
    Word,
    bounds,
    divisor,
    relation,
    scaled,
    times,
)
from heapster.machine.solvers import SecondOpinion, Solver, about
from heapster.machine.terms import bounds_terms, integer_named, relation_term

NEAR = (0, 16, 256, 1 << 12, 1 << 16)     # above a word's least, tried in a counterexample
MOST_VALUES = 64                    # a word with more is not settled by trying each


class Apart(NamedTuple):
    """One range ends before the other starts: either form is <= 0."""

    first: Relation
    second: Relation


class Facts:
    """The facts asserted on one path after another: a prefix that the next path shares is not asserted again.

    A scope of the solver begins where paths may part.
    """

    def __init__(self, second: SecondOpinion | None = None) -> None:
        self.second = second
        self._solver = Solver(z3.SimpleSolver(), second)
        self._terms: list[Any] = []     # all that the solver has
        self._marks: list[int] = []     # how many it had when each scope began
        self._count = 0                 # of those, asserted on this path
        self.mark()

    def begin(self) -> None:
        """A path begins, on which nothing is asserted yet."""
        self._count = 0

    def mark(self) -> None:
        """Another path may part from this one here."""
        if self._count == len(self._terms) and self._count not in self._marks[-1:]:
            self._marks.append(self._count)
            self._solver.push()

    def add(self, term: Any) -> None:
        """Assert a condition on this path."""
        if self._count == len(self._terms) or self._terms[self._count].ast.value != term.ast.value:
            self._leave_others()
            self._solver.add(term)
            self._terms.append(term)
        self._count += 1

    def _leave_others(self) -> None:
        """Take back what is not asserted on this path."""
        if self._count == len(self._terms):
            return
        scopes = bisect_left(self._marks, self._count)
        if self._marks[scopes:scopes + 1] != [self._count]:
            scopes -= 1
        shared = self._terms[self._marks[scopes]:self._count]
        self._solver.pop(len(self._marks) - scopes)
        del self._terms[self._marks[scopes]:], self._marks[scopes:]
        self._count = len(self._terms)
        self.mark()
        for term in shared:
            self.add(term)

    def can_be(self, *more: Any) -> bool:
        """Whether all that is asserted can hold, and more."""
        return self._ask(more, lambda: True) is not None

    def model(self, *more: Any) -> Any:
        """Values for which all that is asserted holds, and more; None if there are none."""
        return self._ask(more, self._solver.model)

    def _ask(self, more: Sequence[Any], answer: Callable[[], Any]) -> Any:
        self._leave_others()
        if more:
            self._solver.push()
        for term in more:
            self._solver.add(term)
        result = answer() if self._solver.can_be() else None
        if more:
            self._solver.pop()
        return result


class Integers(Decisions):
    """Words are integers; comparisons are decided by bounds, by the last model, or by the solver."""

    def __init__(self, prefix: Sequence[int], facts: Facts | None = None) -> None:
        super().__init__(prefix)
        self._facts = facts or Facts()
        self._facts.begin()
        self._variables: list[Variable] = []
        self._asked: list[Any] = []
        self._model: dict[Variable, int] | None = {}
        self._cuts: dict[Any, tuple[Any, Any]] = {}
        self._products: dict[tuple[int, int], Variable] = {}

    def choose(self, count: int) -> int:
        """See `Path.choose`."""
        self._facts.mark()
        return super().choose(count)

    def fork(self, choice: bool, both: bool) -> bool:
        """See `Decisions.fork`."""
        if both:
            self._facts.mark()
        return super().fork(choice, both)

    # Words.

    def _variable(self, name: str, low: int, high: int) -> Variable:
        number = len(self._variables)
        variable = Variable(number, name, low, high, integer_named(f"{name}!{number}"))
        self._variables.append(variable)
        for bound in bounds_terms(variable.integer, low, high):
            self._facts.add(bound)
        return variable

    def word(self, name: str, low: int = WORD_MIN, high: int = WORD_MAX, step: int = 1, offset: int = 0) -> Any:
        """See `Path.word`."""
        first, last = -((offset - low) // step), (high - offset) // step
        variable = self._variable(name, first, last)
        if self._model is not None:
            self._model[variable] = first
        word = Word(self, {variable: step}, offset)
        self._asked.append(word)
        return word

    def divided(self, rest: Any, places: int) -> tuple[Any, Any]:
        """Quotient and remainder of a form by 2**places, as two more integers."""
        key = (frozenset(rest.terms.items()), rest.const, places)
        if key not in self._cuts:
            low, high = bounds(rest)
            quotient = self._variable("quotient", low >> places, high >> places)
            remainder = self._variable("rest", 0, (1 << places) - 1)
            if self._model is not None:
                value = self._value(rest, self._model)
                self._model[quotient], self._model[remainder] = value >> places, value & (1 << places) - 1
            whole = Word(self, {quotient: 1 << places, remainder: 1}, 0)
            self._facts.add(self._term(relation(whole, "==", rest)))
            self._cuts[key] = Word(self, {quotient: 1}, 0), Word(self, {remainder: 1}, 0)
        return self._cuts[key]

    def product(self, v: Variable, w: Variable) -> Variable:
        """The variable that is v * w."""
        key = (min(v.number, w.number), max(v.number, w.number))
        if key not in self._products:
            corners = [a * b for a in (v.low, v.high) for b in (w.low, w.high)]
            product = self._variable(f"{v.name}*{w.name}", min(corners), max(corners))
            self._facts.add(product.integer.term == v.integer.term * w.integer.term)
            if self._model is not None:
                self._model[product] = self._model[v] * self._model[w]
            self._products[key] = product
        return self._products[key]

    def some_union(self, a: Any, b: Any) -> Any:
        """Some word that a | b may be: at least each and at most the sum."""
        variable = self._variable("union", 0, WORD_MAX)
        union = Word(self, {variable: 1}, 0)
        if self._model is not None:
            self._model[variable] = self._value(a, self._model) | self._value(b, self._model)
        for relation_ in (relation(a, "<=", union), relation(b, "<=", union)):
            self._add(relation_)
        return union

    def settled(self, word: Any) -> int:
        """Its value; a path for each that it can have."""
        if isinstance(word, int):
            return word
        low, high = bounds(word)
        if high - low > MOST_VALUES:
            raise Unsupported(f"{word} has too many values")
        return next((value for value in range(low, high) if word == value), high)

    def oblige(self, word: Any) -> Any:
        """The word, which must be one; if it can be more than 64 bits, that refutes the body."""
        low, high = bounds(word)
        if (low < WORD_MIN or high > WORD_MAX) and isinstance(word, Word) and (
                self.decide(relation(word, "<", WORD_MIN)) or self.decide(relation(WORD_MAX, "<", word))):
            self.refute(STAYS, "a word overflows")
            raise Infeasible
        return word

    def is_product(self, result: Any, a: Any, b: Any, most: int) -> bool:
        """Whether result is the true product, or -1 if that exceeds `most`; mathematics, not words."""
        exact = times(a, b) if isinstance(a, Word) and isinstance(b, Word) else \
            scaled(a, b) if isinstance(b, int) else scaled(b, a)
        if isinstance(exact, int):
            return bool(result == (exact if exact <= most else -1))
        if self.decide(relation(most, "<", exact)):
            return bool(result == -1)
        return self.decide(relation(exact, "==", result))

    # Assumptions.

    def require(self, left: Any, sign: str, right: Any) -> None:
        """See `Path.require`."""
        if isinstance(left, int) and isinstance(right, int):
            if not {"<": left < right, "<=": left <= right, "==": left == right}[sign]:
                raise Infeasible
            return
        self._add(relation(left, sign, right))

    def apart(self, a: Any, a_bytes: Any, b: Any, b_bytes: Any) -> None:
        """See `Path.apart`."""
        first, second = relation(a + a_bytes, "<=", b), relation(b + b_bytes, "<=", a)
        if _known(first) is not True and _known(second) is not True:
            self._facts.add(z3.Or(self._term(first), self._term(second)))
            if self._model is not None and not (self._holds(first, self._model) or self._holds(second, self._model)):
                self._model = None

    def _add(self, fact: Relation) -> None:
        known = _known(fact)
        if known is None:
            self._facts.add(self._term(fact))
            if self._model is not None and not self._holds(fact, self._model):
                self._model = None
        elif not known:
            raise Infeasible

    # Decisions.

    def decide(self, fact: Relation) -> bool:
        """Whether it holds; where both can be, a path for each."""
        known = _known(fact)
        if known is not None:
            return known
        replayed = self.replayed()
        if replayed is not None:
            self.taken.append(replayed)
            choice = bool(replayed)
        else:
            choice = self._holds(fact, self._sat())
            other = fact._replace(negated=choice != fact.negated)
            if not self.fork(choice, self._can_be(other)):
                return choice
        self._add(fact if choice else fact._replace(negated=not fact.negated))
        return choice

    def implied(self, fact: Relation) -> bool:
        """Whether it must hold on this path; no path is made for the contrary."""
        known = _known(fact)
        if known is not None:
            return known
        replayed = self.replayed()
        if replayed is None:
            replayed = int(self._holds(fact, self._sat()) and not self._can_be(fact._replace(negated=True)))
        self.taken.append(replayed)
        return bool(replayed)

    def _can_be(self, fact: Relation, *more: Any) -> bool:
        return self._facts.can_be(*more, self._term(fact))

    def _sat(self) -> dict[Variable, int]:
        """A model of all that was assumed and decided; Infeasible if there is none."""
        if self._model is None:
            self._model = self._values(())
        return self._model

    def _values(self, more: Sequence[Any]) -> dict[Variable, int]:
        model = self._facts.model(*more)
        if model is None:
            raise Infeasible
        return {v: model.eval(v.integer.term, model_completion=True).as_long() for v in self._variables}

    # Claims.

    def claim(self, name: str, holds: Callable[[], bool], why: Callable[[], str] = str) -> None:
        """See `Path.claim`; the path is shown to exist first."""
        self._sat()
        self.claimed.add(name)
        with about(self._facts.second, name):
            if not holds():
                self.refute(name, why())

    def refute(self, name: str, reason: str) -> None:
        """The claim is false on this path, for words as small as they get one after the other."""
        model = self._least()
        words = tuple(self._value(word, model) for word in self._asked)
        self.claimed.add(name)
        self.refuted.append(Refutation(name, reason, tuple(self.chosen), words))

    def _least(self) -> dict[Variable, int]:
        """A model in which each word that the body asked for is small, if it can be after those before it."""
        small: list[Any] = []
        for variable in (variable for word in self._asked for variable in word.terms):
            self._press(variable, small)
        return self._values(small)

    def _press(self, variable: Variable, small: list[Any]) -> None:
        """Add that the variable is near its least, or near 0 if it can be negative, to what is to hold."""
        form, least = Word(self, {variable: 1}, 0), max(variable.low, 0)
        self._add_if_it_can(relation(form, "<", least)._replace(negated=True), small)
        for distance in NEAR:
            if self._add_if_it_can(relation(form, "<=", least + distance), small):
                return

    def _add_if_it_can(self, fact: Relation, small: list[Any]) -> bool:
        known = _known(fact)
        if known is None and self._can_be(fact, *small):
            small.append(self._term(fact))
            return True
        return bool(known)

    def finish(self) -> None:
        """The body is done: it was no empty path, and it kept the laws."""
        self._sat()
        self.claimed.add(STAYS)

    # Forms, in Python and for z3.

    @staticmethod
    def _value(word: Any, model: dict[Variable, int]) -> int:
        if isinstance(word, int):
            return word
        return int(word.const + sum(c * model[v] for v, c in word.terms.items()))

    def _holds(self, fact: Relation, model: dict[Variable, int]) -> bool:
        value = self._value(fact.form, model)
        holds = {"<": value < 0, "<=": value <= 0, "==": value == 0}[fact.sign]
        return holds != fact.negated

    def _term(self, fact: Relation) -> Any:
        if isinstance(fact.form, int):
            return z3.BoolVal(bool(_known(fact)))
        return relation_term(fact)


# Terms for z3, made once for all paths, which ask for the same ones; by its raw interface, because z3's
# operators cost more than its answers here.


def _known(fact: Relation) -> bool | None:
    """Whether it holds, if bounds and divisors tell."""
    low, high = bounds(fact.form)
    holds: bool | None = None
    if fact.sign == "==":
        if low > 0 or high < 0 or isinstance(fact.form, Word) and fact.form.const % divisor(fact.form):
            holds = False
        elif low == high:
            holds = True
    else:
        edge = 0 if fact.sign == "<=" else -1
        holds = True if high <= edge else False if low > edge else None
    return holds if holds is None else holds != fact.negated


def integers(second: SecondOpinion | None = None) -> Callable[[Sequence[int]], Integers]:
    """The encoding as integers, of paths that follow each other."""
    return partial(Integers, facts=Facts(second))


def paths(encoding: Callable[[Sequence[int]], Any], body: Callable[[Any], None]) -> Iterator[Any]:
    """Every feasible path of the body."""
    todo: list[list[int]] = [[]]
    while todo:
        path = encoding(todo.pop())
        try:
            body(path)
            path.finish()
        except Infeasible:
            path.abandoned = True
        todo += path.pending
        yield path


__all__ = ["STAYS", "Infeasible", "Integers", "Path", "Refutation", "Undecided", "Unsupported", "integers",
           "paths"]
