"""Findings of `races` as others read them, and schedules that are run again."""

from collections.abc import Iterator
from hashlib import sha256
from shlex import quote
from time import monotonic

from heapster.checkers.races.lanes import lanes, turning_points
from heapster.checkers.races.ours import schedulable
from heapster.checkers.races.programs import Program
from heapster.checkers.races.recording import AccessRow
from heapster.checkers.races.replay import ScheduleReplay, format_replay, parse_replay
from heapster.checkers.races.schedulable import Schedulable
from heapster.checkers.races.session import ScheduleProblem, ScheduleRun
from heapster.checkers.races.shrinking import FailingRun, preemptions
from heapster.checkers.races.steps import steps
from heapster.checkers.targets.source import Source
from heapster.checkers.targets.target import SIM, Target
from heapster.results import Finding, Run, Verdict

SHOWN = 3                       # details that are shown with a finding, before its lanes


def replay(text: str, source: Source | Schedulable | None = None, target: Target = SIM) -> Run:
    """Run what a replay string says; a finding if it fails."""
    begun = monotonic()
    what = parse_replay(text)
    chosen = schedulable(source)
    session = chosen.session(what.program)
    outcome = session.follow(what.segments, what.old)
    failed = outcome.problem is not None
    found = finding(chosen, FailingRun(what.program, outcome), target) if failed else None
    findings = (found,) if found is not None else ()
    warnings = list(_misfits(what, chosen, failed or session.fits))
    return Run("replay", str(target), 0, Verdict.FAILED if failed else Verdict.PASSED, monotonic() - begun, 1, findings,
               checks={"data_races": outcome.steps},
               extra={"schedules": 1, "steps": tuple(steps(what.program)), "warnings": warnings})


def _misfits(what: ScheduleReplay, subject: Schedulable, fits: bool) -> Iterator[str]:
    """Why the schedule may not be the one that was found."""
    now = subject.version
    if what.version and what.version != now:
        yield f"the source changed: the schedule was found in version {what.version} of it, and this is {now}"
    if not fits:
        yield "the schedule does not fit this source: a thread cannot go on, or an old write be met, where it says"


def finding(subject: Schedulable, failure: FailingRun, target: Target = SIM) -> Finding | None:
    """The failure as others read it; its replay has been run. None if that meets first what is known already."""
    what = ScheduleReplay(failure.program, failure.outcome.segments, failure.outcome.old, subject.version)
    text = format_replay(what)
    what = parse_replay(text)
    outcome, rows = subject.record(what)
    problem = outcome.problem
    if problem is not None and subject.knows(problem):
        return None
    if problem is None or failure.outcome.problem is None or problem.code != failure.outcome.problem.code:
        raise AssertionError(f"'{text}' does not fail again: {problem}")
    where = "" if target == SIM else f" --target {quote(str(target))}{subject.given}"
    plain = format_replay(what._replace(version=""))
    lines = [*_stacks(rows, problem), *turning_points(rows, subject.name)]
    if len(lines) < SHOWN:
        lines.append(f"threads go on in this order: {', '.join(str(each.thread) for each in outcome.segments)}")
    lines += lanes(rows, problem, len(what.program.lanes), subject.name)
    return Finding(
        id=sha256(f"{problem.code} {plain}".encode()).hexdigest()[:12], code=problem.code,
        title=subject.named(problem.message), trace=tuple(steps(what.program)),
        replay=f"heapster replay {quote(text)}{where}",
        breaking=_place(what.program, outcome, problem.other), noticing=_place(what.program, outcome, problem.thread),
        details=(*lines, f"preemptions: {preemptions(outcome)}; switch points: {outcome.steps}"))


def _place(program: Program, outcome: ScheduleRun, thread: int) -> int:
    """Index, among the steps, of what the thread did last; of the last step for nobody."""
    if thread < 0 or not outcome.last:
        return len(list(steps(program))) - 1
    before = len(program.prologue) + sum(len(lane) for lane in program.lanes[:thread])
    return before + outcome.last[thread]


def _stacks(rows: list[AccessRow], problem: ScheduleProblem) -> list[str]:
    """The stacks of the access that failed and of that which it raced with."""
    failed = next((row for row in rows if row.failed), None)
    other = next((row for row in reversed(rows)
                  if row.target == problem.address and row.thread == problem.other and row is not failed), None)
    return [f"thread {row.thread}'s {row.kind}: " + (" < ".join(row.stack) or "the caller, in its own block")
            for row in (other, failed) if row is not None]
