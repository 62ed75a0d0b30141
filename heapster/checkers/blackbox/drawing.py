"""What can be drawn of a stranger's heap: its live blocks, by address, each from the start of its region.

Where an allocator keeps its headers and free blocks nobody can see. A region is what it was given to divide, where
that is known; else blocks that lie less than REGION_GAP apart.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from heapster.checkers.blackbox.stepwise import NamedBlock
from heapster.model.amounts import figure, in_bytes
from heapster.model.trace import handle_name
from heapster.wording import counted

REGION_GAP = 1 << 20            # bytes without a block, from which on another region is drawn


class AddressRange(NamedTuple):
    """Addresses that are drawn from one start on."""

    start: int
    end: int
    given: bool = False         # it is what the target was given to divide


def regions(blocks: Iterable[NamedBlock], bounds: tuple[int, int] | None = None) -> list[AddressRange]:
    """Where blocks lie; blocks outside of the bounds are in regions of their own."""
    found = [AddressRange(*bounds, given=True)] if bounds else []
    for block in sorted(blocks, key=lambda one: one.pointer):
        end = block.pointer + block.request
        if bounds and bounds[0] <= block.pointer <= bounds[1]:
            continue
        if found and not found[-1].given and block.pointer - found[-1].end < REGION_GAP:
            found[-1] = found[-1]._replace(end=max(found[-1].end, end))
        else:
            found.append(AddressRange(block.pointer, end))
    return sorted(found)


def picture(blocks: Sequence[NamedBlock], every: Sequence[NamedBlock], most: int = 6,
            bounds: tuple[int, int] | None = None) -> str:
    """Draw `blocks`, at most so many; the regions are those of `every`, so that two pictures can be compared."""
    if not blocks:
        return "nothing is live"
    lines: list[str] = []
    drawn = 0
    places = regions(every, bounds)
    for number, region in enumerate(places):
        within = sorted((b for b in blocks if region.start <= b.pointer <= region.end), key=lambda b: b.pointer)
        if len(places) > 1 or region.given:
            lines.append(_heading(number, region, len(within)))
        lines += _lines(within[:most - drawn], region.start)
        drawn += len(within[:most - drawn])
    left = len(blocks) - drawn
    return "\n".join([*lines, f"and {counted(left, 'more block')}"] if left else lines)


def _heading(number: int, region: AddressRange, count: int) -> str:
    what = "its memory" if region.given else f"region {number}"
    return f"{what}: {in_bytes(region.end - region.start)}, {counted(count, 'live block')}"


def _lines(blocks: Sequence[NamedBlock], start: int) -> Iterator[str]:
    """A line each, in columns as wide as what stands in them."""
    rows = [(f"{block.pointer - start:,}", figure(block.pointer - start + block.request), block) for block in blocks]
    widest = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for at, end, block in rows:
        yield f"{handle_name(block.handle):>4}  +{at:<{widest[0]}} .. +{end:<{widest[1]}}  {in_bytes(block.request)}"
