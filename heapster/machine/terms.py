"""Terms for z3, made once for all paths, which ask for the same ones."""

from functools import cache, lru_cache
from typing import Any

import z3

from heapster.machine.linear import Relation

MOST_TERMS = 1 << 16                # kept


class Integer:
    """An integer of the solver; as a key it is itself, which z3's terms are only slowly."""

    __slots__ = ("term",)

    def __init__(self, name: str) -> None:
        self.term = z3.Int(name)


integer_named = cache(Integer)


@lru_cache(MOST_TERMS)
def bounds_terms(integer: Integer, low: int, high: int) -> tuple[Any, Any]:
    """That it is at least `low`, and at most `high`."""
    return integer.term >= low, integer.term <= high


def relation_term(fact: Relation) -> Any:
    """The relation for z3."""
    form = fact.form
    return _made(tuple([(v.integer, c) for v, c in form.terms.items()]), -form.const, fact.sign, fact.negated)


@lru_cache(MOST_TERMS)
def _made(parts: tuple[tuple[Integer, int], ...], least: int, sign: str, negated: bool) -> Any:
    context = z3.main_ctx()
    ref = context.ref()
    multiples = [_multiple(integer, count) for integer, count in parts]
    array = (z3.Ast * len(parts))(*[multiple.ast for multiple in multiples])
    total = multiples[0] if len(parts) == 1 else z3.ArithRef(z3.Z3_mk_add(ref, len(parts), array), context)
    number = _number(least)
    if sign == "==":
        term = z3.BoolRef(z3.Z3_mk_eq(ref, total.ast, number.ast), context)
    else:
        make = z3.Z3_mk_lt if sign == "<" else z3.Z3_mk_le
        term = z3.BoolRef(make(ref, total.ast, number.ast), context)
    return z3.BoolRef(z3.Z3_mk_not(ref, term.ast), context) if negated else term


@cache
def _multiple(integer: Integer, count: int) -> Any:
    return integer.term * _number(count) if count != 1 else integer.term


@cache
def _number(value: int) -> Any:
    return z3.IntVal(value)
