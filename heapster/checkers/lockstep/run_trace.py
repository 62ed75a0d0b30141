"""A trace run again, from nothing, in lockstep with the model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from heapster.checkers.lockstep.calls import SHIPPED
from heapster.checkers.lockstep.hardened import HardenedLockstep
from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.checkers.lockstep.spans import SimulatedWithRoom, SpansLockstep
from heapster.machine.simulated import Simulated
from heapster.model.heap import Heap
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.problem import Problem
from heapster.model.trace import format_step, handle_name
from heapster.results import TargetError

Make = Callable[[], Lockstep]


@dataclass(frozen=True)
class Outcome:
    """How a trace went, up to the first problem."""

    problems: tuple[Problem, ...]           # all that was wrong after step `last`
    last: int                               # index of the last step taken
    misused: str = ""                       # how a misuse ended, which ends the run
    before: Heap | None = None              # as decoded before that step
    after: Heap | None = None               # as decoded after it; None if it cannot be
    predicted: Heap | None = None           # as the reference has it
    names: tuple[tuple[int, str], ...] = ()  # payloads: their handles

    @property
    def codes(self) -> tuple[str, ...]:
        """The problems' codes, most telling first."""
        return tuple(problem.code for problem in self.problems)


def on_source(source: Any = SHIPPED, *, hardened: bool = False, spans: bool = False) -> Make:
    """Makes locksteps on the simulated machine, of the source that ships or of another, with spans if that has them."""
    if spans and not hardened:
        return lambda: SpansLockstep(SimulatedWithRoom(), source)
    lockstep = kind_of(hardened=hardened)
    return lambda: lockstep(Simulated(), source)


def kind_of(*, hardened: bool) -> type[Lockstep]:
    """The lockstep for a heap that is hardened, or not."""
    return HardenedLockstep if hardened else Lockstep


def begun(make: Make, steps: Trace) -> Make:
    """Makes locksteps that have taken these steps."""
    return (lambda: taken(make(), steps)) if steps else make


def taken(lockstep: Lockstep, steps: Trace) -> Lockstep:
    """The lockstep, after steps in which nothing may go wrong."""
    for step in steps:
        if problems := lockstep.take(step):
            raise TargetError(f"it fails when it is set up, by {format_step(step)}: {problems[0].message}")
    return lockstep


def rerun(trace: Trace, make: Make) -> Outcome:
    """Run the trace until it ends, something is wrong, or it misuses the heap.

    A `make` that runs its locksteps in a process of their own does so here.
    """
    if elsewhere := getattr(make, "rerun", None):
        return elsewhere(trace)         # type: ignore[no-any-return]
    lockstep = make()
    before: Heap | None = None
    problems: list[Problem] = []
    last = -1
    try:
        for step in trace:
            last += 1
            before, lockstep.heap = lockstep.heap, None
            problems = lockstep.take(step)
            if problems or lockstep.misused:
                break
        return Outcome(tuple(problems), last, lockstep.misused, before, lockstep.heap,
                       lockstep.reference.heap(), _names(lockstep, trace[:last + 1]))
    finally:
        lockstep.m.close()


def _names(lockstep: Lockstep, steps: tuple[Step, ...]) -> tuple[tuple[int, str], ...]:
    handles = {step.result for step in steps} - {NO_HANDLE}
    return tuple((lockstep.pointers[h], handle_name(h)) for h in sorted(handles) if lockstep.pointers.get(h))
