"""The command line of `heapster score`."""

import click

from heapster.checkers.targets.capabilities import told
from heapster.commands.options import done_by, jobs_option, listed, option
from heapster.config import POLICIES

USUAL = ",".join((*(f"native:{policy}" for policy in POLICIES), "libc"))


@click.command("score", epilog=f"Without a trace: those that ship. {told('score')} "
                                "Example: heapster score gcc --targets native:best_fit,libc,./mm.so")
@click.argument("traces", nargs=-1, metavar="[TRACE]...")
@listed("--targets", metavar="T,T,...", default=USUAL, show_default=True,
              help="What is scored.")
@option("prefix")
@option("scheduler")
@jobs_option("Traces that are scored at once; they disturb each other's speed.  [default: 1]")
@option("json")
@option("junit")
@done_by("score")
def command() -> None:
    """Score allocators on traces: right or wrong, utilization, speed, and points.

    Each trace runs three times, in children: checked, measured, timed. One wrong answer: no points, exit code 1.
    """
