"""A campaign whose lines are counted: what the judge loads is compiled with counters, which are read at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from heapster.checkers.blackbox.build import cache_folder
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.targets.coverage import COBERTURA, PAGE, Counting, Coverage
from heapster.checkers.targets.edges import FLAG
from heapster.results import Run, TargetError

MOST_RANGES = 12                # of a file, that are told in a line
NO_SOURCES = ("--coverage counts lines of sources, and of {} there are none: give the C sources "
              "(mm.c, or a description whose `sources` names them)")


class Covering(NamedTuple):
    """A campaign's target; if it is counted, by what, and where the pages go."""

    target: ForeignTarget
    counting: Counting | None = None
    pages: Path = Path()

    def told(self, run: Run) -> Run:
        """The run, with what was run of the sources if that was counted: figures, and what was never reached."""
        if self.counting is None:
            return run
        coverage = self.counting.read()
        silent = [*run.extra.get("not_checked", ()), *_not_reached(coverage)]
        return replace(run, extra={**run.extra, "coverage": _figures(coverage, self.pages), "not_checked": silent})


@contextmanager
def covering(target: ForeignTarget, pages: Path | None) -> Iterator[Covering]:
    """The target as it is; where pages are asked for, compiled with counters: TargetError if it has no sources.

    What is counted tells its edges as well, so that what is guided by them counts.
    """
    if pages is None:
        yield Covering(target)
        return
    ingredients = target.ingredients
    own = [source for source in ingredients.sources if Path(source).parent != cache_folder()] if ingredients else []
    if ingredients is None or not own:
        raise TargetError(NO_SOURCES.format(target.name))
    with TemporaryDirectory(dir=cache_folder(), prefix="counted-") as name:
        counting = Counting(ingredients, own, Path(name).resolve(), pages, (FLAG,))
        counted = replace(target, path=str(counting.made), counters=counting.made.parent, traced=True)
        yield Covering(counted, counting, pages)


def _figures(coverage: Coverage, pages: Path) -> dict[str, object]:
    figures = {name: {"covered": covered, "total": total} for name, (covered, total) in
               zip(("lines", "branches", "functions"), coverage, strict=False)}
    unreached = [{"file": gap.file, "first": gap.first, "last": gap.last, "function": gap.function}
                 for gap in coverage.unreached]
    return {**figures, "unreached": unreached, "page": str(pages / PAGE), "cobertura": str(pages / COBERTURA)}


def _not_reached(coverage: Coverage) -> Iterator[str]:
    """A line for each file that has lines which were never reached."""
    for file, gaps in groupby(coverage.unreached, lambda gap: gap.file):
        told = [str(gap) for gap in gaps]
        more = f" and {len(told) - MOST_RANGES} ranges more" if len(told) > MOST_RANGES else ""
        yield f"{file}: {', '.join(told[:MOST_RANGES])}{more}: lines that were never run"
