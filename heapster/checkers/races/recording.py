"""A run replayed with everything noted: who did what, from which lines of the source."""

import inspect
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from greenlet import GreenletExit

from heapster.checkers.races.replay import ScheduleReplay
from heapster.checkers.races.schedulers.replay import Follow
from heapster.checkers.races.session import ScheduleRun, Session
from heapster.checkers.targets.source import Source
from heapster.machine.checked_memory import OUTSIDE
from heapster.machine.orders import ATOMICS
from heapster.machine.protocol import SYSTEM_CALLS
from heapster.machine.simulated import BREAK
from heapster.machine.traced import BREAK_OBJECT, MAPPINGS_OBJECT, Traced

Stack = tuple[str, ...]             # "arena.py:88 acquire", innermost first; empty for the caller's own access


class AccessRow(NamedTuple):
    """One access."""

    step: int
    thread: int
    kind: str
    target: int
    stack: Stack
    failed: bool                    # it never came back
    old: bool = False               # it met an older write than the newest
    order: str = ""                 # of an atomic, where its kind does not name it


NOTED = {"load": None, "store": None, **dict.fromkeys(ATOMICS), "copy": None, "fill": None,
         "lock": None, "unlock": None, **dict.fromkeys(SYSTEM_CALLS, MAPPINGS_OBJECT), "sbrk": BREAK_OBJECT}


def record(source: Source, replay: ScheduleReplay) -> tuple[ScheduleRun, list[AccessRow]]:
    """The outcome of the replay and every shared access of it, in order."""
    rows: list[AccessRow] = []
    session = Session(replay.program, source)
    outcome = session.run(Follow(replay.segments, replay.old), _recorder(source.root, rows))
    return outcome, rows


def _recorder(root: Path, rows: list[AccessRow]) -> type[Traced]:
    """A traced machine that notes every access in `rows`."""
    methods = {name: _noting(name, fixed, str(root), rows) for name, fixed in NOTED.items()}
    return type("Recorder", (Traced,), methods)


def _noting(name: str, fixed: int | None, root: str, rows: list[AccessRow]) -> Callable[..., Any]:
    plain = getattr(Traced, name)

    def noted(self: Traced, *arguments: int) -> Any:
        thread, stack = self.running, _stack(inspect.currentframe(), root)
        target = arguments[0] if fixed is None else fixed
        failed = True
        try:
            answer = plain(self, *arguments)
            failed = False
            return answer
        finally:
            stopped = isinstance(sys.exc_info()[1], GreenletExit)
            if not stopped and not OUTSIDE <= target < BREAK:
                old = name in ATOMICS and not failed and self.back > 0
                rows.append(AccessRow(self.steps, thread, name, target, stack, failed, old))

    return noted


def _stack(frame: FrameType | None, root: str) -> Stack:
    lines = []
    while frame is not None:
        name = _name_in(root, frame.f_code.co_filename)
        if name:
            lines.append(f"{name}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return tuple(lines)


@cache
def _name_in(root: str, filename: str) -> str:
    """The name of a file that lies in the folder `root`, or nothing."""
    path = Path(filename)
    return path.name if str(path.parent) == root else ""
