"""Planted concurrency faults hunted by real threads, in a library that is compiled with the fault."""

import tempfile
from pathlib import Path

from heapster.checkers.races.faults import Fault, plant
from heapster.checkers.stress.build import native_of
from heapster.checkers.stress.runner import Plan, stress

SECONDS = 20.0                  # mostly one is enough, if there is a processor for each thread all the time
SEEDS = 4


def hunt(fault: Fault, first_seed: int = 1) -> str:
    """What the pattern that shows the fault finds it as, with one seed or another; nothing if it is missed."""
    with tempfile.TemporaryDirectory(prefix="heapster-") as name:
        folder = Path(name)
        library = native_of(plant(fault, folder), folder / "build")
        runs = (stress(Plan("native", 2, SECONDS, fault.stress, seed, library))
                for seed in range(first_seed, first_seed + SEEDS))
        return next((run.findings[0].code for run in runs if run.findings), "")
