"""Planted faults that real threads show too; each is compiled, which takes its time."""

from pathlib import Path

import pytest

from heapster.checkers.races.faults import FAULTS, Fault, plant
from heapster.checkers.stress.build import native_of
from heapster.checkers.stress.runner import Plan, stress
from heapster.results import Verdict

SHOWN = [fault for fault in FAULTS if fault.stress]


def test_there_are_enough() -> None:
    assert len(SHOWN) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("fault", SHOWN, ids=lambda fault: fault.name)
def test_stress_finds_the_fault(fault: Fault, tmp_path: Path) -> None:
    library = native_of(plant(fault, tmp_path), tmp_path / "build")
    run = stress(Plan("native", 2, 20.0, fault.stress, 1, library))
    assert run.verdict is Verdict.FAILED
