"""Changes that are drawn of a source: of each kind, one line each, repeatable."""

import ast

import pytest

from heapster.checkers.mutation.campaign import sources
from heapster.checkers.mutation.drawing import changes, drawn

SOURCE = '''"""A + b."""
LIMIT: int = 16


def fits(m, a, b):
    """1 < 2."""
    assert a < 3, "a < 3"
    if a <= b and a is not LIMIT:
        m.store(a, b)
        a = (a + 1) << 2
        return NULL
    raise ValueError(f"{a + 1}")
'''


def lines(kind: str) -> list[tuple[str, str]]:
    return [change.of(SOURCE) for change in changes("x.py", SOURCE) if change.kind == kind]


def test_each_kind_of_change() -> None:
    assert lines("comparison") == [
        ("if a <= b and a is not LIMIT:", "if a < b and a is not LIMIT:"),
        ("if a <= b and a is not LIMIT:", "if a <= b and a is LIMIT:")]
    assert lines("arithmetic") == [("a = (a + 1) << 2", "a = (a + 1) >> 2"), ("a = (a + 1) << 2", "a = (a - 1) << 2")]
    assert lines("logic") == [("if a <= b and a is not LIMIT:", "if a <= b or a is not LIMIT:")]
    assert ("LIMIT: int = 16", "LIMIT: int = 15") in lines("constant")
    assert lines("negated condition") == [
        ("if a <= b and a is not LIMIT:", "if not (a <= b and a is not LIMIT):")]
    assert lines("dropped call") == [("m.store(a, b)", "pass")]
    assert lines("swapped arguments") == [("m.store(a, b)", "m.store(b, a)")]
    assert lines("early return") == [("m.store(a, b)", "return NULL"), ("a = (a + 1) << 2", "return NULL")]


def test_nothing_else_is_touched() -> None:
    untouched = {1, 6, 7, 12}           # docstrings, assert, raise
    assert untouched.isdisjoint(change.line for change in changes("x.py", SOURCE))


@pytest.mark.parametrize(("line", "drawn_still"), [
    ("m.lock(a + ARENA_LOCK)", {"dropped call", "early return"}), ("b = a - layout.REGION_NEXT", {"early return"}),
    ("return a << 0", {"constant"}), ("return max(a, b)", set()), ("return [*zip(a, b, strict=True)]",
                                                                    {"swapped arguments"})])
def test_what_makes_no_difference_is_not_drawn(line: str, drawn_still: set[str]) -> None:
    text = f"def f(m, a, b):\n    {line}\n"
    assert {change.kind for change in changes("x.py", text)} == drawn_still


@pytest.mark.parametrize(("inner", "kinds"), [
    ("b = a", {"negated condition", "early return"}),
    ("b = a + 1", {"negated condition", "early return", "comparison",
                  "arithmetic", "constant"})])
def test_a_bound_may_be_met_or_passed(inner: str, kinds: set[str]) -> None:
    text = f"def f(a, b):\n    if a > b:\n        {inner}\n"
    assert {change.kind for change in changes("x.py", text)} == kinds


def test_the_first_of_several_becomes_the_second_not_the_last() -> None:
    found = {change.of(text)[1] for text in ["a = b[0]\n", "a = b[2]\n"] for change in changes("x.py", text)}
    assert found == {"a = b[1]", "a = b[3]"}


def test_a_bound_may_be_in_memory() -> None:
    text = "def f(m, a):\n    if a > m.load(a + TOP):\n        m.store(a + {}, a)\n"
    assert [any(change.kind == "comparison" for change in changes("x.py", text.replace("{}", name)))
            for name in ("TOP", "BREAK")] == [False, True]


def test_what_looks_like_it_is_not() -> None:
    text = "def f(m, a):\n    m.lock(a + ARENAS)\n    return 0 - a, most(a, m), a & 0\n"
    found = {change.of(text)[1] for change in changes("x.py", text)}
    assert found > {"m.lock(a - ARENAS)", "return 0 + a, most(a, m), a & 0", "return 0 - a, most(m, a), a & 0",
                    "return 0 - a, most(a, m), a | 0"}


def test_a_change_is_one_line_and_still_python() -> None:
    texts = sources(["impl/block.py", "model/spec.py"])
    found = drawn(texts, 200, 7)
    assert len(set(found)) == 200
    for change in found:
        before, after = texts[change.file], change.applied(texts[change.file])
        ast.parse(after)
        differing = [one != other for one, other in zip(before.splitlines(), after.splitlines(), strict=True)]
        assert sum(differing) == 1
        assert change.of(before)[0] != change.of(before)[1]


def test_a_seed_draws_the_same_and_another_others() -> None:
    texts = sources(["impl"])
    assert drawn(texts, 30, 1) == drawn(texts, 30, 1)
    assert drawn(texts, 30, 1)[:10] == drawn(texts, 10, 1)
    assert drawn(texts, 30, 1) != drawn(texts, 30, 2)


def test_columns_are_characters_also_after_letters_that_take_two_bytes() -> None:
    text = 'def f(a):\n    return ("ä", a < 2)\n'
    (change,) = [change for change in changes("x.py", text) if change.kind == "comparison"]
    assert change.of(text)[1] == 'return ("ä", a <= 2)'
