"""The command line of `heapster stress`."""

import click

from heapster.checkers.stress.patterns import PATTERNS
from heapster.checkers.targets.capabilities import told
from heapster.commands.options import done_by, option, target

SECONDS = 20.0


@click.command("stress", epilog=f"{told('stress')}\n\n"
                                f"Patterns: {', '.join(PATTERNS)}.")
@target("native")
@option("threads", 2)
@option("seconds", SECONDS)
@option("pattern", "all")
@option("seed")
@option("json")
@option("junit")
@done_by("stress")
def command() -> None:
    """Run real threads on a compiled allocator; every block is tagged and verified."""
