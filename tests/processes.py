"""Programs that a test starts and signals: with the signals' defaults, whatever our own are, and never left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from heapster import children
from heapster.signals import ENDING

HEAPSTER = (sys.executable, "-m", "heapster")
PATIENCE = 60.0                 # seconds


def _defaults() -> None:
    """Shells let what runs in the background ignore SIGINT, and a child inherits that."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def interruptible(*command: str | Path, **how: Any) -> "Iterator[subprocess.Popen[Any]]":
    """A program to send signals to; it and its session are ended at the end of the block."""
    with subprocess.Popen(command, preexec_fn=_defaults, start_new_session=True, **how) as child:  # noqa: PLW1509
        try:
            yield child
        finally:
            children.end(child)


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that still are."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
    except OSError:
        return []


def descendants_of(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    return [each for child in children_of(pid) for each in (child, *descendants_of(child))]


def wait_for_work(pid: int, seconds: float = 0.3) -> None:
    """Until the children of the process have spent so much time of the processor: its work is handed out."""
    ticks, end = seconds * os.sysconf("SC_CLK_TCK"), monotonic() + PATIENCE
    while sum(map(_ticks, children_of(pid))) < ticks:
        if monotonic() > end:
            raise AssertionError("it does not start")
        sleep(0.05)


def _ticks(pid: int) -> int:
    """The processor time of a process, in ticks of the clock."""
    try:
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]))
    except OSError:
        return 0


def wait_for_child(pid: int) -> int:
    """A child of the process, as soon as it has one."""
    end = monotonic() + PATIENCE
    while monotonic() < end:
        if found := children_of(pid):
            return found[0]
        sleep(0.02)
    raise AssertionError("it starts nobody")


def wait_for_end(pid: int) -> None:
    """Until the process is gone, or a zombie that nobody has asked for."""
    end = monotonic() + PATIENCE
    while monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        sleep(0.02)
    raise AssertionError(f"process {pid} stays")
