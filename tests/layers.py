"""Which module may import which: the arrows between the rooms, read from the source."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

BELOW = frozenset({"results", "extras", "files", "suggest", "wording", "signals", "children"})  # import nothing above
PLAIN = frozenset({"heapster", "heapster.__version__"})      # where we are and which version: free to all rooms but
ALONE = frozenset({"model", "impl"})                         # these, which could be taken out and would still run

# A room, or a module at the top: the rooms that it may import, besides itself.
ARROWS: Mapping[str, frozenset[str]] = {
    "results": frozenset(),
    "extras": frozenset(),
    "files": frozenset(),
    "suggest": frozenset(),
    "wording": frozenset(),
    "signals": frozenset(),
    "children": frozenset({"signals"}),
    "crash": frozenset(),
    "config": BELOW | {"model"},
    "model": frozenset(),
    "impl": frozenset(),
    "machine": frozenset({"results"}),
    "native": BELOW | {"model", "impl", "machine"},
    "checkers": BELOW | {"model", "impl", "machine", "native"},
    "reports": BELOW | {"model"},
    "pytest": BELOW | {"model", "checkers"},
    "pytest_plugin": frozenset({"pytest"}),
    "commands": BELOW | {"config", "checkers", "native", "reports"},
    "cli": BELOW | {"config", "commands", "crash"},
    "__main__": frozenset({"cli"}),
    "face": BELOW | {"model", "impl", "machine", "checkers"},
    "": frozenset({"face"}),        # on demand
}

# What is slow to import, or may be missing: the rooms that may import it at all.
OTHERS: Mapping[str, frozenset[str]] = {
    "z3": frozenset({"machine", "checkers"}),
    "cvc5": frozenset({"machine"}),
    "numba": frozenset({"machine", "native"}),
    "llvmlite": frozenset({"machine", "native"}),
    "greenlet": frozenset({"machine", "checkers"}),
    "hypothesis": frozenset({"checkers"}),
    "distributed": frozenset({"checkers"}),
    "numpy": frozenset({"checkers"}),
    "jinja2": frozenset({"reports"}),
    "markupsafe": frozenset({"reports"}),       # a part of jinja2
    "matplotlib": frozenset({"reports"}),
    "junitparser": frozenset({"reports"}),
    "rich": frozenset({"reports"}),
    "pytest": frozenset({"pytest", "pytest_plugin"}),
    "click": frozenset({"commands", "cli"}),
}


class Import(NamedTuple):
    """A module and another that it imports, anywhere in it."""

    importer: str
    imported: str
    line: int


def imports(importer: str, text: str, *, is_package: bool = False) -> Iterator[Import]:
    """All imports of a module, relative ones resolved; also those in functions and for type checkers."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(importer, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = importer.split(".") + [""] * is_package
                base = ".".join([*parents[:-node.level], *([base] if base else [])])
            if base == "heapster":          # `from heapster import impl` imports a room
                for alias in node.names:
                    yield Import(importer, f"{base}.{alias.name}", node.lineno)
            else:
                yield Import(importer, base, node.lineno)


def room(module: str) -> str:
    """The room of a module of ours: the second part of its name."""
    return module.split(".")[1] if "." in module else ""


def wrong(found: Iterable[Import]) -> Iterator[str]:
    """The imports that go against an arrow, or reach for what their room may not have."""
    for importer, imported, line in found:
        here, top = room(importer), imported.split(".")[0]
        if here not in ARROWS:
            yield f"{importer}: {here} is no room"
        elif top == "heapster":
            there = room(imported)
            free = there == here or (imported in PLAIN and here not in ALONE)
            if not free and there not in ARROWS[here]:
                yield f"{importer}:{line} imports {imported}: {here} must not import {there or 'heapster'}"
        elif top not in sys.stdlib_module_names and here not in OTHERS.get(top, frozenset()):
            yield f"{importer}:{line} imports {top}: {here} must not, or it is not declared"


def of_package(root: Path) -> Iterator[Import]:
    """All imports of the package at `root`."""
    for path in sorted(root.rglob("*.py")):
        parts = ("heapster", *path.relative_to(root).with_suffix("").parts)
        is_package = parts[-1] == "__init__"
        yield from imports(".".join(parts[:-1] if is_package else parts), path.read_text(encoding="utf-8"),
                           is_package=is_package)
