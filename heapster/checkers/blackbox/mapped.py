"""Cases on the instrumented twin: what no contents show, as a store of the same value, or a choice by a caller's bytes.

A load of bytes that nobody wrote, or that are a caller's, is no fault by itself: padding may be copied. It is one if
something hangs on them: then the target does other things where other bytes are there, and two runs tell.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from heapster.checkers.blackbox.describe import describe, only_taken
from heapster.checkers.blackbox.explaining import Explainer
from heapster.checkers.blackbox.judge import Judge, unpacked
from heapster.checkers.blackbox.protocol import IN_FULL, Breach, Mode
from heapster.checkers.blackbox.pursuit import Shown
from heapster.checkers.blackbox.shrink import cost, fewer_records
from heapster.checkers.blackbox.stepwise import BREACH_CODES, BlackboxRun, run_trace, set_promises
from heapster.checkers.blackbox.watched import HELD
from heapster.checkers.fuzz.shrink import shrink
from heapster.model.operation import Trace
from heapster.model.spec import Promises

SALTS = (0, 0x5a, 0xff)         # what is in memory that nobody wrote, and in the patterns of callers
DECIDE = frozenset({Breach.READS_UNWRITTEN, Breach.READS_LIVE})
OPS, LIMIT = 6000, 3000         # of a generated run; ms
LIVE = 1 << 9                   # blocks
REPLAYS, RECORD_REPLAYS = 120, 400
MOST_PURSUED = 24               # breaches of one campaign


class TwinJudge:
    """Judges one target's twin."""

    def __init__(self, twin: Judge, explainer: Explainer, promises: Promises, show: Callable[[Shown], None],
                 pursue: Callable[[Callable[[], None]], None], hand_over: Callable[[Trace], bool],
                 explaining: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._twin, self._explainer, self._promises = twin, explainer, promises
        self._show, self._pursue, self._hand_over, self._explaining = show, pursue, hand_over, explaining
        self._named: set[tuple[str, int]] = set()
        self._left = MOST_PURSUED

    def judge_trace(self, trace: Trace) -> float:
        """Run a trace, and pursue the first access that breaks the map."""
        if not trace:
            return 1
        outcome = self._run(trace)
        if outcome.reasons:
            self._pursue(lambda: self._look_into(trace, outcome))
        return 2 * cost(trace)

    def judge_generated(self, seed: int, verbs: int, most: int, budget: int) -> int:
        """Operations in number; how many were done."""
        set_promises(self._twin, self._promises)
        header = self._twin.header
        header.observed, header.masked, header.seed, header.verbs = HELD, 0, seed, verbs
        header.least_size, header.most_size, header.most_live, header.live_budget = 0, most, LIVE, budget
        with self._twin.limited(LIMIT):
            ending = self._twin.run(Mode.GENERATE, OPS)
        if ending.died or ending.suspicion:
            records = self._twin.records(ending.current + 1)

            def pursue() -> None:
                trace = tuple(unpacked(fewer_records(self._twin, records, ending, RECORD_REPLAYS)))
                outcome = self._run(trace)
                if outcome.reasons:
                    self._look_into(trace, outcome)

            self._pursue(pursue)
        return ending.done_ops

    def _run(self, trace: Trace, salt: int = 0, observed: int = HELD) -> BlackboxRun:
        header = self._twin.header
        header.observed, header.salt = observed, salt
        try:
            return run_trace(self._twin, trace, self._promises)
        finally:
            self._twin.header.salt = 0

    def _look_into(self, trace: Trace, outcome: BlackboxRun) -> None:
        """Claim a breach that nothing else shows; what the plain judge sees too is its own."""
        trace = only_taken(trace, outcome)
        if outcome.code not in BREACH_CODES or self._left == 0:
            if self._left:
                self._left -= 1
                self._hand_over(trace)
            return
        self._left -= 1
        place = outcome.seen[outcome.last].breach_pc
        least = self._least(trace, outcome)
        self._twin.quieten(place)
        if least is None or self._hand_over(least):
            return
        self._claim(least, place)

    def _least(self, trace: Trace, outcome: BlackboxRun) -> Trace | None:
        """The least trace with that breach at that place; None if nothing hangs on what it loads."""
        seen = outcome.seen[outcome.last]
        decides = seen.breach in DECIDE

        def fails(candidate: Trace) -> bool:
            other = self._run(candidate)
            if other.code != outcome.code or other.seen[other.last].breach_pc != seen.breach_pc:
                return False
            return not decides or self._hangs_on_it(candidate)

        if not fails(trace):
            return None
        least = shrink(trace, fails, REPLAYS, cost).trace
        return only_taken(least, self._run(least))

    def _hangs_on_it(self, trace: Trace) -> bool:
        """Whether the target does something else where other bytes are in memory that it did not write."""
        ways = []
        for salt in SALTS:
            self._run(trace, salt, HELD | IN_FULL)
            ways.append([(*event[:2], *event[3:]) for event in self._twin.events()])
        return any(way != ways[0] for way in ways)

    def _claim(self, trace: Trace, place: int) -> None:
        loud, self._twin.header.quiet[:] = list(self._twin.header.quiet), [0] * len(self._twin.header.quiet)
        try:
            self._twin.header.observed = HELD
            if not run_trace(self._twin, trace, self._promises).reasons:
                return
            shown = Shown(describe(self._twin, trace, self._promises, frozenset()), trace)
            with self._explaining():
                found = self._explainer.of_breach(shown, place)
        finally:
            self._twin.header.quiet[:] = loud
        where = (found.finding.place.file, found.finding.place.line) if found.finding.place else ("", place)
        if where not in self._named | self._explainer.named:
            self._named.add(where)
            self._show(found)
