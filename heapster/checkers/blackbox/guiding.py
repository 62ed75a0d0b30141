"""A campaign's guide: a judge of the target that tells its edges, the corpus, and what the two have come to."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from types import TracebackType

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

    def __init__(self, judge: Judge, corpus: Corpus | None) -> None:
        self.judge, self.corpus, self._guide = judge, corpus, Guide()
        self.kept = 0                   # traces that this run has added
        self.silent = corpus.check_target(judge.target.verbs, judge.target.name) if corpus else []

    def given(self, mood: Mood, live_budget: int) -> Iterator[Trace]:
        """The traces of the corpus, as far as the target has them."""
        for kept in self.corpus.traces if self.corpus else ():
            if trace := fitting(kept.trace, widened(mood, self.judge.target.verbs), live_budget, MOST):
                yield trace

    def draw(self, rng: Random, mood: Mood, live_budget: int) -> Trace:
        """A trace for that mood."""
        return self._guide.draw(rng, mood, live_budget)

    def note(self, trace: Trace, *, given: bool = False) -> None:
        """The judge has run the trace: keep it, if it was first to take an edge; one that was `given` lies there."""
        kept = self._guide.note(trace, self.judge.edges())
        if kept and self.corpus and not given:
            self.corpus.keep(kept)
            self.kept += 1

    def figures(self) -> dict[str, object]:
        """What the JSON says of the corpus."""
        if self.corpus is None:
            return {}
        return {"corpus": {"folder": str(self.corpus.folder), "read": len(self.corpus.traces), "added": self.kept,
                           "edges": len(self._guide.edges)}}


class Guiding:
    """The guide of a campaign, as a context. With a corpus it is there from the start: TargetError where it cannot be.

    Without one it comes when it is asked for, to targets whose edges can be told.
    """

    def __init__(self, target: ForeignTarget, folder: Path | None) -> None:
        self._target, self._folder = target, folder
        self.is_asked_for, self.can_be = folder is not None, target.traced or target.ingredients is not None
        self.guidance: Guidance | None = None

    def __enter__(self) -> "Guiding":
        if self._folder is not None:
            corpus = Corpus(self._folder)
            self.guidance = self._opened(corpus)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self.guidance:
            self.guidance.judge.close()

    def opened(self) -> Guidance | None:
        """The guide; None where the target cannot be had with its edges traced."""
        if self.guidance is None:
            with suppress(TargetError):
                self.guidance = self._opened(None)
        return self.guidance

    def _opened(self, corpus: Corpus | None) -> Guidance:
        judge = Judge(judge_program(self._target.bits), traced(self._target))
        try:
            return Guidance(judge, corpus)
        except BaseException:
            judge.close()
            raise

    @property
    def spent(self) -> float:
        """Seconds that its judge worked so far."""
        return self.guidance.judge.spent if self.guidance else 0.0


def traced(target: ForeignTarget) -> ForeignTarget:
    """The target, compiled so that it tells its edges; itself, if it does."""
    if target.traced:
        return target
    if target.ingredients is None:
        raise TargetError(NO_SOURCES.format(target.name))
    made = Path(target.path).with_suffix(".edges.so")
    trace_edges(target.ingredients, made)
    return replace(target, path=str(made), traced=True)
