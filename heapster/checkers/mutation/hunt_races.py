"""Planted concurrency faults hunted by schedules: what each is found as, and the replay that shows it again."""

import shlex

from heapster.checkers.mutation.fault import Fault, Kill, planted
from heapster.checkers.races.replay import format_replay, parse_replay
from heapster.checkers.races.search import SearchPlan
from heapster.checkers.races.searching import races

SCHEDULES = 20_000


def hunt(fault: Fault, seed: int = 0) -> Kill:
    """The code that a planted fault is found as, and its replay string, of any version."""
    run = races(SearchPlan(schedules=fault.budget or SCHEDULES, seed=seed), planted(fault))
    if not run.findings:
        return Kill(fault)
    what = parse_replay(shlex.split(run.findings[0].replay)[2])
    return Kill(fault, (run.findings[0].code,), (format_replay(what._replace(version="")),))
