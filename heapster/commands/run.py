"""`heapster run`."""

from pathlib import Path

from heapster.native.preload import Wishes, execute
from heapster.results import UsageError


def command(policy: str | None, arenas: int | None, mmap_threshold: int | None, stats: bool,
            stats_file: Path | None, verify: bool, every: int, guard: bool, sample: int | None,
            program: tuple[str, ...]) -> int:
    """Run a program on Heapster's allocator instead of libc's."""
    if sample is not None and not guard:
        raise UsageError("--sample says how many allocations --guard guards: give --guard too")
    if guard and verify:
        raise UsageError("--guard has blocks where --verify does not look: give one of the two")
    if stats_file is not None:
        _empty(stats_file)
    execute(program, Wishes(policy, arenas, mmap_threshold, stats, stats_file, every if verify else 0,
                            (sample or 1) if guard else 0))


def _empty(path: Path) -> None:
    """Let the file hold what this run adds and nothing else."""
    try:
        path.write_bytes(b"")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
