"""The command line of `heapster diff`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.checkers.targets.capabilities import told
from heapster.commands.options import done_by, jobs_option, listed, option
from heapster.config import CLASSIC


@click.command("diff", epilog="Without a trace: those that ship; adversary-POLICY is built to hurt that policy. "
                              f"{told('diff')} "
                              "Example: heapster diff gcc adversary-best_fit --targets libc,./mm.so")
@click.argument("traces", nargs=-1, metavar="[TRACE|ID]...")
@option("policy", CLASSIC)
@click.option("--policies", metavar="P,P", hidden=True)
@listed("--targets", metavar="T,T,...",
              help="What plays the traces: sim, native and copies of impl under the policy that they name, or under "
                   "each of --policy. Without sim or native, native plays beside them.")
@option("prefix")
@option("scheduler")
@jobs_option("Traces that are played at once.  [default: the cores there are]")
@option("json")
@click.option("--html", metavar="FILE", help="Write a page to travel through the heaps of the policies.")
@option("junit")
@option("store", FOLDER)
@done_by("diff")
def command() -> None:
    """Play traces on each policy, in lock-step with the model, and show how the policies differ.

    Every answer and every system call is compared with the model's, the whole heap at intervals. Others'
    allocators are held against the specification, and show less of themselves: a dash is what cannot be seen.
    """
