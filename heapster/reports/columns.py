"""Tables in the columns of a terminal."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from heapster.reports.output import Line, width
from heapster.reports.tables import Table
from heapster.reports.terminal import FAINT, PLAIN, STRONG

WIDTH = 99                      # of a table where there is no terminal
INDENT = 2


class Row(NamedTuple):
    """A row of a table. One with fewer cells than there are headings ends in a sentence, which is in no column."""

    cells: tuple[str, ...]
    style: str = PLAIN


def drawn(table: Table) -> Iterator[Line]:
    """The table in columns; in several parts, if it is too wide."""
    yield table.caption, STRONG
    yield from _in_parts(table.heads, [Row(cells) for cells in table.rows], (), min(width() or WIDTH, WIDTH))


def in_columns(heads: Sequence[str], rows: Sequence[Row], least: Sequence[int] = ()) -> Iterator[Line]:
    """Rows under their headings, indented, each column at least so wide; in parts, where a terminal is too narrow."""
    for text, style in _in_parts(heads, rows, least, width() - INDENT if width() else 0):
        yield " " * INDENT + text, style


def _in_parts(heads: Sequence[str], rows: Sequence[Row], least: Sequence[int], limit: int) -> Iterator[Line]:
    """Each part with the first column, so that it is seen whose the others are; no limit: all in one."""
    whole = [row.cells for row in rows if len(row.cells) == len(heads)]
    short = [row.cells[:-1] for row in rows if len(row.cells) < len(heads)]
    widths = [max([*map(len, column), *least[place:place + 1]])
              for place, column in enumerate(zip_longest(heads, *whole, *short, fillvalue=""))]
    for number, part in enumerate(_parts(widths, limit)):
        yield _row(heads, widths, part), FAINT
        for row in rows:
            if len(row.cells) == len(heads):
                yield _row(row.cells, widths, part), row.style
            elif number == 0:
                yield "  ".join([_row(row.cells[:-1], widths, range(len(row.cells) - 1)), row.cells[-1]]), row.style


def _parts(widths: list[int], limit: int) -> Iterator[list[int]]:
    """Which columns stand together: the first in every part, and as many others as there is room for."""
    part, used = [0], widths[0]
    for place, wide in enumerate(widths[1:], 1):
        if limit and len(part) > 1 and used + 2 + wide > limit:
            yield part
            part, used = [0], widths[0]
        part.append(place)
        used += 2 + wide
    yield part


def _row(cells: Sequence[str], widths: list[int], part: Iterable[int]) -> str:
    return "  ".join(cells[i].rjust(widths[i]) if i else cells[i].ljust(widths[i]) for i in part).rstrip()
