"""The tables of bench: workloads by targets, as ratios to libc."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from heapster.reports.tables import NOTHING, Table, Value
from heapster.wording import counted

BASE = "libc"
MIB = 1024                          # KiB
TIE, OPEN = "tie", "too few rounds"
MEAN, INTERVAL = "geometric mean", "its 93 % interval"
LEGEND = "tie: 1 lies within the noise, or is less than 2 % away. ?: fewer than 5 rounds, too few to tell."
DETAIL = "medians of the rounds ± their median absolute deviation"


def ratios(runs: Iterable[Value]) -> Iterator[Table]:
    """The tables of each run of bench, with what it was measured on."""
    for run in runs:
        if run["command"] == "bench" and run.get("workloads"):
            yield from compared(run)
            row = (str(run["rounds"]), *map(str, run["machine"].values()))
            yield Table(LEGEND, ("rounds", *run["machine"]), (row,))


def compared(run: Value) -> Iterator[Table]:
    """Processor time, peak memory, and nanoseconds an operation where the loop's own are known."""
    workloads: Mapping[str, Any] = run["workloads"]
    targets = tuple(dict.fromkeys(name for one in workloads.values() for name in one["targets"]))
    if not workloads:
        return
    yield _against_libc(f"Processor time as a ratio to libc's: {DETAIL}", "cpu", workloads, run["geomean"], targets)
    yield _against_libc(f"Peak memory as a ratio to libc's: {DETAIL}", "memory", workloads, run["geomean"], targets)
    if any("ns_per_op" in figures for one in workloads.values() for figures in one["targets"].values()):
        yield _per_operation(workloads, targets)


def _against_libc(caption: str, kind: str, workloads: Mapping[str, Any], means: Mapping[str, Any],
                  targets: tuple[str, ...]) -> Table:
    """A row a workload: what libc used, and the ratios of the others; then the means."""
    others = [name for name in targets if name != BASE]
    rows = [(name, _used(kind, one["targets"].get(BASE)), *[_cell(kind, one["targets"].get(t)) for t in others])
            for name, one in workloads.items()]
    weighted = len({one.get("weight", 1) for one in workloads.values()}) > 1
    name = f"weighted {MEAN}" if weighted else MEAN
    rows.append((name, "", *[_mean(kind, means.get(target), len(workloads)) for target in others]))
    rows.append((INTERVAL, "", *[_interval(kind, means.get(target)) for target in others]))
    return Table(caption, ("workload", BASE, *others), tuple(rows))


def _used(kind: str, figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return NOTHING
    return f"{figures['cpu_seconds']:.3f} s" if kind == "cpu" else f"{figures['memory_kib'] / MIB:.1f} MiB"


def _cell(kind: str, figures: Mapping[str, Any] | None) -> str:
    """A ratio with its spread; a tie is never left to look like a win."""
    if figures is None or f"{kind}_ratio" not in figures:
        return NOTHING
    text = f"{_number(figures[f'{kind}_ratio'])} ±{_number(figures[f'{kind}_ratio_spread'])}"
    return text + {TIE: " tie", OPEN: " ?"}.get(figures[f"{kind}_standing"], "")


def _mean(kind: str, figures: Mapping[str, Any] | None, workloads: int) -> str:
    """A mean; with the number of its workloads, where the target has failed some."""
    counted = figures["workloads"] if figures else workloads
    return _cell(kind, figures) + (f" of {counted}" if counted < workloads else "")


def _interval(kind: str, figures: Mapping[str, Any] | None) -> str:
    if figures is None or figures[f"{kind}_standing"] == OPEN:
        return NOTHING
    return f"{_number(figures[f'{kind}_low'])}-{_number(figures[f'{kind}_high'])}"


def _number(value: float) -> str:
    """Two digits behind the point below 10, and as many as make sense above."""
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def _per_operation(workloads: Mapping[str, Any], targets: tuple[str, ...]) -> Table:
    rows = [(name, *[_nanoseconds(one["targets"].get(target)) for target in targets])
            for name, one in workloads.items()
            if any("ns_per_op" in figures for figures in one["targets"].values())]
    return Table("Nanoseconds of a malloc or a free, without the loop around it", ("workload", *targets), tuple(rows))


def _nanoseconds(figures: Mapping[str, Any] | None) -> str:
    if figures is None or "ns_per_op" not in figures:
        return NOTHING
    return f"{_number(figures['ns_per_op'])} ±{_number(figures['ns_spread'])}"


def measured_on(run: Value) -> str:
    """When, where and how often, in one line."""
    m = run["machine"]
    return (f"Measured {m['date']} on {m['processors']} x {m['processor']}, {m['system']}, {m['libc']}; "
            f"medians of {counted(run['rounds'], 'interleaved round')}.")
