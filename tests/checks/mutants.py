"""One-line changes of a module, made mechanically: each check taken out, each condition bent.

Checks are held to account by witnesses: values that they must pass, and values that they must not. If a
check is changed and no witness notices, nothing holds it. The changes are those that people make by
accident: what is yielded, raised or appended is left out, an operand of `and` or `or` is forgotten, a
comparison is off by one or turned round, a number is one more or less, plus is minus, a call's argument
stands for its result.

    for mutant in mutants(spec):
        with planted(mutant):
            ...                         # every caller of the changed function meets the change
"""

import ast
import copy
import inspect
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

BENT: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is}
OTHER: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Mod: ast.FloorDiv, ast.RShift: ast.LShift,
    ast.LShift: ast.RShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}
UNWRAPPED = frozenset({"abs", "max", "min", "reversed", "set", "sorted", "up", "_union"})
REPORTING = frozenset({"append"})               # methods whose call is a report
ENDLESS = 1.0                                   # seconds of CPU, after which a change counts as noticed, beside ...
TIMES = 4                                       # ... so many times what the witness takes where nothing is changed
AGAIN = 1.0                                     # seconds of CPU, until what had no effect is raised again

Change = Callable[[ast.AST], None]
Alternative = tuple[str, str, Change]           # what stands there, what will, and how that is done


class Mutant(NamedTuple):
    """A function with one change."""

    name: str                   # function: what stood there -> what stands there now
    function: Any
    code: CodeType


class Endless(Exception):
    """A changed function did not come back."""


def mutants(module: ModuleType, without: frozenset[str] = frozenset()) -> Iterator[Mutant]:
    """Every change of the functions of a module, except of those named; no two have one name."""
    seen: dict[str, int] = {}
    assert module.__file__
    for owner, node in _functions(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        place = f"{owner}.{node.name}" if owner else node.name
        if place in without:
            continue
        function = _function(module, owner, node.name)
        for was, becomes, changed in _changed(node):
            name = f"{place}: {was} -> {becomes}"
            seen[name] = seen.get(name, 0) + 1
            yield Mutant(name if seen[name] == 1 else f"{name} ({seen[name]})", function, _code(module, changed))


def rewritten(module: ModuleType, place: str, old: str, new: str) -> Mutant:
    """A function with one change made by hand."""
    assert module.__file__
    source = Path(module.__file__).read_text(encoding="utf-8")
    owner, node = next((owner, node) for owner, node in _functions(ast.parse(source))
                       if place == (f"{owner}.{node.name}" if owner else node.name))
    text = inspect.cleandoc("\n" + (ast.get_source_segment(source, node, padded=True) or ""))
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {place}"
    (changed,) = (part for part in ast.parse(text.replace(old, new)).body if isinstance(part, ast.FunctionDef))
    return Mutant(f"{place}: {old} -> {new}", _function(module, owner, node.name), _code(module, _bare(changed)))


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Meanwhile the function does what the change makes of it."""
    before = mutant.function.__code__
    mutant.function.__code__ = mutant.code
    try:
        yield
    finally:
        mutant.function.__code__ = before


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    """Endless, if what is done within takes more CPU; again soon after, as callbacks of the collector swallow it."""
    def give_up(*_: object) -> None:
        raise Endless

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def is_noticed(mutant: Mutant, witness: Callable[[], None], seconds: float = ENDLESS) -> bool:
    """Whether the witness, which raises when something is not as it must be, raises, or takes more CPU than that."""
    with planted(mutant):
        try:
            with no_longer_than(seconds):
                witness()
        except Exception:  # noqa: BLE001  whatever goes otherwise than it should is noticed
            return True
    return False


def survivors(module: ModuleType, witness: Callable[[], None], without: frozenset[str] = frozenset()) -> list[str]:
    """The changes of a module that a witness, which passes without them, does not notice."""
    began = time.process_time()
    witness()
    seconds = ENDLESS + TIMES * (time.process_time() - began)       # a busy machine makes nothing endless
    return [mutant.name for mutant in mutants(module, without) if not is_noticed(mutant, witness, seconds)]


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield "", node
        elif isinstance(node, ast.ClassDef):
            yield from ((node.name, method) for method in node.body if isinstance(method, ast.FunctionDef))


def _function(module: ModuleType, owner: str, name: str) -> Any:
    """The function that callers call, whatever it is wrapped in."""
    found: Any = vars(getattr(module, owner) if owner else module)[name]
    return inspect.unwrap(getattr(found, "fget", found))


def _bare(node: ast.FunctionDef) -> ast.FunctionDef:
    node.decorator_list, node.returns = [], None
    return node


def _changed(node: ast.FunctionDef) -> Iterator[tuple[str, str, ast.FunctionDef]]:
    bare = _bare(copy.deepcopy(node))
    if isinstance(bare.body[0], ast.Expr) and isinstance(bare.body[0].value, ast.Constant) and len(bare.body) > 1:
        del bare.body[0]                # what it says of itself
    for number, part in enumerate(_parts(bare)):
        for was, becomes, change in _alternatives(part):
            copied = copy.deepcopy(bare)
            change(next(p for n, p in enumerate(_parts(copied)) if n == number))
            yield was, becomes, ast.fix_missing_locations(copied)


def _code(module: ModuleType, node: ast.FunctionDef) -> CodeType:
    scope = dict(vars(module))
    exec(compile(ast.Module([node], []), f"<changed {module.__name__}>", "exec"), scope)       # noqa: S102  our own
    code: CodeType = scope[node.name].__code__
    return code


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """What may be changed within a function, in a fixed order: all but words for people, types and defaults."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "args") and not isinstance(value, list):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield child
                yield from _parts(child)


def _alternatives(node: ast.AST) -> Iterator[Alternative]:
    """What may be made of a node."""
    for kind, alternatives in ALTERNATIVES:
        if isinstance(node, kind):
            yield from alternatives(node)


def _left_out(node: Any) -> Iterator[Alternative]:
    """A report that is not made."""
    value = getattr(node, "value", None)
    if isinstance(node, ast.Raise):
        yield _said(node), "nothing", _becoming(lambda _: ast.Pass())
    elif isinstance(value, ast.Yield | ast.YieldFrom) or _method(value) in REPORTING:
        # Under a condition that never holds: a generator stays one.
        yield _said(node), "nothing", _becoming(lambda whole: ast.If(ast.Constant(False), [ast.Expr(whole.value)], []))


def _method(node: object) -> str:
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""


def _forgotten_operand(node: Any) -> Iterator[Alternative]:
    for index, value in enumerate(node.values):
        yield _said(node), f"without {_said(value)}", _forget(index)


def _other_comparison(node: Any) -> Iterator[Alternative]:
    for index, operator in enumerate(node.ops):
        yield _said(node), BENT[type(operator)].__name__, _bend(index)


def _other_operator(node: Any) -> Iterator[Alternative]:
    if type(node.op) in OTHER:
        yield _said(node), OTHER[type(node.op)].__name__, _with("op", OTHER[type(node.op)]())


def _without_not(node: Any) -> Iterator[Alternative]:
    if isinstance(node.op, ast.Not):
        yield _said(node), _said(node.operand), _becoming(lambda whole: whole.operand)


def _other_constant(node: Any) -> Iterator[Alternative]:
    if isinstance(node.value, bool):
        yield _said(node), str(not node.value), _with("value", not node.value)
    elif isinstance(node.value, int):
        for value in (node.value + 1, node.value - 1):
            yield _said(node), str(value), _with("value", value)


def _argument_for_result(node: Any) -> Iterator[Alternative]:
    if isinstance(node.func, ast.Name) and node.func.id in UNWRAPPED:
        for index, argument in enumerate(node.args):
            if not isinstance(argument, ast.Starred):
                yield _said(node), _said(argument), _taking(index)


def _certain_condition(node: Any) -> Iterator[Alternative]:
    for value in (True, False):
        yield f"if {_said(node.test)}", str(value), _with("test", ast.Constant(value))


def _dropped_condition(node: Any) -> Iterator[Alternative]:
    for index, condition in enumerate(node.ifs):
        yield f"for ... if {_said(condition)}", "for ...", _drop(index)


ALTERNATIVES: tuple[tuple[Any, Callable[[Any], Iterator[Alternative]]], ...] = (
    (ast.Expr | ast.Raise, _left_out),
    (ast.BoolOp, _forgotten_operand),
    (ast.Compare, _other_comparison),
    (ast.BinOp, _other_operator),
    (ast.UnaryOp, _without_not),
    (ast.Constant, _other_constant),
    (ast.Call, _argument_for_result),
    (ast.If | ast.IfExp, _certain_condition),
    (ast.comprehension, _dropped_condition),
)


def _said(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _becoming(what: Callable[[Any], ast.AST]) -> Change:
    def change(node: ast.AST) -> None:
        other = what(copy.copy(node))
        node.__class__ = other.__class__
        node.__dict__.clear()
        node.__dict__.update(vars(other))
    return change


def _forget(index: int) -> Change:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.BoolOp)
        del node.values[index]
        if len(node.values) == 1:
            _becoming(lambda whole: whole.values[0])(node)
    return change


def _taking(index: int) -> Change:
    return _becoming(lambda whole: whole.args[index])


def _bend(index: int) -> Change:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.Compare)
        node.ops[index] = BENT[type(node.ops[index])]()
    return change


def _drop(index: int) -> Change:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.comprehension)
        del node.ifs[index]
    return change


def _with(field: str, value: object) -> Change:
    return lambda node: setattr(node, field, value)
