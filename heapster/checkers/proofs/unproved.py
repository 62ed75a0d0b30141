"""Functions of `impl` that no theorem is about, and why: these and no others."""

import ast
from pathlib import Path

from heapster.checkers.mutation.fault import SHIPPED_FOLDER
from heapster.checkers.proofs.catalogue import theorems

SUMS = "a product that wraps, which words of proofs must not"
UNPROVED = {"block.checksum": SUMS}


def functions(folder: Path = SHIPPED_FOLDER) -> list[str]:
    """Each function of the source there, module.function."""
    return [f"{path.stem}.{node.name}" for path in sorted(folder.glob("*.py"))
            for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]


def without_theorem() -> list[str]:
    """Those of what ships that no theorem is about."""
    proved = {theorem.of for theorem in theorems()}
    return [name for name in functions() if name not in proved]
