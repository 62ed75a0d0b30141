"""From an outcome to a finding: confirmed, drawn by offsets, with the nearest variation that passes."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from pathlib import Path

from heapster.checkers.blackbox.codes import usual_cause
from heapster.checkers.blackbox.confirming import confirm
from heapster.checkers.blackbox.drawing import picture
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.shrink import cost
from heapster.checkers.blackbox.stepwise import BlackboxRun, Masked, NamedBlock, hurried, run_trace
from heapster.checkers.findings.describe import NUDGES
from heapster.model.operation import Step, Trace
from heapster.model.operations import ALIGNING, REQUESTS, requested
from heapster.model.spec import Promises
from heapster.model.trace import format_step, format_steps, handle_name
from heapster.results import Finding

VARIATIONS, FEW_VARIATIONS = 60, 8      # tried at most; of a trace that does not come back


def identity(target: str, code: str, lines: tuple[str, ...]) -> str:
    """The id of a finding: the same for the same code and trace of the same target."""
    return sha256("\n".join((Path(target).name, code, *lines)).encode()).hexdigest()[:8]


def by_code(finding: Finding, target: str, code: str) -> Finding:
    """The finding under another code, and so with another id: that of what it is, however it showed first."""
    found = identity(target, code, finding.trace)
    return replace(finding, id=found, code=code, replay=f"heapster replay {found}")


def describe(judge: Judge, trace: Trace, promises: Promises, masked: Masked, *, shrunk: bool = True) -> Finding:
    """The finding of a trace that fails; `shrunk`, if nothing less is known to."""
    outcome = run_trace(judge, trace, promises, masked)
    code = outcome.code
    steps = format_steps(trace)
    confirmed = confirm(judge, lambda other: run_trace(other, trace, promises, masked).code == code,
                        brief=outcome.hung)
    reason = outcome.reasons[0]
    name = judge.target.name
    finding_id = identity(name, code, steps)
    return Finding(
        id=finding_id, code=code, title=_title(outcome, trace), trace=steps,
        replay=f"heapster replay {finding_id}", breaking=outcome.last, noticing=outcome.last,
        before=picture(outcome.before, outcome.before), after=_after(outcome, trace),
        passes=next(_passing(judge, trace, promises, masked, FEW_VARIATIONS if outcome.hung else VARIATIONS), ""),
        shrunk=shrunk,
        details=(f"{confirmed.words}; usual cause: {usual_cause(code)}",
                 *(f"{other.code}: {other.message}" for other in outcome.reasons[1:3] if other.code != reason.code)))


def _title(outcome: BlackboxRun, trace: Trace) -> str:
    reason, step = outcome.reasons[0], trace[outcome.last]
    named = dict(outcome.names).get(reason.where)
    about = f" ({handle_name(named)})" if named is not None and named != step.result else ""
    return f"{format_step(step)}: {reason.message}{about}"


def _after(outcome: BlackboxRun, trace: Trace) -> str:
    step = trace[outcome.last]
    if step.verb not in REQUESTS or not outcome.answered:
        return ""
    new = NamedBlock(step.result, outcome.answered, requested(step))
    kept = tuple(block for block in outcome.before if block.handle != step.operand)
    return picture((*kept, new), (*outcome.before, new))


def _passing(judge: Judge, trace: Trace, promises: Promises, masked: Masked, most: int) -> Iterator[str]:
    """Variations of one number, last steps first, under which the trace passes; so many are tried of a short one."""
    with hurried(judge):
        for index, other in islice(_variations(trace), round(most / cost(trace))):
            varied = (*trace[:index], other, *trace[index + 1:])
            if not run_trace(judge, varied, promises, masked).reasons:
                yield f"with `{format_step(other)}` in place of `{format_step(trace[index])}` it passes"


def _variations(trace: Trace) -> Iterator[tuple[int, Step]]:
    for index in range(len(trace) - 1, -1, -1):
        step = trace[index]
        for k, number in enumerate(step.numbers):
            if step.verb == "fail" or step.verb in ALIGNING and k == 0:
                continue
            for nudge in (*NUDGES, -(number // 2)):
                if nudge and 0 < number + nudge < 1 << 64:
                    yield index, step._replace(numbers=(*step.numbers[:k], number + nudge, *step.numbers[k + 1:]))


def only_taken(trace: Trace, outcome: BlackboxRun) -> Trace:
    """The steps up to the failing one that were really taken."""
    skipped = 3
    return tuple(step for step, seen in zip(trace[:outcome.last + 1], outcome.seen, strict=False)
                 if seen.status != skipped) if outcome.seen else trace[:outcome.last + 1]
