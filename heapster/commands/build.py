"""`heapster build`."""

from pathlib import Path

from heapster.native.library import Options
from heapster.native.package import build, check
from heapster.reports.output import say

PLAIN, GOOD = "", "green"


def command(out: Path, checked: bool, policy: str | None, arenas: int | None, mmap_threshold: int | None,
            harden: bool) -> int:
    """Write libheapster: libraries, header, and files for pkg-config and CMake."""
    written = build(out, Options(policy, arenas, mmap_threshold, harden))
    say((f"  {path}", PLAIN) for path in written)
    if checked:
        say((f"  works: {what}", GOOD) for what in check(out))
    return 0
