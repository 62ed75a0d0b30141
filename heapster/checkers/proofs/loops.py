"""Loops cut for induction: the shipped source with each loop's body run once, from any state.

    while CONDITION:                    a, b = loop.enter(a=a, b=b)
        BODY                            if CONDITION:
                                            BODY
                                            loop.again(a=a, b=b)

`enter` holds the loop's invariant against how the loop is reached, and answers any state that has it;
`again` holds the invariant against what one turn made of that state. What follows the loop then runs
from any state in which the loop can end. Variables that the body sets before it reads them are left
out.
"""

import ast
import inspect
from collections.abc import Callable
from typing import Any


def cut(function: Callable[..., Any], loop: Any) -> Callable[..., Any]:
    """The function, its one loop cut; where a replay notes the function's calls, it notes these."""
    telling, function = getattr(function, "telling", None), inspect.unwrap(function)
    tree = ast.parse(inspect.getsource(function))
    cutter = _Cutter(carried(tree, *(node for node in ast.walk(tree) if isinstance(node, ast.While))))
    tree = ast.fix_missing_locations(cutter.visit(tree))
    names = dict(function.__globals__, loop=loop)
    exec(compile(tree, function.__code__.co_filename, "exec"), names)  # noqa: S102  # the shipped source itself
    made = names[function.__name__]
    return telling(made) if telling else made   # type: ignore[no-any-return]


def carried(tree: ast.AST, *loops: ast.While) -> list[str]:
    """Variables that these loops of the tree change and that have a value before them."""
    inside = {node for loop in loops for node in ast.walk(loop)}
    stored = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    before = {node.id for node in stored if node not in inside} | {
        node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return sorted({node.id for node in stored if node in inside} & before)


class _Cutter(ast.NodeTransformer):
    def __init__(self, carried: list[str]) -> None:
        self._carried = carried

    def visit_While(self, node: ast.While) -> list[ast.stmt]:
        """One loop becomes an assumption, a turn and a claim."""
        keywords = ", ".join(f"{name}={name}" for name in self._carried)
        enter = ast.parse(f"[{', '.join(self._carried)}] = loop.enter({keywords})").body[0]
        again = ast.parse(f"loop.again({keywords})").body[0]
        return [enter, ast.If(test=node.test, body=[*node.body, again], orelse=[])]
