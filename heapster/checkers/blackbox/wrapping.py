"""Where a size that is too large wraps: the sum or product of the call that comes out smaller than what goes in."""

from pathlib import Path

from heapster.checkers.blackbox.accesses import Suspect, moments, of_step
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.protocol import IN_FULL, OBSERVED, EventKind
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.targets.lines import Frame, Lines
from heapster.model.geometry import SIZE_MAX
from heapster.model.operation import Step, Trace
from heapster.model.operations import REQUESTS, requested
from heapster.model.spec import Promises

WRAPS_HERE = "a size wraps here: what comes out is small"
HEADERS = 1 << 20               # bytes that are added to a size at most


def asks_for_all(step: Step, bits: int) -> bool:
    """Whether a step asks for so much that sums and products of its numbers may wrap."""
    most = SIZE_MAX >> (64 - bits)
    return step.verb in REQUESTS and requested(step) > most - HEADERS


class Wraps:
    """Asks a target that tells of what wraps."""

    def __init__(self, judge: Judge, promises: Promises) -> None:
        self._judge, self._promises = judge, promises
        self._lines = Lines(Path(judge.target.path))

    def first(self, trace: Trace) -> list[tuple[Suspect, tuple[Frame, ...]]]:
        """What wraps first in the trace's last call, and where that is; nothing if nothing does."""
        self._judge.header.observed = OBSERVED | IN_FULL
        run_trace(self._judge, trace, self._promises)
        told = [moment for moment in of_step(moments(self._judge.events()), len(trace) - 1)
                if moment.event.kind == EventKind.UNDEFINED]
        known = [(Suspect(moment, WRAPS_HERE),
                  tuple(frame for place in moment.places for frame in self._lines.at(place))) for moment in told[:1]]
        return [(suspect, frames) for suspect, frames in known if frames and frames[0].line]
