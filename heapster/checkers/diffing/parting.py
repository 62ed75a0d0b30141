"""From where an allocator parts from the model to a finding: the step, the two heaps, a shrunk trace."""

from dataclasses import replace
from time import monotonic
from typing import Any

from heapster.checkers.calling import SHIPPED
from heapster.checkers.diffing.engines import Interpreted
from heapster.checkers.diffing.playing import Parting, play
from heapster.checkers.findings import describe
from heapster.checkers.rerun import make_for
from heapster.checkers.shrink import shrink
from heapster.checkers.traces.compact import Compact, compact
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.trace import format_step
from heapster.results import Finding

SHRINKING = 20.0                # seconds
LONGEST = 400                   # steps of a trace that the full lockstep, with all its checks, runs again
CLOSE_LOOK = 1                  # steps between two comparisons of the heap, to find the step where they part


def first_difference(trace: Compact, policy: str, source: Any, parting: Parting, interval: int) -> Parting:
    """The first step after which the heaps differ, if `parting` is of heaps compared every `interval` steps."""
    if parting.code not in ("structure_diverges", "undecodable_heap"):
        return parting
    known_good = max(0, parting.step + 1 - interval)
    engine = Interpreted(trace, policy, source)
    return play(_Upto(trace, parting.step + 1, known_good), policy, engine, CLOSE_LOOK).parting or parting


class _Upto(Compact):
    """The first steps of a trace."""

    def __init__(self, trace: Compact, end: int, _known_good: int) -> None:
        super().__init__(type(trace.columns)(*[column[:end] for column in trace.columns]))


def finding(trace: Compact, name: str, policy: str, target: str, parting: Parting, source: Any = None) -> Finding:
    """The finding of a trace that parts from the model."""
    prefix = trace.steps(0, parting.step + 1)
    least = _least(prefix, policy, parting.code, source or SHIPPED) if source is not None else prefix
    said = f"{name}, step {parting.step + 1} of {len(trace)}: {format_step(prefix[-1])}"
    whole: Trace = (Step("policy", name=policy), *least)
    if len(least) <= LONGEST:
        found = describe(whole, parting.code, make_for(target, *([source] if target == "sim" and source else [])),
                         target)
        if found.before or found.after:
            return replace(found, details=(said, *found.details))
    return _plain(whole, parting, target, said)


def _plain(trace: Trace, parting: Parting, target: str, said: str) -> Finding:
    """A finding as it is, of a trace too long to be drawn."""
    found = describe(trace[:1], parting.code, make_for("sim"), target)
    return replace(found, title=parting.message, trace=tuple(map(format_step, trace)), passes="",
                   breaking=len(trace) - 1, noticing=len(trace) - 1, details=(said,))


def _least(trace: Trace, policy: str, code: str, source: Any) -> Trace:
    """The least trace found in the time there is that parts in the same way."""
    deadline = monotonic() + SHRINKING

    def parts(candidate: Trace) -> bool:
        if monotonic() > deadline:
            return False
        steps = compact(candidate)
        if not _is_legal(candidate):
            return False
        found = play(steps, policy, Interpreted(steps, policy, source), CLOSE_LOOK if len(steps) < 200 else 64).parting
        return found is not None and found.code == code

    return shrink(trace, parts)


def _is_legal(trace: Trace) -> bool:
    live = {NO_HANDLE}
    for step in trace:
        if step.operand not in live:
            return False
        if step.verb in ("free", "realloc", "reallocarray") and step.operand != NO_HANDLE:
            live.discard(step.operand)
        live.add(step.result)
    return True
