"""What walks over a heap is proved a turn at a time, and each theorem about it has a fault that it refutes."""

import pytest

from heapster.checkers.mutation.any_heap_faults import ANY_HEAP
from heapster.checkers.mutation.hunt_proofs import hunt
from heapster.checkers.mutation.mapped_faults import MAPPED_FAULTS
from heapster.checkers.mutation.walk_faults import WALK_FAULTS
from heapster.checkers.proofs import lifecycle, stats, verify

QUICK = ("a call more than there are kinds is added, beyond the figures", "a long bin is walked in part",
         "a free list may have a block more than there are", "what was set aside never goes back")


def test_every_theorem_about_a_walk_has_a_fault_that_it_refutes() -> None:
    proved = {name for module in (stats, verify, lifecycle) for proof in module.PROOFS for name in proof.more}
    assert proved - {fault.caught_by for fault in WALK_FAULTS} == set()


def test_faults_that_keep_a_contracts_look_are_many() -> None:
    titles = [fault.title for fault in (*ANY_HEAP, *MAPPED_FAULTS, *WALK_FAULTS)]
    assert len(titles) == len(set(titles)) >= 120


@pytest.mark.parametrize("title", QUICK)
def test_a_fault_in_a_walk_is_refuted(title: str) -> None:
    [fault] = [fault for fault in WALK_FAULTS if fault.title == title]
    assert hunt(fault).as_expected

