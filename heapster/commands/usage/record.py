"""The command line of `heapster record`."""

import click

from heapster.checkers.traces.writing import FORMATS
from heapster.commands.options import FilePath, done_by, library_options, option


@click.command("record", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
               epilog="Example: heapster record -o python.trace -- python3 -c 'print(sum(range(10)))'")
@click.option("-o", "--output", metavar="FILE", required=True, type=FilePath(folder=False),
              help="Where the trace goes; processes that it starts go to FILE.1, FILE.2, ... with --all.")
@click.option("--format", "kind", type=click.Choice(FORMATS), default="binary", show_default=True)
@click.option("--all", "everyone", is_flag=True, help="Record the processes that the program starts, too.")
@click.option("--on", "server", type=click.Choice(("libc", "heapster")), default="libc", show_default=True,
              help="Whose malloc serves the program meanwhile.")
@option("json")
@click.option("--html", metavar="FILE", help="Write a page of the call sites: which stacks hold the memory.")
@library_options
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] CMD...")
@done_by("record")
def command() -> None:
    """Record every allocation of a program as a trace. Its exit code is the program's.

    Threads, sizes, alignments and order are kept; what was recorded stays, however the program ends. --json and
    --html also tell which stacks made its blocks, and hold the memory at the peak; reading stacks makes it slower.
    """
