"""All planted faults, by who hunts them, and the hunters."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from heapster.checkers.mutation import (
    fuzz_faults,
    hunt_fuzz,
    hunt_proofs,
    hunt_races,
    hunt_stress,
    proof_faults,
    race_faults,
    spans_faults,
    stress_faults,
)
from heapster.checkers.mutation.fault import Fault, Kill


class FaultTable(NamedTuple):
    """Faults, and a function from each, and where chance starts, to what came of it."""

    faults: tuple[Fault, ...]
    hunt: Callable[[Fault, int], Kill]


TABLES: Mapping[str, FaultTable] = {
    "fuzz": FaultTable(fuzz_faults.FAULTS, hunt_fuzz.hunt),
    "spans": FaultTable(spans_faults.FAULTS, hunt_fuzz.hunt),
    "prove": FaultTable(proof_faults.FAULTS, hunt_proofs.hunt),
    "races": FaultTable(race_faults.FAULTS, hunt_races.hunt),
    "stress": FaultTable(stress_faults.FAULTS, hunt_stress.hunt),
}
