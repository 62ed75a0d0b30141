"""The command line of `heapster bench`."""

import click

from heapster.checkers.bench.workloads import WORKLOADS
from heapster.checkers.targets.capabilities import told
from heapster.checkers.targets.installed import PEERS
from heapster.checkers.targets.target import NATIVE
from heapster.commands.options import FilePath, done_by, listed, option

ROUNDS, QUICK_ROUNDS = 9, 5


@click.command("bench", epilog=f"{told('bench')}\n\nWorkloads: {', '.join(WORKLOADS)}.\n\n"
                               "Example: heapster bench --targets native,jemalloc --workloads pair-64,live-small")
@listed("--targets", metavar="T,T,...",
              help="What is measured beside libc; without it, those that are installed of "
                   f"{', '.join((NATIVE.name, *PEERS))}. NAME=PATH gives a library a name.")
@listed("--workloads", metavar="W,W,...", help="What they run; without it, all.")
@click.option("--suite", metavar="PATH",
              help="The folder of mimalloc-bench, where its programs are built: they are run in the place of ours.")
@click.option("--rounds", type=click.IntRange(1), metavar="N",
              help=f"Rounds, {ROUNDS} by default; with fewer than 5 nothing is called a difference.")
@option("seconds")
@click.option("--quick", is_flag=True, help=f"{QUICK_ROUNDS} rounds of a quarter of the work: rougher, but sooner.")
@click.option("--misuse", is_flag=True,
              help="Misuse the targets instead, a small program each, and tell how each of them ends; --workloads "
                   "names programs or kinds of them.")
@option("json")
@click.option("--html", metavar="FILE", help="Write a page with plots and tables.")
@click.option("--markdown", "text", metavar="FILE", help="Write the tables as Markdown.")
@click.option("--write", type=FilePath(folder=False), metavar="FILE", multiple=True,
              help="Renew the figures of a document that has a place for them, as README.md and docs/bench.md.")
@done_by("bench")
def command() -> None:
    """Measure allocators: processor time and peak memory on workloads, as ratios to libc.

    Every round runs each workload under each target, in changing order. What lies within the noise is a tie.
    With --misuse it says what an allocator tells of double frees, invalid pointers, overflows and use after free.
    """
