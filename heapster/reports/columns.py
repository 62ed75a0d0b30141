"""Tables in the columns of a terminal."""

from collections.abc import Iterable, Iterator

from heapster.reports.output import Line
from heapster.reports.tables import Table
from heapster.reports.terminal import FAINT, PLAIN, STRONG

WIDTH = 99


def drawn(table: Table) -> Iterator[Line]:
    """The table in columns; in several parts, if it is too wide."""
    yield table.caption, STRONG
    widths = [max(map(len, column)) for column in zip(table.heads, *table.rows, strict=True)]
    for part in _parts(widths):
        yield _row(table.heads, widths, part), FAINT
        for row in table.rows:
            yield _row(row, widths, part), PLAIN


def _parts(widths: list[int]) -> Iterator[list[int]]:
    """Which columns stand together: the first in every part, and as many others as there is room for."""
    part, used = [0], widths[0]
    for place, width in enumerate(widths[1:], 1):
        if len(part) > 1 and used + 2 + width > WIDTH:
            yield part
            part, used = [0], widths[0]
        part.append(place)
        used += 2 + width
    yield part


def _row(cells: Iterable[str], widths: list[int], part: list[int]) -> str:
    texts = list(cells)
    return "  ".join(texts[i].rjust(widths[i]) if i else texts[i].ljust(widths[i]) for i in part).rstrip()
