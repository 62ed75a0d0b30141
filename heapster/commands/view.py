"""`heapster view`."""

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from click.core import ParameterSource

from heapster.checkers.findings.store import Store
from heapster.checkers.lockstep.heap_history import Page, Passage, compared
from heapster.checkers.replay.source import STEPS, source
from heapster.checkers.targets.kinds import is_there
from heapster.checkers.traces.compact import Compact, compact
from heapster.checkers.traces.reading import find_trace, read_trace
from heapster.commands.kept import settings_named, trace_named
from heapster.reports.output import warn
from heapster.reports.timeline import journey
from heapster.reports.view import Screen, live, show
from heapster.results import UsageError

TICK = 0.1                      # seconds between steps when playing
HINT = "← → step  space play  s c g next split, coalesce, growth (S C G: before)  Home End  q quit"
KEYS = {"\x1b[C": "next", "\x1b[D": "back", "l": "next", "h": "back", "n": "next", "p": "back", " ": "play",
        "\x1b[H": "first", "\x1b[F": "last", "\x1b[1~": "first", "\x1b[4~": "last", "q": "quit", "\x1b": "quit",
        "\x03": "quit", "": "quit"}
EVENTS = {"s": "split", "c": "coalesce", "g": "growth"}


def command(trace: str, at: int | None, policy: tuple[str, ...] | None, store: str, target: str | None = None) -> int:
    """Show the heap of a trace in the terminal, step by step."""
    if policy and len(policy) > 1 and click.get_current_context().get_parameter_source(
            "policy") is ParameterSource.COMMANDLINE:
        raise UsageError(f"--policy names {len(policy)}, and one heap is shown: name one")
    chosen, steps = (policy or ("",))[0], _steps(trace_named(trace, store))
    if at is not None and at > len(steps):
        raise UsageError(f"--at {at}: the trace has steps 1 to {len(steps)}")
    passage = Passage(steps, chosen, settings=settings_named(trace, store, target, "view"))
    if not (last := passage.last(at or len(steps))):
        raise UsageError("the first step misuses the heap")
    if at is not None and at > last:
        raise UsageError(f"--at {at}: the run ends at step {last}")
    viewer = _Viewer(passage, last, len(steps))
    if sys.stdin.isatty() and sys.stdout.isatty():
        with _raw_keys():
            live(viewer.frames())
    else:
        show(viewer.shown())
    return 0


def _steps(text: str) -> Compact:
    if any(sign in text for sign in STEPS) and not is_there(text):
        return compact(source(text, Store(Path(), warn)).trace)
    return read_trace(find_trace(text))


class _Viewer:
    """Where in the trace we are."""

    def __init__(self, passage: Passage, number: int, length: int) -> None:
        self.passage, self.number, self.length = passage, number, length

    def shown(self, hint: str = "") -> Screen:
        """This step."""
        page = self._page(self.number)
        moment = page.moments[self.number - page.first]
        steps = [moment.step for moment in page.moments]
        return Screen(moment.heap, self.number, steps, page.first, self.length, moment.heap.policy,
                      page.live_names(self.number), moment.problem, hint)

    def _page(self, number: int) -> Page:
        page = self.passage.page(number)
        assert page is not None, "where we are there is a step"
        return page

    def frames(self) -> Iterator[Screen]:
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
        self.number = self.passage.last(max(1, wanted))
        return self.number == wanted

    def act(self, action: str, key: str) -> None:
        """Do what a key says."""
        if action in ("next", "back"):
            self.move(1 if action == "next" else -1)
        elif action in ("first", "last"):
            self.number = 1 if action == "first" else self.passage.last(self.length)
        elif key.lower() in EVENTS:
            self.jump(EVENTS[key.lower()], back=key.isupper())

    def jump(self, event: str, *, back: bool) -> None:
        """Go to the next step, or the one before, where that happened; stay if there is none."""
        page: Page | None = self._page(self.number)
        while page:
            on_the_way = [n for n in _events(page, event) if (n < self.number if back else n > self.number)]
            if on_the_way:
                self.number = max(on_the_way) if back else min(on_the_way)
                return
            beyond = page.first - 1 if back else page.first + len(page.moments)
            page = self.passage.page(beyond) if beyond else None


def _events(page: Page, event: str) -> list[int]:
    """The steps of a page where that happened."""
    start = [page.before] if page.before else []
    (lane,) = journey("", {"": compared([*start, *page.moments])}).lanes
    return [page.first - 1 - len(start) + index for index in lane.events[event] if index > len(start)]


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
