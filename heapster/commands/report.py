"""`heapster report`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from heapster.checkers.blackbox.severity import ordered
from heapster.checkers.findings.store import Store, place_of
from heapster.commands.delivery import check_writable
from heapster.commands.kept import settings_named, trace_named
from heapster.commands.pages import travelled, write_page
from heapster.config import CLASSIC, POLICIES
from heapster.files import Unwritable, write_whole
from heapster.reports import jsonfile
from heapster.reports.flame import called
from heapster.reports.misuse import misused
from heapster.reports.output import say, warn
from heapster.reports.ratios import ratios
from heapster.reports.reading import read_run
from heapster.reports.tables import Table, checked, figures, markdown, summary
from heapster.reports.terminal import PLAIN
from heapster.results import Finding, Run, UsageError, Verdict

Values = Sequence[Mapping[str, Any]]


def command(runs: tuple[str, ...], html: str | None, text: str | None, json: str | None, traces: tuple[str, ...],
            kept: bool, policy: tuple[str, ...] | None, steps: int, store: str, target: str | None = None) -> int:
    """Show what runs found, from the files that --json wrote: as a page, as Markdown, or as one run."""
    if not runs and not traces and not kept:
        raise UsageError("nothing to report: name files that --json wrote, or folders with them, or --trace FILE, or "
                         "--kept")
    written = [name for name in (html, json, text if text != "-" else None) if name]
    for name in written:
        check_writable(Path(name))
    read = [one for name in runs for one in _read(Path(name))]
    values = [*read, *(kept_runs(Path(store)) if kept else ())]
    shown = travelled(values, {trace_named(name, store): settings_named(name, store, target, "report")
                               for name in traces})
    try:
        if html:
            write_page(Path(html), values, shown, policy or _policies(values), steps)
        if json:
            jsonfile.write(_joined(values), Path(json))
        if text and text != "-":
            write_whole(Path(text), _markdown(values))
    except Unwritable as error:
        raise UsageError(str(error)) from None
    if text == "-" or not written:
        say((line, PLAIN) for line in _markdown(values).splitlines())
    return 0


def _read(path: Path) -> list[Mapping[str, Any]]:
    """The run in a file, or all in a folder and below, with their files' names; UsageError if there is none."""
    if not path.is_dir():
        return [read_run(path)]
    found: list[Mapping[str, Any]] = [
        {**run, "file": str(file.relative_to(path))} for file in sorted(path.rglob("*.json"))
        if (run := _run_in(file)) is not None]
    if not found:
        raise UsageError(f"{path} has no file that --json wrote")
    return found


def _run_in(file: Path) -> Mapping[str, Any] | None:
    """The run in a file of a folder, which may hold other things; those are no runs, and said to be none."""
    try:
        return read_run(file)
    except UsageError as error:
        warn(f"left out: {error}")
        return None


def kept_runs(store: Path) -> list[Mapping[str, Any]]:
    """What is kept and not mended, as a run of each target; UsageError if nothing is."""
    standing = [kept for kept in Store(store, warn).all() if not kept.state().mended]
    if not standing:
        raise UsageError(f"nothing is kept in {store} that still fails")
    found: dict[str, list[Finding]] = {}
    for one in standing:
        found.setdefault(str(one.target), []).append(one.finding)
    return [jsonfile.as_value(Run("findings", target, 0, Verdict.FAILED, 0.0, 0, ordered(findings)))
            for target, findings in found.items()]


def _policies(values: Values) -> tuple[str, ...]:
    """Those that the runs compare, else the textbooks'."""
    compared = {name for value in values for name in value.get("policies") or ()}
    return tuple(name for name in POLICIES if name in compared) or CLASSIC


def _markdown(values: Values) -> str:
    parts = [f"# Heapster\n\n{markdown(summary(values))}" if values else "# Heapster\n"]
    for value in values:
        parts += [_finding(finding) for finding in value["findings"]]
    parts += [markdown(table) for table in _tables(values)]
    return "\n".join(parts)


def _tables(values: Values) -> Iterator[Table]:
    yield from figures(values)
    yield from ratios(values)
    yield from misused(values)
    yield from called(values)
    for value in values:
        yield from checked(value)


def _finding(finding: Mapping[str, Any]) -> str:
    trace, cause = "\n".join(finding["trace"]), _as_finding(finding).cause
    return (f"## {finding['title']}\n\n`{finding['code']}`{f', {cause}' if cause else ''}\n\n"
            f"```\n{trace}\n```\n\n`{finding['replay']}`\n")


def _joined(values: Values) -> Run:
    """All of them as one run, whose verdict is the worst."""
    verdicts = [Verdict(value["verdict"]) for value in values]
    worst = next((v for v in (Verdict.FAILED, Verdict.INCONCLUSIVE) if v in verdicts), Verdict.PASSED)
    findings = [_as_finding(finding) for value in values for finding in value["findings"]]
    return Run("report", ", ".join(dict.fromkeys(value["target"] for value in values)) or "none", 0, worst,
               sum(value["seconds"] for value in values), sum(value["ops"] for value in values),
               tuple(findings) if worst is Verdict.FAILED else (), _sum(values, "checks"), _sum(values, "witnesses"),
               {"runs": [dict(value) for value in values]}, sum(value["cpu_seconds"] for value in values))


def _as_finding(value: Mapping[str, Any]) -> Finding:
    known: dict[str, Any] = {key: value[key] for key in Finding.__dataclass_fields__ if key in value}
    known.update({key: tuple(item) for key, item in known.items() if isinstance(item, list)})
    return Finding(**(known | {"place": place_of(value.get("place"))}))


def _sum(values: Values, key: str) -> dict[str, int]:
    total: dict[str, int] = {}
    for value in values:
        for name, times in value[key].items():
            total[name] = total.get(name, 0) + times
    return total
