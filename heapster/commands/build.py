"""`heapster build`."""

from pathlib import Path

import click

from heapster.commands.library_options import library_options, options_of
from heapster.native.package import build, check
from heapster.reports.output import say

PLAIN, GOOD = "", "green"


@click.command("build", epilog="Then: cc main.c -IDIR/include -LDIR/lib -lheapster -lpthread")
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Where to write it.")
@library_options
@click.option("--check", "checked", is_flag=True, help="Also compile and run a program with each library.")
def command(out: Path, checked: bool, policy: str | None, arenas: int | None, mmap_threshold: int | None) -> int:
    """Write libheapster: libraries, header, and files for pkg-config and CMake.

    lib/libheapster.a and .so have names that start with heapster_ and replace nobody's malloc.
    lib/libheapster-malloc.so has the C library's names too, to be preloaded. The options set what the
    libraries do before a program or its environment says otherwise.
    """
    written = build(out, options_of(policy, arenas, mmap_threshold))
    say((f"  {path}", PLAIN) for path in written)
    if checked:
        say((f"  works: {what}", GOOD) for what in check(out))
    return 0
