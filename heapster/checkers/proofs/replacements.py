"""Which callees each proof replaces by what they promise, read off its own source: every `replaced` that it reaches.

Of a function that a proof's body names, all that it names in turn is taken in, and of a class all its methods: more
than one run does, never less.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache as remembered
from functools import partial
from textwrap import dedent
from types import FunctionType
from typing import Any, NamedTuple

from heapster.checkers.mutation.fault import SHIPPED_FOLDER
from heapster.checkers.proofs import Proof

PACKAGE = "heapster.checkers.proofs."
REPLACE = "replaced"                # the function that does; nothing else may
Names = frozenset[str]              # of callees, module.function


class ReplacedFunction(NamedTuple):
    """A function of impl that proofs replace, and the proofs that do."""

    of: str
    proofs: tuple[Proof, ...]


def callees(proofs: tuple[Proof, ...]) -> list[ReplacedFunction]:
    """All that are replaced, in the order of their names."""
    users: dict[str, list[Proof]] = {}
    for proof in proofs:
        for name in replaced_by(proof):
            users.setdefault(name, []).append(proof)
    return [ReplacedFunction(name, tuple(users[name])) for name in sorted(users)]


def replaced_by(proof: Proof) -> Names:
    """The callees that the proof replaces."""
    body = proof.body
    found: set[str] = set()
    if isinstance(body, partial):
        for argument in (*body.args, *body.keywords.values()):
            if _is_ours(argument):
                found |= _reached(argument)
        body = body.func
    return frozenset(found | _reached(body))


def _is_ours(value: Any) -> bool:
    return isinstance(value, FunctionType | type) and value.__module__.startswith(PACKAGE)


@remembered
def _reached(start: Any) -> Names:
    found: set[str] = set()
    seen: set[Any] = set()
    todo = [start]
    while todo:
        each = todo.pop()
        if each not in seen:
            seen.add(each)
            tree = ast.parse(dedent(inspect.getsource(inspect.unwrap(each))))
            found.update(_replaced_in(tree))
            todo += [value for value in _named(tree, vars(sys.modules[each.__module__])) if _is_ours(value)]
    return frozenset(found)


def _named(tree: ast.AST, names: dict[str, Any]) -> Iterator[Any]:
    """What the names in a source mean, where they mean something in its module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in names and node.id != REPLACE:
            yield names[node.id]


def _replaced_in(tree: ast.AST) -> Iterator[str]:
    """The callees that calls name which replace some: `replaced(source.module, callee=...)`."""
    loops = {node.target.id: node.iter for node in ast.walk(tree)
             if isinstance(node, ast.For) and isinstance(node.target, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == REPLACE:
            where = node.args[0]
            places = loops.get(where.id) if isinstance(where, ast.Name) else where
            modules = [each.attr for each in ast.walk(places or where) if isinstance(each, ast.Attribute)
                       and _home(each.attr, "")]
            words = [word for keyword in node.keywords for word in _words(keyword)]
            yield from {home for module in modules for word in words if (home := _home(module, word))}


def _words(keyword: ast.keyword) -> list[str]:
    """What is replaced: the keyword; or where many are given as a dictionary, the words and keywords in it."""
    if keyword.arg:
        return [keyword.arg]
    inner = list(ast.walk(keyword.value))
    return [node.value for node in inner if isinstance(node, ast.Constant) and isinstance(node.value, str)] + [
        node.arg for node in inner if isinstance(node, ast.keyword) and node.arg]


@remembered
def _functions() -> dict[str, dict[str, str]]:
    """Of each module of impl: the functions that its names mean, module.function."""
    trees = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SHIPPED_FOLDER.glob("*.py"))}
    own = {module: {node.name: f"{module}.{node.name}" for node in tree.body if isinstance(node, ast.FunctionDef)}
           for module, tree in trees.items()}
    taken = {module: {alias.name: own[node.module][alias.name] for node in tree.body
                      if isinstance(node, ast.ImportFrom) and node.module in own for alias in node.names
                      if alias.name in own[node.module]}
             for module, tree in trees.items()}
    return {module: {"": module, **taken[module], **own[module]} for module in trees}


def _home(module: str, name: str) -> str:
    """The function that the name means in the module of impl; empty if it means none. No name: the module itself."""
    return _functions().get(module, {}).get(name, "")
