"""Runs as tables: for the page, for Markdown, and for whoever has JavaScript off."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heapster.reports.reading import mapping

Value = Mapping[str, Any]           # a run as JSON has it
PERCENT = frozenset({"utilization", "internal", "external"})
MEMORY = frozenset({"peak_live", "peak_heap", "final_heap"})
NOTHING = "-"
HEADS = {
    "peak_live": "peak live", "peak_heap": "peak heap", "final_heap": "final heap",
    "internal": "internal fragmentation",
    "external": "external fragmentation", "searched_mean": "searched, mean", "searched_p99": "p99",
    "searched_max": "max",
    "free_blocks_max": "free list, max", "system_calls": "system calls", "pages_touched": "pages touched",
    "pages_moved": "pages moved", "ops_per_second": "ops/s", "agrees": "as predicted",
}
KEPT = "findings"               # the command of a run that is what is kept


@dataclass(frozen=True)
class Table:
    """A caption, headings and rows of text."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def numeric(self) -> frozenset[int]:
        """The columns that hold numbers."""
        return frozenset(i for i in range(len(self.heads))
                         if self.rows and all(_is_number(row[i]) for row in self.rows))


def _measured(run: Value) -> tuple[str, str]:
    """Operations and seconds; of what is kept neither is known."""
    return (_plain(run["ops"]), _plain(run["seconds"])) if run["command"] != KEPT else (NOTHING, NOTHING)


def summary(runs: Sequence[Value]) -> Table:
    """A line for each run; of those of a folder, with the names of their files."""
    rows = [(run["command"], run["target"], run["verdict"], *_measured(run),
             _plain(len(run["findings"])), *([run.get("file", "")] if _filed(runs) else [])) for run in runs]
    heads = ("command", "target", "verdict", "operations", "seconds", "findings", *(["file"] if _filed(runs) else []))
    return Table("Runs", heads, tuple(rows))


def _filed(runs: Iterable[Value]) -> bool:
    return any(run.get("file") for run in runs)


def figures(runs: Iterable[Value]) -> Iterator[Table]:
    """The tables of diff and score."""
    for run in runs:
        for trace, targets in mapping(run.get("table")).items():
            if targets:
                yield _by_target(f"{run['command']}: {trace}", targets)
        if totals := mapping(run.get("totals")):
            yield _by_target(f"{run['command']}: total. {run.get('formula', '')}".strip(), totals)


def checked(run: Value) -> Iterator[Table]:
    """What a run evaluated, saw, proved, hunted and explored."""
    if theorems := run.get("theorems"):
        keys = ("name", "claim", "bound", "verdict", "paths", "seconds")
        yield Table("Theorems, each within its bound", keys,
                    tuple(tuple(_plain(t.get(key, "")) for key in keys) for t in theorems))
    if kills := run.get("kills"):
        missed = set(run.get("missed", ()))
        yield Table("Planted bugs and who caught them", ("planted bug", "in", "caught by", "shrunk to"), tuple(
            (k["title"], f"impl/{k['module']}.py", "missed" if k["title"] in missed else k["caught_by"],
             "; ".join(k["trace"])) for k in kills))
    if parts := mapping(run.get("parts")):
        yield _by_target("Parts", parts)
    if run.get("schedules") is not None:
        yield Table("Schedules", ("explored", "how"), ((_plain(run["schedules"]), str(run.get("explored", ""))),))
    yield from _counts(run)


def _counts(run: Value) -> Iterator[Table]:
    for key, caption, heads in (("checks", "Checks and how often they were evaluated", ("check", "times")),
                                ("witnesses", "Witnesses: what the run must have seen", ("event", "times seen"))):
        if counts := run[key]:
            rows = [(name, _plain(times) if times else "never") for name, times in sorted(counts.items())]
            yield Table(caption, heads, tuple(rows))


def markdown(table: Table) -> str:
    """The table as Markdown."""
    lines = ["| " + " | ".join(table.heads) + " |",
             "|" + "|".join("--:" if i in table.numeric else "---" for i in range(len(table.heads))) + "|"]
    for row in table.rows:
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |")
    return f"**{table.caption}**\n\n" + "\n".join(lines) + "\n"


def _by_target(caption: str, targets: Mapping[str, Any]) -> Table:
    """One row a target; figures are columns, in the order in which they first appear."""
    keys = list(dict.fromkeys(key for figures in targets.values() for key in mapping(figures)))
    keys = [key for key in keys
            if not any(isinstance(mapping(figures).get(key), list | dict) for figures in targets.values())]
    rows = [(target, *[_figure(key, mapping(figures).get(key)) for key in keys])
            for target, figures in targets.items()]
    return Table(caption, ("target", *[HEADS.get(key, key) for key in keys]), tuple(rows))


def _figure(key: str, value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if key in PERCENT:
            return f"{100 * value:.1f} %"
        if key in MEMORY:
            return f"{value / 1024:,.1f} KiB"
    return _plain(value)


def _plain(value: Any) -> str:
    match value:
        case None:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"
        case list() | tuple():
            return ", ".join(map(str, value))
    return str(value)


def _is_number(text: str) -> bool:
    words: Sequence[str] = text.replace(",", "").split(" ")
    return text in (NOTHING, "never") or words[0].replace(".", "", 1).lstrip("-").isdigit() and len(words) <= 2
