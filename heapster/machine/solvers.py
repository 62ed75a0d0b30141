"""The solver of a proof: z3; and, where a second opinion is asked for, cvc5 beside it.

Each is told the same. What z3 calls impossible is asked again of cvc5, with all that was asserted: so no path is left
out, and no claim holds, on the word of one solver alone. What z3 calls possible needs no witness but its model: the
path is explored then, and a counterexample is replayed.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import z3

from heapster.machine.linear import Undecided

STEPS = 4_000_000                   # of cvc5, for one question: some 30 s, and no other answer where it is busy
# z3's own names, by the words of SMT-LIB 2.7: a product that leaves the words upwards, or downwards.
PREAMBLE = """
(define-fun leaves ((a (_ BitVec 64)) (b (_ BitVec 64)) (same Bool)) Bool
  (and (bvsmulo a b) (= same (= (bvslt a #x0000000000000000) (bvslt b #x0000000000000000)))))
(define-fun bvsmul_noovfl ((a (_ BitVec 64)) (b (_ BitVec 64))) Bool (not (leaves a b true)))
(define-fun bvsmul_noudfl ((a (_ BitVec 64)) (b (_ BitVec 64))) Bool (not (leaves a b false)))
"""


class SecondOpinion:
    """cvc5, and what it said of all that z3 called impossible in one proof."""

    def __init__(self) -> None:
        import cvc5  # noqa: PLC0415  # an extra of its own

        self._cvc5 = cvc5
        self._manager = cvc5.TermManager()
        self._parsing = self.solver()
        self._symbols = cvc5.SymbolManager(self._manager)
        self._parser = cvc5.InputParser(self._parsing, self._symbols)
        self._terms: dict[int, tuple[Any, Any]] = {}    # by z3's number, with z3's term, so that it stays taken
        self._declared: set[str] = set()
        self.about = ""                 # the claim that is looked at; of a way that is not taken, none
        self.answers: dict[str, Counter[str]] = {"unsat": Counter(), "sat": Counter(), "unknown": Counter()}  # by claim
        self._run(PREAMBLE)

    def solver(self) -> Any:
        """A solver to which nothing was told."""
        solver = self._cvc5.Solver(self._manager)
        for option, value in (("incremental", "true"), ("rlimit-per", str(STEPS))):
            solver.setOption(option, value)
        solver.setLogic("ALL")
        return solver

    def _read(self, text: str) -> None:
        self._parser.setStringInput(self._cvc5.InputLanguage.SMT_LIB_2_6, text, "terms")

    def _run(self, commands: str) -> None:
        self._read(commands)
        while not (command := self._parser.nextCommand()).isNull():
            command.invoke(self._parsing, self._symbols)

    def term(self, term: Any) -> Any:
        """The same condition for cvc5, by way of its text."""
        number = term.get_id()
        if number not in self._terms:
            self._declare(term)
            self._read(term.sexpr())
            self._terms[number] = term, self._parser.nextTerm()
        return self._terms[number][1]

    def _declare(self, term: Any) -> None:
        for part in unknowns(term):
            name = part.sexpr()
            if name not in self._declared:
                self._declared.add(name)
                self._run(f"(declare-const {name} {part.sort().sexpr()})\n")

    def note(self, answer: Any) -> None:
        """cvc5 was asked what z3 called impossible, and answered so."""
        self.answers["unsat" if answer.isUnsat() else "sat" if answer.isSat() else "unknown"][self.about] += 1


@contextmanager
def about(second: SecondOpinion | None, claim: str) -> Iterator[None]:
    """Whatever is asked meanwhile is asked for this claim."""
    if second:
        second.about = claim
    try:
        yield
    finally:
        if second:
            second.about = ""


def unknowns(term: Any) -> set[Any]:
    """The constants of a term that have no value."""
    found, todo, seen = set(), [term], set()
    while todo:
        part = todo.pop()
        if part.get_id() in seen:
            continue
        seen.add(part.get_id())
        if z3.is_const(part) and part.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            found.add(part)
        todo += part.children()
    return found


class Solver:
    """What is asserted, in scopes, and whether it can hold."""

    def __init__(self, first: Any, second: SecondOpinion | None = None) -> None:
        self._first, self._second = first, second
        self._other = second.solver() if second else None

    def push(self) -> None:
        """Begin a scope."""
        self._first.push()
        if self._other:
            self._other.push()

    def pop(self, scopes: int = 1) -> None:
        """Take back what was asserted in the last scopes."""
        self._first.pop(scopes)
        if self._other:
            self._other.pop(scopes)

    def add(self, term: Any) -> None:
        """Assert a condition; by z3's raw interface, at a fraction of the cost."""
        z3.Z3_solver_assert(z3.main_ctx().ref(), self._first.solver, term.ast)
        if self._second and self._other:
            self._other.assertFormula(self._second.term(term))

    def can_be(self, *more: Any) -> bool:
        """Whether all that is asserted can hold, and more; Undecided if z3 cannot say."""
        answer = self._first.check(*more)
        if answer == z3.unknown:
            raise Undecided(self._first.reason_unknown())
        if answer == z3.unsat and self._second and self._other:
            self._second.note(self._other.checkSatAssuming(*map(self._second.term, more)))
        return bool(answer == z3.sat)

    def model(self) -> Any:
        """Values for which it can, after it was asked."""
        return self._first.model()
