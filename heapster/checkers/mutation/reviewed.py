"""What people have said of drawn changes: those that nobody can notice, and the constants that are mere amounts.

Both are rows of equivalents.toml, each with its reason.
"""

import ast
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from heapster.checkers.mutation.drawing import Change

FILE = Path(__file__).parent / "equivalents.toml"
AMOUNT = 2                      # an amount may be this many times as much, or as little, and nobody notices


@cache
def _rows() -> dict[str, list[dict[str, str]]]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def equivalents() -> dict[tuple[str, str, str], str]:
    """The reviewed changes that nobody can notice: file, line before and after, and why."""
    return {(row["file"], row["before"], row["after"]): row["reason"] for row in _rows().get("equivalent", [])}


def amounts() -> dict[tuple[str, str], str]:
    """The constants that say how much or how often, and of which a little more or less is as good: file, name, why."""
    return {(row["file"], row["name"]): row["reason"] for row in _rows().get("amount", [])}


def why_unseen(change: Change, text: str) -> str:
    """The reason why nobody can notice the change of a file of that text; nothing if that was not said."""
    before, after = change.of(text)
    name = before.partition(" ")[0]
    reason = amounts().get((change.file, name), "")
    if reason and text.splitlines()[change.line - 1].startswith(f"{name} =") and _is_about(before, after):
        return reason
    return equivalents().get((change.file, before, after), "")


def _is_about(before: str, after: str) -> bool:
    """Whether the constant that a line defines is still about what it was."""
    was, becomes = _value(before), _value(after)
    return bool(0 < was <= AMOUNT * becomes <= AMOUNT * AMOUNT * was)


def _value(line: str) -> Any:
    """Of the constant that a line of our own source defines by numbers alone."""
    (assignment,) = ast.parse(line).body
    assert isinstance(assignment, ast.Assign)
    return eval(compile(ast.Expression(assignment.value), "", "eval"), {"__builtins__": {}})  # noqa: S307  our own
