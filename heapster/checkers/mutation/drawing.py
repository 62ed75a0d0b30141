"""One-line changes of Python source, drawn: what a slip of the hand would make of it.

    comparison          a < b          a <= b
    arithmetic          a + b          a - b
    logic               a and b        a or b
    constant            16             17
    negated condition   if a:          if not (a):
    dropped call        unlink(m, b)   pass
    swapped arguments   f(m, a, b)     f(m, b, a)
    early return        x = 1          return 0

DeMillo, Lipton, Sayward, "Hints on test data selection", Computer 11(4), 1978. Docstrings, annotations, asserts,
messages and what only types need are left as they are, and so is what no change of these kinds makes different: a 0
that is added or shifted by, the order of the arguments of max and min, whether what is raised or lowered to a bound is
so where it is there, and whether zip asserts that all are as long.
"""

import ast
import re
from collections.abc import Iterator
from itertools import islice, pairwise
from random import Random
from typing import NamedTuple

from heapster.impl import layout

COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "is not": "is", "is": "is not",
               "not in": "in", "in": "not in"}
ARITHMETIC = {"+": "-", "-": "+", "*": "+", "&": "|", "|": "&", "^": "|", "<<": ">>", ">>": "<<", "//": "*", "%": "//"}
NEUTRAL = frozenset({"+", "-", "|", "^", "<<", ">>"})      # a 0 on their right leaves what is on their left
COMMUTATIVE = frozenset({"max", "min"})
ZEROS = frozenset(name for name, value in vars(layout).items() if value == 0)
LOGIC = {"and": "or", "or": "and"}
TOKENS = re.compile(r"is\s+not|not\s+in|<<|>>|//|[<>=!]=|\b(?:is|in|and|or)\b|[-<>+*&|^%]")


class Change(NamedTuple):
    """A piece of one line, and what stands there instead."""

    file: str                   # below the package's folder: impl/block.py
    line: int                   # counted from 1
    start: int                  # columns, in characters
    end: int
    new: str
    kind: str                   # of the table above

    def of(self, text: str) -> tuple[str, str]:
        """The line before and after, without its indentation."""
        line = text.splitlines()[self.line - 1]
        return line.strip(), (line[:self.start] + self.new + line[self.end:]).strip()

    def applied(self, text: str) -> str:
        """The file's text with the change."""
        lines = text.splitlines(keepends=True)
        line = lines[self.line - 1]
        lines[self.line - 1] = line[:self.start] + self.new + line[self.end:]
        return "".join(lines)


def changes(file: str, text: str) -> list[Change]:
    """Every change that may be drawn of a file, in its order, each once; some are no Python."""
    return list(dict.fromkeys(Change(file, *site) for site in _Sites(text).found()))


def drawn(sources: dict[str, str], count: int, seed: int) -> list[Change]:
    """`count` changes of these files (fewer, if there are not as many), the same for the same seed and sources."""
    pool = [change for file in sorted(sources) for change in changes(file, sources[file])]
    Random(seed).shuffle(pool)
    return list(islice((change for change in pool if _is_python(change.applied(sources[change.file]))), count))


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


Site = tuple[int, int, int, str, str]           # line, start, end, new text, kind


class _Sites:
    """Where a source can be changed."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._tree = ast.parse("".join(sign if sign.isascii() else "_" for sign in text))   # its columns are bytes
        self._firsts = {node.slice for node in ast.walk(self._tree) if isinstance(node, ast.Subscript)
                        and _is_zero(node.slice)}       # -1 is the last, which may be the first
        self._clamps = {node.test for node in ast.walk(self._tree) if isinstance(node, ast.If) and _is_clamp(node)}

    def found(self) -> Iterator[Site]:
        for node in _behaviour(self._tree):
            yield from self._of(node)

    def _of(self, node: ast.AST) -> Iterator[Site]:
        match node:
            case ast.Compare() if node not in self._clamps:
                yield from self._tokens([node.left, *node.comparators], COMPARISONS, "comparison")
            case ast.BinOp():
                table = {sign: new for sign, new in ARITHMETIC.items()
                         if not (_is_zero(node.right) and {sign, new} <= NEUTRAL)}
                yield from self._tokens([node.left, node.right], table, "arithmetic")
            case ast.BoolOp():
                yield from self._tokens(node.values, LOGIC, "logic")
            case ast.Constant(value=bool() as value):
                yield from self._replaced(node, str(not value), "constant")
            case ast.Constant(value=int() as value):
                for new in (value + 1, value - 1)[:1 if node in self._firsts else 2]:
                    yield from self._replaced(node, f"({new})" if new < 0 else str(new), "constant")
            case ast.Call():
                yield from self._swapped(node)
            case ast.If() | ast.While() | ast.IfExp():
                yield from self._replaced(node.test, f"not ({self._text(node.test)})", "negated condition")
            case ast.FunctionDef():
                yield from self._early_returns(node)
            case ast.Expr(value=ast.Call()):
                yield from self._replaced(node, "pass", "dropped call")

    def _text(self, node: ast.expr | ast.stmt) -> str:
        return self._lines[node.lineno - 1][node.col_offset:node.end_col_offset]

    def _replaced(self, node: ast.expr | ast.stmt, new: str, kind: str) -> Iterator[Site]:
        if node.lineno == node.end_lineno and node.end_col_offset is not None:
            yield node.lineno, node.col_offset, node.end_col_offset, new, kind

    def _tokens(self, operands: list[ast.expr], table: dict[str, str], kind: str) -> Iterator[Site]:
        """The operator between each two operands, where both meet on one line."""
        for left, right in pairwise(operands):
            if left.end_lineno == right.lineno and left.end_col_offset is not None:
                between = self._lines[right.lineno - 1][left.end_col_offset:right.col_offset]
                token = TOKENS.search(between)
                new = token and table.get(" ".join(token[0].split()))
                if token and new:
                    start = left.end_col_offset + token.start()
                    yield right.lineno, start, start + len(token[0]), new, kind

    def _swapped(self, call: ast.Call) -> Iterator[Site]:
        if isinstance(call.func, ast.Name) and call.func.id in COMMUTATIVE:
            return
        for left, right in pairwise(call.args):
            texts = self._text(left), self._text(right)
            if left.lineno == right.end_lineno and texts[0] != texts[1] and right.end_col_offset is not None:
                yield (left.lineno, left.col_offset, right.end_col_offset, f"{texts[1]}, {texts[0]}",
                       "swapped arguments")

    def _early_returns(self, function: ast.FunctionDef) -> Iterator[Site]:
        """A return in place of each simple statement, of what the function answers somewhere if that is plain."""
        answers = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
        given = {argument.arg for argument in function.args.args}
        plain = [self._text(answer) for answer in answers if isinstance(answer, ast.Constant)
                 or (isinstance(answer, ast.Name) and (answer.id in given or answer.id.isupper()))]
        if any(answers) and not plain:
            return
        new = f"return {plain[0]}" if plain else "return"
        for node in ast.walk(function):
            if isinstance(node, ast.Assign | ast.AugAssign) or (
                    isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
                yield from self._replaced(node, new, "early return")


def _is_zero(node: ast.expr) -> bool:
    """Whether it is a 0, or a constant of the layout that is 0."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in ZEROS or (isinstance(node, ast.Constant) and node.value == 0)


def _is_clamp(node: ast.If) -> bool:
    """Whether it does no more than let the two that are compared be equal: if they are, nothing changes."""
    match node:
        case ast.If(test=ast.Compare(left=one, ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE()], comparators=[other]),
                    body=[does], orelse=[]):
            return {ast.unparse(one), ast.unparse(other)} == _made_equal(does)
    return False


def _made_equal(node: ast.stmt) -> set[str]:
    """What an assignment, or a store, makes equal."""
    match node:
        case ast.Assign(targets=[to], value=value):
            return {ast.unparse(to), ast.unparse(value)}
        case ast.Expr(ast.Call(func=ast.Attribute(attr="store"), args=[place, value])):
            return {f"m.load({ast.unparse(place)})", ast.unparse(value)}
    return set()


def _makes_no_difference(node: ast.AST) -> bool:
    """Whether it is words, or asserts, when the code runs well."""
    return isinstance(node, ast.JoinedStr | ast.Assert | ast.Raise) or (
        isinstance(node, ast.keyword) and node.arg == "strict")


def _behaviour(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below that make a difference when the code runs well: no messages, types, docstrings, asserts."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _makes_no_difference(child):
                yield child
                yield from _behaviour(child)
