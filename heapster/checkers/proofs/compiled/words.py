"""Words of compiled code as z3's vectors, each with the condition under which it is poison."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import z3

WIDTH = 64
NEVER = z3.BoolVal(False)


class Value(NamedTuple):
    """A word, and when it is poison: what must then not be acted upon."""

    term: Any
    poison: Any = NEVER


class Slot(NamedTuple):
    """An address in what belongs to the running code alone, or in a table: the object, and how far in it."""

    object: str
    offset: Any                     # a term of 64 bits


def number(value: int, width: int = WIDTH) -> Any:
    """The vector of a number."""
    return z3.BitVecVal(value, width)


def width_of(kind: str) -> int:
    """How many bits a type has."""
    return WIDTH if kind == "ptr" else int(kind[1:])


def either(*conditions: Any) -> Any:
    """That one of them holds."""
    kept = [condition for condition in conditions if not z3.is_false(condition)]
    return NEVER if not kept else kept[0] if len(kept) == 1 else z3.Or(*kept)


def chosen(condition: Any, one: Any, other: Any) -> Any:
    """The one where the condition holds, else the other."""
    return one if one.eq(other) else z3.If(condition, one, other)


def as_bit(condition: Any) -> Any:
    """A condition as a vector of one bit."""
    return chosen(condition, number(1, 1), number(0, 1))


def as_condition(bit: Any) -> Any:
    """A bit as a condition."""
    return z3.simplify(bit == 1)


def within(term: Any, bounds: tuple[int, int]) -> Any:
    """That it is from the first of the bounds up to, without, the second; they may wrap."""
    low, high = (number(bound, term.size()) for bound in bounds)
    return z3.ULT(term - low, high - low)


BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "and": lambda a, b: a & b,
    "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b, "shl": lambda a, b: a << b, "lshr": z3.LShR,
    "ashr": lambda a, b: a >> b}
COMPARED: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "ult": z3.ULT, "ule": z3.ULE, "ugt": z3.UGT, "uge": z3.UGE,
    "slt": lambda a, b: a < b, "sle": lambda a, b: a <= b, "sgt": lambda a, b: a > b, "sge": lambda a, b: a >= b}
SHIFTS = frozenset({"shl", "lshr", "ashr"})
FLAGGED: Mapping[tuple[str, str], Callable[[Any, Any], Any]] = {    # what makes the result poison
    ("add", "nuw"): lambda a, b: z3.Not(z3.BVAddNoOverflow(a, b, False)),
    ("add", "nsw"): lambda a, b: z3.Not(z3.And(z3.BVAddNoOverflow(a, b, True), z3.BVAddNoUnderflow(a, b))),
    ("sub", "nuw"): z3.ULT,
    ("sub", "nsw"): lambda a, b: z3.Not(z3.And(z3.BVSubNoOverflow(a, b), z3.BVSubNoUnderflow(a, b, True))),
    ("mul", "nuw"): lambda a, b: z3.Not(z3.BVMulNoOverflow(a, b, False)),
    ("mul", "nsw"): lambda a, b: z3.Not(z3.And(z3.BVMulNoOverflow(a, b, True), z3.BVMulNoUnderflow(a, b))),
    ("shl", "nuw"): lambda a, b: z3.LShR(a << b, b) != a,
    ("shl", "nsw"): lambda a, b: (a << b) >> b != a,
    ("lshr", "exact"): lambda a, b: z3.LShR(a, b) << b != a,
    ("ashr", "exact"): lambda a, b: (a >> b) << b != a,
    ("or", "disjoint"): lambda a, b: a & b != 0,
    ("icmp", "samesign"): lambda a, b: (a < 0) != (b < 0)}


def calculated(operation: str, flags: frozenset[str], a: Value, b: Value) -> Value:
    """The result of an operation on two words."""
    broken = [z3.simplify(FLAGGED[operation, flag](a.term, b.term)) for flag in sorted(flags)]
    if operation in SHIFTS:
        broken.append(z3.simplify(z3.UGE(b.term, b.term.size())))
    term = z3.simplify(BINARY[operation](a.term, b.term))
    return Value(term, either(a.poison, b.poison, *broken))


def compared(predicate: str, flags: frozenset[str], a: Value, b: Value) -> Value:
    """One bit: whether it holds of two words."""
    broken = [z3.simplify(FLAGGED["icmp", flag](a.term, b.term)) for flag in sorted(flags)]
    return Value(z3.simplify(as_bit(COMPARED[predicate](a.term, b.term))), either(a.poison, b.poison, *broken))


def converted(operation: str, flags: frozenset[str], width: int, a: Value) -> Value:
    """The word in another width."""
    grows, broken = width - a.term.size(), NEVER
    if grows > 0:
        term = z3.SignExt(grows, a.term) if operation == "sext" else z3.ZeroExt(grows, a.term)
        broken = a.term < 0 if "nneg" in flags else NEVER
    else:
        term = z3.Extract(width - 1, 0, a.term) if grows else a.term
        lost = [again(-grows, term) != a.term for flag, again in (("nuw", z3.ZeroExt), ("nsw", z3.SignExt))
                if flag in flags]
        broken = either(*lost)
    return Value(z3.simplify(term), either(a.poison, z3.simplify(broken)))


def picked(condition: Value, one: Value, other: Value, must: Callable[[Any], bool]) -> Value:
    """`select`: what is not picked may be poison. `must` says what is known of conditions."""
    holds = as_condition(condition.term)
    for taken, sure in ((one, holds), (other, z3.Not(holds))):
        if must(sure):
            return Value(taken.term, either(condition.poison, taken.poison))
    poison = NEVER if z3.is_false(one.poison) and z3.is_false(other.poison) else z3.If(holds, one.poison, other.poison)
    return Value(z3.simplify(chosen(holds, one.term, other.term)), either(condition.poison, poison))


def bits_set(term: Any) -> Any:
    """How many bits of a word are set."""
    return z3.simplify(z3.Sum([z3.ZeroExt(WIDTH - 1, z3.Extract(place, place, term)) for place in range(WIDTH)]))


LESSER: Mapping[str, tuple[str, bool]] = {      # how to compare, and whether the lesser one is meant
    "smax": ("slt", False), "smin": ("slt", True), "umax": ("ult", False), "umin": ("ult", True)}


def limited(name: str, a: Value, b: Value, must: Callable[[Any], bool]) -> Value:
    """The least or greatest of two words: `llvm.smax` and its kin."""
    predicate, least = LESSER[name]
    is_less = compared(predicate, frozenset(), a, b)
    return picked(is_less, a, b, must) if least else picked(is_less, b, a, must)
