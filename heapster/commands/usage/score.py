"""The command line of `heapster score`."""

import click

from heapster.commands.options import done_by, option
from heapster.config import POLICIES


@click.command("score", epilog="Without a trace: those that ship. A target is a policy, libc, a shared object or a C "
                               "source. Example: heapster score gcc --targets best_fit,libc,./mm.so")
@click.argument("traces", nargs=-1, metavar="[TRACE]...")
@click.option("--targets", metavar="T,T,...", default=",".join((*POLICIES, "libc")), show_default=True,
              help="What is scored.")
@option("prefix")
@option("json")
@option("junit")
@done_by("score")
def command() -> None:
    """Score allocators on traces: right or wrong, utilization, speed, and points.

    Each trace runs three times, in children: checked, measured, timed. One wrong answer: no points, exit code 1.
    """
