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
    """An unknown integer and what is known of its bounds on this path."""

    __slots__ = ("high", "integer", "low", "name", "number")

    def __init__(self, number: int, name: str, low: int, high: int, integer: Any) -> None:
        self.number, self.name, self.low, self.high = number, name, low, high
        self.integer = integer          # what the solver calls it


class Word:
    """A linear form as the code sees it; a form without variables is a plain int."""

    __slots__ = ("const", "masks", "path", "terms")

    def __init__(self, path: "Integers", terms: dict[Variable, int], const: int) -> None:
        self.path, self.terms, self.const = path, terms, const
        self.masks: dict[int, Any] | None = None    # what it is under masks that were asked for

    def __bool__(self) -> bool:
        raise TypeError("compare words explicitly: a bare truth value would explore one branch in silence")

    def __hash__(self) -> int:
        return hash((self.const, frozenset((v.number, c) for v, c in self.terms.items())))

    def __str__(self) -> str:
        parts = [f"{c if c != 1 else ''}{v.name}" for v, c in self.terms.items()]
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
        return cut(self, places)[0]

    def __rlshift__(self, other: int) -> int:
        """A path for each number of places."""
        return other << self.path.settled(self)

    def __and__(self, mask: Any) -> Any:
        if not isinstance(mask, int):
            raise Unsupported("& of two unknown words")
        return masked(self, mask)

    __rand__ = __and__

    def __mod__(self, unit: int) -> int:
        return self.path.settled(cut(self, unit.bit_length() - 1)[1])

    def __or__(self, other: Any) -> Any:
        return joined(self, other)

    __ror__ = __or__

    def __lt__(self, other: Any) -> bool:
        return self.path.decide(relation(self, "<", other))

    def __le__(self, other: Any) -> bool:
        return self.path.decide(relation(self, "<=", other))

    def __gt__(self, other: Any) -> bool:
        return self.path.decide(relation(other, "<", self))

    def __ge__(self, other: Any) -> bool:
        return self.path.decide(relation(other, "<=", self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (Word, int)):
            return NotImplemented
        return self.path.decide(relation(self, "==", other))

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


def made(path: "Integers", terms: dict[Variable, int], const: int) -> Any:
    """The form; an int if nothing is unknown about it."""
    return Word(path, terms, const) if terms else const


def plus(left: Word | int, right: Any, factor: int) -> Any:
    """left + factor * right, exactly."""
    if isinstance(left, int):
        return left + factor * right if isinstance(right, int) else plus(scaled(right, factor), left, 1)
    if isinstance(right, int):
        return made(left.path, left.terms, left.const + factor * right)
    terms = dict(left.terms)
    for variable, count in right.terms.items():
        total = terms.get(variable, 0) + factor * count
        if total:
            terms[variable] = total
        else:
            terms.pop(variable, None)
    return made(left.path, terms, left.const + factor * right.const)


def scaled(word: Any, factor: int) -> Any:
    """word * factor, exactly."""
    if isinstance(word, int) or factor == 0:
        return word * factor if isinstance(word, int) else 0
    return Word(word.path, {v: c * factor for v, c in word.terms.items()}, word.const * factor)


def times(left: Word, right: Word) -> Any:
    """The product of two unknown words: each product of two variables becomes a variable."""
    path = left.path
    total: Any = plus(scaled(left, right.const), scaled(right, left.const), 1)
    total = plus(total, left.const * right.const, -1)
    for v, c in left.terms.items():
        for w, d in right.terms.items():
            total = plus(total, Word(path, {path.product(v, w): 1}, 0), c * d)
    return total


def bounds(word: Any) -> tuple[int, int]:
    """The least and greatest value that the variables' bounds allow."""
    if isinstance(word, int):
        return word, word
    low = high = word.const
    for v, c in word.terms.items():
        low += c * (v.low if c > 0 else v.high)
        high += c * (v.high if c > 0 else v.low)
    return low, high


def widest(word: Word) -> Variable:
    """The variable that moves it most: of an address, where its block or region lies."""
    return max(word.terms, key=lambda v: (v.high - v.low) * abs(word.terms[v]))


def divisor(word: Word) -> int:
    """The greatest number that divides every coefficient."""
    return gcd(*word.terms.values())


def cut(word: Any, places: int) -> tuple[Any, Any]:
    """Floor quotient and remainder by 2**places."""
    unit = 1 << places
    if isinstance(word, int):
        return word >> places, word & unit - 1
    whole = {v: c >> places for v, c in word.terms.items() if c % unit == 0}
    loose = {v: c for v, c in word.terms.items() if c % unit}
    for constant in (word.const >> places, (word.const >> places) + 1):
        rest = made(word.path, loose, word.const - constant * unit)
        if _fits(rest, unit):
            return made(word.path, whole, constant), rest
    more, rest = word.path.divided(rest, places)
    return plus(made(word.path, whole, constant), more, 1), rest


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
    if word.masks is None:
        word.masks = {}
    if mask not in word.masks:
        word.masks[mask] = _masked(word, mask)
    return word.masks[mask]


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
