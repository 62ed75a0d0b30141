"""Planted faults that real threads show too; each is compiled, which takes its time."""

import pytest

from heapster.checkers.mutation.fault import Fault
from heapster.checkers.mutation.hunt_stress import hunt
from heapster.checkers.mutation.stress_faults import FAULTS


def test_there_are_enough() -> None:
    assert len(FAULTS) >= 10


@pytest.mark.faults
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.title)
def test_stress_finds_the_fault(fault: Fault) -> None:
    assert hunt(fault).as_expected
