"""The command line of `heapster replay`."""

import click

from heapster.checkers.findings.store import FOLDER
from heapster.checkers.targets.capabilities import told
from heapster.commands.options import done_by, option


@click.command("replay", epilog=f"{told('replay')} Examples: heapster replay 3f2a; "
                                "heapster replay 'a = malloc(40); free(a); free(a)'")
@click.argument("trace", metavar="FILE|TRACE|ID")
@click.option("--at", type=int, metavar="K", help="Only print the heap before and after step K, counted from 1.")
@click.option("--target", metavar="TARGET", help="Where to run it.  [default: where it failed, else sim]")
@click.option("--gdb", is_flag=True, help="Stop a debugger before the failing call (foreign targets).")
@click.option("--bytes", "of_harness", is_flag=True, help="FILE is what a fuzzer found with heapster harness.")
@option("prefix")
@option("cc")
@option("cflags")
@option("build")
@option("json")
@option("junit")
@option("store", FOLDER)
@done_by("replay")
def command() -> None:
    """Run a trace again and say whether it still fails.

    The trace is a file (- for standard input), the id of a kept finding or the start of it, or the
    steps themselves, separated by semicolons; or a schedule of threads, which starts with r1:; or the
    counterexample of a refuted theorem, which starts with p1:. A stranger's allocator (libc, a shared
    object, a C source, the description of a pool) is judged step by step, and shows its live blocks.
    """
