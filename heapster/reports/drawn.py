"""The results of drawn changes, for people: figures by checker, and the survivors as differences."""

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heapster.reports.terminal import BAD, FAINT, GOOD, OPEN, PLAIN, Line
from heapster.wording import counted

PARAGRAPH = re.compile(r"^`heapster mutate --random \d.*?(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
COLUMNS = 120


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




def paragraph(extra: Mapping[str, Any], count: int, seed: int) -> str:
    """The figure as a document has it, with the command that makes it."""
    noticed = extra["killed"] + extra["timed_out"]
    different = noticed + extra["survived"]
    by = ", ".join(f"{name} {number}" for name, number in extra["by"].items())
    share = f"{100 * noticed / max(1, different):.0f} %"
    words = (f"`heapster mutate --random {count} --seed {seed}` draws one-line changes of the allocator, the model and "
             f"what judges, and hunts each until a checker or a test notices it. Of {different} that make a difference "
             f"{noticed} were noticed, {share} ({by}); {extra['equivalent']} more are equivalent.")
    return textwrap.fill(words, COLUMNS, break_long_words=False, break_on_hyphens=False)


def renewed(text: str, new: str) -> str:
    """A document with that paragraph in the place of the old one; ValueError unless it has one."""
    if len(PARAGRAPH.findall(text)) != 1:
        raise ValueError("it must have one paragraph that begins with `heapster mutate --random N")
    return PARAGRAPH.sub(lambda _: new, text)
