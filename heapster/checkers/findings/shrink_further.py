"""A kept finding of ours, shrunk further than the run that found it could."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from heapster.checkers.findings.describe import describe
from heapster.checkers.findings.store import Kept, Store
from heapster.checkers.fuzz.shrink import Fails, Shrunk, once, shrink
from heapster.checkers.lockstep.run_trace import rerun
from heapster.checkers.targets.opening import make_for
from heapster.model.operation import Trace
from heapster.model.trace import parse
from heapster.results import Finding


class Further(NamedTuple):
    """How far shrinking went on."""

    finding: Finding | None         # as it is kept now; None if it did not fail any more
    replays: int
    interrupted: bool = False


class ShrinkSearch(NamedTuple):
    """A search for a lesser trace, which may have been interrupted."""

    shrunk: Shrunk
    replays: int
    interrupted: bool


def search(trace: Trace, fails: Fails, budget: float, cost: Callable[[Trace], float] = once) -> ShrinkSearch:
    """The least trace found for that budget; or until it is interrupted, which loses nothing."""
    best, replays = trace, 0

    def counted(candidate: Trace) -> bool:
        nonlocal best, replays
        replays += 1
        if not fails(candidate):
            return False
        best = candidate
        return True

    try:
        return ShrinkSearch(shrink(trace, counted, budget, cost), replays, interrupted=False)
    except KeyboardInterrupt:
        return ShrinkSearch(Shrunk(best, at_rest=False), replays, interrupted=True)


def shrink_kept(kept: Kept, budget: int, store: Store) -> Further:
    """Shrink a finding of our own allocator, and keep what comes of it in its place."""
    make, code = make_for(kept.target), kept.finding.code
    trace = parse("\n".join(kept.finding.trace))
    if code not in rerun(trace, make).codes:
        return Further(None, 1)
    found = search(trace, lambda candidate: code in rerun(candidate, make).codes, budget)
    finding = replace(describe(found.shrunk.trace, code, make, kept.target), shrunk=found.shrunk.at_rest)
    store.keep(finding, kept.target)
    if finding.id != kept.finding.id:
        store.drop(kept.finding.id)
    return Further(finding, found.replays, found.interrupted)
