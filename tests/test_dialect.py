"""`impl` is written in the dialect, and every rule of the dialect can be broken."""

import ast
from pathlib import Path

import pytest

from heapster import impl
from tests.dialect import FOREIGN, RULES, SPOKEN, violations

SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in Path(impl.__file__).parent.glob("*.py")}

LAYOUT = "WORD = 8\nNULL = 0\nassert WORD == 8, 'bytes'\n"
PLAIN = '''
"""A module."""

from .layout import NULL, WORD


def is_set(m, a):
    """A truth."""
    return m.load(a) != NULL


def first(m, a, n):
    """A word."""
    done = is_set(m, a)
    while not done and n > 0:
        a = (a + WORD) & -WORD
        n = n - 1
        done = is_set(m, a) or n == 2
    if done == True:
        return a
    return NULL
'''


def broken(old: str, new: str) -> set[str]:
    """The rules that the plain module breaks when `old` in it becomes `new`."""
    assert PLAIN.count(old) >= 1
    found = violations({"layout": LAYOUT, "plain": PLAIN.replace(old, new, 1)})
    return {violation.rule for violation in found}


def test_the_shipped_source_keeps_the_dialect() -> None:
    assert violations(SOURCES) == []


def test_a_plain_module_keeps_the_dialect() -> None:
    assert violations({"layout": LAYOUT, "plain": PLAIN}) == []


BREAKERS = [
    ("foreign_syntax", "n = n - 1", "n -= 1"),
    ("constants_are_words", "n = n - 1", "n = n - 1.5"),
    ("constants_are_words", "return NULL", "return None"),
    ("constants_are_words", "return NULL", "return 9223372036854775808"),
    ("constants_are_words", "return NULL", "return 'text'"),
    ("modules_hold_functions", "def is_set", "COUNT = 0\n\n\ndef is_set"),
    ("modules_hold_functions", "from .layout", "from heapster.impl.layout"),
    ("modules_hold_functions", "def is_set", "assert WORD == 8\n\n\ndef is_set"),
    ("signatures_are_plain", "(m, a, n)", "(m, a, n=1)"),
    ("signatures_are_plain", "(m, a, n)", "(m, a, *, n)"),
    ("signatures_are_plain", "(m, a, n)", "(m, a: int, n)"),
    ("signatures_are_plain", "def is_set(m, a)", "@WORD\ndef is_set(m, a)"),
    ("signatures_are_plain", "def first(m, a, n)", "def first(a, m, n)"),
    ("calls_are_of_ours", "n = n - 1", "n = max(n, 1)"),
    ("calls_are_of_ours", "m.load(a)", "m.peek(a)"),
    ("calls_are_of_ours", "m.load(a)", "m.load(a, 8)"),
    ("calls_are_of_ours", "is_set(m, a) or", "is_set(m, a=a) or"),
    ("only_the_machine_has_attributes", "n = n - 1", "n = a.real - 1"),
    ("only_the_machine_has_attributes", "n = n - 1", "m = n - 1"),
    ("names_are_known", "n = n - 1", "n = q - 1"),
    ("constants_stay", "n = n - 1", "WORD = n - 1"),
    ("conditions_are_truths", "while not done and n > 0", "while not done and n"),
    ("conditions_are_truths", "while not done", "while not n"),
    ("conditions_are_truths", "if done == True", "if a"),
    ("conditions_are_truths", "is_set(m, a) or n == 2", "is_set(m, a) or m.load(a)"),
    ("arithmetic_is_on_words", "a = (a + WORD) & -WORD", "a = a + done"),
    ("arithmetic_is_on_words", "n > 0", "done > 0"),
    ("values_are_of_one_kind", "n = n - 1", "done = n - 1"),
    ("values_are_of_one_kind", "return NULL", "return done"),
    ("answers_are_on_every_path", "    return NULL\n", ""),
    ("answers_are_on_every_path", "    return NULL\n", "    return\n"),
    ("calls_do_not_go_round", "n = n - 1", "n = first(m, a, n)"),
    ("functions_say_what_they_do", '    """A word."""\n', ""),
]


@pytest.mark.parametrize(("rule", "old", "new"), BREAKERS)
def test_a_rule_can_be_broken(rule: str, old: str, new: str) -> None:
    assert rule in broken(old, new)


def test_every_rule_is_shown_to_be_breakable_and_has_a_reason() -> None:
    assert {rule for rule, _, _ in BREAKERS} == {rule.__name__ for rule in RULES}
    assert all(RULES.values())


FOREIGN_TEXTS = {
    ast.ClassDef: "class C: pass", ast.Lambda: "lambda: 0", ast.AsyncFunctionDef: "async def f(): pass",
    ast.Global: "global a", ast.Nonlocal: "nonlocal a", ast.Raise: "raise", ast.Try: "try: pass\nexcept a: pass",
    ast.With: "with a: pass", ast.For: "for a in b: pass", ast.ListComp: "[a for a in b]",
    ast.SetComp: "{a for a in b}", ast.DictComp: "{a: a for a in b}", ast.GeneratorExp: "(a for a in b)",
    ast.List: "[a]", ast.Tuple: "a, b", ast.Dict: "{}", ast.Set: "{a}", ast.Subscript: "a[0]", ast.Starred: "f(*a)",
    ast.JoinedStr: "f'{a}'", ast.FloorDiv: "a // b", ast.Div: "a / b", ast.Mod: "a % b", ast.Pow: "a ** b",
    ast.MatMult: "a @ b", ast.Is: "a is b", ast.IsNot: "a is not b", ast.In: "a in b", ast.NotIn: "a not in b",
    ast.IfExp: "a if b else a", ast.NamedExpr: "(a := b)", ast.AugAssign: "a += b", ast.AnnAssign: "a: b = 0",
    ast.Yield: "yield", ast.YieldFrom: "yield from a", ast.Await: "await a", ast.Delete: "del a",
    ast.Match: "match a:\n    case 0: pass", ast.Invert: "~a", ast.Import: "import a",
}


@pytest.mark.parametrize("node", FOREIGN, ids=lambda node: node.__name__)
def test_foreign_syntax_is_refused_with_its_reason(node: type[ast.AST]) -> None:
    text = FOREIGN_TEXTS[node]
    assert any(isinstance(found, node) for found in ast.walk(ast.parse(text)))
    assert FOREIGN[node] in {violation.why for violation in violations({"layout": LAYOUT, "plain": text})}


def test_no_construct_is_both_foreign_and_spoken() -> None:
    assert not set(FOREIGN) & set(SPOKEN)
