"""How far a run is, on stderr: a bar on a terminal, elsewhere a line every ten seconds."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from heapster.reports.output import STEP_ASIDE, note

BETWEEN_LINES = 10.0            # seconds


class Meter:
    """Shows how far something is; nothing is left of a bar."""

    def __init__(self, what: str, clock: Callable[[], float] = monotonic) -> None:
        self._what, self._clock = what, clock
        self._last = clock()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            console = Console(stderr=True)
            STEP_ASIDE.append(self._aside)
            self._bar = Progress(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
                                 TimeRemainingColumn(), console=console, auto_refresh=False, transient=True,
                                 redirect_stdout=False)
            self._bar.start()
            self._bar.add_task(self._what, total=1.0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._bar:
            STEP_ASIDE.remove(self._aside)
            self._bar.stop()

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Take the bar away meanwhile."""
        assert self._bar
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()

    def show(self, fraction: float | None, state: str) -> None:
        """The run is done to this fraction, None if nobody knows; `state` in a few words."""
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=min(fraction or 0.0, 1.0),
                             description=f"{self._what}: {state}", refresh=True)
        elif self._clock() - self._last >= BETWEEN_LINES:
            self._last = self._clock()
            done = f"{min(fraction, 1.0):.0%}, " if fraction is not None else ""
            note(f"{self._what}: {done}{state}")

    def tell(self, text: str) -> None:
        """Something that cannot wait for the results; it stays to be read."""
        with self._aside() if self._bar else nullcontext():
            note(text)

    def close(self, state: str) -> None:
        """The run is over; `state` stays to be read."""
        self.__exit__(None, None, None)
        self._bar = None
        note(f"{self._what}: {state}")
