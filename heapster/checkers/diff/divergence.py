"""From where an allocator parts from the model to a finding: the step, the two heaps, a shrunk trace."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

from heapster.checkers.diff.engines import Interpreted
from heapster.checkers.diff.lockstep import Parting, play
from heapster.checkers.findings.describe import describe
from heapster.checkers.fuzz.shrink import Shrunk, shrink
from heapster.checkers.lockstep.run_trace import Make, Outcome, rerun
from heapster.checkers.targets.opening import make_for
from heapster.checkers.targets.target import Target
from heapster.checkers.traces.compact import Columns, Compact, compact
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import TAKING
from heapster.model.sketch import picture
from heapster.model.trace import format_step
from heapster.results import Finding

REPLAYS, STEPS = 1500, 500      # of few steps; how many more make a replay cost twice as much
VARIED = 40                     # steps of a trace of which variations are tried
LONGEST = 4000                  # steps of a trace that the full lockstep, with all its checks, runs again
PICTURE_LINES = 6
CLOSE_LOOK = 1                  # steps between two comparisons of the heap, to find the step where they part


def first_difference(trace: Compact, policy: str, source: Any, parting: Parting) -> Parting:
    """The first step after which the heaps differ, if `parting` is of heaps that were compared at intervals."""
    if parting.code not in ("structure_diverges", "undecodable_heap"):
        return parting
    until = parting.step + 1
    shorter = Compact(Columns(*[column[:until] for column in trace.columns]))
    engine = Interpreted(shorter, policy, source)
    return play(shorter, policy, engine, CLOSE_LOOK).parting or parting


def finding(trace: Compact, name: str, policy: str, target: Target, parting: Parting, source: Any = None) -> Finding:
    """The finding of a trace that parts from the model; it is shrunk if `source` is there to run it."""
    prefix = trace.steps(0, parting.step + 1)
    shrunk = _least(prefix, policy, parting.code, source) if source is not None else Shrunk(prefix, at_rest=False)
    least = shrunk.trace
    said = f"{name}, step {parting.step + 1} of {len(trace)}: {format_step(prefix[-1])}"
    whole: Trace = (Step("policy", name=policy), *least)
    make = make_for(target)
    found = describe(whole, parting.code, make, target) if len(least) <= VARIED else _drawn(whole, parting, make)
    identity = sha256("\n".join((str(target), parting.code, *found.trace)).encode()).hexdigest()[:8]
    return replace(found, id=identity, shrunk=shrunk.at_rest, replay=f"heapster replay {identity}",
                   details=(said, *found.details))


def _drawn(trace: Trace, parting: Parting, make: Make) -> Finding:
    """The finding of a trace that is too long for its variations to be tried; drawn, unless it is longer still."""
    outcome = rerun(trace, make) if len(trace) <= LONGEST else Outcome((), len(trace) - 1)
    names = dict(outcome.names)
    before, after = (picture(heap, names, lines=PICTURE_LINES) if heap else ""
                     for heap in (outcome.before, outcome.after))
    return Finding("", parting.code, parting.message, tuple(map(format_step, trace)), "", outcome.last, outcome.last,
                   before, after)


def _least(trace: Trace, policy: str, code: str, source: Any) -> Shrunk:
    """The least trace found that parts in the same way, and whether it is at rest."""
    def parts(candidate: Trace) -> bool:
        steps = compact(candidate)
        if not _is_legal(candidate):
            return False
        found = play(steps, policy, Interpreted(steps, policy, source), CLOSE_LOOK if len(steps) < 200 else 64).parting
        return found is not None and found.code == code

    return shrink(trace, parts, REPLAYS, lambda candidate: 1 + len(candidate) / STEPS)


def _is_legal(trace: Trace) -> bool:
    live = {NO_HANDLE}
    for step in trace:
        if step.operand not in live:
            return False
        if step.verb in TAKING and step.operand != NO_HANDLE:
            live.discard(step.operand)
        live.add(step.result)
    return True
