"""A heap with spans and the model that predicts it, side by side; and invariants of the runs as they lie in memory.

Which slot a request gets, what runs there are and what they have is predicted as all else is; and, whatever the
reference says, each slot is live, or waits in one bin or on one remote list, or its run has it back, or it was never
handed out. What no run has is held against the invariants of every heap. What a misuse comes to is known less exactly.
"""

from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.impl import run_layout
from heapster.machine.checked_memory import FUEL
from heapster.machine.observed import Observed
from heapster.machine.process import Process
from heapster.machine.protocol import REFUSED
from heapster.machine.simulated import Simulated
from heapster.model import misuse
from heapster.model.geometry import RUN
from heapster.model.heap import Heap
from heapster.model.operation import Step
from heapster.model.operations import STATING, WRITING
from heapster.model.problem import Problem
from heapster.model.run_invariants import SPANS_ALWAYS, spans_violations
from heapster.model.runs import NO_RUNS, Runs

VERIFIED_EVERY = 16             # looks


class Reservable:
    """Lets a machine have addresses beside its memory that spans can reserve."""

    _memory: int
    _beside = 0                 # bytes of the reservations that it gave

    def mmap(self, length: int) -> int:
        """See `Machine.mmap`."""
        beside = length * (length == run_layout.RESERVED)
        self._add(beside)
        answer: int = super().mmap(length)       # type: ignore[misc]
        self._add(-beside * (answer == REFUSED))
        return answer

    def munmap(self, address: int, length: int) -> int:
        """See `Machine.munmap`."""
        answer: int = super().munmap(address, length)       # type: ignore[misc]
        if length == run_layout.RESERVED and answer != REFUSED:
            self._add(-length)
        return answer

    def disown(self) -> None:
        """See `Simulated.disown`: addresses that stay reserved are no memory that others get."""
        super().disown()                         # type: ignore[misc]
        self._add(-self._beside)

    def _add(self, beside: int) -> None:
        self._memory += beside
        self._beside += beside


class SimulatedWithRoom(Reservable, Simulated):
    """A simulated machine that has."""


class ObservedWithRoom(Reservable, Observed):
    """A compiled allocator's machine that has."""


class ProcessWithRoom(Reservable, Process):
    """A process's memory that has."""


class SpansLockstep(Lockstep):
    """As `Lockstep`, of a heap that has spans."""

    SPANS = True

    def checks(self) -> dict[str, int]:
        """How often each check was evaluated."""
        return {**super().checks(), "verify": self._looks, **dict.fromkeys([check.__name__ for check in SPANS_ALWAYS],
                                                                           self._looks)}

    def take(self, step: Step) -> list[Problem]:
        """See `Lockstep.take`; a caller that writes ends the run where there may be runs."""
        if step.verb in WRITING and self._may_have_runs:
            self.misused = misuse.UNNOTICED
            return []
        return super().take(step)

    @property
    def _may_have_runs(self) -> bool:
        """Whether the system was asked for what runs lie in."""
        return bool(self.m.peek(self.m.statics() + run_layout.RUNS_ASKED))

    @property
    def _runs(self) -> Runs:
        """As they were when the heap was last looked at."""
        return self.heap.runs or NO_RUNS if self.heap else NO_RUNS

    def _misuse(self, step: Step, pointer: int) -> list[Problem]:
        """A slot that waits, or that its run has back, is told, and what begins none; of others' words none is held.

        Where nothing was reserved yet, all that is promised of blocks is.
        """
        if not self._may_have_runs:
            return super()._misuse(step, pointer)
        self.heap = self.heap or self.look()
        may_fit = step.verb in STATING and pointer in self.live         # what is stated wrong may be of the same class
        must = self._runs.holds(pointer) and not may_fit and not self._is_fresh(pointer)
        self.misused = self._outcome(step, pointer)
        if self.misused == misuse.UNNOTICED and must:
            return [Problem("misuse_unnoticed", f"{step.verb} of no used slot is unnoticed")]
        return []

    def _is_fresh(self, pointer: int) -> bool:
        """Whether a slot begins there that was never handed out: a bin with room takes it unseen."""
        return any(pointer >= run.fresh and (pointer - run.first) % run.size == 0
                   for run in self._runs.runs if 0 <= pointer - run.start < RUN)

    def _violations(self, heap: Heap) -> list[Problem]:
        return spans_violations(heap, [held.pointer for held in self.live])

    def _look(self, *, is_asked: bool = False) -> list[Problem]:
        """As there; and, now and then, what the heap says of itself."""
        problems = super()._look(is_asked=is_asked)
        return problems or ([] if is_asked or self._looks % VERIFIED_EVERY else self._verified())

    def _loads(self) -> int:
        return FUEL * 4

    def _verdicts(self) -> list[Problem]:
        """See there; nothing once there may be runs: which of their words a walk looks at is not written down."""
        return [] if self._may_have_runs else super()._verdicts()
