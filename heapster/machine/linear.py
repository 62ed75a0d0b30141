"""Words as linear forms: a sum of whole multiples of bounded integers, and a constant.

A form knows its bounds, and the parts of it that a mask can separate. So most comparisons are
decided without a solver, and `&`, `|` and `>>` never reach it: where a part cannot be separated,
quotient and remainder become two more integers. The mathematics is exact, not modulo 2**64; that no
step of the code leaves the words is an obligation of its own, see `Integers.oblige`.
"""

from collections.abc import Iterator
from math import gcd
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from heapster.machine.paths import Integers
    from heapster.machine.terms import Integer

LOW_BITS, MIDDLE_BITS = 4, 48       # where `|` looks for parts that do not overlap


WORD_MIN, WORD_MAX = -(1 << 63), (1 << 63) - 1
STAYS = "stays within the laws"     # what every proof claims: no overflow, no abort, no broken law


class Infeasible(Exception):
    """The assumptions made on this path contradict each other."""


class Undecided(Exception):
    """The solver could not say."""


class Unsupported(Exception):
    """This encoding cannot say it; another may."""


class Variable:
    """An unknown integer and its bounds."""

    __slots__ = ("high", "integer", "low", "name", "number")

    def __init__(self, number: int, name: str, low: int, high: int, integer: "Integer") -> None:
        self.number, self.name, self.low, self.high = number, name, low, high
        self.integer = integer          # what the solver calls it


class Terms:
    """Multiples of variables, without a constant; there is one of each, so that what is worked out of it is kept."""

    __slots__ = ("conditions", "counts", "high", "low", "parts", "step", "sums")

    def __init__(self, counts: dict[Variable, int]) -> None:
        self.counts = counts
        self.low = sum(c * (v.low if c > 0 else v.high) for v, c in counts.items())
        self.high = sum(c * (v.high if c > 0 else v.low) for v, c in counts.items())
        self.step = gcd(*counts.values())       # the greatest number that divides every coefficient
        self.sums: dict[Any, Terms] = {}        # by what is added, how often; by what they are multiplied with
        self.parts: dict[int, tuple[Terms, Terms]] = {}     # what divides by 2**places, divided, and what does not
        self.conditions: dict[Any, Any] = {}    # of the solver, see `terms.relation_term`


class Forms:
    """The variables and terms of all paths of a proof, and the path that is explored."""

    def __init__(self) -> None:
        self.path: Integers
        self._variables: dict[Any, Variable] = {}
        self._terms: dict[Any, Terms] = {}

    def variable(self, number: int, name: str, low: int, high: int, integer: "Integer") -> Variable:
        """The variable that is written so."""
        return self._variables.setdefault((number, name, low, high), Variable(number, name, low, high, integer))

    def terms(self, counts: dict[Variable, int]) -> Terms:
        """The terms with these coefficients, none of which is 0."""
        key = frozenset(counts.items())
        found = self._terms.get(key)
        if found is None:
            found = self._terms[key] = Terms(counts)
        return found

    def of(self, variable: Variable, count: int = 1, const: int = 0) -> "Word":
        """A multiple of one variable."""
        return Word(self, self.terms({variable: count}), const)


class Word:
    """A linear form as the code sees it; a form without variables is a plain int."""

    __slots__ = ("const", "forms", "terms")

    def __init__(self, forms: Forms, terms: Terms, const: int) -> None:
        self.forms, self.terms, self.const = forms, terms, const

    @property
    def path(self) -> "Integers":
        """The path on which it is looked at."""
        return self.forms.path

    def __bool__(self) -> bool:
        raise TypeError("compare words explicitly: a bare truth value would explore one branch in silence")

    def __hash__(self) -> int:
        return hash((self.const, frozenset((v.number, c) for v, c in self.terms.counts.items())))

    def __str__(self) -> str:
        parts = [f"{c if c != 1 else ''}{v.name}" for v, c in self.terms.counts.items()]
        return " + ".join(parts + [str(self.const)] * (self.const != 0))

    def __format__(self, spec: str) -> str:
        return str(self)

    __repr__ = __str__

    def __add__(self, other: Any) -> Any:
        return self.path.oblige(plus(self, other, 1))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self.path.oblige(plus(self, other, -1))

    def __rsub__(self, other: Any) -> Any:
        return self.path.oblige(plus(scaled(self, -1), other, 1))

    def __neg__(self) -> Any:
        return self.path.oblige(scaled(self, -1))

    def __mul__(self, other: Any) -> Any:
        product = scaled(self, other) if isinstance(other, int) else times(self, other)
        return self.path.oblige(product)

    __rmul__ = __mul__

    def __lshift__(self, places: int) -> Any:
        return self.path.oblige(scaled(self, 1 << places))

    def __rshift__(self, places: int) -> Any:
        return self.forms.path.once(self, lambda: cut(self, places)[0])

    def __rlshift__(self, other: int) -> int:
        """A path for each number of places."""
        return other << self.path.settled(self)

    def __and__(self, mask: Any) -> Any:
        if not isinstance(mask, int):
            raise Unsupported("& of two unknown words")
        return self.forms.path.once(self, lambda: masked(self, mask))

    __rand__ = __and__

    def __mod__(self, unit: int) -> int:
        return self.path.settled(cut(self, unit.bit_length() - 1)[1])

    def __or__(self, other: Any) -> Any:
        return self.forms.path.once(self, lambda: joined(self, other))

    __ror__ = __or__

    def __lt__(self, other: Any) -> bool:
        return self.forms.path.compare(self, self, "<", other)

    def __le__(self, other: Any) -> bool:
        return self.forms.path.compare(self, self, "<=", other)

    def __gt__(self, other: Any) -> bool:
        return self.forms.path.compare(self, other, "<", self)

    def __ge__(self, other: Any) -> bool:
        return self.forms.path.compare(self, other, "<=", self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (Word, int)):
            return NotImplemented
        return self.forms.path.compare(self, self, "==", other)

    def __ne__(self, other: object) -> bool:
        return not self == other


class Relation(NamedTuple):
    """form `sign` 0, where sign is <, <= or ==, or the contrary of that."""

    form: Any
    sign: str
    negated: bool = False


def relation(left: Any, sign: str, right: Any) -> Relation:
    """left `sign` right."""
    if isinstance(left, int) and isinstance(right, int):
        return Relation(left - right, sign)
    form = plus(left, right, -1) if isinstance(left, Word) else plus(scaled(right, -1), left, 1)
    return Relation(form, sign)


def made(forms: Forms, terms: Terms, const: int) -> Any:
    """The form; an int if nothing is unknown about it."""
    return Word(forms, terms, const) if terms.counts else const


def plus(left: Word | int, right: Any, factor: int) -> Any:
    """left + factor * right, exactly."""
    if isinstance(left, int):
        return left + factor * right if isinstance(right, int) else plus(scaled(right, factor), left, 1)
    if isinstance(right, int):
        return Word(left.forms, left.terms, left.const + factor * right)
    key = right.terms, factor
    terms = left.terms.sums.get(key)
    if terms is None:
        terms = left.terms.sums[key] = _sum(left.forms, left.terms, right.terms, factor)
    return made(left.forms, terms, left.const + factor * right.const)


def _sum(forms: Forms, left: Terms, right: Terms, factor: int) -> Terms:
    counts = dict(left.counts)
    for variable, count in right.counts.items():
        total = counts.get(variable, 0) + factor * count
        if total:
            counts[variable] = total
        else:
            counts.pop(variable, None)
    return forms.terms(counts)


def scaled(word: Any, factor: int) -> Any:
    """word * factor, exactly."""
    if isinstance(word, int) or factor == 0:
        return word * factor if isinstance(word, int) else 0
    terms = word.terms.sums.get(factor)
    if terms is None:
        terms = word.terms.sums[factor] = word.forms.terms({v: c * factor for v, c in word.terms.counts.items()})
    return Word(word.forms, terms, word.const * factor)


def times(left: Word, right: Word) -> Any:
    """The product of two unknown words: each product of two variables becomes a variable."""
    forms = left.forms
    total: Any = plus(scaled(left, right.const), scaled(right, left.const), 1)
    total = plus(total, left.const * right.const, -1)
    for v, c in left.terms.counts.items():
        for w, d in right.terms.counts.items():
            total = plus(total, forms.of(forms.path.product(v, w)), c * d)
    return total


def bounds(word: Any) -> tuple[int, int]:
    """The least and greatest value that the variables' bounds allow."""
    if isinstance(word, int):
        return word, word
    return word.terms.low + word.const, word.terms.high + word.const


def widest(word: Word) -> Variable:
    """The variable that moves it most: of an address, where its block or region lies."""
    counts = word.terms.counts
    return max(counts, key=lambda v: (v.high - v.low) * abs(counts[v]))


def cut(word: Any, places: int) -> tuple[Any, Any]:
    """Floor quotient and remainder by 2**places."""
    unit = 1 << places
    if isinstance(word, int):
        return word >> places, word & unit - 1
    whole, loose = _parts(word, places)
    for constant in (word.const >> places, (word.const >> places) + 1):
        rest = made(word.forms, loose, word.const - constant * unit)
        if _fits(rest, unit):
            return made(word.forms, whole, constant), rest
    more, rest = word.path.divided(rest, places)
    return plus(made(word.forms, whole, constant), more, 1), rest


def _parts(word: Word, places: int) -> tuple[Terms, Terms]:
    """The terms that divide by 2**places, divided; and the others."""
    terms, unit = word.terms, 1 << places
    if places not in terms.parts:
        terms.parts[places] = (
            word.forms.terms({v: c >> places for v, c in terms.counts.items() if c % unit == 0}),
            word.forms.terms({v: c for v, c in terms.counts.items() if c % unit}))
    return terms.parts[places]


def _fits(rest: Any, unit: int) -> bool:
    """Whether rest must lie in [0, unit)."""
    low, high = bounds(rest)
    if low >= 0 and high < unit:
        return True
    if isinstance(rest, int) or high < 0 or low >= unit:
        return False
    return bool(rest.path.implied(relation(-1, "<", rest)) and rest.path.implied(relation(rest, "<", unit)))


def runs(mask: int) -> Iterator[tuple[int, int | None]]:
    """The runs of ones in a mask as [from, to), the topmost of a negative mask without an end."""
    place, rest = 0, mask
    while rest not in (0, -1):
        zeros = (rest & -rest).bit_length() - 1
        place, rest = place + zeros, rest >> zeros
        if rest == -1:
            break
        ones = (~rest & rest + 1).bit_length() - 1
        yield place, place + ones
        place, rest = place + ones, rest >> ones
    if rest == -1:
        yield place, None


def masked(word: Word, mask: int) -> Any:
    """The bits of word that are set in mask."""
    known = word.path.masks
    key = word.terms, word.const, mask
    if key not in known:
        known[key] = _masked(word, mask)
    return known[key]


def _masked(word: Word, mask: int) -> Any:
    total: Any = 0
    for first, last in runs(mask):
        total = plus(total, scaled(cut(word, first)[0], 1 << first), 1)
        if last is not None:
            total = plus(total, scaled(cut(word, last)[0], 1 << last), -1)
    return total


def joined(left: Word, right: Any) -> Any:
    """left | right, part by part; parts that are both unknown and both present are left open."""
    if isinstance(right, int):
        return plus(plus(left, right, 1), masked(left, right), -1)
    total: Any = 0
    for first, last in ((0, LOW_BITS), (LOW_BITS, MIDDLE_BITS), (MIDDLE_BITS, None)):
        mask = (-1 << first) & ((1 << last) - 1 if last else -1)
        a, b = masked(left, mask), masked(right, mask)
        if isinstance(b, Word) and isinstance(a, Word):
            total = plus(total, left.path.some_union(a, b), 1)
        elif isinstance(a, Word):
            total = plus(total, joined(a, b), 1)
        else:
            total = plus(total, joined(b, a) if isinstance(b, Word) else a | b, 1)
    return total
