"""`heapster run`."""

from pathlib import Path

import click

from heapster.commands.library_options import library_options
from heapster.native.preload import Wishes, execute
from heapster.results import UsageError

USUAL_INTERVAL = 1000


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
               epilog="Example: heapster run --policy best_fit --stats -- git log -p")
@library_options
@click.option("--stats", is_flag=True, help="Print statistics of the program's heap when it exits, on stderr.")
@click.option("--stats-file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Write them as JSON; without --stats, a line for each process that the program starts.")
@click.option("--verify", is_flag=True, help="Walk the whole heap every N operations and at exit.")
@click.option("--every", type=click.IntRange(1), metavar="N", default=USUAL_INTERVAL, show_default=True,
              help="Operations between two walks.")
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] CMD...")
def command(policy: str | None, arenas: int | None, mmap_threshold: int | None, stats: bool,
            stats_file: Path | None, verify: bool, every: int, program: tuple[str, ...]) -> int:
    """Run a program on Heapster's allocator instead of libc's.

    Its exit code is the program's. The programs that it starts run on Heapster, too. One that ends by
    _exit, as some shells do, has no statistics.
    """
    if stats_file is not None:
        _empty(stats_file)
    execute(program, Wishes(policy, arenas, mmap_threshold, stats, stats_file, every if verify else 0))


def _empty(path: Path) -> None:
    """Let the file hold what this run adds and nothing else."""
    try:
        path.write_bytes(b"")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
