"""A package of functions over words, and what kind each value in it is: a word or a truth."""

import ast
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

LAYOUTS = ("layout", "run_layout")      # of constants alone


class Kind(Enum):
    """What a value is: nothing yet, a word, a truth, or, which is wrong, both."""

    NONE = 0
    WORD = 1
    TRUTH = 2
    BOTH = 3

    def __or__(self, other: "Kind") -> "Kind":
        return Kind(self.value | other.value)


class Function(NamedTuple):
    """A function of the package."""

    module: str
    node: ast.FunctionDef

    @property
    def parameters(self) -> list[str]:
        return [argument.arg for argument in self.node.args.args]


class Package:
    """The modules of a package, and what is known of the kinds of their values."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.modules = {name: ast.parse(text) for name, text in sources.items()}
        self.functions = {(name, node.name): Function(name, node) for name, module in self.modules.items()
                          for node in module.body if isinstance(node, ast.FunctionDef)}
        self._imports = {name: {alias.asname or alias.name: (node.module or "", alias.name)
                                for node in module.body if isinstance(node, ast.ImportFrom) for alias in node.names}
                         for name, module in self.modules.items()}
        self.returns = dict.fromkeys(self.functions, Kind.NONE)
        self.names: dict[tuple[str, str, str], Kind] = {}
        while self._infer():
            pass

    def called(self, module: str, call: ast.Call) -> Function | None:
        """The function of the package that is called, if it is one."""
        if not isinstance(call.func, ast.Name):
            return None
        where = self._imports[module].get(call.func.id, (module, call.func.id))
        return self.functions.get(where)

    def is_constant(self, module: str, name: str) -> bool:
        return self._imports[module].get(name, ("", ""))[0] in LAYOUTS or module in LAYOUTS

    def is_known(self, function: Function, name: str) -> bool:
        """Whether a name is a parameter, a local, a constant or a function."""
        return (name in function.parameters or self.is_constant(function.module, name)
                or name in assigned(function.node) or name in self._imports[function.module]
                or (function.module, name) in self.functions)

    def kind(self, function: Function, node: ast.expr) -> Kind:
        """What the value of an expression is."""
        if isinstance(node, ast.Compare | ast.BoolOp):
            return Kind.TRUTH
        if isinstance(node, ast.UnaryOp):
            return Kind.TRUTH if isinstance(node.op, ast.Not) else Kind.WORD
        if isinstance(node, ast.Constant):
            return Kind.TRUTH if isinstance(node.value, bool) else Kind.WORD
        if isinstance(node, ast.Name):
            constant = self.is_constant(function.module, node.id)
            return Kind.WORD if constant else self.names.get((*key_of(function), node.id), Kind.NONE)
        if isinstance(node, ast.Call) and (target := self.called(function.module, node)):
            return self.returns[key_of(target)]
        return Kind.WORD

    def _infer(self) -> bool:
        """Learn from every assignment, return and call; whether something was new."""
        before = (dict(self.names), dict(self.returns))
        called = set()
        for function in self.functions.values():
            for node in ast.walk(function.node):
                if isinstance(node, ast.Assign):
                    for assigned_to in node.targets:
                        self._learn(function, getattr(assigned_to, "id", ""), self.kind(function, node.value))
                elif isinstance(node, ast.Return) and node.value:
                    self.returns[key_of(function)] |= self.kind(function, node.value)
                elif isinstance(node, ast.Call) and (target := self.called(function.module, node)):
                    called.add(key_of(target))
                    for name, argument in zip(target.parameters, node.args, strict=False):
                        self._learn(target, name, self.kind(function, argument))
        for key in self.functions.keys() - called:          # programs call these, with words
            for name in self.functions[key].parameters:
                self._learn(self.functions[key], name, Kind.WORD)
        return before != (self.names, self.returns)

    def _learn(self, function: Function, name: str, kind: Kind) -> None:
        key = (*key_of(function), name)
        self.names[key] = self.names.get(key, Kind.NONE) | kind


def key_of(function: Function) -> tuple[str, str]:
    return function.module, function.node.name


def assigned(node: ast.FunctionDef) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}
