"""`heapster diff`."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from heapster.checkers.diff.comparing import diff, entrants
from heapster.checkers.findings.store import Store
from heapster.checkers.traces.reading import shipped
from heapster.commands.delivery import USAGE, Delivery, written
from heapster.commands.kept import trace_named
from heapster.commands.pages import travelled, write_page
from heapster.commands.targets import check_traces, targets_of
from heapster.commands.workers import needed, pool_of
from heapster.config import POLICIES
from heapster.reports.columns import Row, in_columns
from heapster.reports.jsonfile import as_value
from heapster.reports.output import Line, say, warn
from heapster.reports.progress import Meter
from heapster.reports.terminal import BAD, FAINT, PLAIN, STRONG, run_lines
from heapster.results import Run, UsageError
from heapster.wording import counted

COLUMNS = (                     # heading, figure, how it is shown
    ("peak live", "peak_live", "{:,}"), ("peak heap", "peak_heap", "{:,}"), ("final", "final_heap", "{:,}"),
    ("util", "utilization", "{:.1%}"), ("internal", "internal", "{:.1%}"), ("external", "external", "{:.1%}"),
    ("search mean", "searched_mean", "{:.1f}"), ("p99", "searched_p99", "{:,}"), ("max", "searched_max", "{:,}"),
    ("splits", "splits", "{:,}"), ("joins", "coalesces", "{:,}"), ("syscalls", "system_calls", "{:,}"),
    ("pages", "pages_touched", "{:,}"), ("moved", "pages_moved", "{:,}"), ("Mops/s", "ops_per_second", "{:.1f}"))
NAME_WIDTH = 12
BOUNDS = (                      # whose, key, what is proven and where
    ("any allocator that never moves a block", "any_allocator", "at least {:.2f} (Robson 1971)"),
    ("the best allocator there can be", "best_possible", "about {:.2f} at most (Robson 1974)"),
    ("first fit by address, which ours is not", "first_fit", "at most {:.2f} (Robson 1977; Knuth, TAOCP 2.5, ex. 43)"),
    ("best fit", "best_fit", "at least {:.2f} (Robson 1977; Knuth, TAOCP 2.5, ex. 42)"))


def command(traces: tuple[str, ...], policy: tuple[str, ...], policies: str | None, targets: str | None,
            prefix: str | None, json: str | None, html: str | None, junit: str | None, store: str,
            **given: Any) -> int:
    """Play traces on each policy, in lock-step with the model, and show how the policies differ."""
    delivery = Delivery(json, junit)
    delivery.check(html)
    traces = tuple(trace_named(name, store) for name in traces)
    check_traces(traces, "diff")
    chosen = _policies(policies) or policy
    aimed = targets_of(targets, "diff") if targets else ()
    pool = pool_of(given, needs=needed(traces, aimed))
    playing = entrants(chosen, aimed, prefix)
    with Meter("diff") as meter:
        run = diff(traces or tuple(shipped()), playing, Store(Path(store), warn),
                   lambda what, fraction: meter.show(fraction, what), pool)
        meter.close(f"{counted(run.ops, 'operation')} in {run.seconds:.1f} s")
    for warning in run.extra["warnings"]:
        warn(warning)
    code = delivery.write(run)
    if html and not written(partial(_write_page, Path(html), run, playing.policies)):
        code = code or USAGE
    say([*_tables(run), (f"  {run.extra['measures']}", FAINT), *run_lines(run)])
    return code


def _write_page(path: Path, run: Run, policies: tuple[str, ...]) -> None:
    values = [as_value(run)]
    write_page(path, values, travelled(values), policies)


def _policies(names: str | None) -> tuple[str, ...]:
    if not names:
        return ()
    warn(f"--policies is how the version before spelled it: write --policy {names}")
    chosen = tuple(POLICIES) if names == "all" else tuple(names.split(","))
    for name in chosen:
        if name not in POLICIES:
            raise UsageError(f"--policies: unknown policy '{name}': one of {', '.join(POLICIES)} or all")
    return chosen


def _tables(run: Run) -> Iterator[Line]:
    for trace, rows in run.extra["table"].items():
        about = run.extra["traces"][trace]
        told = ", ".join([counted(about["ops"], "step"), counted(about["allocations"], "allocation"),
                          counted(about["threads"], "thread")])
        yield f"{trace}: {told}", STRONG
        heads = ("".ljust(NAME_WIDTH), *(heading for heading, _, _ in COLUMNS))
        yield from in_columns(heads, [
            Row((name, *(_cell(figures, key, form) for _, key, form in COLUMNS)),
                BAD if figures["agrees"] is False else PLAIN) for name, figures in rows.items()])
        yield from _bounds(run, trace, rows)
        yield "", PLAIN


def _bounds(run: Run, trace: str, rows: dict[str, Any]) -> Iterator[Line]:
    """What an adversary reached, beside what is proven."""
    if known := run.extra["bounds"].get(trace):
        reached = ", ".join(f"{name} {row['peak_heap'] / row['peak_live']:.2f}" for name, row in rows.items()
                            if row["peak_live"])
        yield f"  heap / live: {reached}", PLAIN
        yield (f"  proven worst cases for blocks of {known['least']:,} to {counted(known['most'], 'byte')}, of which "
               f"{known['live']:,} live:"), FAINT
        for who, key, words in BOUNDS:
            yield f"    {who}: {words.format(known[key])}", FAINT


def _cell(figures: dict[str, Any], key: str, form: str) -> str:
    value = figures[key]
    if value is None:
        return "-"
    return form.format(value / 1e6 if key == "ops_per_second" else value)
