"""The command line of `heapster stress`."""

import click

from heapster.checkers.stress.patterns import PATTERNS
from heapster.checkers.targets.capabilities import told
from heapster.commands.options import done_by, jobs_option, option, selection_options, target

SECONDS = 20.0


@click.command("stress", epilog=f"{told('stress')}\n\n"
                                f"Patterns: {', '.join(PATTERNS)}.\n\n"
                                "Example: heapster stress native:first_fit,native:best_fit,libc --seconds 60")
@target("native")
@option("threads", 2)
@option("seconds", SECONDS)
@option("scheduler")
@jobs_option("Patterns that run at once.  [default: the cores there are, over --threads]")
@option("pattern", "all")
@option("seed")
@option("prefix")
@option("cc")
@option("cflags")
@option("build")
@option("json")
@option("junit")
@selection_options
@done_by("stress")
def command() -> None:
    """Run real threads on compiled allocators; every block is tagged and verified.

    Targets of a list, parted by commas, share the seconds.
    """
