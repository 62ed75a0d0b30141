"""A heap in the terminal: a map of characters to scale, told apart by shape as well as by colour."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from heapster.model.amounts import amount
from heapster.model.heap import Arena, Heap, Region, waiting
from heapster.model.runs import NO_RUNS, RunSlot
from heapster.model.sketch import picture
from heapster.reports.output import width, write_out

USED, FREE, BOTH, RECORD, CACHED = "█", "·", "▒", " ", "~"     # what a character's bytes or slots are
STYLES = {USED: "blue", FREE: "yellow", BOTH: "magenta", RECORD: "default", CACHED: "cyan"}
OF_SLOTS = {"used": USED, "cached": CACHED, "back": FREE}
LEAST = 16                      # bytes a character stands for
AROUND = 2                      # steps shown before and after this one
FRAME = 2                       # columns left free


class Screen(NamedTuple):
    """The contents of the screen."""

    heap: Heap
    number: int                 # of the step, counted from 1; 0 before the first
    steps: Sequence[str]
    first: int = 1              # number of the first of `steps`
    length: int = 0             # steps of the whole trace
    policy: str = ""
    names: Mapping[int, str] = {}
    problem: str = ""
    hint: str = ""


def screen(shown: Screen, width: int, height: int) -> RenderableType:
    """The step, the figures, the map and the free lists, in so many columns and lines."""
    lines = [Text(f"{shown.policy}  step {shown.number:,} of {shown.length:,}", "bold"),
             *_steps(shown), Text("")]
    if shown.problem:
        lines.append(Text(shown.problem, "bold red"))
    words = picture(shown.heap, shown.names, width - FRAME, max(4, height // 3)).splitlines()
    room = height - len(lines) - len(words) - 4
    runs = [*_runs(shown.heap, width - FRAME, room // 2)]
    lines += [*_map(shown.heap, width - FRAME, max(room - len(runs), 3)), *runs, Text(""),
              *[Text(word, "dim") for word in words]]
    legend = f"{USED} used  {FREE} free  {BOTH} some of both{f'  {CACHED} cached' if runs else ''}"
    return Group(*lines, Text(f"{legend}   {shown.hint}", "dim"))


def show(shown: Screen) -> None:
    """Print one screen."""
    size, drawn = Console().size, StringIO()
    console = Console(file=drawn, force_terminal=width() > 0, width=size.width)
    console.print(screen(shown, size.width, max(size.height, 40)))
    write_out(drawn.getvalue())


def live(frames: Iterable[Screen]) -> None:
    """Show each frame in the place of the one before, for as long as there are more."""
    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as window:
        for shown in frames:
            window.update(screen(shown, console.width, console.height), refresh=True)


def scale(heap: Heap, width: int, rows: int) -> int:
    """Bytes a character stands for, so that all strips fit: LEAST times a power of two."""
    unit = LEAST
    while sum(-(-size // (unit * width)) + 1 for size in _sizes(heap)) > rows and unit < 1 << 40:
        unit *= 2
    return unit


def _sizes(heap: Heap) -> list[int]:
    return ([region.end - region.start for arena in heap.arenas for region in arena.regions]
            + [block.length for block in heap.mapped])


def _steps(shown: Screen) -> Iterator[Text]:
    for number in range(shown.number - AROUND, shown.number + AROUND + 1):
        if shown.first <= number < shown.first + len(shown.steps):
            here = number == shown.number
            text = f"{'>' if here else ' '} {number}: {shown.steps[number - shown.first]}"
            yield Text(text, "bold" if here else "dim")


def _map(heap: Heap, width: int, rows: int) -> Iterator[Text]:
    unit = scale(heap, width, rows)
    for arena in heap.arenas:
        for number, region in enumerate(reversed(arena.regions)):
            yield Text(f"arena {arena.index} {region.kind}{_which(arena, number)}, "
                       f"{amount(region.end - region.start)}, {unit} a character", "dim")
            yield from _rows(characters(region, unit), width)
    for block in reversed(heap.mapped):
        yield Text(f"{'own' if block.used else 'kept'} mapping, {amount(block.length)}", "dim")
        yield from _rows((USED if block.used else FREE) * max(1, block.length // unit), width)


def _runs(heap: Heap, width: int, rows: int) -> Iterator[Text]:
    """Each run as a row of its slots as far as they were handed out; of more runs than fit, the first."""
    runs, cached = (heap.runs or NO_RUNS), waiting(heap)
    fitting = len(runs.runs) if 2 * len(runs.runs) <= rows else max(1, (rows - 1) // 2)
    for run in runs.runs[:fitting]:
        slots = run.drawn(cached)
        each = max(1, -(-len(slots) // width))
        yield Text(f"arena {run.owner} run +{runs.offset(run.start)}, {run.size}-byte slots"
                   f"{f', {each} a character' if each > 1 else ''}", "dim")
        yield from _rows(slot_characters(slots, each), width)
    if left := len(runs.runs) - fitting:
        yield Text(f"and {amount(left, 'more run')}", "dim")


def slot_characters(slots: Sequence[RunSlot], each: int) -> str:
    """A character for so many slots each: what they are, or BOTH."""
    states = [{slot.state for slot in slots[first:first + each]} for first in range(0, len(slots), each)]
    return "".join([OF_SLOTS[found.pop()] if len(found) == 1 else BOTH for found in states])


def _which(arena: Arena, number: int) -> str:
    return f" region {number}" if len(arena.regions) > 1 else ""


def characters(region: Region, unit: int) -> str:
    """A character for each `unit` bytes of the region: what most of them are, or BOTH."""
    length = -(-(region.end - region.start) // unit)
    used, free = bytearray(length), bytearray(length)
    for block in region.blocks:
        first, last = (block.address - region.start) // unit, (block.address + block.size - 1 - region.start) // unit
        (used if block.used else free)[first:last + 1] = b"\1" * (last + 1 - first)
    kinds = {(0, 0): RECORD, (1, 0): USED, (0, 1): FREE, (1, 1): BOTH}
    return "".join([kinds[pair] for pair in zip(used, free, strict=True)])


def _rows(text: str, width: int) -> Iterator[Text]:
    for start in range(0, len(text), width):
        row = Text()
        for sign in text[start:start + width]:
            row.append(sign, STYLES[sign])
        yield row
