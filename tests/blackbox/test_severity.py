"""Findings are told causes first: what harms memory in ordinary use, what ends the process, matters of form last."""

import pytest

from heapster.checkers.blackbox.severity import ANSWERS, AT_LIMITS, ENDS, FORM, HARMS, is_grave, ordered, rank
from heapster.results import Finding


def finding(code: str, *steps: str) -> Finding:
    return Finding(f"{code}-{len(steps)}", code, "", steps, "")


IN_ORDER = (
    (finding("overlap", "a = malloc(24)", "b = malloc(24)"), HARMS),
    (finding("crash", "a = malloc(24)", "free(a)"), ENDS),
    (finding("memory_never_returned", "a = malloc(24)", "# 40 rounds of these, all that is left freed after each"),
     ANSWERS),
    (finding("crash", "free(NULL)"), AT_LIMITS),
    (finding("huge_accepted", "a = malloc(SIZE_MAX - 14)"), AT_LIMITS),
    (finding("outside_region", "a = malloc(2147483645)"), AT_LIMITS),
    (finding("wrong_errno", "a = malloc(24)"), FORM),
)


@pytest.mark.parametrize(("one", "expected"), IN_ORDER, ids=lambda one: one.id if isinstance(one, Finding) else "")
def test_each_has_its_rank(one: Finding, expected: int) -> None:
    assert rank(one) == expected
    assert is_grave(one) == (expected in {HARMS, ENDS})


def test_a_size_near_the_limits_is_not_the_first_that_is_read() -> None:
    found = [one for one, _ in IN_ORDER]
    assert list(ordered(reversed(found))) == [found[0], found[1], found[2], found[5], found[4], found[3], found[6]]
