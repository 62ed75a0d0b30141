"""A trace on one engine in lock-step with the model: every answer and system call, and now and then the heap.

The model is the quick one; what is measured is measured on it, so it holds for the allocator as long as
the two agree.
"""

from collections.abc import Callable
from typing import NamedTuple

from heapster.checkers.diff.engines import Compiled, Engine
from heapster.checkers.diff.measuring import Measures
from heapster.checkers.diff.recorded_system import FootprintSystem
from heapster.checkers.lockstep.heap_diff import difference
from heapster.checkers.lockstep.undecodable import Undecodable
from heapster.checkers.targets.target import UNSET
from heapster.checkers.traces.compact import Compact
from heapster.model.geometry import signed
from heapster.model.operation import NO_HANDLE, Step
from heapster.model.operations import OPERATIONS
from heapster.model.quick import Quick
from heapster.model.reference import UnknownBlock
from heapster.model.system import Divergence

CHECKPOINTS = 8                 # times that the whole heap is compared
LEAST_INTERVAL = 2048           # steps between two of them
Progress = Callable[[int], None]


class Parting(NamedTuple):
    """Where allocator and model part."""

    step: int                   # index
    code: str
    message: str


class Played(NamedTuple):
    """A trace played."""

    measures: Measures
    parting: Parting | None
    steps: int                  # that were taken
    compared: int               # times that the whole heap was compared
    rate: float | None          # operations a second of the engine


def interval_of(trace: Compact) -> int:
    """Steps between two comparisons of the whole heap."""
    return max(LEAST_INTERVAL, -(-len(trace) // CHECKPOINTS))


def play_compiled(trace: Compact, policy: str, progress: Progress = lambda _: None, *,
                  spans: bool = UNSET.has_spans) -> Played:
    """Play it on the compiled allocator."""
    interval = interval_of(trace)
    return play(trace, policy, Compiled(trace, policy, interval, spans=spans), interval, progress)


def play(trace: Compact, policy: str, engine: Engine, interval: int,
         progress: Progress = lambda _: None) -> Played:
    """Play it on the engine, which is closed afterwards."""
    game = _Game(trace, policy, engine)
    try:
        parting, compared = None, 0
        for start in range(0, len(trace), interval):
            end = min(start + interval, len(trace))
            parting = game.stretch(start, end)
            if parting:
                break
            parting = game.compare(end - 1)
            compared += 1
            if parting:
                break
            progress(end)
        steps = parting.step + 1 if parting else len(trace)
        return Played(game.measures, parting, steps, compared, engine.rate())
    finally:
        engine.close()


class _Game:
    """The model beside the engine."""

    def __init__(self, trace: Compact, policy: str, engine: Engine) -> None:
        self._trace, self._engine = trace, engine
        self._quick, self._system = Quick(policy, spans=engine.spans), FootprintSystem()
        self._pointers = {NO_HANDLE: 0}
        self.measures = Measures(self._quick, self._system, len(trace))

    def stretch(self, start: int, end: int) -> Parting | None:
        """Take the steps on both; where they part."""
        played = self._engine.play(start, end)
        self._system.expect(played.calls)
        last = played.died.at if played.died else end
        for index, (step, answer) in enumerate(zip(self._steps(start, last), played.answers, strict=False), start):
            try:
                wrong = self._take(index, step, answer)
            except Divergence as divergence:
                return Parting(index, "system_calls_diverge", str(divergence))
            except UnknownBlock:
                return Parting(index, "answer_diverges", f"{step.verb} of a block that the model does not know")
            if wrong:
                return Parting(index, "answer_diverges", wrong)
        if played.died:
            return Parting(last, played.died.code, played.died.words)
        return None

    def _steps(self, start: int, end: int) -> tuple[Step, ...]:
        return self._trace.steps(start, end)

    def _take(self, index: int, step: Step, answer: int) -> str:
        """Take a step on the model; what is wrong about the answer."""
        pointer = self._pointers[step.operand]
        self._system.begin(index)
        predicted = self._quick.predict(self._system, step, pointer)
        self._system.done()
        if predicted != answer:
            return _difference(step, answer, predicted)
        if step.result != NO_HANDLE:
            self._pointers[step.result] = predicted
        self.measures.note(index, step, pointer, predicted)
        return ""

    def compare(self, index: int) -> Parting | None:
        """The heap in memory against the model's, after the step."""
        try:
            heap = self._engine.heap()
        except Undecodable as error:
            return Parting(index, "undecodable_heap", str(error))
        expected = self._quick.heap()
        if heap != expected:
            return Parting(index, "structure_diverges", difference(expected, heap))
        return None


def _difference(step: Step, answer: int, predicted: int) -> str:
    if not OPERATIONS[step.verb].result:
        return f"{step.verb} answers {signed(answer)}, the model {predicted}"
    if not answer or not predicted:
        return f"{step.verb} answers {'a block' if answer else 'NULL'}, the model the contrary"
    return f"{step.verb} answers a block {answer - predicted:+} bytes from where the model has it"
