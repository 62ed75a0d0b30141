"""Planted concurrency faults hunted by schedules: what each is found as, and the replay that shows it again."""

import shlex
import tempfile
from pathlib import Path

from heapster.checkers.mutation.race_faults import Fault, plant
from heapster.checkers.races.replay import format_replay, parse_replay
from heapster.checkers.races.search import Plan, races
from heapster.checkers.targets.source import source_in

SCHEDULES = 20_000


def hunt(fault: Fault, seed: int = 0) -> tuple[str, str] | None:
    """The code that a planted fault is found as, and its replay string, of any version; None if it is missed."""
    with tempfile.TemporaryDirectory(prefix="heapster-") as folder:
        run = races(Plan(schedules=SCHEDULES, seed=seed), source_in(plant(fault, Path(folder))))
    if not run.findings:
        return None
    what = parse_replay(shlex.split(run.findings[0].replay)[2])
    return run.findings[0].code, format_replay(what._replace(version=""))
