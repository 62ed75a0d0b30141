"""A program as symbolic steps that people read."""

from collections.abc import Iterator

from heapster.checkers.races.programs import KINDS, Op, Program, lanes_of
from heapster.model.placement import POLICY_NAMES
from heapster.model.trace import handle_name


def steps(program: Program) -> Iterator[str]:
    """A line for each operation, with who does it."""
    new = [op.block for _, op in lanes_of(program) if KINDS[op.code].block == "new"]
    names = {block: handle_name(i) for i, block in enumerate(new)}
    for lane, op in lanes_of(program):
        who = "at first" if lane < 0 else f"thread {lane}"
        yield f"{who}: {_text(op, names)}"


def _text(op: Op, names: dict[int, str]) -> str:
    kind = KINDS[op.code]
    numbers = ", ".join(str(n) for n in op.numbers)
    if op.code == "p":
        return f"policy {POLICY_NAMES[op.numbers[0]]}"
    if op.code == "x":
        return f"fail {op.name} {numbers}"
    if kind.block == "new":
        return f"{names[op.block]} = {kind.name}({'1, ' if op.code == 'c' else ''}{numbers})"
    if kind.block:
        return f"{kind.name}({', '.join([names[op.block], *([numbers] if numbers else [])])})"
    return f"{kind.name} {numbers}".strip()
