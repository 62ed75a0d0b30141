"""From a failing run to its least trace: records first, many at a time; then the shrinker that knows traces."""

from collections.abc import Callable
from time import monotonic

from heapster.checkers.foreign.judge import LIMIT, OP, Judge, Mode, Suspicion
from heapster.checkers.foreign.precise import CLAIMED, Masked, Outcome, hurried, run_trace
from heapster.checkers.shrink import shrink
from heapster.model.operation import Trace
from heapster.model.spec import Promises

FEW_RECORDS = 300               # from here on the shrinker that knows traces does better
MOST_REPLAYS = 3000
FEW_STEPS, SECONDS_FOR_NUMBERS = 4, 1.5     # a trace that is short already is only worth so long
FEW_REPLAYS = 40                # of something that takes long each time


def least_trace(judge: Judge, trace: Trace, outcome: Outcome, promises: Promises, masked: Masked,
                seconds: float) -> Trace:
    """The least trace found in that time which fails with the code of the outcome."""
    started, best = monotonic(), trace

    def fails(candidate: Trace) -> bool:
        nonlocal best
        if monotonic() > started + (seconds if len(best) > FEW_STEPS else min(seconds, SECONDS_FOR_NUMBERS)):
            raise _LateError
        if run_trace(judge, candidate, promises, masked).code != outcome.code:
            return False
        best = candidate
        return True

    with hurried(judge, CLAIMED if outcome.hung else LIMIT):
        try:
            return shrink(trace, fails, FEW_REPLAYS if outcome.hung else MOST_REPLAYS)
        except _LateError:
            return best


class _LateError(Exception):
    """Time is up."""


def fewer_records(judge: Judge, records: bytes, suspicion: Suspicion, died: bool, seconds: float) -> bytes:
    """Fewer operations, by halves and parts, under which the compiled checks still notice the same.

    Any subset may be run: what has lost its block is passed over.
    """
    deadline = monotonic() + seconds

    def still(candidate: bytes) -> bool:
        ending = judge.run(Mode.FAST, judge.set_records(candidate))
        return ending.died if died else ending.suspicion is suspicion

    return without_runs(records, still, lambda: monotonic() > deadline)


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
