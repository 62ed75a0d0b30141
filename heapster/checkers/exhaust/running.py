"""A walk from where it stopped to where it ends or stops again, whatever the engine."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from heapster.checkers.exhaust.frontier import KeptFrontier
from heapster.checkers.exhaust.layers import AnswerWay
from heapster.checkers.exhaust.walking import ScopeWalk, WalkProgress
from heapster.results import Finding


class ExhaustPlan(NamedTuple):
    """A scope to exhaust, and the limits of doing so."""

    calls: int
    sizes: tuple[int, ...] | None       # None: worked out
    seconds: float | None               # of processor time; None: until it is done
    jobs: int
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


def go_on(walk: ScopeWalk, frontier: KeptFrontier, hearing: Hears, is_late: Callable[[], bool],
          listener: Listener) -> Gone:
    """Take up what is kept, and go on; what is not done is kept. Raises Unwritable.

    Of a walk that has strayed nothing is kept.
    """
    stopped, why = frontier.read()
    if why:
        listener.say(why)
    complete = interrupted = False
    try:
        if stopped:
            listener.say(f"goes on with programs of {stopped.layers.depth + 1} calls, from {frontier.path}")
            walk.layers, walk.met = stopped.layers, set(stopped.met)
            for program in stopped.failing:
                hearing.hear(AnswerWay(0, program, 0, spoils=False))
        complete = walk.run(is_late, hearing.hear, listener.progress)
    except KeyboardInterrupt:
        interrupted = True
    if walk.strayed:
        return Gone(complete=False, interrupted=interrupted)
    if complete:
        frontier.remove()
    else:
        walk.stop(frontier, tuple(hearing.failing))
    return Gone(complete, interrupted)
