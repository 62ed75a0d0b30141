"""The command line of `heapster build`."""

import click

from heapster.commands.options import FilePath, done_by, library_options


@click.command("build", epilog="Then: cc main.c -IDIR/include -LDIR/lib -lheapster -lpthread")
@click.option("--out", required=True, metavar="DIR", type=FilePath(), help="Where to write it.")
@library_options
@click.option("--harden", is_flag=True, help="Only ever a hardened heap: what HEAPSTER_HARDEN=1 asks of others.")
@click.option("--spans/--no-spans", default=None,
              help="Small sizes from runs of slots without headers, or from blocks as all others: slower, and simpler.")
@click.option("--check", "checked", is_flag=True, help="Also compile and run a program with each library.")
@done_by("build")
def command() -> None:
    """Write libheapster: libraries, header, and files for pkg-config and CMake.

    lib/libheapster.a and .so have names that start with heapster_ and replace nobody's malloc.
    lib/libheapster-malloc.so has the C library's names too, to be preloaded. The options set what the
    libraries do before a program or its environment says otherwise.
    """
