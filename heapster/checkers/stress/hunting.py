"""Planted concurrency faults hunted by real threads, in a library that is compiled with the fault."""

import tempfile
from pathlib import Path

from heapster.checkers.races.faults import Fault, plant
from heapster.checkers.stress.build import native_of
from heapster.checkers.stress.runner import Plan, stress

SECONDS = 20.0


def hunt(fault: Fault, seed: int = 1) -> str:
    """What the pattern that shows the fault finds it as; nothing if it is missed."""
    with tempfile.TemporaryDirectory(prefix="heapster-") as name:
        folder = Path(name)
        library = native_of(plant(fault, folder), folder / "build")
        run = stress(Plan("native", 2, SECONDS, fault.stress, seed, library))
    return run.findings[0].code if run.findings else ""
