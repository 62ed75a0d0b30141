"""The command line of `heapster races`."""

import click

from heapster.checkers.targets.capabilities import told
from heapster.commands.options import done_by, option, target


@click.command("races", epilog=told("races"))
@target()
@option("threads", 2)
@option("ops", 3)
@option("schedules")
@option("seconds")
@option("strategy", "dfs")
@option("bound", 2)
@option("seed")
@option("json")
@option("junit")
@done_by("races")
def command() -> None:
    """Run small programs of several threads under one schedule after another, chosen and repeatable.

    A written list of programs comes first, then generated ones. Atomics meet a weak memory: a load may answer
    an old write, as its order allows. What was explored is said exactly.
    """
