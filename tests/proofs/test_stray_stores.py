"""What is proved of a function includes its frame: a stray store is refuted, at its start and in each loop."""

from dataclasses import replace

import pytest

from heapster.checkers.mutation.fault import Fault
from heapster.checkers.mutation.stray_stores import stray_stores
from heapster.checkers.proofs.catalogue import PROOFS, selected
from heapster.checkers.proofs.runner import Proved, Runner

OF_THEOREMS = {proof.of for proof in PROOFS}
PLANTED = [pytest.param(name, fault, id=fault.title.replace(" ", "-"),
                        marks=[] if "loop" in fault.title else [pytest.mark.faults])
           for name, fault in stray_stores() if name in OF_THEOREMS]


@pytest.mark.parametrize(("name", "fault"), PLANTED)
def test_a_stray_store_is_refuted(name: str, fault: Fault) -> None:
    outcomes = [outcome for found in replace(Runner(), origin=fault).run(selected((name,), thorough=False))
                for outcome in found]
    assert any(outcome.verdict is Proved.REFUTED for outcome in outcomes)


def test_stores_are_planted_in_every_loop_of_the_source() -> None:
    titles = [fault.title for _, fault in stray_stores()]
    assert len(titles) == len(set(titles)) > len(PLANTED)
    assert "a stray store in loop 1 of placement.best_fit" in titles
    assert "a stray store in loop 2 of thread_cache.flush" in titles
