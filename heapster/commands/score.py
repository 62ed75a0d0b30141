"""`heapster score`."""

from collections.abc import Iterator
from typing import Any

from heapster.checkers.score.scoring import score
from heapster.checkers.traces.reading import shipped
from heapster.commands.delivery import Delivery
from heapster.config import POLICIES
from heapster.reports.output import Line, say, warn
from heapster.reports.progress import Meter
from heapster.reports.terminal import BAD, FAINT, PLAIN, STRONG, not_checked, verdict_line
from heapster.results import Run, UsageError

VALID = {True: "yes", False: "NO", None: "?"}
HEADINGS = f"  {'valid':>5}  {'util':>6}  {'heap':>13}  {'ops':>11}  {'secs':>9}  {'Kops':>9}  {'points':>6}"


def command(traces: tuple[str, ...], targets: str, prefix: str | None, json: str | None, junit: str | None) -> int:
    """Score allocators on traces: right or wrong, utilization, speed, and points."""
    delivery = Delivery(json, junit)
    delivery.check()
    chosen = tuple(name for name in targets.split(",") if name)
    if not chosen:
        raise UsageError("--targets: name what to score")
    with Meter("score") as meter:
        run = score(traces or tuple(shipped()), chosen, prefix, lambda what, part: meter.show(part, what))
        meter.close(f"{run.ops:,} operations in {run.seconds:.1f} s")
    for warning in run.extra["warnings"]:
        warn(warning)
    code = delivery.write(run)
    say([*_tables(run), *not_checked(run), verdict_line(run)])
    return code


def _tables(run: Run) -> Iterator[Line]:
    width = max((len(name) for rows in run.extra["table"].values() for name in rows), default=0)
    for trace, rows in run.extra["table"].items():
        yield trace, STRONG
        yield " " * (2 + width) + HEADINGS, FAINT
        for name, row in rows.items():
            yield f"  {name:<{width}}{_cells(row)}", _style(row)
            if row["skipped"]:
                yield (f"  {'':<{width}}  {row['skipped']:,} steps skipped: it has no {', '.join(row['lacks'])}; "
                       "what takes their answers is skipped too"), FAINT
    yield "total", STRONG
    for name, row in run.extra["totals"].items():
        yield f"  {name:<{width}}{_cells(row)}", _style(row)
    yield f"  {run.extra['formula']}", FAINT
    if not run.extra["totals"].keys().isdisjoint(POLICIES):
        yield f"  {run.extra['measures']}", FAINT


def _style(row: dict[str, Any]) -> str:
    return BAD if row["valid"] is False else PLAIN


def _cells(row: dict[str, Any]) -> str:
    if not row["valid"] and "problem" in row:
        return f"  {VALID[row['valid']]:>5}  {row['problem']}"
    heap = f"{'~' * row['reserves']}{row['heap']:,}" if "heap" in row else ""
    return (f"  {VALID[row['valid']]:>5}  {row['utilization']:>6.1%}  {heap:>13}  {row['ops']:>11,}  "
            f"{row['seconds']:>9.4f}  {row['kops']:>9,.0f}  {row['points']:>6.1f}")
