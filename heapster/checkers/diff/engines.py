"""Engines that play a trace: the compiled allocator in a child, or a source of `impl` on the simulated machine.

An engine takes some steps at a time, and then tells what they were answered and what the system was asked.
"""

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from heapster.checkers.diff.native import NativeDied, NativeReplay
from heapster.checkers.lockstep.calls import CRASHES, call
from heapster.checkers.lockstep.decode import Decodable, decode
from heapster.checkers.lockstep.lockstep import FAILURES
from heapster.checkers.lockstep.spans import SimulatedWithRoom
from heapster.checkers.traces.compact import Compact
from heapster.machine.protocol import Aborted, Call, MachineFault
from heapster.machine.simulated import Simulated
from heapster.model.heap import Heap
from heapster.model.misuse import abort_name
from heapster.model.operation import NO_HANDLE, Step
from heapster.model.placement import POLICY_NAMES


class Stretch(NamedTuple):
    """The results of some steps."""

    answers: Sequence[int]
    calls: Sequence[tuple[int, Call]]       # each with the step that made it
    died: NativeDied | None                       # if it ended before the last of them


class Engine(Protocol):
    """Something that plays a trace."""

    spans: bool                 # whether it has them

    def play(self, start: int, end: int) -> Stretch:
        """Take the steps from `start`, where it is, up to `end`."""

    def heap(self) -> Heap:
        """The heap as it lies in memory."""

    def rate(self) -> float | None:
        """Operations a second, if that means anything."""

    def close(self) -> None:
        """Let go of all."""


def plain(heap: Heap) -> Heap:
    """The heap without what only a machine knows."""
    return heap._replace(held_locks=(), system=())


class Compiled:
    """The compiled allocator, `interval` steps at a time."""

    def __init__(self, trace: Compact, policy: str, interval: int, *, spans: bool) -> None:
        self.spans = spans
        self._replay = NativeReplay(trace, policy, interval, spans=spans)
        self._steps, self._called = 0, 0

    def play(self, start: int, end: int) -> Stretch:
        """See `Engine`."""
        died = self._replay.advance(first=start == 0)
        before, self._called, self._steps = self._called, self._replay.called, end
        return Stretch(self._replay.answers(start, end), self._replay.calls(before, self._called - before), died)

    def heap(self) -> Heap:
        """See `Engine`."""
        memory = self._replay.memory()
        try:
            return plain(decode(memory, spans=self.spans))
        finally:
            memory.close()

    def rate(self) -> float | None:
        """See `Engine`."""
        return self._steps / self._replay.seconds if self._replay.seconds else None

    def close(self) -> None:
        """See `Engine`."""
        self._replay.__exit__(None, None, None)


class Interpreted:
    """A source of `impl`, which may be a copy that somebody changed."""

    def __init__(self, trace: Compact, policy: str, source: Any) -> None:
        self.spans: bool = source.has_spans
        self._trace, self._source = trace, source
        self._m = SimulatedWithRoom() if self.spans else Simulated()
        self._pointers = {NO_HANDLE: 0}
        source.settings.set_policy(self._m, POLICY_NAMES.index(policy))

    def play(self, start: int, end: int) -> Stretch:
        """See `Engine`."""
        answers, calls = array("q"), list[tuple[int, Call]]()
        for index in range(start, end):
            step = self._trace.step(index)
            self._m.calls.clear()
            try:
                answers.append(self._take(step))
            except FAILURES as error:
                return Stretch(answers, calls, _died(index, step, error))
            calls += [(index, made) for made in self._m.calls]
        return Stretch(answers, calls, None)

    def _take(self, step: Step) -> int:
        answer = call(self._source, self._m, step, self._pointers[step.operand]).value
        if step.result != NO_HANDLE:
            self._pointers[step.result] = answer
        return answer

    def heap(self) -> Heap:
        """See `Engine`."""
        machine: Decodable = self._m
        return plain(decode(machine, spans=self.spans))

    def rate(self) -> float | None:
        """See `Engine`: what the simulated machine takes says nothing."""
        return None

    def close(self) -> None:
        """See `Engine`."""
        self._m.close()


def _died(index: int, step: Step, error: Exception) -> NativeDied:
    if isinstance(error, MachineFault):
        return NativeDied(index, f"fault_{error.code}", f"{step.verb}: {error}")
    if isinstance(error, Aborted):
        return NativeDied(index, f"aborted_{abort_name(error.code)}", f"{step.verb} aborts, with nothing misused")
    assert isinstance(error, CRASHES)
    return NativeDied(index, "crashed", f"{step.verb}: raises {type(error).__name__}: {error}")
