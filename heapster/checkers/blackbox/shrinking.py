"""A kept finding of a stranger's allocator, shrunk further than the run that found it could."""

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.codes import BY_CAUSE
from heapster.checkers.blackbox.describe import by_code, describe, only_taken
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.known_faults import LEAK
from heapster.checkers.blackbox.options import remember
from heapster.checkers.blackbox.persist import Keeper
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.pursuit import Shown
from heapster.checkers.blackbox.replaying import remembered
from heapster.checkers.blackbox.shrink import cost
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.blackbox.volume import grows
from heapster.checkers.findings.shrink_further import Further, search
from heapster.checkers.findings.store import Kept, Store
from heapster.checkers.targets.opening import resolve
from heapster.model.operation import Trace
from heapster.model.spec import Promises
from heapster.model.trace import parse

UNMASKED: frozenset[tuple[str, str]] = frozenset()


def shrink_kept(kept: Kept, budget: int, store: Store) -> Further:
    """Shrink a finding of somebody else's allocator, and keep what comes of it in its place."""
    options, told = remembered(kept)
    target = resolve(options)
    trace = parse("\n".join(line for line in kept.finding.trace if not line.startswith("#")))
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, options.alignment).promises
        shrink = _steady_work if kept.finding.code == LEAK else _one_trace
        shown, replays, interrupted = shrink(judge, trace, kept, promises, budget)
    if shown is None:
        return Further(None, replays)
    keeper = Keeper(store, store.folder, options, target,
                    lambda place, one: remember(place, options, one.repeat, tuple(told["race"])))
    finding = keeper.keep(shown, promises)
    if finding.id != kept.finding.id:
        store.drop(kept.finding.id)
    return Further(finding, replays, interrupted)


def _one_trace(judge: Judge, trace: Trace, kept: Kept, promises: Promises,
               budget: int) -> tuple[Shown | None, int, bool]:
    code = run_trace(judge, trace, promises).code
    if code != kept.finding.code and not (code and kept.finding.code in BY_CAUSE):
        return None, 1, False
    found = search(trace, lambda candidate: run_trace(judge, candidate, promises).code == code, budget, cost)
    least = only_taken(found.shrunk.trace, run_trace(judge, found.shrunk.trace, promises))
    finding = describe(judge, least, promises, UNMASKED, shrunk=found.shrunk.at_rest)
    return Shown(by_code(finding, judge.target.name, kept.finding.code), least), found.replays, found.interrupted


def _steady_work(judge: Judge, trace: Trace, kept: Kept, promises: Promises,
                 budget: int) -> tuple[Shown | None, int, bool]:
    del kept, promises
    grown = grows(judge, trace, budget).growth
    return (Shown(grown.finding, grown.trace, grown.repeat) if grown else None), budget, False
