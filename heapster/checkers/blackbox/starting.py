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
    """The error, with the line of the twin's last access where that can be told, and what our build may have to do."""
    frame = None
    try:
        twin = instrumented_twin(target)
        with Judge(judge_program(target.bits), twin):
            pass
    except StartError as dies:
        frame = _last_line(Path(twin.path), moments(dies.events))
    except TargetError:
        pass
    return TargetError(f"{error}{f', in {frame.words}' if frame else ''}{_cut(target)}")


def _cut(target: ForeignTarget) -> str:
    """Of a target of 32 bits that runs as one of 64: why it may die."""
    told = "".join(f"\n  {words}" for words in target.as_built)
    return f"{told}\n  (its own variables lie above: an address of theirs does not fit)" if target.low else ""


def _last_line(twin: Path, run: list[TracedEvent]) -> Frame | None:
    """Where the last of what was done stands in the source."""
    places = next((moment.places for moment in reversed(run) if moment.places), ())
    lines = Lines(twin)
    return next((frame for place in places for frame in lines.at(place) if frame.line), None)
