"""The source of `impl`, carried out on unknown words that wrap around, statement by statement.

Its dialect is small: words, comparisons, `if`, `while`, calls. Calls of the machine do what the lowering makes of them;
calls of other functions are carried out too, unless the compiled code makes the same call just there.
"""

import ast
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import FunctionType
from typing import Any, Protocol

import z3

from heapster.checkers.proofs.compiled.llvm_reading import MOST_TURNS, LoopFound, entry_of
from heapster.checkers.proofs.compiled.ways import JointWay, NotCovered
from heapster.checkers.proofs.compiled.words import number

THE_MACHINE = "m"                   # as each function of impl names it that takes one
OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b,
    ast.BitAnd: lambda a, b: a & b, ast.BitOr: lambda a, b: a | b, ast.BitXor: lambda a, b: a ^ b,
    ast.LShift: lambda a, b: a << b, ast.RShift: lambda a, b: a >> b}
COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: lambda a, b: a == b, ast.NotEq: lambda a, b: a != b, ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b, ast.Gt: lambda a, b: a > b, ast.GtE: lambda a, b: a >= b}


class Meets(Protocol):
    """What the source meets: the machine, and calls that the compiled code makes too."""

    def machine(self, operation: str, words: Sequence[Any]) -> Any:
        """What an operation of the machine answers."""

    def called(self, function: FunctionType, words: Sequence[Any]) -> tuple[Any] | None:
        """What a call answers that both readings make; None if the compiled code makes it not."""

    def table(self, function: FunctionType) -> tuple[bytes, int] | None:
        """The table that stands for a function, and its first number."""


class Answered(Exception):
    """A function returns."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer


class SourceReading:
    """Functions of `impl`, carried out on one way."""

    def __init__(self, way: JointWay, around: Meets) -> None:
        self._way, self._around = way, around
        self.met: set[str] = set()      # functions that were carried out

    def call(self, function: Any, words: Sequence[Any]) -> Any:
        """What a function answers, which is given these words, and the machine if it takes one."""
        self.met.add(name_of(function))
        names: dict[str, Any] = dict(zip(words_of(function), words, strict=True))
        try:
            self._all(tree_of(function).body, names, function)
        except Answered as answered:
            return answered.answer
        return None

    def _all(self, statements: Sequence[ast.stmt], names: dict[str, Any], function: FunctionType) -> None:
        for statement in statements:
            match statement:
                case ast.Return(value=value):
                    raise Answered(None if value is None else self._value(value, names, function))
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    names[name] = self._value(value, names, function)
                case ast.If(test=test, body=body, orelse=orelse):
                    self._all(body if self._holds(test, names, function) else orelse, names, function)
                case ast.While(test=test, body=body):
                    self._repeat(test, body, names, function)
                case ast.Expr(value=value):
                    self._value(value, names, function)
                case ast.Pass():
                    pass
                case _:
                    raise NotCovered(f"{type(statement).__name__} in {name_of(function)}")

    def _repeat(self, test: ast.expr, body: Sequence[ast.stmt], names: dict[str, Any], function: FunctionType) -> None:
        turns = 0
        while self._holds(test, names, function):
            turns += 1
            if turns > MOST_TURNS:
                raise LoopFound("a loop")
            self._all(body, names, function)

    def _holds(self, test: ast.expr, names: dict[str, Any], function: FunctionType) -> bool:
        return self._way.decide(condition(self._value(test, names, function)))

    def _value(self, node: ast.expr, names: dict[str, Any], function: FunctionType) -> Any:
        def of(part: ast.expr) -> Any:
            return self._value(part, names, function)
        match node:
            case ast.Constant(value=str()):
                return None
            case ast.Constant(value=value):
                return constant(value)
            case ast.Name(id=name):
                return names[name] if name in names else constant(function.__globals__[name])
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return z3.simplify(self._way.product(word(of(left)), word(of(right))))
            case ast.BinOp(left=left, op=op, right=right):
                return z3.simplify(OPERATORS[type(op)](word(of(left)), word(of(right))))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return z3.simplify(z3.Not(condition(of(operand))))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return z3.simplify(-word(of(operand)))
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                words = [word(of(each)) for each in (left, *comparators)]
                return z3.simplify(z3.And([COMPARISONS[type(op)](one, other)
                                           for op, one, other in zip(ops, words, words[1:], strict=False)]))
            case ast.BoolOp(op=op, values=values):
                return self._either(isinstance(op, ast.And), values, names, function)
            case ast.Call(func=func, args=args):
                return self._call(func, [of(each) for each in args if not is_machine(each)], function)
            case _:
                raise NotCovered(f"{ast.unparse(node)} in {name_of(function)}")

    def _either(self, every: bool, values: Sequence[ast.expr], names: dict[str, Any],
                function: FunctionType) -> Any:
        """`and`, `or`: what follows is looked at only where it counts."""
        first, *rest = values
        found = condition(self._value(first, names, function))
        if not rest:
            return found
        if any(isinstance(part, ast.Call) for each in rest for part in ast.walk(each)):
            return z3.BoolVal(not every) if self._way.decide(found) != every else (
                self._either(every, rest, names, function))
        return z3.simplify((z3.And if every else z3.Or)(found, self._either(every, rest, names, function)))

    def _call(self, func: ast.expr, words: list[Any], function: FunctionType) -> Any:
        match func:
            case ast.Attribute(value=value, attr=operation) if is_machine(value):
                return self._around.machine(operation, [word(each) for each in words])
            case ast.Name(id=name):
                return self._other(function.__globals__[name], words)
            case _:
                raise NotCovered(f"a call of {ast.unparse(func)}")

    def _other(self, callee: FunctionType, words: list[Any]) -> Any:
        tabled = self._around.table(callee)
        if tabled:
            entries, first = tabled
            offset = z3.simplify(word(words[0]) - first)
            return z3.simplify(z3.ZeroExt(56, entry_of(entries, offset, self._way)))
        called = self._around.called(callee, words)
        return called[0] if called else self.call(callee, words)


def constant(value: Any) -> Any:
    """A constant of the source as a word or a condition."""
    if value is None or callable(value):
        return value
    return z3.BoolVal(value) if isinstance(value, bool) else number(value)


def word(value: Any) -> Any:
    """A value as a word: a condition is 1 or 0."""
    return z3.If(value, number(1), number(0)) if z3.is_bool(value) else value


def condition(value: Any) -> Any:
    """A value as a condition."""
    return value if z3.is_bool(value) else value != 0


def is_machine(node: ast.expr) -> bool:
    """Whether it names the machine."""
    return isinstance(node, ast.Name) and node.id == THE_MACHINE


def name_of(function: Any) -> str:
    """Module and name."""
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


@cache
def words_of(function: FunctionType) -> tuple[str, ...]:
    """The names of what a function takes, besides the machine."""
    return tuple(each.arg for each in tree_of(function).args.args if each.arg != THE_MACHINE)


@cache
def tree_of(function: FunctionType) -> ast.FunctionDef:
    """A function as Python's parser reads it."""
    module = module_tree(function.__module__)
    return next(node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == function.__name__)


@cache
def module_tree(module: str) -> ast.Module:
    """A module as Python's parser reads it."""
    return ast.parse(inspect.getsource(sys.modules[module]))
