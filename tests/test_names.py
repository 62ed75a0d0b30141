"""A name is borne once, and nothing is too long to be read at once."""

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST_FUNCTION, LONGEST_FILE = 40, 450            # lines
MEANT = {"Heap"}                # the one that users make, and the model's: each is what its room is about


@cache
def definitions() -> tuple[tuple[Path, ast.ClassDef | ast.FunctionDef], ...]:
    """Each class and function of the package, with its file."""
    return tuple((path.relative_to(ROOT), node) for path in sorted((ROOT / "heapster").rglob("*.py"))
                 for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                 if isinstance(node, ast.ClassDef | ast.FunctionDef))


def test_no_two_classes_have_one_name() -> None:
    bearers = defaultdict(list)
    for path, node in definitions():
        if isinstance(node, ast.ClassDef):
            bearers[node.name].append(str(path))
    assert len(bearers) > 500
    assert {name: paths for name, paths in bearers.items() if len(paths) > 1 and name not in MEANT} == {}


def test_no_function_is_too_long() -> None:
    lengths = {f"{path}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
               for path, node in definitions() if isinstance(node, ast.FunctionDef)}
    assert len(lengths) > 3000
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


def test_no_file_is_too_long() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
               for pattern in ("*.py", "*.c", "*.h") for path in (ROOT / "heapster").rglob(pattern)}
    assert len(lengths) > 500
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}
