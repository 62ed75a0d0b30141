"""`heapster score`."""

from collections.abc import Iterator
from typing import Any

from heapster.checkers.score.scoring import score
from heapster.checkers.targets.target import NATIVE, Target
from heapster.checkers.traces.reading import shipped
from heapster.commands.delivery import Delivery
from heapster.commands.targets import check_traces, targets_of
from heapster.commands.workers import needed, pool_of
from heapster.reports.output import Line, say, warn
from heapster.reports.progress import Meter
from heapster.reports.terminal import BAD, FAINT, PLAIN, STRONG, not_checked, verdict_line
from heapster.results import Run
from heapster.wording import counted

VALID = {True: "yes", False: "NO", None: "?"}
HEADINGS = f"  {'valid':>5}  {'util':>6}  {'heap':>13}  {'ops':>11}  {'secs':>9}  {'Kops':>9}  {'points':>6}"


def command(traces: tuple[str, ...], targets: str, prefix: str | None, json: str | None, junit: str | None,
            **given: Any) -> int:
    """Score allocators on traces: right or wrong, utilization, speed, and points."""
    delivery = Delivery(json, junit)
    delivery.check()
    check_traces(traces, "score")
    chosen = targets_of(targets, "score")
    pool = pool_of(given, 1, needed(traces, chosen))
    with Meter("score") as meter:
        run = score(traces or tuple(shipped()), chosen, prefix, lambda what, part: meter.show(part, what),
                    pool)
        meter.close(f"{counted(run.ops, 'operation')} in {run.seconds:.1f} s")
    for warning in run.extra["warnings"]:
        warn(warning)
    code = delivery.write(run)
    say([*_tables(run, chosen), *not_checked(run), verdict_line(run)])
    return code


def _tables(run: Run, chosen: tuple[Target, ...]) -> Iterator[Line]:
    width = max((len(row["target"]) for rows in run.extra["table"].values() for row in rows.values()), default=0)
    for trace, rows in run.extra["table"].items():
        yield trace, STRONG
        yield " " * (2 + width) + HEADINGS, FAINT
        for row in rows.values():
            yield f"  {row['target']:<{width}}{_cells(row)}", _style(row)
            if row["skipped"]:
                yield (f"  {'':<{width}}  {counted(row['skipped'], 'step')} skipped: it has no "
                       f"{', '.join(row['lacks'])}; what takes their answers is skipped too"), FAINT
    yield "total", STRONG
    for row in run.extra["totals"].values():
        yield f"  {row['target']:<{width}}{_cells(row)}", _style(row)
    yield f"  {run.extra['formula']}", FAINT
    if any(target.kind == NATIVE.kind for target in chosen):
        yield f"  {run.extra['measures']}", FAINT


def _style(row: dict[str, Any]) -> str:
    return BAD if row["valid"] is False else PLAIN


def _cells(row: dict[str, Any]) -> str:
    if not row["valid"] and "problem" in row:
        return f"  {VALID[row['valid']]:>5}  {row['problem']}"
    heap = f"{'~' * row['reserves']}{row['heap']:,}" if "heap" in row else ""
    return (f"  {VALID[row['valid']]:>5}  {row['utilization']:>6.1%}  {heap:>13}  {row['ops']:>11,}  "
            f"{row['seconds']:>9.4f}  {row['kops']:>9,.0f}  {row['points']:>6.1f}")
