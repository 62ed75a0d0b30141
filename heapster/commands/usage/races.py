"""The command line of `heapster races`."""

import click

from heapster.checkers.targets.capabilities import told
from heapster.commands.options import done_by, jobs_option, option, selection_options, target


@click.command("races", epilog=f"{told('races')} C sources that belong together are named one after the other.")
@target()
@click.argument("more", nargs=-1, metavar="[MORE.c]...")
@option("threads", 2)
@option("ops", 3)
@option("schedules")
@option("seconds")
@option("scheduler")
@jobs_option("Children that explore at once; what is found does not depend on them.  "
             "[default: the cores there are]")
@option("strategy", "dfs")
@option("bound", 2)
@option("seed")
@option("prefix")
@option("cc")
@option("cflags")
@option("build")
@option("json")
@option("junit")
@selection_options
@done_by("races")
def command() -> None:
    """Run small programs of several threads under one schedule after another, chosen and repeatable.

    A written list of programs comes first, then generated ones. Atomics meet a weak memory: a load may answer
    an old write, as its order allows. What was explored is said exactly.
    """
