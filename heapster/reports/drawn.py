"""What came of drawn changes, for people: figures by checker, and the survivors as differences."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heapster.reports.terminal import BAD, FAINT, GOOD, OPEN, PLAIN, Line
from heapster.wording import counted


def drawn_lines(extra: Mapping[str, Any]) -> Iterator[Line]:
    """The survivors first, then who killed how many, then the figure."""
    for row in extra["survivors"]:
        yield f"survived: {row['file']}:{row['line']}, {row['kind']}", BAD
        yield f"  - {row['before']}", PLAIN
        yield f"  + {row['after']}", PLAIN
    by = ", ".join(f"{name} {number}" for name, number in extra["by"].items())
    yield f"killed by: {by or 'nobody'}", PLAIN
    for command in extra["useless"]:
        yield f"NOT counted: {command}: it fails on the source as it is", OPEN
    yield figure(extra), GOOD if not extra["survivors"] else BAD
    if extra["interrupted"]:
        yield "interrupted: the same command goes on from here", OPEN
    elif extra["survivors"]:
        yield "a survivor that nobody can notice belongs into equivalents.toml, with the reason", FAINT


def figure(extra: Mapping[str, Any]) -> str:
    """The share of the changes that make a difference and were noticed, in words."""
    noticed = extra["killed"] + extra["timed_out"]
    counts = noticed + extra["survived"]
    share = f"{100 * noticed / counts:.0f} %" if counts else "none"
    return (f"{noticed} of {counted(counts, 'drawn change')} noticed ({share}), {extra['timed_out']} of them because "
            f"they never end; {extra['equivalent']} more are equivalent")


def by_hunter(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many each hunter noticed, most first."""
    return dict(Counter(row["by"] for row in rows if row["verdict"] in ("killed", "timed out")).most_common())


