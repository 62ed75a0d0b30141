"""The command line of `heapster explain`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.commands.options import done_by, option


@click.command("explain")
@click.argument("code", required=False, metavar="[CODE|ID]")
@option("store", FOLDER)
@done_by("explain")
def command() -> None:
    """What a finding's code means, how it usually arises, what to look at. Without CODE: all codes.

    The id of a kept finding, or the start of it, stands for its code.
    """
