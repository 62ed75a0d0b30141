"""`heapster bench`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from heapster.checkers.bench.measuring import BenchPlan, measure
from heapster.checkers.bench.results import run_of
from heapster.checkers.bench.suite import LIMIT as SUITE_LIMIT
from heapster.checkers.bench.suite import suite_in
from heapster.checkers.bench.targets import USUAL, NamedTarget, find_targets
from heapster.checkers.bench.workloads import WEIGHTS, chosen
from heapster.checkers.targets import grammar
from heapster.checkers.targets.kinds import is_there
from heapster.commands.delivery import USAGE, Delivery, written
from heapster.commands.misuse import misuse as misuse_all
from heapster.commands.pages import write_page
from heapster.commands.targets import target_of
from heapster.commands.usage.bench import QUICK_ROUNDS, ROUNDS
from heapster.files import write_whole
from heapster.reports.columns import drawn
from heapster.reports.jsonfile import as_value
from heapster.reports.measured import renewed
from heapster.reports.output import Line, say, warn
from heapster.reports.progress import Meter
from heapster.reports.ratios import LEGEND, compared, measured_on
from heapster.reports.tables import markdown
from heapster.reports.terminal import FAINT, PLAIN, finding_lines, not_checked, verdict_line
from heapster.results import Run, UsageError
from heapster.wording import counted

QUICK_SHARE = 0.25              # of the work
NAMED = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_.-]*)=(?P<path>.+)")


def command(targets: str | None, workloads: str | None, suite: str | None, rounds: int | None, seconds: float | None,
            quick: bool, misuse: bool, json: str | None, html: str | None, text: str | None,
            write: tuple[Path, ...]) -> int:
    """Measure allocators: processor time and peak memory on workloads, as ratios to libc; or misuse them."""
    delivery = Delivery(json)
    delivery.check(html, text)
    asked = () if targets is None else _asked(targets)
    names = _names("workloads", workloads)
    if misuse:
        if rounds or seconds or quick or suite or write:
            raise UsageError("--misuse runs each program once: leave --rounds, --seconds, --quick, --suite and --write "
                             "out")
        return misuse_all(asked, names, delivery, html, text)
    for document in write:
        _renewed(document, suite is not None, {})
    plan = _plan(asked, names, suite, rounds or (QUICK_ROUNDS if quick else ROUNDS), QUICK_SHARE if quick else 1.0,
                 seconds)
    with Meter("bench") as meter:
        run = run_of(plan, measure(plan, meter.show), frozenset(str(one.target) for one in asked))
        meter.close(f"{counted(len(run.extra['workloads']), 'workload')} in {run.seconds:.1f} s")
    code = delivery.write(run)
    kept = written(partial(_write, as_value(run), html, text, write))
    say(_lines(run))
    return code if code or kept else USAGE


def _names(option_name: str, value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    if not names:
        raise UsageError(f"--{option_name}: name at least one, or leave it out")
    return names


def _plan(asked: tuple[NamedTarget, ...], names: tuple[str, ...], folder: str | None, rounds: int, share: float,
          seconds: float | None) -> BenchPlan:
    """What to measure; UsageError for what is not there, before anything is compiled."""
    if folder is None:
        workloads = chosen(names)
        return BenchPlan(workloads, find_targets(asked or USUAL), rounds, share, seconds,
                         weights={} if names else WEIGHTS)
    suite = suite_in(folder)
    workloads = chosen(names, suite.workloads)
    return BenchPlan(workloads, find_targets(asked or USUAL), rounds, share, seconds, SUITE_LIMIT,
                     replace(suite, left_out={}) if names else suite)


def _asked(text: str) -> tuple[NamedTarget, ...]:
    """The targets of a list; NAME=PATH gives one a name."""
    words = grammar.split(text)
    if not words:
        raise UsageError("--targets: name at least one, or leave it out")
    return tuple(dict.fromkeys(map(_one, words)))


def _one(word: str) -> NamedTarget:
    named = NAMED.fullmatch(word)
    if named is None or is_there(word):
        return NamedTarget(target_of(word, "bench"))
    return NamedTarget(target_of(named["path"], "bench"), named["name"])


def _renewed(document: Path, suite: bool, value: Mapping[str, Any]) -> str:
    """The document's text with this run's figures, if it has any; UsageError if it has no place for them."""
    try:
        return renewed(document.read_text(encoding="utf-8"), suite, value)
    except (OSError, ValueError) as error:
        raise UsageError(f"--write {document}: {getattr(error, 'strerror', None) or error}") from None


def _write(value: Mapping[str, Any], html: str | None, text: str | None, write: tuple[Path, ...]) -> None:
    """Write the page, the Markdown and the documents that were asked for. Raises Unwritable."""
    if html:
        write_page(Path(html), [value], {})
    if text:
        parts = [markdown(table) for table in compared(value)]
        write_whole(Path(text), "\n".join([f"{measured_on(value)}\n", *parts, LEGEND]) + "\n")
    for document in write:
        if value["verdict"] == "passed":
            write_whole(document, _renewed(document, "suite" in value, value))
        else:
            warn(f"{document} keeps its figures: this run is {value['verdict']}")


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
