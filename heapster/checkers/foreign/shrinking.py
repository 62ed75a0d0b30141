"""A kept finding of a stranger's allocator, shrunk further than the run that found it could."""

from dataclasses import replace

from heapster.checkers.foreign.build import judge_program
from heapster.checkers.foreign.judge import Judge
from heapster.checkers.foreign.keeping import Keeper
from heapster.checkers.foreign.known import LEAK
from heapster.checkers.foreign.least import cost
from heapster.checkers.foreign.options import remember, resolve
from heapster.checkers.foreign.policies import learn
from heapster.checkers.foreign.precise import run_trace
from heapster.checkers.foreign.present import describe, only_taken
from heapster.checkers.foreign.pursuit import Shown
from heapster.checkers.foreign.replaying import remembered
from heapster.checkers.foreign.volume import grows
from heapster.checkers.shrinking import Further, search
from heapster.checkers.store import Kept, Store
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
    keeper = Keeper(store, store.folder, target, options.compiler,
                    lambda place, one: remember(place, options, one.repeat, tuple(told["race"])))
    finding = keeper.keep(shown, promises)
    if finding.id != kept.finding.id:
        store.drop(kept.finding.id)
    return Further(finding, replays, interrupted)


def _one_trace(judge: Judge, trace: Trace, kept: Kept, promises: Promises,
               budget: int) -> tuple[Shown | None, int, bool]:
    code = run_trace(judge, trace, promises).code
    if code != kept.finding.code and not (code and kept.finding.code == "usable_too_large"):
        return None, 1, False
    found = search(trace, lambda candidate: run_trace(judge, candidate, promises).code == code, budget, cost)
    least = only_taken(found.shrunk.trace, run_trace(judge, found.shrunk.trace, promises))
    finding = describe(judge, least, promises, UNMASKED, shrunk=found.shrunk.at_rest)
    return Shown(replace(finding, code=kept.finding.code), least), found.replays, found.interrupted


def _steady_work(judge: Judge, trace: Trace, kept: Kept, promises: Promises,
                 budget: int) -> tuple[Shown | None, int, bool]:
    del kept, promises
    grown, _ = grows(judge, trace, budget)
    return (Shown(grown.finding, grown.trace, grown.repeat) if grown else None), budget, False
