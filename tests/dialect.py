"""The dialect of `impl`: what its source may say, and why. A rule is a row; `violations` holds them all."""

import ast
from collections.abc import Callable, Iterator, Mapping
from inspect import signature
from itertools import chain
from typing import NamedTuple

from heapster.machine.protocol import Machine
from tests.kinds import LAYOUTS, Kind, Package, assigned, key_of

MACHINE = "m"
OPERATIONS = {name: len(signature(member).parameters) - 1 for name, member in vars(Machine).items()
              if callable(member) and not name.startswith("_")}

CONTAINERS = "no containers: memory is words at addresses, and all of it belongs to the machine"
FAILURE = "failure is reported by returning NULL, and misuse by m.abort: native code has no exceptions"
DIVISION = "no division: z3 truncates where Python floors, an unguarded one needs exceptions in the library; shift"
CLOSURES = "no closures: native code calls functions by name"
IDENTITY = "words are compared by value; whether two equal words are one object is chance"

FOREIGN: Mapping[type[ast.AST], str] = {
    ast.ClassDef: "no classes: state lives in the machine, where every reading can see it",
    ast.Lambda: CLOSURES, ast.AsyncFunctionDef: CLOSURES, ast.Global: CLOSURES, ast.Nonlocal: CLOSURES,
    ast.Raise: FAILURE, ast.Try: FAILURE, ast.With: FAILURE,
    ast.For: "loops are `while` over words: there is nothing to iterate over, and a proof cuts them at their heads",
    ast.ListComp: CONTAINERS, ast.SetComp: CONTAINERS, ast.DictComp: CONTAINERS, ast.GeneratorExp: CONTAINERS,
    ast.List: CONTAINERS, ast.Tuple: CONTAINERS, ast.Dict: CONTAINERS, ast.Set: CONTAINERS,
    ast.Subscript: CONTAINERS, ast.Starred: CONTAINERS,
    ast.JoinedStr: "no strings: they allocate",
    ast.FloorDiv: DIVISION, ast.Div: DIVISION, ast.Mod: DIVISION,
    ast.Pow: "no powers: z3 has none over words; shift",
    ast.MatMult: "words have no matrix product",
    ast.Is: IDENTITY, ast.IsNot: IDENTITY, ast.In: CONTAINERS, ast.NotIn: CONTAINERS,
    ast.IfExp: "a branch is a statement: coverage, schedules and proofs count them",
    ast.NamedExpr: "an assignment is a statement of its own",
    ast.AugAssign: "an assignment names what it reads",
    ast.AnnAssign: "there is nothing to annotate: all are words and truths",
    ast.Yield: CLOSURES, ast.YieldFrom: CLOSURES, ast.Await: CLOSURES,
    ast.Delete: "names end with their function",
    ast.Match: "a branch is an `if` on a comparison",
    ast.Invert: "~ of a signed word is negative: write the mask as a constant of the layout",
    ast.Import: "imports are from this package, so that the source stands alone",
}
SPOKEN = (ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.While, ast.If, ast.Expr,
          ast.Pass, ast.Break, ast.Continue, ast.BoolOp, ast.And, ast.Or, ast.BinOp, ast.Add, ast.Sub, ast.Mult,
          ast.LShift, ast.RShift, ast.BitAnd, ast.BitOr, ast.BitXor, ast.UnaryOp, ast.Not, ast.USub, ast.Compare,
          ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Call, ast.Constant, ast.Attribute, ast.Name,
          ast.Load, ast.Store, ast.ImportFrom, ast.alias, ast.Assert)


class Violation(NamedTuple):
    """A place where the source says what it may not."""

    rule: str
    place: str
    why: str


def _docstrings(module: ast.Module) -> set[ast.AST]:
    functions = (node for node in module.body if isinstance(node, ast.FunctionDef))
    first = [body[0] for body in (module.body, *(function.body for function in functions)) if body]
    return {statement.value for statement in first
            if isinstance(statement, ast.Expr) and isinstance(getattr(statement.value, "value", None), str)}


Found = Iterator[tuple[str, ast.AST, str]]          # module, node, what is wrong


def foreign_syntax(package: Package) -> Found:
    for name, module in package.modules.items():
        for node in ast.walk(module):
            if not isinstance(node, SPOKEN):
                yield name, node, FOREIGN.get(type(node), f"{type(node).__name__} is not part of the dialect")


def constants_are_words(package: Package) -> Found:
    for name, module in package.modules.items():
        docstrings = _docstrings(module)
        messages = {node.msg for node in module.body if isinstance(node, ast.Assert)}
        for node in ast.walk(module):
            if isinstance(node, ast.Constant) and node not in docstrings and node not in messages:
                if not isinstance(node.value, int):
                    yield name, node, f"the constant {node.value!r} is no word"
                elif node.value >= 1 << 63:
                    yield name, node, f"{node.value} is more than a signed 64-bit word holds"


def modules_hold_functions(package: Package) -> Found:
    for name, module in package.modules.items():
        allowed = (ast.ImportFrom, *((ast.Assign, ast.Assert) if name in LAYOUTS else (ast.FunctionDef,)))
        for number, node in enumerate(module.body):
            is_docstring = number == 0 and isinstance(node, ast.Expr) and ast.get_docstring(module) is not None
            if not isinstance(node, allowed) and not is_docstring:
                yield name, node, f"{type(node).__name__} at the top of a module"
            if isinstance(node, ast.ImportFrom) and node.level != 1:
                yield name, node, "an import from outside the package"


def signatures_are_plain(package: Package) -> Found:
    for function in package.functions.values():
        a = function.node.args
        odd = [*a.posonlyargs, *a.kwonlyargs, *a.defaults, *function.node.decorator_list, a.vararg, a.kwarg,
               function.node.returns, *(argument.annotation for argument in a.args)]
        if any(odd):
            yield function.module, function.node, f"{function.node.name} has more than positional parameters"
        if MACHINE in function.parameters[1:]:
            yield function.module, function.node, f"the machine is not the first parameter of {function.node.name}"


def calls_are_of_ours(package: Package) -> Found:
    for function in package.functions.values():
        for node in ast.walk(function.node):
            if isinstance(node, ast.Call):
                target = package.called(function.module, node)
                taken = len(target.parameters) if target else _arity(node.func)
                if node.keywords or taken != len(node.args):
                    yield function.module, node, f"{ast.unparse(node)} calls no function of ours, or not as it is"


def _arity(called: ast.expr) -> int | None:
    """The words that an operation of the machine takes; None if it is none."""
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == MACHINE:
        return OPERATIONS.get(called.attr)
    return None


def only_the_machine_has_attributes(package: Package) -> Found:
    for function in package.functions.values():
        called = {node.func for node in ast.walk(function.node) if isinstance(node, ast.Call)}
        for node in ast.walk(function.node):
            if isinstance(node, ast.Attribute) and node not in called:
                yield function.module, node, f"{ast.unparse(node)} is no call of the machine"
            if isinstance(node, ast.Name) and node.id == MACHINE and isinstance(node.ctx, ast.Store):
                yield function.module, node, "the machine is assigned to"


def names_are_known(package: Package) -> Found:
    for function in package.functions.values():
        for node in ast.walk(function.node):
            if isinstance(node, ast.Name) and not package.is_known(function, node.id):
                yield function.module, node, f"{node.id} is no parameter, local, constant or function of ours"
            if isinstance(node, ast.FunctionDef) and node is not function.node:
                yield function.module, node, f"{node.name} is defined inside a function"


def constants_stay(package: Package) -> Found:
    for function in package.functions.values():
        for name in assigned(function.node):
            if name.isupper() or package.is_constant(function.module, name):
                yield function.module, function.node, f"{function.node.name} assigns to the constant {name}"


def conditions_are_truths(package: Package) -> Found:
    for function in package.functions.values():
        for node in ast.walk(function.node):
            for condition in _conditions(node):
                if package.kind(function, condition) is not Kind.TRUTH:
                    yield function.module, condition, f"{ast.unparse(condition)} is a word taken for a truth"


def _conditions(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.If | ast.While):
        return [node.test]
    if isinstance(node, ast.BoolOp):
        return node.values
    return [node.operand] if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) else []


def arithmetic_is_on_words(package: Package) -> Found:
    for function in package.functions.values():
        for node in ast.walk(function.node):
            for operand in _operands(node):
                if package.kind(function, operand) is not Kind.WORD:
                    yield function.module, operand, f"{ast.unparse(operand)} is a truth taken for a word"


def _operands(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp):
        return [node.operand] if isinstance(node.op, ast.USub) else []
    ordered = isinstance(node, ast.Compare) and not isinstance(node.ops[0], ast.Eq | ast.NotEq)
    return [node.left, *node.comparators] if isinstance(node, ast.Compare) and ordered else []


def values_are_of_one_kind(package: Package) -> Found:
    for (module, function, name), kind in package.names.items():
        if kind is Kind.BOTH:
            node = package.functions[module, function].node
            yield module, node, f"{name} in {function} is a word here, a truth there"
    for key, kind in package.returns.items():
        if kind is Kind.BOTH:
            yield key[0], package.functions[key].node, f"{key[1]} answers words and truths"


def answers_are_on_every_path(package: Package) -> Found:
    for function in package.functions.values():
        returns = [node for node in ast.walk(function.node) if isinstance(node, ast.Return)]
        on_all = all(node.value for node in returns) and _always_returns(function.node.body)
        if any(node.value for node in returns) and not on_all:
            yield function.module, function.node, f"{function.node.name} answers on some paths only"


def _always_returns(body: list[ast.stmt]) -> bool:
    last = body[-1]
    if isinstance(last, ast.If):
        return bool(last.orelse) and _always_returns(last.body) and _always_returns(last.orelse)
    return isinstance(last, ast.Return)


def calls_do_not_go_round(package: Package) -> Found:
    calls = {key: {key_of(target) for node in ast.walk(function.node) if isinstance(node, ast.Call)
                   and (target := package.called(function.module, node))}
             for key, function in package.functions.items()}
    for key, function in package.functions.items():
        reached: set[tuple[str, str]] = set()
        ahead = set(calls[key])
        while ahead:
            reached |= ahead
            ahead = set(chain.from_iterable(calls[other] for other in ahead)) - reached
        if key in reached:
            yield function.module, function.node, f"{function.node.name} may call itself"


def functions_say_what_they_do(package: Package) -> Found:
    for function in package.functions.values():
        if ast.get_docstring(function.node) is None:
            yield function.module, function.node, f"{function.node.name} has no docstring"


Rule = Callable[[Package], Found]

RULES: Mapping[Rule, str] = {
    foreign_syntax: "what stands here must mean the same to Python, z3 and LLVM; each construct's reason is in FOREIGN",
    constants_are_words: "a word is a signed 64-bit integer: floats round, None beside an int makes an Optional",
    modules_hold_functions: "state lives in the machine; only layout has constants, held by asserts as they are read",
    signatures_are_plain: "native code passes words by position; whoever touches memory says so first, by m",
    calls_are_of_ours: "builtins are not compiled into the library, and z3's words do not go through them",
    only_the_machine_has_attributes: "words have no parts; all that is not a word goes through m",
    names_are_known: "no globals, no closures: a function depends on its arguments and the machine",
    constants_stay: "constants do not change",
    conditions_are_truths: "a symbolic word's bare truth would explore one branch in silence: compare it",
    arithmetic_is_on_words: "True is 1 in Python only",
    values_are_of_one_kind: "a compiler unites bool and int in silence, z3 does not",
    answers_are_on_every_path: "falling off the end returns None, which beside an int makes an Optional",
    calls_do_not_go_round: "malloc may be called near the end of the stack; without recursion its depth is known",
    functions_say_what_they_do: "a docstring is the contract that the proofs prove",
}


def violations(sources: Mapping[str, str]) -> list[Violation]:
    """Where the modules break the dialect."""
    package = Package(sources)
    return [Violation(rule.__name__, f"{module}.py:{getattr(node, 'lineno', 0)}", why)
            for rule in RULES for module, node, why in rule(package)]
