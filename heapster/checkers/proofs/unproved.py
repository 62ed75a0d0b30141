"""Functions of `impl` that no theorem is about, and why: these and no others."""

import ast
from pathlib import Path

from heapster.checkers.mutation.fault import SHIPPED_FOLDER
from heapster.checkers.proofs.catalogue import theorems

SUMS = "a product that wraps, which words of proofs must not"
SPANS = "of the hardened heap: held by the reference in lock-step, and by fuzz"
PARTS_OF_SPANS = {
    "hardened": "pages_for grown",
    "quarantine": "pool_length",
    "records": "free_slots verify_span verify_record used_in recount verify_used verify_records look_at_span "
               "look_once_more unmap_table unmap_below unmap_tables unmap_records unmap_chunks",
    "spans": "bit_of write_slots is_zero write_span drop_empty_spans",
    "spare": "end_wait end_waits release_spans release_waiting",
    "vault": "vault_of enter_pages leave_pages",
}
UNPROVED = {
    "block.checksum": SUMS, **{f"randomness.{name}": SUMS for name in ("mix", "draw", "canary")},
    **{f"{module}.{name}": SPANS for module, names in PARTS_OF_SPANS.items() for name in names.split()},
}


def functions(folder: Path = SHIPPED_FOLDER) -> list[str]:
    """Each function of the source there, module.function."""
    return [f"{path.stem}.{node.name}" for path in sorted(folder.glob("*.py"))
            for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]


def without_theorem() -> list[str]:
    """Those of what ships that no theorem is about."""
    proved = {theorem.of for theorem in theorems()}
    return [name for name in functions() if name not in proved]
