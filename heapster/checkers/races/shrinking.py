"""Least failures: first the fewest operations, then the fewest old writes met, then the fewest preemptions."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from heapster.checkers.races.exploring import SearchTally
from heapster.checkers.races.programs import KINDS, Op, Program, lanes_of, numbered, wrong
from heapster.checkers.races.schedulable import Schedulable
from heapster.checkers.races.session import ScheduleRun

EFFORT = 400                        # schedules tried of a smaller program before it is held to pass
SIMPLER = (24, 40, 200, 4096, 5000)


class FailingRun(NamedTuple):
    """A program and a run of it that failed."""

    program: Program
    outcome: ScheduleRun


def least(subject: Schedulable, failure: FailingRun, bound: int) -> FailingRun:
    """A failure of the same kind that no smaller program, no fewer old writes and no fewer preemptions show."""
    if failure.outcome.old:
        failure = _fewest_preemptions(subject, failure, bound)
    smaller: FailingRun | None = failure
    while smaller is not None:
        failure = smaller
        smaller = next(_smaller(subject, failure, bound), None)
    return _fewest_preemptions(subject, failure, bound)


def preemptions(outcome: ScheduleRun) -> int:
    """How often a thread that could go on was made to wait."""
    return sum(segment.points is not None for segment in outcome.segments)


def _smaller(subject: Schedulable, failure: FailingRun, bound: int) -> Iterator[FailingRun]:
    for candidate in _candidates(failure.program):
        if any(candidate.lanes) and not wrong(candidate):
            program = numbered(candidate)
            outcome = _fails(subject, program, failure, bound, len(failure.outcome.old))
            if outcome is not None:
                yield FailingRun(program, outcome)


def _fails(subject: Schedulable, program: Program, failure: FailingRun, bound: int, old: int) -> ScheduleRun | None:
    """The first run of the program with so many old writes met, fewest preemptions first, that fails as that did."""
    assert failure.outcome.problem is not None
    code = failure.outcome.problem.code
    session = subject.session(program)
    for least_bound in range(bound + 1):
        for outcome in islice(session.every_schedule(least_bound, SearchTally(), old), EFFORT):
            if outcome.problem is not None and outcome.problem.code == code:
                return outcome
    return None


def _fewest_preemptions(subject: Schedulable, failure: FailingRun, bound: int) -> FailingRun:
    """The same program, with fewer old writes met if it fails so, and with the fewest preemptions."""
    for old in range(len(failure.outcome.old) + 1):
        outcome = _fails(subject, failure.program, failure, bound, old)
        if outcome is not None:
            return failure._replace(outcome=outcome)
    return failure


def _candidates(program: Program) -> Iterator[Program]:
    """Smaller programs, the most promising first: without a lane, without an operation, with simpler numbers."""
    for lane in range(len(program.lanes)):
        if len(program.lanes) > 1:
            lanes = (*program.lanes[:lane], *program.lanes[lane + 1:])
            yield _without_orphans(Program(program.prologue, lanes))
    for lane, ops in enumerate(program.lanes):
        for i in range(len(ops)):
            yield _with_lane(program, lane, (*ops[:i], *ops[i + 1:]))
    for i in range(len(program.prologue)):
        yield _without_orphans(program._replace(prologue=(*program.prologue[:i], *program.prologue[i + 1:])))
    yield from _simpler_numbers(program)


def _with_lane(program: Program, lane: int, ops: tuple[Op, ...]) -> Program:
    return _without_orphans(program._replace(lanes=(*program.lanes[:lane], ops, *program.lanes[lane + 1:])))


def _without_orphans(program: Program) -> Program:
    """Without what is done to blocks that are no longer allocated."""
    made = {op.block for _, op in lanes_of(program) if KINDS[op.code].block == "new"}
    kept = [tuple(op for op in ops if KINDS[op.code].block in ("", "new") or op.block in made)
            for ops in (program.prologue, *program.lanes)]
    return Program(kept[0], tuple(kept[1:]))


def _simpler_numbers(program: Program) -> Iterator[Program]:
    for i, op in enumerate(program.prologue):
        for simple in _simple(op):
            yield program._replace(prologue=(*program.prologue[:i], simple, *program.prologue[i + 1:]))
    for lane, ops in enumerate(program.lanes):
        for i, op in enumerate(ops):
            for simple in _simple(op):
                yield _with_lane(program, lane, (*ops[:i], simple, *ops[i + 1:]))


def _simple(op: Op) -> Iterator[Op]:
    """Simpler forms of an operation; each chain of them ends."""
    if op.code in "ac":
        yield Op("m", op.numbers[-1:], op.block)
    if op.code in "mcar":
        size = op.numbers[-1]
        for simple in SIMPLER:
            if simple < size or size < SIMPLER[0] == simple:
                yield op._replace(numbers=(*op.numbers[:-1], simple))
