"""Calls are made and counted: of a trace, or of generated programs at the settings that ship."""

from collections.abc import Callable
from itertools import count

from heapster.checkers.fuzz.campaign import BATCH, SEED_STRIDE
from heapster.checkers.fuzz.stateful import Record, live_lives
from heapster.checkers.proofs.coverage import CoverageTally, coverage_lockstep
from heapster.children import processor_seconds
from heapster.impl.layout import DEFAULT_CACHE, DEFAULT_KEEP, DEFAULT_POLICY
from heapster.model.operation import Trace
from heapster.model.placement import POLICY_NAMES

ARENAS = 3                      # at most, for threads to share


def follow(steps: Trace, covered: CoverageTally, *, spans: bool) -> str:
    """Take the steps of a trace, up to what goes wrong; what that is."""
    lockstep = coverage_lockstep(covered, spans=spans)
    for number, step in enumerate(steps, 1):
        if problems := lockstep.take(step):
            return f"step {number} fails: {problems[0].message}"
        if lockstep.misused:
            break
    return ""


def generate(covered: CoverageTally, seconds: float, progress: Callable[[float], None], *, spans: bool) -> str:
    """Programs as `fuzz` draws them, for so many seconds of processor time; what goes wrong in one ends it."""
    spent = processor_seconds()
    for number in count():
        share = (processor_seconds() - spent) / seconds
        progress(min(share, 1.0))
        if share >= 1:
            return ""
        record = Record(lambda: coverage_lockstep(covered, spans=spans), (POLICY_NAMES[DEFAULT_POLICY],), ARENAS,
                        faults=True, cache=DEFAULT_CACHE, keep=DEFAULT_KEEP)
        live_lives(record, number * SEED_STRIDE, BATCH)
        if record.failure:
            return f"a program fails, see heapster fuzz sim: {record.failure[1].message}"
    return ""
