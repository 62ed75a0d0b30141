"""The command line of `heapster check`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.checkers.targets.capabilities import told
from heapster.commands.options import done_by, option, selection_options


@click.command("check", epilog=f"{told('check')} sim:spans=1 is what is built with spans, sim:spans=0 what is built "
                               "without. Example: heapster check sim:spans=0")
@click.argument("target", required=False, default="sim", metavar="[TARGET]")
@option("seed", 0)
@option("json")
@option("junit")
@selection_options
@option("store", FOLDER)
@done_by("check")
def command() -> None:
    """Every checker at a small budget: for continuous integration. The same seed, the same run."""
