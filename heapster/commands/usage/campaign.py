"""The command line of `heapster campaign`."""

import click

from heapster.commands.options import FilePath, done_by


@click.command("campaign", epilog="Example: [[task]] command = \"fuzz\" target = \"./mm.c\", in nightly.toml; then "
                                  "heapster campaign nightly.toml")
@click.argument("file", type=FilePath(), metavar="FILE.toml")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), default=None, metavar="S",
              help="For this long, whatever FILE says.")
@done_by("campaign")
def command() -> None:
    """Run several checkers on several targets in turn, and go on from where the last run came to.

    Time goes to what still finds something. The campaign's folder keeps what each piece came to, the findings, when
    they came and when they were gone, and a page. The exit code is 1 while a finding is there.
    """
