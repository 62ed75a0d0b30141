"""Stray stores: each function and each loop of `impl` with a store that it has no business to make, generated.

A theorem about what a function does says little if the function may do more. So what is proved of a function must
include its frame, in each loop too; a loop that is cut for induction can lose it in silence.
"""

import ast
from collections.abc import Iterator

from heapster.checkers.mutation.fault import SHIPPED_FOLDER, Fault, one_edit
from heapster.impl import layout


def stray_stores() -> Iterator[tuple[str, Fault]]:
    """Functions by their names, `module.function`, each with a stray store at its start and in each of its loops."""
    for path in sorted(SHIPPED_FOLDER.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        for function in ast.parse(text).body:
            if isinstance(function, ast.FunctionDef) and function.args.args and function.args.args[0].arg == "m":
                name = f"{path.stem}.{function.name}"
                yield from ((name, fault) for fault in _planted_in(path.stem, function, text.splitlines(keepends=True)))


def _planted_in(module: str, function: ast.FunctionDef, lines: list[str]) -> Iterator[Fault]:
    setting = layout.THRESHOLD if function.name == "set_growth" else layout.GROWTH     # nothing else writes it
    whole = "".join(lines[function.lineno - 1:function.end_lineno])
    loops = [node for node in ast.walk(function) if isinstance(node, ast.While)]
    blocks: list[ast.FunctionDef | ast.While] = [function, *loops]
    for number, block in enumerate(blocks):
        first = block.body[1] if number == 0 and ast.get_docstring(function) else block.body[0]
        stray = f"{' ' * first.col_offset}m.store(m.statics() + {setting}, {3 * layout.PAGE})\n"
        before, after = lines[function.lineno - 1:first.lineno - 1], lines[first.lineno - 1:function.end_lineno]
        where = f"loop {number} of {module}.{function.name}" if number else f"{module}.{function.name}"
        yield one_edit(f"a stray store in {where}", module, whole, "".join([*before, stray, *after]), "", by="prove")
