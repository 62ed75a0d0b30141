"""The command line of `heapster trace`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.checkers.traces.writing import FORMATS as WRITTEN
from heapster.commands.options import FilePath, done_by, option

STEPS = 100_000


@click.group("trace")
def command() -> None:
    """Convert traces, show what is in them, make new ones.

    Read are the text of replay, Heapster's binary form, CS:APP's .rep (each of its headers), the protobuf of
    malloc-bench, and the logs of mtrace, valgrind --trace-malloc=yes, ltrace and heaptrack, packed by gzip or
    zstd or not; which it is, the content says. A shipped trace goes by its name, a kept
    finding's by its id or the start of it.
    """


@command.command("info")
@click.argument("traces", nargs=-1, required=True, metavar="TRACE...")
@option("store", FOLDER)
@done_by("trace", "info")
def info() -> None:
    """Say what is in traces."""


@command.command("head")
@click.argument("name", metavar="TRACE")
@click.option("-n", "count", type=click.IntRange(1), default=10, show_default=True, metavar="N")
@option("store", FOLDER)
@done_by("trace", "head")
def head() -> None:
    """Print the first steps, as text."""


@command.command("convert")
@click.argument("name", metavar="TRACE")
@click.argument("output", metavar="OUTPUT", type=FilePath(folder=False))
@click.option("--to", "kind", type=click.Choice(WRITTEN), help="[default: by OUTPUT's suffix, else binary]")
@option("store", FOLDER)
@done_by("trace", "convert")
def convert() -> None:
    """Write a trace in another form."""


@command.command("generate")
@click.argument("workload", metavar="WORKLOAD")
@click.argument("output", metavar="OUTPUT", type=FilePath(folder=False))
@click.option("--steps", type=click.IntRange(1), default=STEPS, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--to", "kind", type=click.Choice(WRITTEN), help="[default: by OUTPUT's suffix, else binary]")
@done_by("trace", "generate_")
def generate_() -> None:
    """Make a trace: random, exponential, ramp, peaks, plateau, binary, coalescing or growing.

    Or adversary-POLICY: a trace built to make that policy waste memory.
    """
