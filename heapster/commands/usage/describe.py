"""The command line of `heapster describe`."""

import click

from heapster.commands.options import FilePath, done_by


@click.command("describe", epilog="Example: heapster describe pool.h -o pool.toml; heapster fuzz pool.toml")
@click.argument("file", type=FilePath(), metavar="FILE.h|FILE.c|LIBRARY.so")
@click.option("-o", "--output", type=FilePath(folder=False), metavar="FILE.toml",
              help="Where the draft goes; a file that is there stays.  [default: standard output]")
@done_by("describe")
def command() -> None:
    """Draft the description of a pool or a region allocator, for you to correct.

    Which function takes memory, which gives it back and which starts a pool is told from names and prototypes. None
    of them is called.
    """
