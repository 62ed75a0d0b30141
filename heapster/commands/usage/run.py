"""The command line of `heapster run`."""

import click

from heapster.commands.options import FilePath, done_by, library_options

USUAL_INTERVAL = 1000           # operations


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
               epilog="Example: heapster run --policy best_fit --stats -- git log -p")
@library_options
@click.option("--stats", is_flag=True, help="Print statistics of the program's heap when it exits, on stderr.")
@click.option("--stats-file", metavar="FILE", type=FilePath(folder=False),
              help="Write them as JSON; without --stats, a line for each process that the program starts.")
@click.option("--verify", is_flag=True, help="Walk the whole heap every N operations and at exit.")
@click.option("--every", type=click.IntRange(1), metavar="N", default=USUAL_INTERVAL, show_default=True,
              help="Operations between two walks.")
@click.option("--guard", is_flag=True,
              help="Give each allocation pages of its own with guards around; tell who touches one, or what was freed.")
@click.option("--sample", type=click.IntRange(1), metavar="N",
              help="With --guard: guard one allocation in N only, which costs less.")
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] CMD...")
@done_by("run")
def command() -> None:
    """Run a program on Heapster's allocator instead of libc's.

    Its exit code is the program's. The programs that it starts run on Heapster, too. One that ends by
    _exit, as some shells do, has no statistics.

    With --guard, whoever touches what is behind or before a block, or was freed, is told with the backtraces of who did
    it, who allocated the block, and who freed it. A live block needs two mappings, of which the system allows some
    65,000 to a process: what has none then is said once, and counted at exit.
    """
