"""Loops without end: each loop of `impl` whose variables are, after a turn, what they were before it, generated.

A loop that is cut for induction is proved a turn at a time, and that each turn goes on is all that says that it ends.
"""

import ast
from collections.abc import Iterator

from heapster.checkers.mutation.fault import SHIPPED_FOLDER, Fault, one_edit
from heapster.checkers.proofs.loops import carried


def endless_loops() -> Iterator[tuple[str, Fault]]:
    """Functions by their names, `module.function`, each with a loop that stays where it is."""
    for path in sorted(SHIPPED_FOLDER.glob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        for function in ast.parse("".join(lines)).body:
            if isinstance(function, ast.FunctionDef):
                loops = [node for node in ast.walk(function) if isinstance(node, ast.While)]
                yield from ((f"{path.stem}.{function.name}", _endless(path.stem, function, number, loop, lines))
                            for number, loop in enumerate(loops, 1) if carried(function, loop))


def _endless(module: str, function: ast.FunctionDef, number: int, loop: ast.While, lines: list[str]) -> Fault:
    names = carried(function, loop)
    indent = " " * loop.body[0].col_offset
    keep, restore = (f"{indent}{', '.join(to)} = {', '.join(what)}\n" for to, what in (
        ([f"{name}_before" for name in names], names), (names, [f"{name}_before" for name in names])))
    first, last = loop.body[0].lineno - 1, loop.end_lineno
    start, end = function.lineno - 1, function.end_lineno
    whole = "".join(lines[start:end])
    changed = "".join([*lines[start:first], keep, *lines[first:last], restore, *lines[last:end]])
    return one_edit(f"loop {number} of {module}.{function.name} stays where it is", module, whole, changed, "",
                    by="prove")
