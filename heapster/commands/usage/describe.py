"""The command line of `heapster describe`."""

from pathlib import Path

import click

from heapster.commands.options import done_by


@click.command("describe", epilog="Example: heapster describe pool.h -o pool.toml; heapster fuzz pool.toml")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.h|FILE.c|LIBRARY.so")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.toml",
              help="Where the draft goes; a file that is there stays.  [default: standard output]")
@done_by("describe")
def command() -> None:
    """Draft the description of a pool or a region allocator, for you to correct.

    Which function takes memory, which gives it back and which starts a pool is told from names and prototypes. None
    of them is called.
    """
