"""The line at which a target dies before any case: as it is loaded, or in its init."""

from pathlib import Path

from heapster.checkers.blackbox.accesses import TracedEvent, moments
from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.judge import Judge, StartError
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.blackbox.twin import instrumented_twin
from heapster.checkers.targets.lines import Frame, Lines
from heapster.results import TargetError


def located(target: ForeignTarget, error: StartError) -> TargetError:
    """The error, with the line of the twin's last access where that can be told."""
    try:
        twin = instrumented_twin(target)
        with Judge(judge_program(target.bits), twin):
            return error
    except StartError as dies:
        frame = _last_line(Path(twin.path), moments(dies.events))
    except TargetError:
        return error
    return error if frame is None else TargetError(f"{error}, in {frame.words}")


def _last_line(twin: Path, run: list[TracedEvent]) -> Frame | None:
    """Where the last of what was done stands in the source."""
    places = next((moment.places for moment in reversed(run) if moment.places), ())
    lines = Lines(twin)
    return next((frame for place in places for frame in lines.at(place) if frame.line), None)
