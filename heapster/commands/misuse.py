"""`heapster bench --misuse`."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from heapster.checkers.bench.misuse.cases import cases, chosen, program
from heapster.checkers.bench.misuse.results import run_of
from heapster.checkers.bench.misuse.running import try_all, with_scudo
from heapster.checkers.bench.targets import HARDENED, USUAL, NamedTarget, find_targets
from heapster.commands.delivery import USAGE, Delivery, written
from heapster.commands.pages import write_page
from heapster.files import write_whole
from heapster.reports.columns import drawn
from heapster.reports.jsonfile import as_value
from heapster.reports.misuse import LEGEND, by_kind, each
from heapster.reports.output import Line, say
from heapster.reports.progress import Meter
from heapster.reports.tables import Value, markdown
from heapster.reports.terminal import FAINT, PLAIN, finding_lines, not_checked, verdict_line
from heapster.results import Run, UsageError
from heapster.wording import counted


def misuse(asked: tuple[NamedTarget, ...], names: tuple[str, ...], delivery: Delivery, html: str | None,
           text: str | None) -> int:
    """Misuse each target in every way that is known, or as it is named; the exit code."""
    made = program()
    wanted = chosen(cases(made), names)
    field = find_targets(asked) if asked else with_scudo(find_targets((*USUAL[:2], HARDENED, *USUAL[2:])))
    if not wanted:
        raise UsageError("--workloads: name at least one, or leave it out")
    with Meter("misuse") as meter:
        tried = try_all(made, wanted, field.targets, meter.show)
        run = run_of(wanted, field, tried, frozenset(str(one.target) for one in asked))
        meter.close(f"{counted(run.ops, 'program')} in {run.seconds:.1f} s")
    code = delivery.write(run)
    kept = written(partial(_write, as_value(run), html, text))
    say(_lines(run))
    return code if code or kept else USAGE


def _write(value: Value, html: str | None, text: str | None) -> None:
    """Write the page and the Markdown that were asked for. Raises Unwritable."""
    if html:
        write_page(Path(html), [value], {})
    if text:
        parts = [*map(markdown, by_kind(value)), f"{LEGEND}\n", markdown(each(value))]
        write_whole(Path(text), "\n".join(parts))


def _lines(run: Run) -> Iterator[Line]:
    value = as_value(run)
    for finding in run.findings:
        yield from finding_lines(finding)
        yield "", PLAIN
    for table in by_kind(value) if run.ops else ():
        yield from drawn(table)
        yield "", PLAIN
    yield LEGEND, FAINT
    yield from not_checked(run)
    yield verdict_line(run)
