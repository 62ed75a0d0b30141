"""What is proved of a function includes its frame and its end: stray stores are refuted, and loops that stay."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

import pytest
from _pytest.mark import ParameterSet

from heapster.checkers.mutation.endless import endless_loops
from heapster.checkers.mutation.fault import Fault
from heapster.checkers.mutation.stray_stores import stray_stores
from heapster.checkers.proofs.catalogue import PROOFS, selected
from heapster.checkers.proofs.runner import Proved, Runner

OF_THEOREMS = {proof.of for proof in PROOFS}
LOOKED_AT = frozenset({"placement.best_fit", "stack.move", "trim.drop_empty", "settings.least_attached",
                       "placement.first_fit", "thread_cache.flush", "retained.smallest"})     # their loops, each time


def _planted(faults: Iterable[tuple[str, Fault]]) -> list[ParameterSet]:
    return [pytest.param(name, fault, id=fault.title.replace(" ", "-"),
                         marks=[] if name in LOOKED_AT and "loop" in fault.title else [pytest.mark.faults])
            for name, fault in faults if name in OF_THEOREMS]


PLANTED = _planted(stray_stores())


@pytest.mark.parametrize(("name", "fault"), [*PLANTED, *_planted(endless_loops())])
def test_it_is_refuted(name: str, fault: Fault) -> None:
    runner = replace(Runner(), origin=fault)
    outcomes = chain.from_iterable(runner.run(selected((name,), thorough=False)))
    assert any(outcome.verdict is Proved.REFUTED for outcome in outcomes)


def test_stores_are_planted_in_every_loop_of_the_source() -> None:
    titles = [fault.title for _, fault in stray_stores()]
    assert len(titles) == len(set(titles)) > len(PLANTED)
    assert "a stray store in loop 1 of placement.best_fit" in titles
    assert "a stray store in loop 2 of thread_cache.flush" in titles
