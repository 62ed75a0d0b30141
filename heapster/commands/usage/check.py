"""The command line of `heapster check`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.commands.options import done_by, option, selection_options


@click.command("check")
@option("seed", 0)
@option("json")
@option("junit")
@selection_options
@option("store", FOLDER)
@done_by("check")
def command() -> None:
    """Every checker at a small budget: for continuous integration. The same seed, the same run."""
