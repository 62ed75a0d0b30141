"""Any trace on a stranger's allocator, once, step by step: what is wrong with it, or the heap around one step."""

from dataclasses import dataclass, replace
from time import monotonic

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.counting import Counts
from heapster.checkers.blackbox.describe import describe, identity, only_taken
from heapster.checkers.blackbox.drawing import picture
from heapster.checkers.blackbox.judge import LIMIT, STEPS, Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.protocol import MOST_OPS, Status
from heapster.checkers.blackbox.stepwise import BlackboxRun, NamedBlock, run_trace
from heapster.checkers.replay.source import StepView
from heapster.checkers.targets.opening import resolve
from heapster.checkers.traces.compact import compact
from heapster.checkers.traces.legality import first_misuse
from heapster.model.operation import NO_HANDLE, Trace
from heapster.model.operations import OPERATIONS, RELEASING, REQUESTS, TAKING, requested
from heapster.model.spec import Promises
from heapster.model.trace import format_step, format_steps
from heapster.results import Finding, Run, UsageError, Verdict
from heapster.wording import counted

PURSUED = 4000                  # steps of a trace whose variations are tried, and that is run again and again
STEPS_A_LIMIT = 1000            # a longer trace has more time
DRAWN = 40                      # blocks of a picture


@dataclass(frozen=True)
class Rerun:
    """A trace that was run."""

    run: Run
    stopped: int                # steps that were taken or passed over
    skipped: int                # of these, passed over: the target has no such function, or lacks the block
    unasked: int                # steps of the trace that are no calls of an allocator
    lacks: tuple[str, ...] = ()         # what the trace calls, and no function of the target serves
    instead: tuple[str, ...] = ()       # what it calls, and another function serves: in words


def rerun(trace: Trace, options: ForeignOptions, again: str) -> Rerun:
    """Run the trace; a run with one finding if it fails. `again` is the command that did it."""
    calls = calls_of(trace)
    started = monotonic()
    target = resolve(options)
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, options.alignment).promises
        counts = Counts(target, promises)
        outcome = _run(judge, calls, promises)
        counts.note_steps(outcome)
        findings = (_finding(judge, calls, outcome, promises, again),) if outcome.reasons else ()
    stopped = outcome.last + 1 if outcome.reasons else len(calls)
    skipped = sum(seen.status == Status.SKIPPED for seen in outcome.seen[:stopped])
    run = Run("replay", str(options.target), 0, Verdict.FAILED if findings else Verdict.PASSED, monotonic() - started,
              outcome.steps, findings, counts.checks(), extra={"calls": dict(counts.calls)})
    missing = sorted({step.verb for step in calls} - target.verbs)
    served = {verb: OPERATIONS[verb].instead for verb in missing if OPERATIONS[verb].instead in target.verbs}
    return Rerun(run, stopped, skipped, len(trace) - len(calls), tuple(verb for verb in missing if verb not in served),
                 tuple(f"{other} is called for {verb}, which it lacks" for verb, other in served.items()))


def calls_of(trace: Trace) -> Trace:
    """The steps that a stranger's allocator can be asked; UsageError if they misuse it, or are too many."""
    if misuse := first_misuse(compact(trace)):
        raise UsageError(f"step {misuse[0] + 1} of the trace: {misuse[1]}; of misuse a stranger promises nothing")
    calls = tuple(step for step in trace if step.verb in STEPS)
    if not calls:
        raise UsageError("no step of the trace is a call of an allocator")
    if len(calls) > MOST_OPS:
        raise UsageError(f"the trace has {counted(len(calls), 'call')}, more than the {MOST_OPS:,} that are judged one "
                         "by one: heapster score takes longer ones")
    return calls


def _run(judge: Judge, calls: Trace, promises: Promises) -> BlackboxRun:
    with judge.limited(LIMIT * (1 + len(calls) // STEPS_A_LIMIT)):
        return run_trace(judge, calls, promises)


def _finding(judge: Judge, calls: Trace, outcome: BlackboxRun, promises: Promises, again: str) -> Finding:
    taken = only_taken(calls, outcome)
    if len(taken) <= PURSUED:
        return replace(describe(judge, taken, promises, frozenset()), replay=again)
    steps, reason = format_steps(taken), outcome.reasons[0]
    return Finding(identity(judge.target.name, reason.code, steps), reason.code,
                   f"{format_step(taken[-1])}: {reason.message}", steps, again, len(taken) - 1, len(taken) - 1,
                   picture(outcome.before, outcome.before))


def moment(trace: Trace, options: ForeignOptions, number: int) -> StepView:
    """The live blocks before and after step `number`, counted from 1."""
    if not 1 <= number <= len(trace):
        raise UsageError(f"--at {number}: the trace has steps 1 to {len(trace)}")
    calls, step = calls_of(trace[:number]), trace[number - 1]
    target = resolve(options)
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, options.alignment).promises
        outcome = _run(judge, calls, promises)
    if outcome.ending is not None and outcome.ending.died and outcome.last + 1 < len(calls):
        raise UsageError(f"--at {number}: the run ends before: {outcome.reasons[0].message}")
    before, after = (live_after(calls[:count], outcome, promises)
                     for count in (len(calls) - (step.verb in STEPS), len(calls)))
    low, high = next(((seen.low, seen.high) for seen in reversed(outcome.seen) if seen.high), (0, 0))
    bounds = (low, high) if high else None
    drawn = [picture(blocks, (*before, *after), DRAWN, bounds) for blocks in (before, after)]
    died = outcome.ending is not None and outcome.ending.died
    return StepView(format_step(step), drawn[0], outcome.reasons[0].message if died else drawn[1])


def live_after(calls: Trace, outcome: BlackboxRun, promises: Promises) -> tuple[NamedBlock, ...]:
    """What lives after the calls, by what was seen of them."""
    live: dict[int, NamedBlock] = {}
    for step, seen in zip(calls, outcome.seen, strict=False):
        if seen.status != Status.DONE:
            continue
        gone = seen.pointer or requested(step) == 0 and promises.realloc_zero != "keeps"
        if step.verb in RELEASING or step.verb in TAKING and gone:
            live.pop(step.operand, None)
        if step.verb in REQUESTS and step.result != NO_HANDLE:
            live.pop(step.result, None)
            if seen.pointer:
                live[step.result] = NamedBlock(step.result, seen.pointer, requested(step))
    return tuple(live.values())
