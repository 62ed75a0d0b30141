"""Call sites as flame graphs, as Gregg's are (The Flame Graph, CACM 59(6), 2016), from the outermost call down."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from heapster.reports.tables import Table, Value

MEASURES = {"peak_bytes": "Bytes live at the peak", "calls": "Calls that made a block",
            "left_bytes": "Bytes live at the end"}
MOST_BOXES = 2_000              # of one graph: the smallest are left out
LEAST = 0.0005                  # of the width
TOP = 15                        # stacks in the table
INNERMOST = 4                   # frames of one, there
ROW = 18                        # pixels


class Box(NamedTuple):
    """One frame: where it is drawn, in parts of the width and in rows from the top."""

    name: str
    start: float
    width: float
    row: int
    value: int

    def places(self) -> str:
        """How far from the left, and how wide: as SVG has it."""
        return f'x="{100 * self.start:.3f}%" width="{100 * self.width:.3f}%" y="{ROW * self.row}"'


class Flame(NamedTuple):
    """A graph."""

    title: str
    caption: str
    boxes: tuple[Box, ...]
    height: int                 # pixels


@dataclass
class _Node:
    value: int = 0
    below: "dict[int, _Node]" = field(default_factory=dict)


def flames(runs: Iterable[Value]) -> Iterator[Flame]:
    """The graphs of each run that knows its call sites: one for each measure that is not nothing."""
    for run in runs:
        if sites := run.get("sites"):
            for measure, title in MEASURES.items():
                if total := sum(stack[measure] for stack in sites["stacks"]):
                    yield _flame(f"{title}: {run['target']}", measure, total, sites)


def _flame(title: str, measure: str, total: int, sites: Mapping[str, Any]) -> Flame:
    root = _Node(total)
    for stack in sites["stacks"]:
        node = root
        for frame in stack["frames"]:
            node = node.below.setdefault(frame, _Node())
            node.value += stack[measure]
    boxes = [Box("all", 0.0, 1.0, 0, total), *_boxes(root, sites["frames"], 0.0, 1, total)]
    shown = sorted(sorted(boxes, key=lambda box: -box.value)[:MOST_BOXES], key=lambda box: (box.row, box.start))
    less = len(boxes) > MOST_BOXES
    caption = f"{total:,} in all; callers above what they call" + ("; the smallest are left out" if less else "")
    return Flame(title, f"{caption}.", tuple(shown), ROW * (1 + max(box.row for box in shown)))


def _boxes(node: _Node, names: list[str], start: float, row: int, total: int) -> Iterator[Box]:
    for frame, child in sorted(node.below.items(), key=lambda one: -one[1].value):
        width = child.value / total
        if width >= LEAST:
            yield Box(names[frame], start, width, row, child.value)
            yield from _boxes(child, names, start, row + 1, total)
        start += width


def called(runs: Iterable[Value]) -> Iterator[Table]:
    """A table of the stacks that hold most at the peak, for each run that knows them."""
    for run in runs:
        if sites := run.get("sites"):
            yield _at_the_peak(run["target"], sites)


def _at_the_peak(target: str, sites: Mapping[str, Any]) -> Table:
    peak = sites["peak"]
    rows = []
    for stack in sites["stacks"][:TOP]:
        inner = [sites["frames"][frame] for frame in stack["frames"][-INNERMOST:]]
        share = 100 * stack["peak_bytes"] / peak["bytes"] if peak["bytes"] else 0.0
        rows.append((f"{stack['peak_bytes']:,}", f"{share:.1f} %", f"{stack['peak_blocks']:,}", f"{stack['calls']:,}",
                     f"{stack['left_bytes']:,}", " < ".join(reversed(inner))))
    return Table(f"Call sites of {target} at its peak: {peak['bytes']:,} bytes in {peak['blocks']:,} blocks after step "
                 f"{peak['step']:,}", ("bytes", "share", "blocks", "calls", "left", "called from"), tuple(rows))
