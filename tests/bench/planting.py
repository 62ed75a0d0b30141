"""Shared objects with planted faults, and small plans."""

import subprocess
from pathlib import Path

from heapster.checkers.bench.measuring import BenchPlan
from heapster.checkers.bench.running import LIMIT
from heapster.checkers.bench.targets import Field, NamedTarget, find_targets
from heapster.checkers.bench.workloads import chosen
from heapster.checkers.targets import grammar
from heapster.native.toolchain import compiler

SOURCE = Path(__file__).parent / "planted.c"
SHARE = 0.0005                      # of the usual work


def planted(folder: Path, fault: str) -> str:
    """The path of an allocator with this fault."""
    path = folder / f"lib{fault.lower()}.so"
    command = [compiler(), "-shared", "-fPIC", "-O1", "-fno-builtin", f"-D{fault}", str(SOURCE), "-o", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return str(path)


def plan(targets: list[str], workloads: list[str], rounds: int = 1, share: float = SHARE,
         seconds: float | None = None, limit: float = LIMIT) -> BenchPlan:
    """A plan for a few small runs."""
    field: Field = find_targets(map(NamedTarget, map(grammar.parse, targets)))
    return BenchPlan(chosen(workloads), field, rounds, share, seconds, limit)
