"""The command line of `heapster mutate`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.checkers.mutation.hunters import NAMES as HUNTERS
from heapster.commands.options import FilePath, done_by, jobs_option, listed, option

TABLES = ("fuzz", "spans", "prove", "races", "stress")       # of planted faults, by who hunts them


@click.command("mutate", epilog="Examples: heapster mutate freelist 'best fit'; heapster mutate --by races kept; "
                                "heapster mutate --random 60 --seed 5 --jobs 2. "
                                "Those of the proofs: heapster prove --faults.")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@listed("--by", metavar="NAMES",
              help=f"Who hunts: of planted faults one of {', '.join(TABLES)} [default: fuzz]; of drawn ones some of "
                   f"{','.join(HUNTERS)} [default: all].")
@click.option("--random", "drawn", type=click.IntRange(1), metavar="N",
              help="Draw N one-line changes of the allocator, the model and what judges, and hunt these instead.")
@click.option("--only", multiple=True, metavar="FILE", help="Draw of this file or room only: impl/block.py, model.")
@jobs_option("Drawn changes that are hunted at once.  [default: the cores there are]")
@option("scheduler")
@option("seed", 0)
@click.option("--write", type=FilePath(folder=False), metavar="FILE",
              help="Write the table of fuzz as Markdown; with --random, renew the figure that FILE has.")
@option("json")
@option("junit")
@option("store", FOLDER)
@done_by("mutate")
def command() -> None:
    """Plant faults in copies of the source and hunt each: by fuzz, by schedules, or with real threads.

    A missed fault, or one found by another check than the one that must find it, fails the run. With
    --random the faults are drawn, and hunted by every checker and the tests until one notices; those that
    nobody notices fail the run. What was hunted is kept in the store, and a run that was stopped goes on.
    """
