"""Walks from where they stopped to where they end or stop again, whatever the engine."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from heapster.checkers.exhaust.frontier import KeptFrontier
from heapster.checkers.exhaust.layers import AnswerWay
from heapster.checkers.exhaust.walking import ScopeWalk, WalkProgress, run_all
from heapster.checkers.jobs.local import ALONE
from heapster.checkers.jobs.pool import Pool
from heapster.results import Finding
from heapster.wording import counted


class ExhaustPlan(NamedTuple):
    """A scope to exhaust, and the limits of doing so."""

    calls: int
    sizes: tuple[int, ...] | None       # None: worked out
    seconds: float | None               # of processor time; None: until it is done
    pool: Pool = ALONE
    refusals: bool = True


class Listener(NamedTuple):
    """Who is told of a run as it goes."""

    announce: Callable[[Finding], None]
    say: Callable[[str], None]          # a line for people
    progress: Callable[[WalkProgress], None]


class Hears(Protocol):
    """Judges each way to answer once."""

    failing: list[tuple[int, ...]]      # the programs that showed something

    def hear(self, way: AnswerWay) -> None:
        """Judge a way by the program that showed it first."""


class Gone(NamedTuple):
    """How far a walk has gone."""

    complete: bool
    interrupted: bool


class KeptWalk(NamedTuple):
    """A walk, and where it is kept while it is not over."""

    walk: ScopeWalk
    frontier: KeptFrontier


def go_on(kept: Sequence[KeptWalk], hearing: Hears, is_late: Callable[[], bool], listener: Listener) -> Gone:
    """Take up what is kept, and go on; if something is not done, all walks are kept. Raises Unwritable.

    Of walks of which one has strayed nothing is kept.
    """
    complete = interrupted = False
    try:
        for walk, frontier in kept:
            _take_up(walk, frontier, hearing, listener)
        complete = run_all([walk for walk, _ in kept], is_late, hearing.hear, listener.progress)
    except KeyboardInterrupt:
        interrupted = True
    if any(walk.strayed for walk, _ in kept):
        return Gone(complete=False, interrupted=interrupted)
    for walk, frontier in kept:
        if complete:
            frontier.remove()
        else:
            walk.stop(frontier, tuple(hearing.failing))
    return Gone(complete, interrupted)


def _take_up(walk: ScopeWalk, frontier: KeptFrontier, hearing: Hears, listener: Listener) -> None:
    stopped, why = frontier.read()
    if why:
        listener.say(why)
    if stopped is None:
        return
    walk.layers = stopped.layers
    walk.met |= stopped.met
    if not walk.is_over:
        listener.say(f"goes on with programs of {counted(stopped.layers.depth + 1, 'call')}, from {frontier.path}")
    for program in stopped.failing:
        hearing.hear(AnswerWay(0, program, 0, spoils=False))
