"""Functions of one statement, through which a source does its loads and stores: whoever calls them is to be named."""

from functools import cache
from itertools import dropwhile
from pathlib import Path

from heapster.checkers.blackbox.outline import Outline
from heapster.checkers.targets.lines import Frame


def past_accessors(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """A backtrace from the first function on that is more than one statement, as if the others were macros.

    All of it, where it has no such function.
    """
    return tuple(dropwhile(lambda frame: frame.function in _accessors(frame.file), frames)) or frames


@cache
def _accessors(file: str) -> frozenset[str]:
    """Those of a source; none where it cannot be read."""
    try:
        return Outline(Path(file).read_text(encoding="utf-8", errors="replace")).accessors
    except OSError:
        return frozenset()
