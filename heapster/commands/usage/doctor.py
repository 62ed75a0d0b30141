"""The command line of `heapster doctor`."""

import click

from heapster.commands.options import done_by


@click.command("doctor")
@done_by("doctor")
def command() -> None:
    """What Heapster needs, which versions are here, and what is missing."""
