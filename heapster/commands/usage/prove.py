"""The command line of `heapster prove`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.checkers.proofs import LONGEST_AFTER_REFUTING
from heapster.checkers.targets.capabilities import told
from heapster.commands.options import FilePath, done_by, jobs_option, option

TIMEOUT = 900.0                 # seconds of processor time for one proof in one encoding
LONGEST = 7200.0                # with --thorough
COVERING = 20.0                 # of processor time, with --covers


@click.command("prove", epilog=f"{told('prove')} Without one, the source that ships is "
                               "proved. A NAME is that of a theorem, of a function of impl, or of one of its files. "
                               "sim:spans=0, or a folder with spans=0, is the source as it is built without spans. "
                               "Examples: heapster prove block.split; heapster prove broken freelist; "
                               "heapster prove sim:spans=0 classes")
@click.argument("words", nargs=-1, metavar="[TARGET] [NAME]...")
@click.option("--list", "only_list", is_flag=True, help="Say what is proved and how far, and prove nothing.")
@click.option("--thorough", is_flag=True, help="Whole operations on larger heaps too; takes many minutes.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=None, metavar="S",
              help="Seconds of processor time for one proof in one encoding.  "
                   f"[default: {TIMEOUT:g}, with --thorough {LONGEST:g}; "
                   f"once a theorem is refuted, at most {LONGEST_AFTER_REFUTING:g}]")
@option("scheduler")
@jobs_option("Proofs that run at once.  [default: the cores there are]")
@click.option("--fresh", is_flag=True,
              help="Prove all again, also what was proved before and depends on nothing that has changed since.")
@click.option("--faults", "with_faults", is_flag=True,
              help="Plant faults in copies of impl instead; each must be refuted by the theorem that names it.")
@click.option("--cross-check", is_flag=True,
              help="Ask cvc5 again whatever z3 calls impossible, and prove all again; takes about five times as long.")
@click.option("--compiled", is_flag=True,
              help="Hold the code of the library, as LLVM optimised it, against the source that it was made of, for "
                   "all words: the same stores, calls and answers. A NAME is that of a function of impl or of it.")
@click.option("--covers", is_flag=False, flag_value="", default=None, metavar="[TRACE]",
              help="Prove nothing, but say how many of the calls of a trace, or of generated programs at the settings "
                   "that ship, start where a theorem about the whole call applies, and what is missing for the rest.")
@click.option("--fuzz", type=click.FloatRange(min=0, min_open=True), default=None, metavar="S",
              help=f"With --covers: seconds of processor time for generated programs.  [default: {COVERING:g}]")
@click.option("--write", type=FilePath(folder=False), metavar="FILE",
              help="Write the table as Markdown, and prove nothing.")
@option("json")
@option("junit")
@option("store", FOLDER)
@done_by("prove")
def command() -> None:
    """Prove with z3 what the docstrings of impl promise, on the source that ships or on a copy of it."""
