"""From a failing run to its least trace: records first, many at a time; then the shrinker that knows traces.

How far that goes is bound by replays, weighed by their length, so that it depends on no clock.
"""

from collections.abc import Callable

from heapster.checkers.blackbox.judge import LIMIT, Ending, Judge
from heapster.checkers.blackbox.protocol import Ended, Mode
from heapster.checkers.blackbox.stepwise import CLAIMED, BlackboxRun, Masked, hurried, run_trace
from heapster.checkers.fuzz.shrink import Shrunk, shrink
from heapster.model.operation import Trace
from heapster.model.operations import requested
from heapster.model.spec import Promises
from heapster.native.operations_header import OP

FEW_RECORDS = 40                # from here on the shrinker that knows traces does better
QUICK, WHOLE = 250, 6000        # replays of few steps: what each finding is worth, and at most
COMPILED = 3000                 # likewise, to find fewer records
CLEARED, MOST_CLEARED, MEMORY = 1 << 23, 80.0, 1 << 47     # bytes for each unit; units; bytes that no machine has
STEPS, RECORDS = 50, 4000       # of a replay that costs twice what the shortest does
SLOW = 15.0                     # times what others cost: replays of what does not come back


def cost(trace: Trace) -> float:
    """What a replay costs that judges each step: more where there are many, or much is to be cleared."""
    cleared = sum(requested(step) for step in trace if step.verb == "calloc" and requested(step) < MEMORY)
    return 1 + len(trace) / STEPS + min(MOST_CLEARED, cleared / CLEARED)


def least_trace(judge: Judge, trace: Trace, outcome: BlackboxRun, promises: Promises, masked: Masked,
                replays: float = WHOLE) -> Shrunk:
    """The least trace found, for so many replays, which fails with the code of the outcome."""
    slow = SLOW if outcome.hung else 1.0

    def fails(candidate: Trace) -> bool:
        return run_trace(judge, candidate, promises, masked).code == outcome.code

    with hurried(judge, CLAIMED if outcome.hung else LIMIT):
        return shrink(trace, fails, replays, lambda candidate: slow * cost(candidate))


def fewer_records(judge: Judge, records: bytes, ending: Ending, replays: float = COMPILED) -> bytes:
    """Fewer operations, by halves and parts, under which the compiled checks still notice what ended the run.

    Any subset may be run: what has lost its block is passed over. What hangs gets the time of a short run.
    """
    hung = ending.ended is Ended.TIMED_OUT
    left = replays / SLOW if hung else replays

    def still(candidate: bytes) -> bool:
        nonlocal left
        left -= 1 + len(candidate) / OP.size / RECORDS
        again = judge.run(Mode.FAST, judge.set_records(candidate))
        return again.died if ending.died else again.suspicion is ending.suspicion

    with hurried(judge, LIMIT if hung else judge.header.limit_ms):
        return without_runs(records, still, lambda: left <= 0)


def without_runs(records: bytes, still: Callable[[bytes], bool], late: Callable[[], bool]) -> bytes:
    """Fewer records for which `still` holds: runs of them left out, long ones first (delta debugging)."""
    length = max(1, len(records) // OP.size // 2)
    while len(records) // OP.size > FEW_RECORDS and length and not late():
        at, helped = 0, False
        while at < len(records) and not late():
            candidate = records[:at] + records[at + length * OP.size:]
            if candidate and still(candidate):
                records, helped = candidate, True
            else:
                at += length * OP.size
        if not helped or length * OP.size > len(records):
            length //= 2
    return records
