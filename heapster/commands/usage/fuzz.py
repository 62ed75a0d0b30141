"""The command line of `heapster fuzz`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.checkers.targets.capabilities import told
from heapster.commands.options import done_by, jobs_option, option, selection_options, target


@click.command("fuzz", epilog=f"{told('fuzz')} C sources that belong together are named one after the other. "
               "In a test suite: pytest --heapster mm.c")
@target()
@click.argument("more", nargs=-1, metavar="[MORE.c]...")
@option("policy", "all")
@option("seconds")
@option("examples")
@option("seed")
@option("scheduler")
@jobs_option("Children that run examples at once; what is found of our own source does not depend on them.  "
             "[default: the cores there are]")
@option("arenas", 3)
@option("faults", True)
@option("json")
@option("junit")
@selection_options
@option("store", FOLDER)
@option("sarif")
@option("docs")
@option("baseline")
@option("prefix")
@option("alignment")
@option("cc")
@option("cflags")
@option("build")
@option("threads")
@option("heap_limit")
@option("adapter")
@option("sandbox", False)
@option("strict", False)
@option("coverage")
@option("corpus")
@option("minimise", False)
@done_by("fuzz")
def command() -> None:
    """Hold an allocator against the model: generated programs, each step checked.

    What failed before is tried first. A failure is shrunk to the least trace, printed, and kept; the run goes on, and
    says what that hides. Shrinking all of them takes no longer than --seconds. Each of the jobs has the whole time.
    The native library is held for half of the time; then by compiled checks, which are many times as fast, in every
    setting; native:best_fit:cache=64 is held by compiled checks alone, in that one.
    """
