"""A trace run again, from nothing, in lockstep with the model."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heapster.checkers.lockstep.calls import SHIPPED
from heapster.checkers.lockstep.lockstep import Lockstep, Problem
from heapster.checkers.targets.source import source_in
from heapster.machine.simulated import Simulated
from heapster.model.heap import Heap
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.trace import handle_name
from heapster.results import TargetError

Make = Callable[[], Lockstep]


@dataclass(frozen=True)
class Outcome:
    """How a trace went, up to the first problem."""

    problems: tuple[Problem, ...] = ()      # all that was wrong after step `last`
    last: int = -1                          # index of the last step taken
    misused: str = ""                       # how a misuse ended, which ends the run
    before: Heap | None = None              # as decoded before that step
    after: Heap | None = None               # as decoded after it; None if it cannot be
    predicted: Heap | None = None           # as the reference has it
    names: tuple[tuple[int, str], ...] = ()  # payloads: their handles

    @property
    def codes(self) -> tuple[str, ...]:
        """The problems' codes, most telling first."""
        return tuple(problem.code for problem in self.problems)


def make_for(target: str, source: Any = SHIPPED) -> Make:
    """What makes a fresh lockstep for a target; a folder is a copy of impl, on the simulated machine."""
    if target == "sim":
        return lambda: Lockstep(Simulated(), source)
    if target == "process":
        from heapster.machine.process import Process  # noqa: PLC0415  loads the C library
        return lambda: Lockstep(Process(), source)
    if target == "native":
        from heapster.checkers.lockstep.native import NativeMake  # noqa: PLC0415  loads, or compiles, the library
        return NativeMake()
    if Path(target).is_dir():
        return make_for("sim", source_in(Path(target)))
    raise TargetError(f"{target} does not run in lockstep")


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
