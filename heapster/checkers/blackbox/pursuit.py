"""From a case that fails to a finding: whether it is known, its least trace, its confirmation."""

from collections import Counter
from contextlib import nullcontext
from typing import NamedTuple

from heapster.checkers.blackbox.causes import Causes
from heapster.checkers.blackbox.describe import describe, only_taken
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.known_faults import FATAL, Known, KnownFaults, traits
from heapster.checkers.blackbox.probing import Learnt
from heapster.checkers.blackbox.shrink import QUICK, WHOLE, least_trace
from heapster.checkers.blackbox.stepwise import BlackboxRun, hurried, run_trace
from heapster.checkers.fuzz.shrink import Shrunk
from heapster.model.operation import Trace
from heapster.results import Finding

FEW_STEPS = 4                   # that are not worth more, whatever their numbers
DOUBTS, DOUBT_REPLAYS = 12, 80      # failures that look known are shrunk a little, so many times: they may be others


class Shown(NamedTuple):
    """A finding and all that is needed to show it again."""

    finding: Finding
    trace: Trace
    repeat: int = 1                 # rounds of the trace
    threads: tuple[int, int, int] = (0, 0, 0)       # how many, operations of each, seed
    known: Known | None = None      # the fault, by what it needs, if that was told


class Pursuit:
    """Pursues what fails in one run against one target."""

    def __init__(self, judge: Judge, learnt: Learnt, more_replays: float) -> None:
        self.known, self.duplicates = KnownFaults(), Counter[str]()
        self.found = list[Shown]()              # for whoever pursues to take
        self._judge, self._promises = judge, learnt.promises
        self._more_replays = more_replays       # for traces that stay long, all together
        self._doubts = DOUBTS

    def pursue(self, trace: Trace, outcome: BlackboxRun) -> None:
        """Make a finding of a trace that fails, if it is news."""
        code, verb = outcome.code, trace[-1].verb
        looks_known = self.known.again(code, verb, traits(trace, outcome))
        if self.known.leaked_away(code, trace) or looks_known and (outcome.hung or not self._is_doubtful(code)):
            self.duplicates[code] += 1
            return
        with hurried(self._judge) if outcome.hung else nullcontext():     # what was claimed with patience
            if looks_known and self._is_known(self._least(trace, outcome, DOUBT_REPLAYS), code):
                self.duplicates[code] += 1
            else:
                self._report(self._least(trace, outcome, QUICK), code)

    def _is_known(self, least: Shrunk, code: str) -> bool:
        """Whether what looks known still does when it is shorter."""
        outcome = run_trace(self._judge, least.trace, self._promises, self.known.masked)
        has = traits(least.trace, outcome)
        known = Known.of(code, least.trace, has)
        return outcome.code != code or self.known.same_shape(known) or self.known.again(code, known.verb, has)

    def _is_doubtful(self, code: str) -> bool:
        """Whether what looks known shall be looked at all the same."""
        if code not in FATAL or self._doubts == 0:
            return False
        self._doubts -= 1
        return True

    def _least(self, trace: Trace, outcome: BlackboxRun, replays: float) -> Shrunk:
        least = least_trace(self._judge, trace, outcome, self._promises, self.known.masked, replays)
        if least.at_rest or replays < QUICK or len(least.trace) <= FEW_STEPS or self._more_replays < QUICK:
            return least
        more = min(WHOLE, self._more_replays)
        self._more_replays -= more
        return least_trace(self._judge, least.trace, outcome, self._promises, self.known.masked, more)

    def _report(self, least: Shrunk, code: str) -> None:
        outcome = run_trace(self._judge, least.trace, self._promises, self.known.masked)
        if outcome.code != code:
            return                          # it does not fail each time: nothing is claimed
        trace = only_taken(least.trace, outcome)
        known = Known.of(code, trace, traits(trace, outcome), hung=outcome.hung)
        if self.known.same_shape(known):
            self.repeated(known)
            return
        finding = describe(self._judge, trace, self._promises, self.known.masked, shrunk=least.at_rest)
        finding = Causes(self._judge, self._promises, self.known.masked).named(finding, trace)
        known = known._replace(code=finding.code)
        if self.known.is_one_with(known):
            self.repeated(known)
            return
        self.add(Shown(finding, trace), known)

    def repeated(self, known: Known) -> None:
        """Note a fault that is one of the known."""
        self.known.add(known)
        self.duplicates[known.code] += 1

    def add(self, shown: Shown, known: Known) -> None:
        """Note a finding, and know its fault from now on."""
        self.known.add(known)
        self.found.append(shown._replace(known=known))
