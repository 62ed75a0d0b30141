"""`heapster bench`."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from heapster.checkers.bench.measuring import BenchPlan, measure
from heapster.checkers.bench.results import run_of
from heapster.checkers.bench.targets import USUAL, find_targets
from heapster.checkers.bench.workloads import chosen
from heapster.commands.delivery import USAGE, Delivery
from heapster.commands.pages import write_page
from heapster.commands.targets import targets_of
from heapster.commands.usage.bench import QUICK_ROUNDS, ROUNDS
from heapster.files import write_whole
from heapster.reports.jsonfile import as_value
from heapster.reports.output import Line, say, warn
from heapster.reports.progress import Meter
from heapster.reports.ratios import LEGEND, compared, measured_on
from heapster.reports.tables import Table, markdown
from heapster.reports.terminal import FAINT, PLAIN, STRONG, finding_lines, not_checked, verdict_line
from heapster.results import Run, UsageError

QUICK_SHARE = 0.25              # of the work
WIDTH = 99


def command(targets: str | None, workloads: str | None, rounds: int | None, seconds: float | None, quick: bool,
            json: str | None, html: str | None, text: str | None) -> int:
    """Measure allocators: processor time and peak memory on workloads, as ratios to libc."""
    delivery = Delivery(json)
    delivery.check(html, text)
    asked = () if targets is None else targets_of(targets, "bench")
    plan = BenchPlan(chosen(_names("workloads", workloads)), find_targets(asked or USUAL),
                     rounds or (QUICK_ROUNDS if quick else ROUNDS), QUICK_SHARE if quick else 1.0, seconds)
    with Meter("bench") as meter:
        run = run_of(plan, measure(plan, meter.show), frozenset(map(str, asked)))
        meter.close(f"{len(run.extra['workloads'])} workloads in {run.seconds:.1f} s")
    code = delivery.write(run)
    written = _write(as_value(run), html, text)
    say(_lines(run))
    return code if code or written else USAGE


def _names(option_name: str, value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    if not names:
        raise UsageError(f"--{option_name}: name at least one, or leave it out")
    return names


def _write(value: Mapping[str, Any], html: str | None, text: str | None) -> bool:
    """Write the page and the Markdown that were asked for; whether they could be."""
    try:
        if html:
            write_page(Path(html), [value], {})
        if text:
            parts = [markdown(table) for table in compared(value)]
            write_whole(Path(text), "\n".join([f"{measured_on(value)}\n", *parts, LEGEND]) + "\n")
    except OSError as error:
        warn(f"{error.filename or html or text} cannot be written: {error.strerror or error}")
        return False
    return True


# The terminal.

def _lines(run: Run) -> Iterator[Line]:
    value = as_value(run)
    for finding in run.findings:
        yield from finding_lines(finding)
        yield "", PLAIN
    tables = list(compared(value))
    for table in tables:
        yield from _drawn(table)
        yield "", PLAIN
    if tables:
        yield LEGEND, FAINT
        yield measured_on(value), FAINT
    yield from not_checked(run)
    yield verdict_line(run)


def _drawn(table: Table) -> Iterator[Line]:
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
