"""Terms for z3, made once for all paths, which ask for the same ones."""

from functools import cache, lru_cache
from typing import Any

import z3

from heapster.machine.linear import Relation, Terms

MOST_TERMS = 1 << 16                # kept
TOTAL = "the sum itself"            # among a form's conditions


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
    """The relation for z3; by its raw interface, because its operators cost more than its answers here."""
    terms = fact.form.terms
    key = fact.form.const, fact.sign, fact.negated
    if key not in terms.conditions:
        terms.conditions[key] = _made(terms, *key)
    return terms.conditions[key]


def _made(terms: Terms, const: int, sign: str, negated: bool) -> Any:
    context = z3.main_ctx()
    ref = context.ref()
    total, number = _total(terms), _number(-const)
    if sign == "==":
        term = z3.BoolRef(z3.Z3_mk_eq(ref, total.ast, number.ast), context)
    else:
        make = z3.Z3_mk_lt if sign == "<" else z3.Z3_mk_le
        term = z3.BoolRef(make(ref, total.ast, number.ast), context)
    return z3.BoolRef(z3.Z3_mk_not(ref, term.ast), context) if negated else term


def _total(terms: Terms) -> Any:
    """The sum of the multiples."""
    if TOTAL not in terms.conditions:
        context = z3.main_ctx()
        multiples = [_multiple(v.integer, count) for v, count in terms.counts.items()]
        array = (z3.Ast * len(multiples))(*[multiple.ast for multiple in multiples])
        terms.conditions[TOTAL] = multiples[0] if len(multiples) == 1 else z3.ArithRef(
            z3.Z3_mk_add(context.ref(), len(multiples), array), context)
    return terms.conditions[TOTAL]


@cache
def _multiple(integer: Integer, count: int) -> Any:
    return integer.term * _number(count) if count != 1 else integer.term


@cache
def _number(value: int) -> Any:
    return z3.IntVal(value)
