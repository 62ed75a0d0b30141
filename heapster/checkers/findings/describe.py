"""From a failing trace to a finding: shrunk, run again, drawn, with the nearest variation that passes."""

from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from shlex import quote

from heapster.checkers.fuzz.shrink import MOST_REPLAYS, Late, Shrunk, never, shrink
from heapster.checkers.lockstep.run_trace import Make, Outcome, rerun
from heapster.checkers.targets.target import SIM, Target
from heapster.model.operation import Step, Trace
from heapster.model.operations import ALIGNING
from heapster.model.placement import POLICY_NAMES
from heapster.model.sketch import picture
from heapster.model.trace import format_step, format_steps
from heapster.results import Finding

INLINE = 160                    # characters of trace that a replay line may hold
PICTURE_LINES = 6
NUDGES = (1, -1, 8, -8, 16, -16)
VARIED_STEPS = 4000             # that are run, at most, in search of a variation that passes


def least_trace(trace: Trace, code: str, make: Make, replays: int = MOST_REPLAYS, late: Late = never) -> Shrunk:
    """The least trace found, in so many replays and before it is late, that fails with `code` as `trace` does."""
    return shrink(trace, lambda candidate: code in rerun(candidate, make).codes, replays, late=late)


def describe(trace: Trace, code: str, make: Make, target: Target) -> Finding:
    """The finding of a trace that fails with `code`, as it is."""
    outcome = rerun(trace, make)
    steps = format_steps(trace)
    identity = sha256("\n".join((str(target), code, *steps)).encode()).hexdigest()[:8]
    return Finding(
        id=identity,
        code=code,
        title=next((p.message for p in outcome.problems if p.code == code), "it fails, but not each time"),
        trace=steps,
        replay=replay_line(steps, identity, target),
        breaking=outcome.last,
        noticing=outcome.last,
        before=_drawn(outcome, after=False),
        after=_drawn(outcome, after=True),
        passes=next(_passing(trace, make), ""),
        details=tuple(f"{p.code}: {p.message}" for p in outcome.problems if p.code != code)[:3],
    )


def replay_line(steps: tuple[str, ...], identity: str, target: Target) -> str:
    """The command that reruns a finding: the trace itself where it is short, else the finding's id."""
    inline = "; ".join(steps)
    if target == SIM and len(inline) <= INLINE:
        return f"heapster replay {quote(inline)}"
    return f"heapster replay {identity}"


def _drawn(outcome: Outcome, *, after: bool) -> str:
    """The heap before the failing step; or after it, as predicted where it cannot be decoded."""
    heap = outcome.after if after else outcome.before
    names = dict(outcome.names)
    if heap is not None:
        return picture(heap, names, lines=PICTURE_LINES)
    if after and outcome.predicted is not None:
        return "cannot be decoded; predicted:\n" + picture(outcome.predicted, names, lines=PICTURE_LINES - 1)
    return ""


def _passing(trace: Trace, make: Make) -> Iterator[str]:
    """Variations of one step, last steps first, under which the trace passes: of the first few where it is long."""
    variations = ((i, other) for i in range(len(trace) - 1, -1, -1) for other in _varied(trace[i]))
    for i, other in islice(variations, VARIED_STEPS // len(trace)):
        if not rerun((*trace[:i], other, *trace[i + 1:]), make).problems:
            yield f"with `{format_step(other)}` in place of `{format_step(trace[i])}` it passes"


def _varied(step: Step) -> Iterator[Step]:
    if step.verb == "policy":
        for name in POLICY_NAMES:
            if name != step.name:
                yield step._replace(name=name)
    for k, number in enumerate(step.numbers):
        alignment = step.verb in ALIGNING and k == 0
        for nudge in NUDGES if not alignment else (number, -(number // 2)):
            if number + nudge > 0:
                yield step._replace(numbers=(*step.numbers[:k], number + nudge, *step.numbers[k + 1:]))
