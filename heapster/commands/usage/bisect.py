"""The command line of `heapster bisect`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.commands.options import done_by, option


@click.command("bisect", epilog="Example: heapster bisect 3f2a --good v1.0 --bad main -- make libmm.so")
@click.argument("identity", metavar="ID")
@click.option("--good", required=True, metavar="REV", help="A revision in which the finding is not there yet.")
@click.option("--bad", required=True, metavar="REV", help="A later one in which it is.")
@click.option("--target", metavar="TARGET", help="What to try in each revision.  [default: what the finding failed on]")
@option("store", FOLDER)
@click.argument("build", nargs=-1, type=click.UNPROCESSED, metavar="[-- BUILD...]")
@done_by("bisect")
def command() -> None:
    """Find the commit that a finding came with.

    Revisions between the two are checked out beside the repository, built by BUILD, and the finding's trace is run on
    each; what cannot be built or run is passed over. C sources need no BUILD. The work tree is left as it is.
    """
