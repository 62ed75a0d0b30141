"""Targets as contestants: their compiled functions, and what these promise."""

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.score.driver import Contestant
from heapster.checkers.targets.opening import resolve
from heapster.checkers.targets.target import Target


def contestant(target: Target, prefix: str | None = None) -> Contestant:
    """The target, of which is learnt what it promises."""
    found = resolve(ForeignOptions(target, prefix=prefix))
    with Judge(judge_program(found.bits), found) as bench:
        promises = learn(bench, None).promises
        return Contestant(target, found, promises, bench.header.granule)
