"""The command line of `heapster explain`."""

import click

from heapster.commands.options import done_by


@click.command("explain")
@click.argument("code", required=False)
@done_by("explain")
def command() -> None:
    """What a finding's code means, how it usually arises, what to look at. Without CODE: all codes."""
