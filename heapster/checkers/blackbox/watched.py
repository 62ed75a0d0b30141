"""The judge under which a finding shows again: some show only where each access of the target is told."""

from collections.abc import Iterator
from contextlib import contextmanager

from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.protocol import LOADS, OBSERVED
from heapster.checkers.blackbox.stepwise import BREACH_CODES
from heapster.checkers.blackbox.twin import instrumented_twin

HELD = OBSERVED | LOADS         # accesses, of which those that load count too


@contextmanager
def shown_under(judge: Judge, code: str) -> Iterator[Judge]:
    """The judge itself, or, for a code that accesses tell, one of its target's twin.

    Raises NoInstrumentationError where there is no twin.
    """
    if code not in BREACH_CODES:
        yield judge
        return
    with Judge(judge.program, instrumented_twin(judge.target)) as twin:
        twin.learn_from(judge)
        twin.header.observed = HELD
        yield twin
