"""The command line of `heapster view`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.commands.options import done_by, drawn_target, option


@click.command("view", epilog="Examples: heapster view 'a = malloc(40); free(a)'; heapster view t --policy best_fit")
@click.argument("trace", metavar="FILE|TRACE|NAME|ID")
@click.option("--at", type=click.IntRange(1), metavar="K",
              help="The step to show, counted from 1.  [default: the last]")
@drawn_target
@option("policy")
@option("store", FOLDER)
@done_by("view")
def command() -> None:
    """Show the heap of a trace in the terminal, step by step.

    On a terminal, keys travel through it; else the heap after one step is printed.
    """
