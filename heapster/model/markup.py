"""A heap as HTML for notebooks: each region a bar to scale, its blocks to be pointed at; the picture as text below."""

from collections.abc import Iterator, Mapping
from html import escape

from heapster.model.geometry import HEADER
from heapster.model.heap import Block, Heap, Region
from heapster.model.sketch import picture

LEAST = 0.2                     # percent of a bar: what is narrower could not be seen
USED, FREE = "#3b6fb6", "#e3e3e3"
INK = {True: "#ffffff", False: "#222222"}
BAR = "display:flex;height:1.8em;border:1px solid #888;margin:2px 0;overflow:hidden"
CELL = ("flex:{share:.4f} 1 0;min-width:1px;background:{fill};color:{ink};border-right:1px solid #fff;overflow:hidden;"
        "font:0.75em monospace;text-align:center;line-height:2.4em;white-space:nowrap")


def markup(heap: Heap, names: Mapping[int, str]) -> str:
    """The heap; `names` of payloads, as `picture` takes them."""
    bars = (bar for arena in heap.arenas for region in arena.regions for bar in _region(arena.index, region, names))
    return f'<div>{"".join(bars)}<pre style="margin:4px 0">{escape(picture(heap, names))}</pre></div>'


def _region(arena: int, region: Region, names: Mapping[int, str]) -> Iterator[str]:
    size = region.end - region.start
    yield f"<div>arena {arena}: {escape(region.kind)}, {size:,} bytes</div>"
    cells = (_cell(block, region, size, names) for block in region.blocks)
    yield f'<div style="{BAR}" role="img" aria-label="{len(region.blocks)} blocks of a region">{"".join(cells)}</div>'


def _cell(block: Block, region: Region, size: int, names: Mapping[int, str]) -> str:
    name = names.get(block.address + HEADER, "") if block.used else ""
    state = "used" if block.used else "free"
    said = f"+{block.address - region.start}: {state}, {block.size:,} bytes{f', {name}' if name else ''}"
    style = CELL.format(share=max(100 * block.size / size, LEAST), fill=USED if block.used else FREE,
                        ink=INK[block.used])
    return f'<div style="{style}" title="{escape(said)}">{escape(name)}</div>'
