"""Functions of `impl` that no theorem is about, and why: these and no others."""

import ast
from pathlib import Path

from heapster.checkers.mutation.fault import SHIPPED_FOLDER
from heapster.checkers.proofs.catalogue import theorems

SUMS = "a product that wraps, which words of proofs must not"
RUNS = "of runs, in what is built with spans alone: held by invariants in lock-step, and by fuzz"
PARTS_OF_RUNS = {
    "api": "cached_bytes check_asked_slot",
    "run_totals": "runs_end slots_of_run next_run runs_have runs_hold",
    "runs": "reserve ask_for_runs reservation is_reserved entry_of run_word begins_slot size_of_slot slots_in "
            "owner_of_slot place_of inverse_of word_for record_of run_of take_record count_run new_run list_run "
            "unlist_run purge_run pool_run drop_run purge_pool count_slots release_slot is_carved run_to_carve "
            "carve_slots take_freed take_slots forget_runs lose_pool",
    "slots": "cache_slot free_slot_slow used_slot is_back leave_slot",
    "thread_cache": "collect_slot pop_slot",
    "verify": "verify_runs_ledger is_slot_of",
}
UNPROVED = {
    "block.checksum": SUMS,
    **{f"{module}.{name}": RUNS for module, names in PARTS_OF_RUNS.items() for name in names.split()},
}


def functions(folder: Path = SHIPPED_FOLDER) -> list[str]:
    """Each function of the source there, module.function."""
    return [f"{path.stem}.{node.name}" for path in sorted(folder.glob("*.py"))
            for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]


def without_theorem() -> list[str]:
    """Those of what ships that no theorem is about."""
    proved = {theorem.of for theorem in theorems()}
    return [name for name in functions() if name not in proved]
