"""The command line of `heapster exhaust`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.checkers.targets.capabilities import told
from heapster.commands.options import done_by, jobs_option, option, selection_options, target


@click.command("exhaust", epilog=f"{told('exhaust')} C sources that belong together are named one after the other. "
               "Every program of a small allocator: heapster exhaust mm.c --calls 5")
@target()
@click.argument("more", nargs=-1, metavar="[MORE.c]...")
@option("calls", 4)
@option("sizes", "auto")
@option("seconds")
@option("scheduler")
@jobs_option("Children that run programs at once; what is found and covered does not depend on them.  "
             "[default: the cores there are]")
@option("faults", True)
@option("json")
@option("junit")
@selection_options
@option("store", FOLDER)
@option("sarif")
@option("docs")
@option("prefix")
@option("alignment")
@option("cc")
@option("cflags")
@option("build")
@option("heap_limit")
@option("adapter")
@option("sandbox", False)
@option("strict", False)
@done_by("exhaust")
def command() -> None:
    """Run every program of at most N calls, each call judged: over a few sizes, every block, NULL, and each refusal.

    Programs that reach a heap which is known are not run one by one. What was covered is said exactly. When the time
    is up it is kept how far that is: the same command goes on from there. A finding has the fewest calls that show it.
    """
