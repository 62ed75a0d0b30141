"""The command line of `heapster findings`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.commands.options import done_by, option


@click.group("findings", invoke_without_command=True)
@option("store", FOLDER)
@click.pass_context
def command(ctx: click.Context, store: str) -> None:
    """What is kept: list it, show or drop some of it, accept it for now.

    An ID is a finding's, or the start of it. Every command that takes a trace takes one too.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_, store=store)


@command.command("list")
@click.option("--target", metavar="TARGET", help="Only what was found on it.")
@option("store", FOLDER)
@done_by("findings", "list_")
def list_() -> None:
    """The id of each, whether it still failed when it was last run, its code, target, and since when it is kept."""


@command.command("show")
@click.argument("identity", metavar="ID")
@option("store", FOLDER)
@done_by("findings", "show")
def show() -> None:
    """All of one, with its files."""


@command.command("drop")
@click.argument("identities", nargs=-1, metavar="[ID]...")
@click.option("--mended", is_flag=True, help="All that did not fail when they were last run.")
@option("store", FOLDER)
@done_by("findings", "drop")
def drop() -> None:
    """Forget some, with their files."""


@command.command("baseline")
@click.argument("output", metavar="FILE")
@click.argument("identities", nargs=-1, metavar="[ID]...")
@option("store", FOLDER)
@done_by("findings", "baseline")
def baseline() -> None:
    """Write those, or all that still fail, as FILE for `heapster fuzz --baseline FILE`, which accepts them."""
