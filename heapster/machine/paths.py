"""All paths through a piece of code over unknown words: branches fork by replay.

A body is a function of a path. It asks the path for words, assumes, runs the code, and claims. The
first time that a comparison can go either way the path takes one and notes the other, and the body is
run again from the start for each way noted. A claim is a comparison like any other, so one that can
be false is false on some path; the words of that path's model are the counterexample.

Until it parts from the path before it, a path is told what was worked out there: see `trail`.
"""

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
    plus,
    relation,
    scaled,
    times,
)
from heapster.machine.solvers import SecondOpinion, about
from heapster.machine.terms import bounds_terms, integer_named, relation_term
from heapster.machine.trail import Fork, Limits, Trail

NEAR = (0, 16, 256, 1 << 12, 1 << 16)     # above a word's least, tried in a counterexample
MOST_VALUES = 64                    # a word with more is not settled by trying each


class Apart(NamedTuple):
    """One range ends before the other starts: either form is <= 0."""

    first: Relation
    second: Relation


class Values(dict[Variable, int]):
    """The values of variables in a model, each looked up when it is asked for."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model

    def __missing__(self, variable: Variable) -> int:
        value = int(self._model.eval(variable.integer.term, model_completion=True).as_long())
        self[variable] = value
        return value


class Integers(Decisions):
    """Words are integers; comparisons are decided by bounds, by the last model, or by the solver."""

    def __init__(self, start: Fork | tuple[()], trail: Trail) -> None:
        super().__init__()
        self._trail, self._facts, self.masks = trail, trail.facts, trail.masks
        trail.forms.path = self
        self._repeated = trail.back_to(start)   # events, the last of which is the other way
        self._place = 0                         # of those, as far as the body came
        self._model: dict[Variable, int] | None = None if start else {}

    # What another path came by too.

    def _repeats(self) -> bool:
        """Whether all this happened on the path from which this one parts, and was the same."""
        return self._place < self._repeated

    def _event(self, of: Any) -> Any:
        """What came of it there."""
        was, result = self._trail.events[self._place]
        if was != of:
            raise Unsupported("the body does something else when it is run again")
        self._place += 1
        return result

    def once(self, word: Word, work: Callable[[], Any]) -> Any:
        """What is worked out of a word, with no fork on the way."""
        if self._place < self._repeated:
            return self._event(word.terms)
        first = len(self._trail.events)
        result = work()
        self._trail.came_of(word.terms, result, first)
        return result

    def choose(self, count: int) -> int:
        """See `Path.choose`."""
        if self._repeats():
            choice = self._event(count)
        else:
            choice = 0
            self.pending += [self._trail.fork(count, other) for other in range(count - 1, 0, -1)]
            self._trail.came_of(count, choice)
        self.chosen.append(choice)
        return int(choice)

    # Words.

    def _variable(self, name: str, low: int, high: int) -> Variable:
        number = len(self._trail.variables)
        variable = self._trail.forms.variable(number, name, low, high, integer_named(f"{name}!{number}"))
        self._trail.variables.append(variable)
        for bound in bounds_terms(variable.integer, low, high):
            self._facts.add(bound)
        return variable

    def word(self, name: str, low: int = WORD_MIN, high: int = WORD_MAX, step: int = 1, offset: int = 0) -> Any:
        """See `Path.word`."""
        if self._repeats():
            return self._event(name)
        first, last = -((offset - low) // step), (high - offset) // step
        variable = self._variable(name, first, last)
        if self._model is not None:
            self._model[variable] = first
        word = self._trail.forms.of(variable, step, offset)
        self._trail.asked.append(word)
        self._trail.came_of(name, word)
        return word

    def divided(self, rest: Any, places: int) -> tuple[Any, Any]:
        """Quotient and remainder of a form by 2**places, as two more integers."""
        key, cuts, forms = (rest.terms, rest.const, places), self._trail.cuts, self._trail.forms
        if key not in cuts:
            low, high = bounds(rest)
            quotient = self._variable("quotient", low >> places, high >> places)
            remainder = self._variable("rest", 0, (1 << places) - 1)
            if self._model is not None:
                value = self._value(rest, self._model)
                self._model[quotient], self._model[remainder] = value >> places, value & (1 << places) - 1
            cuts[key] = forms.of(quotient), forms.of(remainder)
            whole = plus(forms.of(quotient, 1 << places), cuts[key][1], 1)
            self._facts.add(self._term(relation(whole, "==", rest)))
        return cuts[key]

    def product(self, v: Variable, w: Variable) -> Variable:
        """The variable that is v * w."""
        key, products = (min(v.number, w.number), max(v.number, w.number)), self._trail.products
        if key not in products:
            corners = [a * b for a in (v.low, v.high) for b in (w.low, w.high)]
            product = self._variable(f"{v.name}*{w.name}", min(corners), max(corners))
            self._facts.add(product.integer.term == v.integer.term * w.integer.term)
            if self._model is not None:
                self._model[product] = self._model[v] * self._model[w]
            products[key] = product
        return products[key]

    def some_union(self, a: Any, b: Any) -> Any:
        """Some word that a | b may be: at least each and at most the sum."""
        variable = self._variable("union", 0, WORD_MAX)
        union = self._trail.forms.of(variable)
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
        if isinstance(word, Word) and (
                word.terms.low + word.const < WORD_MIN or word.terms.high + word.const > WORD_MAX) and (
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
        if self._repeats():
            return
        if isinstance(left, int) and isinstance(right, int):
            if not {"<": left < right, "<=": left <= right, "==": left == right}[sign]:
                raise Infeasible
            return
        self._add(relation(left, sign, right))

    def apart(self, a: Any, a_bytes: Any, b: Any, b_bytes: Any) -> None:
        """See `Path.apart`."""
        if self._repeats():
            return
        first, second = relation(a + a_bytes, "<=", b), relation(b + b_bytes, "<=", a)
        if _known(first) is not True and _known(second) is not True:
            self._facts.add(z3.Or(self._term(first), self._term(second)))
            if self._model is not None and not (self._holds(first, self._model) or self._holds(second, self._model)):
                self._model = None

    def _add(self, fact: Relation) -> None:
        known = _known(fact)
        if known is None:
            self._note(fact, True)
            self._facts.add(self._term(fact))
            if self._model is not None and not self._holds(fact, self._model):
                self._model = None
        elif not known:
            raise Infeasible

    # Decisions.

    def compare(self, word: Word, left: Any, sign: str, right: Any) -> bool:
        """Whether left `sign` right, one of which is the word; where both can be, a path for each."""
        if self._place + 1 < self._repeated:
            return bool(self._event(word.terms))
        fact = relation(left, sign, right)
        if self._place == self._repeated and (known := _known(fact)) is not None:
            self._trail.events.append((word.terms, known))
            return known
        return self._decided(word.terms, fact)

    def decide(self, fact: Relation) -> bool:
        """Whether it holds; where both can be, a path for each."""
        return self._decided(fact.form.terms if isinstance(fact.form, Word) else None, fact)

    def _decided(self, of: Any, fact: Relation) -> bool:
        if self._repeats():
            choice = bool(self._event(of))
            if self._repeats():
                return choice
            self._settle(fact, choice)
            return choice
        known = self._told(fact)
        if known is not None:
            self._trail.came_of(of, known)
            return known
        choice = self._holds(fact, self._sat())
        if self._can_be(fact._replace(negated=choice != fact.negated)):
            self.pending.append(self._trail.fork(of, not choice))
            self._settle(fact, choice)
        else:
            self._note(fact, choice)
        self._trail.came_of(of, choice)
        return choice

    def implied(self, fact: Relation) -> bool:
        """Whether it must hold on this path; no path is made for the contrary."""
        known = _known(fact)
        if known is not None:
            return known
        if self._repeats():
            return bool(self._event(fact.form.terms))
        known = self._told(fact)
        holds = self._holds(fact, self._sat()) and not self._can_be(
            fact._replace(negated=not fact.negated)) if known is None else known
        if holds and known is None:
            self._note(fact, True)
        self._trail.came_of(fact.form.terms, holds)
        return holds

    def _told(self, fact: Relation) -> bool | None:
        """Whether it holds, if bounds tell, or this path was asked before."""
        known = _known(fact)
        if known is None:
            said = self._trail.settled.get((fact.form.terms, fact.form.const, fact.sign))
            known = _known(fact, self._trail.limits) if said is None else said != fact.negated
        return known

    def _note(self, fact: Relation, holds: bool) -> None:
        """On this path it holds, or does not, from here on."""
        form, sign, _ = fact
        is_so = self._trail.settled[form.terms, form.const, sign] = holds != fact.negated
        low, high = self._trail.limits.of(form.terms)
        edge = 0 if sign == "<=" else -1
        if sign != "==":
            low, high = (low + form.const, edge) if is_so else (edge + 1, high + form.const)
        elif is_so:
            low = high = 0
        else:
            low, high = low + form.const, high + form.const
            low, high = low + (low == 0), high - (high == 0)
        self._trail.limits.narrow(form, low, high)

    def _settle(self, fact: Relation, holds: bool) -> None:
        """Assert that it does, or does not."""
        self._add(fact if holds else fact._replace(negated=not fact.negated))

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
        return Values(model)

    # Claims.

    def claim(self, name: str, holds: Callable[[], bool], why: Callable[[], str] = str) -> None:
        """See `Path.claim`; the path is shown to exist first."""
        if not self._repeats():
            self._sat()
        self.claimed.add(name)
        with about(self._facts.second, name):
            if not holds():
                self.refute(name, why())

    def refute(self, name: str, reason: str) -> None:
        """The claim is false on this path, for words as small as they get one after the other."""
        if self._repeats():
            return
        model = self._least()
        words = tuple(self._value(word, model) for word in self._trail.asked)
        self.claimed.add(name)
        self.refuted.append(Refutation(name, reason, tuple(self.chosen), words))

    def _least(self) -> dict[Variable, int]:
        """A model in which each word that the body asked for is small, if it can be after those before it."""
        small: list[Any] = []
        for variable in (variable for word in self._trail.asked for variable in word.terms.counts):
            self._press(variable, small)
        return self._values(small)

    def _press(self, variable: Variable, small: list[Any]) -> None:
        """Add that the variable is near its least, or near 0 if it can be negative, to what is to hold."""
        form, least = self._trail.forms.of(variable), max(variable.low, 0)
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
        if self._repeats():
            raise Unsupported("the body ends sooner when it is run again")
        self._sat()
        self.claimed.add(STAYS)

    # Forms, in Python and for z3.

    @staticmethod
    def _value(word: Any, model: dict[Variable, int]) -> int:
        if isinstance(word, int):
            return word
        return int(word.const + sum(c * model[v] for v, c in word.terms.counts.items()))

    def _holds(self, fact: Relation, model: dict[Variable, int]) -> bool:
        value = self._value(fact.form, model)
        holds = {"<": value < 0, "<=": value <= 0, "==": value == 0}[fact.sign]
        return holds != fact.negated

    def _term(self, fact: Relation) -> Any:
        if isinstance(fact.form, int):
            return z3.BoolVal(bool(_known(fact)))
        return relation_term(fact)


def _known(fact: Relation, limits: Limits | None = None) -> bool | None:
    """Whether it holds, if bounds and divisors tell; or limits, where they are given."""
    form, sign, negated = fact
    if isinstance(form, int):
        low = high = form
    else:
        low, high = limits.of(form.terms) if limits else (form.terms.low, form.terms.high)
        low, high = low + form.const, high + form.const
    if sign == "==":
        if low > 0 or high < 0 or low != high and form.const % form.terms.step:
            return negated
        return not negated if low == high else None
    edge = 0 if sign == "<=" else -1
    return not negated if high <= edge else negated if low > edge else None


def integers(second: SecondOpinion | None = None) -> Callable[[Any], Integers]:
    """The encoding as integers, of paths that follow each other."""
    return partial(Integers, trail=Trail(second))


def paths(encoding: Callable[[Any], Any], body: Callable[[Any], None]) -> Iterator[Any]:
    """Every feasible path of the body."""
    todo: list[Any] = [()]
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
