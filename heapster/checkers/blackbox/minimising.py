"""A corpus made small: fewer and shorter traces, the same edges. What somebody has put there stays as it is."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.corpus import Corpus, is_ours
from heapster.checkers.blackbox.generator import HUGE, TOO_MUCH
from heapster.checkers.blackbox.guiding import traced
from heapster.checkers.blackbox.judge import STEPS, Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.shrink import SLOW, cost
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.fuzz.shrink import shrink
from heapster.checkers.targets.opening import resolve
from heapster.model.operation import Trace
from heapster.model.operations import REQUESTS, requested

REPLAYS = 120                   # of each trace that stays, to make it shorter; of longer ones fewer

Edges = frozenset[int]


class CorpusSize(NamedTuple):
    """Of a corpus."""

    traces: int
    steps: int


class Minimised(NamedTuple):
    """What has become of a corpus."""

    before: CorpusSize
    after: CorpusSize
    edges: int


def minimise(options: ForeignOptions, corpus: Corpus) -> Minimised:
    """Leave of the traces that runs have added as few and as short ones as take the same edges."""
    target = resolve(options)
    corpus.check_target(target.verbs, str(options.target))
    with Judge(judge_program(target.bits), traced(target)) as judge:
        promises = learn(judge, options.alignment).promises

        def edges_of(trace: Trace) -> Edges:
            run_trace(judge, tuple(step for step in trace if step.verb in STEPS), promises)
            return frozenset(judge.edges())

        own = {kept.trace: edges_of(kept.trace) for kept in corpus.traces if not is_ours(kept.path)}
        others = {kept.trace: edges_of(kept.trace) for kept in corpus.traces if is_ours(kept.path)}
        taken = _all(own.values())
        chosen = _shortened(_fewest(others, taken), taken, edges_of)
    corpus.replace_ours(chosen)
    return Minimised(_size(kept.trace for kept in corpus.traces), _size([*own, *chosen]),
                     len(taken | _all(others.values())))


def _fewest(traces: Mapping[Trace, Edges], taken: Edges) -> dict[Trace, Edges]:
    """Of the traces as many as take all edges that are not taken yet: always the one that takes most, or is shorter."""
    chosen: dict[Trace, Edges] = {}
    while left := {trace: edges for trace, edges in traces.items() if edges - taken}:
        best = max(left, key=lambda trace: (len(left[trace] - taken), -len(trace)))
        chosen[best] = left[best]
        taken |= left[best]
    return chosen


def _shortened(chosen: dict[Trace, Edges], taken: Edges, edges_of: Callable[[Trace], Edges]) -> dict[Trace, Edges]:
    """The traces, each as short as takes the edges that are taken by no other."""
    for trace in tuple(chosen):
        needed = chosen.pop(trace) - taken - _all(chosen.values())

        def still(candidate: Trace, needed: Edges = needed) -> bool:
            return needed <= edges_of(candidate)

        least = shrink(trace, still, REPLAYS, _cost).trace
        chosen[least] = edges_of(least)
    return chosen


def _cost(trace: Trace) -> float:
    """What a replay costs: far more where gigabytes might be had, and written to."""
    large = sum(HUGE <= requested(step) < TOO_MUCH for step in trace if step.verb in REQUESTS)
    return cost(trace) + SLOW * large


def _all(edges: Iterable[Edges]) -> Edges:
    return frozenset().union(*edges)


def _size(traces: Iterable[Trace]) -> CorpusSize:
    lengths = [len(trace) for trace in traces]
    return CorpusSize(len(lengths), sum(lengths))
