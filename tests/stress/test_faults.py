"""Planted faults that real threads show too; each is compiled, which takes its time."""

import pytest

from heapster.checkers.mutation.hunt_stress import hunt
from heapster.checkers.mutation.race_faults import FAULTS, Fault
from tests.hunts import hunted

SHOWN = [fault for fault in FAULTS if fault.stress]


def test_there_are_enough() -> None:
    assert len(SHOWN) >= 10


@pytest.mark.parametrize("fault", hunted(SHOWN, lambda fault: fault.stress, lambda fault: fault.name, ("crowd",)))
def test_stress_finds_the_fault(fault: Fault) -> None:
    assert hunt(fault)
