"""The command line of `heapster report`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.commands.options import done_by, drawn_target, option

MOST_STEPS = 20_000             # of a trace; the page says so when there are more


@click.command("report", epilog="Example: heapster diff t --json d.json; heapster report d.json --html d.html")
@click.argument("runs", nargs=-1, metavar="[RUN.json|DIR]...")
@click.option("--html", metavar="FILE", help="Write one page that needs no network.")
@click.option("--markdown", "text", metavar="FILE", help="Write the tables as Markdown; - for standard output.")
@option("json")
@click.option("--trace", "traces", multiple=True, metavar="FILE|ID",
              help="Show the heaps of this trace, or of a kept finding, too; repeatable.")
@click.option("--kept", is_flag=True, help="Show what is kept in the store and still fails, a run for each target.")
@drawn_target
@option("policy")
@click.option("--steps", default=MOST_STEPS, show_default=True, type=click.IntRange(1), metavar="N",
              help="Steps of a trace that the page shows, at most.")
@option("store", FOLDER)
@done_by("report")
def command() -> None:
    """Show what runs found, from the files that --json wrote: as a page, as Markdown, or as one run.

    Of a folder, each run in it or below it is shown: an index for what CI keeps.

    The page lets you travel through the heaps of findings, and of traces on each policy: on those of the runs,
    if --policy names none.
    """
