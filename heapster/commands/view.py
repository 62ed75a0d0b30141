"""`heapster view`."""

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import click

from heapster.checkers.moments import Moment, Steps, live_names, predicted
from heapster.checkers.replay import STEPS, source
from heapster.checkers.store import Store
from heapster.checkers.traces.reading import find_trace, read_trace
from heapster.commands.options import option
from heapster.reports.output import warn
from heapster.reports.timeline import Lane, journey
from heapster.reports.view import Shown, live, show
from heapster.results import UsageError

WINDOW = 4_000                  # steps that are kept, around the one that is asked for
TICK = 0.1                      # seconds between steps when playing
HINT = "← → step  space play  s c g next split, coalesce, growth (S C G: before)  Home End  q quit"
KEYS = {"\x1b[C": "next", "\x1b[D": "back", "l": "next", "h": "back", "n": "next", "p": "back", " ": "play",
        "\x1b[H": "first", "\x1b[F": "last", "\x1b[1~": "first", "\x1b[4~": "last", "q": "quit", "\x1b": "quit",
        "\x03": "quit", "": "quit"}
EVENTS = {"s": "split", "c": "coalesce", "g": "growth"}


@click.command("view", epilog="Examples: heapster view 'a = malloc(40); free(a)'; heapster view t --policy best_fit")
@click.argument("trace", metavar="FILE|TRACE|NAME")
@click.option("--at", type=click.IntRange(1), metavar="K",
              help="The step to show, counted from 1.  [default: the last]")
@option("policy")
def command(trace: str, at: int | None, policy: tuple[str, ...] | None) -> int:
    """Show the heap of a trace in the terminal, step by step.

    On a terminal, keys travel through it; else the heap after one step is printed.
    """
    chosen = (policy or ("",))[0]
    moments, first = _window(_steps(trace), chosen, at)
    if at is not None and not first <= at < first + len(moments):
        raise UsageError(f"--at {at}: the run ends at step {first + len(moments) - 1}")
    viewer = _Viewer(moments, first, at or first + len(moments) - 1)
    if sys.stdin.isatty() and sys.stdout.isatty():
        with _raw_keys():
            live(viewer.frames())
    else:
        show(viewer.shown())
    return 0


def _steps(text: str) -> Steps:
    if any(sign in text for sign in STEPS) and not Path(text).exists():
        return iter(source(text, Store(Path(), warn)).trace)
    return iter(read_trace(find_trace(text)))


def _window(steps: Steps, policy: str, at: int | None) -> tuple[list[Moment], int]:
    """The moments around step `at`, or the first ones, and the number of the first of them."""
    before = max(0, (at or 0) - WINDOW // 2)
    moments = list(islice(predicted(steps, policy), before, before + WINDOW))
    if not moments:
        raise UsageError(f"--at {at}: the trace is shorter" if before else "the first step misuses the heap")
    return moments, before + 1


class _Viewer:
    """Where in the trace we are."""

    def __init__(self, moments: list[Moment], first: int, number: int) -> None:
        self.moments, self.first, self.number = moments, first, number
        self.steps = [moment.step for moment in moments]
        self.last = first + len(moments) - 1
        self._lane: Lane | None = None

    def shown(self, hint: str = "") -> Shown:
        """This step."""
        index = self.number - self.first
        moment = self.moments[index]
        names = live_names(self.moments[:index + 1], moment.heap)
        return Shown(moment.heap, self.number, self.steps, self.first, moment.heap.policy, names, moment.problem, hint)

    def frames(self) -> Iterator[Shown]:
        """A frame for each key, until one says to leave."""
        playing = False
        while True:
            yield self.shown(HINT)
            key = _key(TICK if playing else None)
            if key is None:
                playing = self.move(1)
                continue
            action = KEYS.get(key, "")
            if action == "quit":
                return
            playing = action == "play" and not playing
            self.act(action, key)

    def move(self, by: int) -> bool:
        """Go some steps; False at the end."""
        wanted = self.number + by
        self.number = max(self.first, min(self.last, wanted))
        return self.number == wanted

    def act(self, action: str, key: str) -> None:
        """Do what a key says."""
        if action in ("next", "back"):
            self.move(1 if action == "next" else -1)
        elif action in ("first", "last"):
            self.number = self.first if action == "first" else self.last
        elif key.lower() in EVENTS:
            self.jump(EVENTS[key.lower()], back=key.isupper())

    def jump(self, event: str, *, back: bool) -> None:
        """Go to the next step, or the one before, where that happened; stay if there is none."""
        if self._lane is None:
            (self._lane,) = journey("", {"": iter(self.moments)}).lanes
        found = [index + self.first - 1 for index in self._lane.events[event]]
        on_the_way = [n for n in found if (n < self.number if back else n > self.number)]
        if on_the_way:
            self.number = max(on_the_way) if back else min(on_the_way)


@contextmanager
def _raw_keys() -> Iterator[None]:
    """Keys arrive as they are pressed; the terminal is as before afterwards."""
    kept = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, kept)


def _key(seconds: float | None) -> str | None:
    """The next key, as the terminal sends it; None if none came in time."""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return os.read(sys.stdin.fileno(), 8).decode(errors="replace") if ready else None
