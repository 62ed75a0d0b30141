"""`heapster score`."""

from collections.abc import Iterator
from typing import Any

from heapster.checkers.score.scoring import score
from heapster.checkers.targets.target import NATIVE, Target
from heapster.checkers.traces.reading import shipped
from heapster.commands.delivery import Delivery
from heapster.commands.targets import check_traces, targets_of
from heapster.commands.workers import needed, pool_of
from heapster.reports.columns import Row, in_columns
from heapster.reports.output import Line, say, warn
from heapster.reports.progress import Meter
from heapster.reports.terminal import BAD, FAINT, PLAIN, STRONG, not_checked, verdict_line
from heapster.results import Run
from heapster.wording import counted

VALID = {True: "yes", False: "NO", None: "?"}
COLUMNS = {"valid": 5, "util": 6, "heap": 13, "ops": 11, "secs": 9, "Kops": 9, "points": 6}     # and least widths


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
    tables = run.extra["table"]
    least = (max((len(row["target"]) for rows in tables.values() for row in rows.values()), default=0),
             *COLUMNS.values())
    for trace, rows in (*tables.items(), ("total", run.extra["totals"])):
        yield trace, STRONG
        yield from in_columns(("", *COLUMNS), [line for row in rows.values() for line in _rows(row)], least)
    yield f"  {run.extra['formula']}", FAINT
    if any(target.kind == NATIVE.kind for target in chosen):
        yield f"  {run.extra['measures']}", FAINT


def _rows(row: dict[str, Any]) -> Iterator[Row]:
    """What it came to; and what of the trace it was not asked for."""
    name, style = row["target"], BAD if row["valid"] is False else PLAIN
    if not row["valid"] and "problem" in row:
        yield Row((name, VALID[row["valid"]], row["problem"]), style)
    else:
        heap = f"{'~' * row['reserves']}{row['heap']:,}" if "heap" in row else ""
        yield Row((name, VALID[row["valid"]], f"{row['utilization']:.1%}", heap, f"{row['ops']:,}",
                   f"{row['seconds']:.4f}", f"{row['kops']:,.0f}", f"{row['points']:.1f}"), style)
    if row.get("skipped"):
        words = f"{counted(row['skipped'], 'step')} skipped: it has no {', '.join(row['lacks'])}"
        yield Row(("", f"{words}; what takes their answers is skipped too"), FAINT)
