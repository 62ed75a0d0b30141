"""Words as 64-bit vectors: exact for every bit operation, slow where memory aliases."""

from collections.abc import Callable, Sequence
from typing import Any

import z3

from heapster.machine.decisions import Decisions, Refutation
from heapster.machine.linear import STAYS, WORD_MAX, WORD_MIN, Infeasible, Unsupported
from heapster.machine.paths import MOST_VALUES
from heapster.machine.solvers import SecondOpinion, Solver, about

WIDTH = 64


def term(word: Any) -> Any:
    """The vector of a word or an int."""
    return word.term if isinstance(word, BitWord) else z3.BitVecVal(word, WIDTH)


class BitWord:
    """A vector as the code sees it; + - * << must not overflow."""

    __slots__ = ("path", "term")
    __hash__ = None     # type: ignore[assignment]  # equality forks

    def __init__(self, path: "Bits", vector: Any) -> None:
        self.path, self.term = path, vector

    def __bool__(self) -> bool:
        raise TypeError("compare words explicitly: a bare truth value would explore one branch in silence")

    def __add__(self, other: Any) -> Any:
        a, b = self.term, term(other)
        self.path.oblige(z3.And(z3.BVAddNoOverflow(a, b, True), z3.BVAddNoUnderflow(a, b)))
        return self.path.made(a + b)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self._minus(self.term, term(other))

    def __rsub__(self, other: Any) -> Any:
        return self._minus(term(other), self.term)

    def _minus(self, a: Any, b: Any) -> Any:
        self.path.oblige(z3.And(z3.BVSubNoOverflow(a, b), z3.BVSubNoUnderflow(a, b, True)))
        return self.path.made(a - b)

    def __neg__(self) -> Any:
        return self._minus(term(0), self.term)

    def __mul__(self, other: Any) -> Any:
        a, b = self.term, term(other)
        self.path.oblige(z3.And(z3.BVMulNoOverflow(a, b, True), z3.BVMulNoUnderflow(a, b)))
        return self.path.made(a * b)

    __rmul__ = __mul__

    def __lshift__(self, places: int) -> Any:
        shifted = self.term << places
        self.path.oblige(shifted >> places == self.term)
        return self.path.made(shifted)

    def __rshift__(self, places: int) -> Any:
        return self.path.made(self.term >> places)

    def __and__(self, other: Any) -> Any:
        return self.path.made(self.term & term(other))

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        return self.path.made(self.term | term(other))

    __ror__ = __or__

    def __lt__(self, other: Any) -> bool:
        return self.path.decide(self.term < term(other))

    def __le__(self, other: Any) -> bool:
        return self.path.decide(self.term <= term(other))

    def __gt__(self, other: Any) -> bool:
        return self.path.decide(self.term > term(other))

    def __ge__(self, other: Any) -> bool:
        return self.path.decide(self.term >= term(other))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (BitWord, int)) and self.path.decide(self.term == term(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __mod__(self, unit: int) -> Any:
        return self & unit - 1

    def __str__(self) -> str:
        return str(self.term)

    __repr__ = __str__


class Bits(Decisions):
    """Words are vectors; every comparison is the solver's."""

    def __init__(self, prefix: Sequence[int], second: SecondOpinion | None = None) -> None:
        super().__init__()
        self._prefix = prefix
        self._taken: list[int] = []
        self._second = second
        self._solver = Solver(z3.SolverFor("QF_BV"), second)
        self._asked: list[Any] = []

    def _replayed(self) -> int | None:
        """The decision that is to be repeated here, if one is."""
        return self._prefix[len(self._taken)] if len(self._taken) < len(self._prefix) else None

    def choose(self, count: int) -> int:
        """See `Path.choose`."""
        choice = self._replayed()
        if choice is None:
            choice = 0
            self.pending += [[*self._taken, other] for other in range(count - 1, 0, -1)]
        self._taken.append(choice)
        self.chosen.append(choice)
        return choice

    def made(self, vector: Any) -> Any:
        """A word; an int if nothing is unknown about it."""
        vector = z3.simplify(vector)
        return vector.as_signed_long() if z3.is_bv_value(vector) else BitWord(self, vector)

    def word(self, name: str, low: int = WORD_MIN, high: int = WORD_MAX, step: int = 1, offset: int = 0) -> Any:
        """See `Path.word`; a step must be a power of two."""
        vector = z3.BitVec(f"{name}!{len(self._asked)}", WIDTH)
        for condition in (vector >= low, vector <= high, vector & (step - 1) == offset & (step - 1)):
            self._solver.add(condition)
        self._asked.append(BitWord(self, vector))
        return self._asked[-1]

    def require(self, left: Any, sign: str, right: Any) -> None:
        """See `Path.require`."""
        a, b = term(left), term(right)
        self._solver.add({"<": a < b, "<=": a <= b, "==": a == b}[sign])

    def apart(self, a: Any, a_bytes: Any, b: Any, b_bytes: Any) -> None:
        """See `Path.apart`."""
        self._solver.add(z3.Or(term(a) + term(a_bytes) <= term(b), term(b) + term(b_bytes) <= term(a)))

    def settled(self, word: Any) -> int:
        """Its value; a path for each that it can have."""
        if isinstance(word, int):
            return word
        value = next((value for value in range(MOST_VALUES) if word == value), None)
        if value is None:
            raise Unsupported("a word has too many values")
        return value

    def oblige(self, fits: Any) -> None:
        """The operation must not overflow; if it can, that refutes the body."""
        if not self.decide(fits):
            self.refute(STAYS, "a word overflows")
            raise Infeasible

    def decide(self, condition: Any) -> bool:
        """Whether it holds; where both can be, a path for each."""
        condition = z3.simplify(condition)
        if z3.is_true(condition) or z3.is_false(condition):
            return bool(z3.is_true(condition))
        replayed = self._replayed()
        if replayed is not None:
            self._taken.append(replayed)
            choice = bool(replayed)
        else:
            can, cannot = self._solver.can_be(condition), self._solver.can_be(z3.Not(condition))
            if not (can or cannot):
                raise Infeasible
            choice = can
            if can and cannot:
                self.pending.append([*self._taken, int(not choice)])
            self._taken.append(int(choice))
            if not (can and cannot):
                return choice
        self._solver.add(condition if choice else z3.Not(condition))
        return choice

    def _model(self) -> Any:
        if not self._solver.can_be():
            raise Infeasible
        return self._solver.model()

    def claim(self, name: str, holds: Callable[[], bool], why: Callable[[], str] = str) -> None:
        """See `Path.claim`; the path is shown to exist first."""
        if name not in self.claimed:
            self._model()
        self.claimed.add(name)
        with about(self._second, name):
            if not holds():
                self.refute(name, why())

    def refute(self, name: str, reason: str) -> None:
        """The claim is false on this path."""
        model = self._model()
        words = tuple(model.eval(w.term, model_completion=True).as_signed_long() for w in self._asked)
        self.claimed.add(name)
        self.refuted.append(Refutation(name, reason, tuple(self.chosen), words))

    def finish(self) -> None:
        """The body is done: it was no empty path, and it kept the laws."""
        self._model()
        self.claimed.add(STAYS)
