"""The docstrings of `impl/` as data: what each function ensures, clause by clause.

Clauses are parted by semicolons. Each is proved by one theorem, or stands among what is assumed.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from heapster.checkers.proofs.catalogue import ASSUMED, PROOFS


def ensured(folder: Path) -> Iterator[tuple[str, str]]:
    """(module.function, clause) for each clause of each *Ensures* in the folder."""
    for path in sorted(folder.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                for clause in clauses(ast.get_docstring(node) or ""):
                    yield f"{path.stem}.{node.name}", clause


def clauses(docstring: str) -> list[str]:
    """What a docstring ensures, white space evened out."""
    return [clause.strip() for clause in _paragraph(docstring, "Ensures").split(";") if clause]


def _paragraph(docstring: str, title: str) -> str:
    """What stands under a title, white space evened out; nothing if it has none."""
    found = re.search(rf"^{title}:(.*?)(?=\n\n|\n\w+:|\Z)", docstring, re.DOTALL | re.MULTILINE)
    return " ".join(found[1].split()).removesuffix(".") if found else ""


def required(folder: Path) -> dict[str, str]:
    """What each function requires of its callers, as its docstring says: module.function and the sentence."""
    return {f"{path.stem}.{node.name}": _paragraph(ast.get_docstring(node) or "", "Requires")
            for path in sorted(folder.glob("*.py")) for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef)}


def shown() -> list[tuple[str, str]]:
    """(module.function, clause) for each clause that a theorem proves or that is assumed."""
    proved = [(theorem.of, theorem.clause) for proof in PROOFS if not proof.thorough
              for theorem in proof.theorems() if theorem.clause]
    return proved + [(assumption.of, assumption.clause) for assumption in ASSUMED if assumption.clause]
