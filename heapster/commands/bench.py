"""`heapster bench`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from heapster.checkers.bench.measuring import BenchPlan, measure
from heapster.checkers.bench.results import run_of
from heapster.checkers.bench.targets import USUAL, find_targets
from heapster.checkers.bench.workloads import chosen
from heapster.commands.delivery import USAGE, Delivery
from heapster.commands.misuse import misuse as misuse_all
from heapster.commands.pages import write_page
from heapster.commands.targets import targets_of
from heapster.commands.usage.bench import QUICK_ROUNDS, ROUNDS
from heapster.files import write_whole
from heapster.reports.columns import drawn
from heapster.reports.jsonfile import as_value
from heapster.reports.output import Line, say, warn
from heapster.reports.progress import Meter
from heapster.reports.ratios import LEGEND, compared, measured_on
from heapster.reports.tables import markdown
from heapster.reports.terminal import FAINT, PLAIN, finding_lines, not_checked, verdict_line
from heapster.results import Run, UsageError

QUICK_SHARE = 0.25              # of the work


def command(targets: str | None, workloads: str | None, rounds: int | None, seconds: float | None, quick: bool,
            misuse: bool, json: str | None, html: str | None, text: str | None) -> int:
    """Measure allocators: processor time and peak memory on workloads, as ratios to libc; or misuse them."""
    delivery = Delivery(json)
    delivery.check(html, text)
    asked = () if targets is None else targets_of(targets, "bench")
    if misuse:
        if rounds or seconds or quick:
            raise UsageError("--misuse runs each program once: leave --rounds, --seconds and --quick out")
        return misuse_all(asked, _names("workloads", workloads), delivery, html, text)
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
        yield from drawn(table)
        yield "", PLAIN
    if tables:
        yield LEGEND, FAINT
        yield measured_on(value), FAINT
    yield from not_checked(run)
    yield verdict_line(run)
