"""`heapster build`."""

from pathlib import Path

from heapster.native.library import DEFAULTS, Options
from heapster.native.package import build, check
from heapster.reports.output import say
from heapster.results import UsageError

PLAIN, GOOD = "", "green"


def command(out: Path, checked: bool, policy: str | None, arenas: int | None, mmap_threshold: int | None,
            harden: bool, spans: bool | None) -> int:
    """Write libheapster: libraries, header, and files for pkg-config and CMake."""
    if harden and spans:
        raise UsageError("--spans: a hardened heap has no runs: leave out --harden or --spans")
    written = build(out, Options(policy, arenas, mmap_threshold, harden, DEFAULTS.spans if spans is None else spans))
    say((f"  {path}", PLAIN) for path in written)
    if checked:
        say((f"  works: {what}", GOOD) for what in check(out))
    return 0
