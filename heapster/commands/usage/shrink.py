"""The command line of `heapster shrink`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.commands.options import done_by, option

REPLAYS = 20_000


@click.command("shrink")
@click.argument("identity", metavar="ID")
@option("replays", REPLAYS)
@option("json")
@option("store", FOLDER)
@done_by("shrink")
def command() -> None:
    """Go on shrinking a kept finding, named by its id or the start of it.

    A run shrinks what it finds only as far as it has replays to spare, and says "not shrunk" of the rest.
    Interrupted, it keeps the shortest trace so far. What no longer fails stays as it is.
    """
