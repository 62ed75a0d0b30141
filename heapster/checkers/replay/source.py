"""A trace run once more, from a file, a kept finding or the command line."""

import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from heapster.checkers.findings.describe import describe
from heapster.checkers.findings.store import Kept, Store
from heapster.checkers.lockstep.run_trace import Make, Outcome, rerun
from heapster.checkers.targets.kinds import is_there
from heapster.checkers.targets.opening import make_for
from heapster.checkers.targets.target import Target
from heapster.checkers.traces.reading import read_trace
from heapster.model.operation import Trace
from heapster.model.sketch import picture
from heapster.model.trace import TraceError, format_steps, parse, parse_bytes
from heapster.results import Run, UsageError, Verdict

STANDARD_INPUT = "-"
STEPS = "(;= "                  # one of these is in every trace, but hardly in a file's name


@dataclass(frozen=True)
class TraceSource:
    """A trace and what is known of it."""

    trace: Trace
    name: str                   # for people
    target: Target | None = None    # that it failed on; None if nobody knows
    code: str = ""              # that it failed with
    given: str = ""             # as the user named it


@dataclass(frozen=True)
class Replay:
    """A trace run again."""

    run: Run
    steps: tuple[str, ...]
    stopped: int                # index of the last step taken
    misused: str = ""           # how a misuse ended, which ended the run


@dataclass(frozen=True)
class StepView:
    """The heap around one step."""

    step: str
    before: str
    after: str


def source(text: str, store: Store) -> TraceSource:
    """The trace that `text` stands for: a file's, a kept finding's by its id or the start of it, or itself."""
    path = Path(text)
    try:
        if text == STANDARD_INPUT:
            return TraceSource(parse_bytes(sys.stdin.buffer.read()), "standard input", given=text)
        if is_there(text):
            return TraceSource(_in_file(path), text, given=text)
        if kept := store.find(text):
            finding = traced(kept).finding
            name = f"{finding.code} {finding.id}"
            return TraceSource(parse("\n".join(finding.trace)), name, kept.target, finding.code, text)
        return TraceSource(parse(text), "the trace", given=text)
    except TraceError as error:
        raise UsageError(_unreadable(text, store, error)) from None
    except OSError as error:
        raise UsageError(f"{text} cannot be read: {error.strerror or error}") from None


def traced(kept: Kept) -> Kept:
    """The finding itself; UsageError if it is no trace."""
    finding = kept.finding
    if finding.counterexample:
        raise UsageError(f"{finding.id} is a refuted theorem and no trace: heapster replay {finding.id}")
    if all(line.startswith("#") for line in finding.trace):
        raise UsageError(f"{finding.id} is the work of threads and no trace: heapster replay {finding.id}")
    return kept


def _in_file(path: Path) -> Trace:
    """The trace in a file, in any form; what is no regular file is read as text."""
    if not path.is_file():
        return parse_bytes(path.read_bytes())
    trace = read_trace(path)
    return trace.steps(0, len(trace))


def _unreadable(text: str, store: Store, error: TraceError) -> str:
    if text == STANDARD_INPUT or is_there(text):
        return f"{text}, {error}"
    if any(sign in text for sign in STEPS):
        return f"the trace: {error.message}"
    return f"'{text}' is no file, no trace, and no finding in {store.folder}"


def replay(trace: Trace, target: Target, code: str = "") -> Replay:
    """Run the trace; a run with one finding if it fails: of `code` if it still fails so."""
    started = monotonic()
    make = make_for(target)
    outcome = rerun(trace, make)
    codes = [code] if code in outcome.codes else outcome.codes[:1]
    findings = tuple(describe(trace, failed, make, target) for failed in codes)
    run = Run("replay", str(target), 0, Verdict.FAILED if findings else Verdict.PASSED,
              monotonic() - started, outcome.last + 1, findings)
    return Replay(run, format_steps(trace), outcome.last, outcome.misused)


def moment(trace: Trace, target: Target, number: int) -> StepView:
    """The heap before and after step `number`, counted from 1."""
    if not 1 <= number <= len(trace):
        raise UsageError(f"--at {number}: the trace has steps 1 to {len(trace)}")
    make: Make = make_for(target)
    outcome = rerun(trace[:number], make)
    if outcome.last + 1 < number:
        raise UsageError(f"--at {number}: the run ends at step {outcome.last + 1}")
    return StepView(format_steps(trace)[number - 1], _drawn(outcome, after=False), _drawn(outcome, after=True))


def _drawn(outcome: Outcome, *, after: bool) -> str:
    heap = outcome.after if after else outcome.before
    if heap is None:
        return "cannot be decoded" if after else "no heap yet"
    return picture(heap, dict(outcome.names))
