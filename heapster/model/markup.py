"""A heap as HTML for notebooks: a bar to scale for each region and run, blocks to be pointed at, and the picture."""

from collections.abc import Iterable, Mapping, Set
from html import escape
from itertools import groupby
from typing import NamedTuple

from heapster.model.geometry import HEADER, RUN
from heapster.model.heap import Heap, Region, waiting
from heapster.model.runs import NO_RUNS, RunOfSlots, Runs, RunSlot
from heapster.model.sketch import picture, slots_in_words

LEAST = 0.2                     # percent of a bar: what is narrower could not be seen
FILLS = {"used": "#3b6fb6", "cached": "#9dbbe0", "free": "#e3e3e3", "back": "#e3e3e3", "never handed out": "#ffffff"}
INK = {"used": "#ffffff"}
BAR = "display:flex;height:1.8em;border:1px solid #888;margin:2px 0;overflow:hidden"
CELL = ("flex:{share:.4f} 1 0;min-width:1px;background:{fill};color:{ink};border-right:1px solid #fff;overflow:hidden;"
        "font:0.75em monospace;text-align:center;line-height:2.4em;white-space:nowrap")


class BarCell(NamedTuple):
    """A part of a bar."""

    offset: int
    size: int
    state: str
    words: str
    name: str = ""


def markup(heap: Heap, names: Mapping[int, str]) -> str:
    """The heap; `names` of payloads, as `picture` takes them."""
    cached, runs = waiting(heap), heap.runs or NO_RUNS
    bars = [bar for arena in heap.arenas for bar in (
        *[_region(arena.index, region, names, cached) for region in arena.regions],
        *[_run(runs, run, names, cached) for run in runs.of(arena.index)])]
    return f'<div>{"".join(bars)}<pre style="margin:4px 0">{escape(picture(heap, names))}</pre></div>'


def _region(arena: int, region: Region, names: Mapping[int, str], cached: Set[int]) -> str:
    cells = []
    for block in region.blocks:
        payload = block.address + HEADER
        state = "cached" if block.used and payload in cached else "used" if block.used else "free"
        name = names.get(payload, "") if state == "used" else ""
        cells.append(BarCell(block.address - region.start, block.size, state, f"{state}, {block.size:,} bytes", name))
    size = region.end - region.start
    return _bar(f"arena {arena}: {region.kind}, {size:,} bytes", f"{len(cells)} blocks of a region", cells, size)


def _run(runs: Runs, run: RunOfSlots, names: Mapping[int, str], cached: Set[int]) -> str:
    """Slots that are alike in a row are one cell, as those are that were never handed out."""
    slots = run.drawn(cached)
    cells = []
    for (state, name), likes in groupby(slots, lambda slot: (slot.state, _name_of(slot, names))):
        row = [*likes]
        words = _slots(len(row), run, state)
        cells.append(BarCell(row[0].address - run.start, len(row) * run.size, state, words, name))
    if left := run.capacity - len(slots):
        state = "never handed out"
        cells.append(BarCell(RUN - left * run.size, left * run.size, state, _slots(left, run, state)))
    title = f"arena {run.owner}: run +{runs.offset(run.start)} of {run.size}-byte slots, {slots_in_words(run, slots)}"
    return _bar(title, f"{run.capacity} slots of a run", cells, RUN)


def _name_of(slot: RunSlot, names: Mapping[int, str]) -> str:
    return names.get(slot.address, "") if slot.state == "used" else ""


def _slots(count: int, run: RunOfSlots, state: str) -> str:
    return f"{state}, {f'{count:,} slots' if count > 1 else 'a slot'} of {run.size:,} bytes"


def _bar(title: str, about: str, cells: Iterable[BarCell], size: int) -> str:
    drawn = "".join([_cell(cell, size) for cell in cells])
    return (f'<div>{escape(title)}</div>'
            f'<div style="{BAR}" role="img" aria-label="{about}">{drawn}</div>')


def _cell(cell: BarCell, size: int) -> str:
    said = f"+{cell.offset}: {cell.words}{f', {cell.name}' if cell.name else ''}"
    style = CELL.format(share=max(100 * cell.size / size, LEAST), fill=FILLS[cell.state],
                        ink=INK.get(cell.state, "#222222"))
    return f'<div style="{style}" title="{escape(said)}">{escape(cell.name)}</div>'
