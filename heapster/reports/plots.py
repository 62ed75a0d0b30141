"""Plots of a run's figures as SVG that takes the page's colours. matplotlib is loaded here and nowhere else."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from statistics import fmean
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heapster.reports.reading import mapping

INK = "#010203"                 # stands for the page's own colour of text
# Okabe and Ito's colours, which the colour-blind tell apart; each with its own dashes, for print.
LINES = (("#0072b2", "-"), ("#d55e00", "--"), ("#009e73", "-."), ("#cc79a7", ":"), ("#8a7a00", (0, (5, 1))))
STYLE = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10, "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.color": "#8888884d", "legend.frameon": False,
    "lines.linewidth": 1.8, "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
}
UNREFERENCED = re.compile(r' id="(?!m[0-9a-f]{6}|p[0-9a-f]{6}|h[0-9a-f]{6})[^"]*"')
TICK = re.compile(r' id="([xy]tick)_\d+"')
MARKERS = "osD^vPX"
OFFSET = 0.15                   # between the points of one workload, of the height of its row
KIB = 1024
STRETCHES = 48


@dataclass(frozen=True)
class Plot:
    """A drawing and what it shows."""

    title: str
    caption: str
    svg: str
    steps: tuple[float, float] | None = None    # of a trace, that it goes from and to: a page lets one zoom into those


def plots(run: Mapping[str, Any]) -> Iterator[Plot]:
    """All that the run's figures can be drawn as."""
    for trace, by_policy in mapping(run.get("series")).items():
        if by_policy:
            yield from _over_time(trace, by_policy)
    for trace, by_policy in mapping(run.get("searches")).items():
        if any(by_policy.values()):
            yield _plot(f"Blocks looked at per search: {trace}",
                        "The share of searches that looked at so many, or fewer.",
                        lambda axes, found=by_policy: _searches(axes, found))
    for trace, sizes in mapping(run.get("sizes")).items():
        if sizes:
            yield _plot(f"Sizes asked for: {trace}", "Requests by size, each bar up to a power of two.",
                        lambda axes, found=sizes: _sizes(axes, found))
    table = {trace: targets for trace, targets in mapping(run.get("table")).items() if targets}
    if table:
        yield _plot(f"Utilization ({run['command']})", "Peak live payload over peak heap; longer is better.",
                    lambda axes: _utilization(axes, table), height=1.6 + 0.26 * sum(map(len, table.values())))
    if run["command"] == "bench" and run.get("workloads"):
        yield from _against_libc(run["workloads"])


def _against_libc(workloads: Mapping[str, Any]) -> Iterator[Plot]:
    """Ratios of bench by workload, a point a target."""
    for kind, what in (("cpu", "Processor time"), ("memory", "Peak memory")):
        yield _plot(f"{what} against libc", "libc is 1; less is better. Bars are the intervals of the medians.",
                    lambda axes, kind=kind: _ratios(axes, workloads, kind), height=1.8 + 0.36 * len(workloads))


def _over_time(trace: str, by_policy: Mapping[str, Any]) -> Iterator[Plot]:
    yield _plot(f"Memory: {trace}", "Grey: payload that the caller holds. Lines: what each target holds of the system.",
                lambda axes: _memory(axes, by_policy), steps=True)
    ours = {name: series for name, series in by_policy.items() if "searched" in series}
    if not ours:
        return
    yield _plot(f"Fragmentation: {trace}", "The share of free bytes that lies outside the largest free block.",
                lambda axes: _lines(axes, ours, _fragmentation, "fragmentation"), steps=True)
    yield _plot(f"Free list: {trace}", "Free blocks in the heap.",
                lambda axes: _lines(axes, ours, lambda s: s["free_blocks"], "blocks"), steps=True)
    yield _plot(f"Search: {trace}", "Blocks looked at per allocation, the mean of stretches of the trace.",
                lambda axes: _lines(axes, _stretched(ours), lambda s: s["searched"], "blocks looked at"),
                steps=True)


def _stretched(by_policy: Mapping[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Searches as means of at most STRETCHES stretches: single ones leap too much to be read."""
    found = {}
    for policy, series in by_policy.items():
        length = -(-len(series["step"]) // STRETCHES)
        starts = range(0, len(series["step"]), length)
        found[policy] = {"step": [series["step"][start] for start in starts],
                         "searched": [fmean(series["searched"][start:start + length]) for start in starts]}
    return found


def _plot(title: str, caption: str, draw: Any, height: float = 3.2, *, steps: bool = False) -> Plot:
    """A plot; of one over steps every point stays, for those who zoom in."""
    with mpl.rc_context({**STYLE, "svg.hashsalt": title, "path.simplify": not steps}):
        figure = Figure(figsize=(6.4, height), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.set_title(title.split(":", maxsplit=1)[0], loc="left", fontsize=11)
        text = StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        span = axes.get_xlim() if steps else None
    return Plot(title, f"{title}. {caption}", _for_the_page(text.getvalue()), span)


def _for_the_page(svg: str) -> str:
    """The drawing alone, in the page's colours and width, without ids that nothing refers to."""
    svg = svg[svg.index("<svg"):].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*" ?', r'<svg \1', svg, count=1)
    svg = re.sub(r'<svg ([^>]*?)height="[^"]*" ?', r'<svg \1aria-hidden="true" ', svg, count=1)
    return UNREFERENCED.sub("", TICK.sub(r' class="\1"', svg))


def _memory(axes: Axes, by_policy: Mapping[str, Any]) -> None:
    first = next(iter(by_policy.values()))
    axes.fill_between(first["step"], [live / KIB for live in first["live"]], color="#888888", alpha=0.35, linewidth=0,
                      label="live payload")
    _lines(axes, by_policy, lambda series: [held / KIB for held in series["heap"]], "KiB")


def _fragmentation(series: Mapping[str, Any]) -> list[float]:
    """What is neither used nor the largest free block, of what is not used; 0 where nothing is free."""
    shares = []
    for used, heap, largest in zip(series["used"], series["heap"], series["largest_free"], strict=True):
        free = heap - used
        shares.append(max(0.0, 1 - largest / free) if free > 0 and largest else 0.0)
    return shares


def _lines(axes: Axes, by_policy: Mapping[str, Any], figure: Any, unit: str) -> None:
    for (policy, series), (colour, dashes) in zip(by_policy.items(), _styles(len(by_policy)), strict=False):
        axes.plot(series["step"], figure(series), label=policy, color=colour, linestyle=dashes)
    axes.set_xlabel("step")
    axes.set_ylabel(unit)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)


def _styles(count: int) -> Sequence[tuple[str, Any]]:
    return [LINES[i % len(LINES)] for i in range(count)]


def _searches(axes: Axes, by_policy: Mapping[str, Any]) -> None:
    for (policy, pairs), (colour, dashes) in zip(by_policy.items(), _styles(len(by_policy)), strict=False):
        total, seen, shares = sum(times for _, times in pairs), 0, []
        for _, times in pairs:
            seen += times
            shares.append(seen / total)
        axes.step([length for length, _ in pairs], shares, where="post", label=policy, color=colour, linestyle=dashes)
    axes.set_xscale("symlog")
    axes.set_xlabel("blocks looked at")
    axes.set_ylabel("share of searches")
    axes.legend(fontsize=8)


def _sizes(axes: Axes, pairs: Sequence[Sequence[int]]) -> None:
    axes.bar([str(size) if size < KIB else f"{size // KIB}K" for size, _ in pairs], [times for _, times in pairs],
             color=LINES[0][0])
    axes.set_xlabel("bytes, up to")
    axes.set_ylabel("requests")
    axes.tick_params(axis="x", rotation=45)


def _utilization(axes: Axes, table: Mapping[str, Mapping[str, Any]]) -> None:
    labels, values, colours = [], [], []
    for trace, targets in table.items():
        for (target, figures), (colour, _) in zip(targets.items(), _styles(len(targets)), strict=False):
            labels.append(f"{target}, {trace}" if len(table) > 1 else target)
            values.append(100 * (figures.get("utilization") or 0))
            colours.append(colour)
    bars = axes.barh(labels, values, color=colours)
    axes.bar_label(bars, fmt="%.1f %%", padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 108)
    axes.set_xlabel("utilization, %")


def _ratios(axes: Axes, workloads: Mapping[str, Any], kind: str) -> None:
    targets = list(dict.fromkeys(name for one in workloads.values() for name in one["targets"] if name != "libc"))
    rows = list(workloads)
    for number, (target, (colour, _)) in enumerate(zip(targets, _styles(len(targets)), strict=True)):
        shown = [(row + OFFSET * (number - (len(targets) - 1) / 2), workloads[name]["targets"][target])
                 for row, name in enumerate(rows) if f"{kind}_ratio" in workloads[name]["targets"].get(target, {})]
        values = [figures[f"{kind}_ratio"] for _, figures in shown]
        errors = [[max(0.0, figures[f"{kind}_ratio"] - figures[f"{kind}_low"]) for _, figures in shown],
                  [max(0.0, figures[f"{kind}_high"] - figures[f"{kind}_ratio"]) for _, figures in shown]]
        axes.errorbar(values, [place for place, _ in shown], xerr=errors, fmt=MARKERS[number % len(MARKERS)],
                      color=colour, markersize=4, linewidth=1, label=target)
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    axes.set_xlabel("ratio to libc")
    if targets:
        axes.legend(fontsize=8, ncols=5, loc="upper left", bbox_to_anchor=(0, -0.35 / len(rows) * 4))
