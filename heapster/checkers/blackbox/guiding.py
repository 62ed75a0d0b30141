"""A campaign's guide: a judge of the target that tells its edges, the corpus, and what the two have come to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.changing import fitting
from heapster.checkers.blackbox.corpus import MOST, Corpus
from heapster.checkers.blackbox.generator import Mood
from heapster.checkers.blackbox.guided import Guide, widened
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.targets.edges import FLAG, trace_edges
from heapster.model.operation import Trace
from heapster.results import TargetError

NO_SOURCES = ("--corpus is for targets whose edges can be told, and of {} there are no sources: give the C sources "
              f"(mm.c), or build it with {FLAG}")


class Guidance:
    """What guides a campaign."""

    def __init__(self, judge: Judge, corpus: Corpus) -> None:
        self.judge, self.corpus, self._guide = judge, corpus, Guide()
        self.kept = 0                   # traces that this run has added
        self.silent = corpus.check_target(judge.target.verbs, judge.target.name)

    def given(self, mood: Mood, live_budget: int) -> Iterator[Trace]:
        """The traces of the corpus, as far as the target has them."""
        for kept in self.corpus.traces:
            if trace := fitting(kept.trace, widened(mood, self.judge.target.verbs), live_budget, MOST):
                yield trace

    def draw(self, rng: Random, mood: Mood, live_budget: int) -> Trace:
        """A trace for that mood."""
        return self._guide.draw(rng, mood, live_budget)

    def note(self, trace: Trace, *, given: bool = False) -> None:
        """The judge has run the trace: keep it, if it was first to take an edge; one that was `given` lies there."""
        kept = self._guide.note(trace, self.judge.edges())
        if kept and not given:
            self.corpus.keep(kept)
            self.kept += 1

    def figures(self) -> dict[str, object]:
        """What the JSON says of it."""
        return {"folder": str(self.corpus.folder), "read": len(self.corpus.traces), "added": self.kept,
                "edges": len(self._guide.edges)}


@contextmanager
def guiding(target: ForeignTarget, folder: Path | None) -> Iterator[Guidance | None]:
    """The guide of a campaign that has a corpus. TargetError where the target cannot tell its edges."""
    if folder is None:
        yield None
        return
    corpus = Corpus(folder)
    with Judge(judge_program(target.bits), traced(target)) as judge:
        yield Guidance(judge, corpus)


def traced(target: ForeignTarget) -> ForeignTarget:
    """The target, compiled so that it tells its edges; itself, if it does."""
    if target.traced:
        return target
    if target.ingredients is None:
        raise TargetError(NO_SOURCES.format(target.name))
    made = Path(target.path).with_suffix(".edges.so")
    trace_edges(target.ingredients, made)
    return replace(target, path=str(made), traced=True)
