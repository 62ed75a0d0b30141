"""What a proof depends on, as digests: the prover's own sources, and the functions and constants of `impl` it reads.

A proof runs the same way again if nothing has changed of: the prover's sources, z3 and Python; what its body reads
of the modules of `impl`; and, of every function read there, its source and all that its names mean in its module, in
turn. That takes in more than the proof executes, never less: `impl` reaches nothing but through names (its dialect
has no attribute of a module, no `getattr`, no `globals`). Comments, docstrings and places in a file do not count.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache as remembered
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from sys import version as python
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from heapster.checkers.proofs import Proof
from heapster.native.cache import digest

Names = frozenset[tuple[str, str]]      # of modules of impl, and of what is read of them
PACKAGE = "heapster"
ALWAYS = ("heapster.checkers.proofs", "heapster.machine.paths", "heapster.machine.bits", "heapster.results")
ALONE = ("heapster.checkers.proofs.runner", "heapster.checkers.proofs.source", "heapster.checkers.proofs.dependencies")
ABSENT = object()


class Unkeyed(Exception):
    """Something that no digest is known for: what depends on it is proved each time."""


# What a body reads.

class _Read:
    """A module of which it is noted what is read. What is set of it is set of the module. It has no other names."""

    __slots__ = ("__as_read", "__module", "__name")

    def __init__(self, module: ModuleType, name: str, read: set[tuple[str, str]]) -> None:
        for slot, value in (("module", module), ("name", name), ("as_read", read)):
            object.__setattr__(self, f"_Read__{slot}", value)

    def __getattr__(self, name: str) -> Any:
        self.__as_read.add((self.__name, name))
        return getattr(self.__module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__module, name, value)


def noting(source: SimpleNamespace, read: set[tuple[str, str]]) -> SimpleNamespace:
    """The modules, with all that is read of them added to `read`."""
    return SimpleNamespace(**{name: _Read(module, name, read) for name, module in vars(source).items()})


# The prover.

def sources_of(proof: Proof) -> list[str]:
    """The modules that say how the proof is run and what it claims."""
    body = proof.body.func if isinstance(proof.body, partial) else proof.body
    return sorted(reached((body.__module__, *ALWAYS)) | set(ALONE))


def changed_since(proof: Proof, seconds: float) -> bool:
    """Whether a file of the prover is younger than that, counted from the epoch: what runs may be older."""
    return any(Path(_file_of(module)).stat().st_mtime > seconds for module in sources_of(proof))


def key(proof: Proof) -> str:
    """A name for the proof as it is now: its claims, its sources, z3 and Python."""
    claims = [str(part) for theorem in proof.theorems() for part in theorem]
    return digest(proof.of, proof.suffix, proof.bound, *proof.encodings, *claims,
                  *map(_text_of, sources_of(proof)), version("z3-solver"), python)


def reached(modules: Iterable[str]) -> set[str]:
    """The modules of heapster that these import, at once or in a function, and those that these import in turn."""
    found: set[str] = set()
    todo = list(modules)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _imports(name)
    return found


@remembered
def _imports(module: str) -> tuple[str, ...]:
    """The modules of heapster that are named in imports, and the packages that hold this one.

    Not the outermost, which loads for programs what no module of heapster takes from there.
    """
    parents = [module[:place] for place, letter in enumerate(module) if letter == "."]
    return tuple(name for name in (*parents[1:], *_named(module)) if _file_of(name))


def _named(module: str) -> Iterator[str]:
    package = module if _file_of(module).endswith("__init__.py") else module.rpartition(".")[0]
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[:len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            inner = [f"{base}.{alias.name}" for alias in node.names]
            yield from inner if base == PACKAGE and all(map(_file_of, inner)) else (base, *inner)


@remembered
def _file_of(module: str) -> str:
    """The file of a module of heapster; empty for what is none."""
    if module.partition(".")[0] != PACKAGE:
        return ""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:         # a name in a module
        return ""
    return spec.origin or "" if spec else ""


@remembered
def _tree(module: str) -> ast.Module:
    return plain(ast.parse(Path(_file_of(module)).read_bytes()))


@remembered
def _text_of(module: str) -> str:
    return f"{module} {ast.dump(_tree(module))}"


def plain(tree: ast.Module) -> ast.Module:
    """The tree without its docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:]
    return tree


# The source.

class Sources:
    """The modules of `impl`, loaded and untouched, by what they say."""

    def __init__(self, modules: SimpleNamespace) -> None:
        self._modules: Mapping[str, ModuleType] = vars(modules)
        self._files = {name: Path(str(module.__file__)) for name, module in self._modules.items()}
        self._said = {name: path.read_bytes() for name, path in self._files.items()}
        self._trees: dict[str, ast.Module] = {}
        self._parts: dict[tuple[str, str], tuple[str, Names]] = {}

    def digest_of(self, names: Iterable[tuple[str, str]]) -> str:
        """A digest of what these names mean and of all that they reach; raises Unkeyed."""
        return digest(*[f"{module}.{name} {self._part((module, name))[0]}"
                        for module, name in sorted(self.reached(names))])

    def reached(self, names: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """These names, and those that what they mean means something by, in turn; raises Unkeyed."""
        found: set[tuple[str, str]] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self._part(name)[1]
        return found

    def are_current(self) -> bool:
        """Whether the files still say what they said as this was made: a proof reads some of them again."""
        try:
            return all(path.read_bytes() == self._said[name] for name, path in self._files.items())
        except OSError:
            return False

    def file_of(self, module: str) -> str:
        """A digest of all that the module's file says; empty if there is none."""
        return digest(ast.dump(self._tree(module))) if module in self._modules else ""

    def _part(self, name: tuple[str, str]) -> tuple[str, Names]:
        """What the name means there, and the names that this means something by."""
        if name not in self._parts:
            self._parts[name] = self._read(*name)
        return self._parts[name]

    def _read(self, module: str, name: str) -> tuple[str, Names]:
        value = getattr(self._modules[module], name, ABSENT) if module in self._modules else ABSENT
        if value is ABSENT:
            return "is nothing", frozenset()
        if type(value) in (int, bool, str, bytes, type(None)):
            return f"is {value!r}", frozenset()
        if not isinstance(value, FunctionType):
            raise Unkeyed(f"{module}.{name}")
        home, function = value.__module__.rpartition(".")[2], value.__name__
        if (home, function) != (module, name):
            return f"is {home}.{function}", frozenset({(home, function)})
        node = self._definition(home, function)
        words = {word.id for word in ast.walk(node) if isinstance(word, ast.Name)}
        return ast.dump(node), frozenset((home, word) for word in words)

    def _definition(self, module: str, function: str) -> ast.FunctionDef:
        found = [node for node in self._tree(module).body
                 if isinstance(node, ast.FunctionDef) and node.name == function]
        if len(found) != 1:
            raise Unkeyed(f"{module}.{function}")
        return found[0]

    def _tree(self, module: str) -> ast.Module:
        if module not in self._trees:
            self._trees[module] = plain(ast.parse(self._said[module]))
        return self._trees[module]
