"""The command line of `heapster harness`."""

import click

from heapster.checkers.targets.capabilities import told
from heapster.commands.options import FilePath, done_by, option, target


@click.command("harness", epilog=f"{told('harness')} It needs C sources. Example: heapster harness ./mm.c --for "
                                 "libfuzzer -o farm; farm/build.sh")
@target()
@click.argument("more", nargs=-1, metavar="[MORE.c]...")
@click.option("--for", "fuzzer", type=click.Choice(["libfuzzer", "afl", "honggfuzz"]), required=True,
              help="Who drives it.")
@click.option("-o", "--out", type=FilePath(folder=True), required=True, metavar="DIR",
              help="The folder to write.")
@option("corpus")
@option("prefix")
@option("alignment")
@option("cc")
@option("cflags")
@option("build")
@done_by("harness")
def command() -> None:
    """Write a C program that a fuzzer drives, with the judge's checks compiled in.

    Bytes become calls of the allocator; whatever is wrong with an answer or a block ends in a crash. The folder
    has the program, a script that builds it, a dictionary, and seeds. What the fuzzer finds, replay --bytes runs.
    """
