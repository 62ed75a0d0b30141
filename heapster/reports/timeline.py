"""A heap's life for the page: what each step changes, and nothing else.

A lane is one run of a trace. Its heap is a set of strips: regions, and mappings of their own. Each step is a
list of changes, each a list of numbers that starts with its kind:

    [0, arena, kind, start, end]        a strip is added; strips are numbered from 0 and never renumbered
    [1, strip]                          it is gone
    [2, strip, start, end]              its extent is another
    [3, strip, i, n, offset, token...]  its blocks i..i+n-1 become these
    [4, arena, n, address..., i...]     free list: the entries i... go, then n addresses come to the front
    [5, arena, address]                 next fit's cursor

A token is size << 2 | previous is used << 1 | used. Blocks tile a region, so the first of them starts where
the one before it ends; if i is 0, at `offset` from the strip's start, else `offset` is -1. Changes of a strip
come from the last block to the first, so that each index is one of the heap before the step.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from heapster.model.heap import Arena, Block, Heap, Mapped, Region

SBRK, MMAP, OWN = range(3)              # kinds of strips; OWN: a block with a mapping of its own
PACKED = 7                              # zlib's level: 9 takes four times as long for 4 % less
NO_ARENA = -1                           # whose arena a mapping of its own is in
ADDED, GONE, MOVED, SPLICED, LISTED, CURSOR = range(6)
Change = list[int]
Cell = tuple[int, int]                  # a block's address and its token
Key = tuple[int, int]                   # a strip's: the arena whose it is, and where it starts


class Taken(Protocol):
    """A step and the heap after it."""

    @property
    def step(self) -> str:
        """As text."""

    @property
    def heap(self) -> Heap:
        """After it."""

    @property
    def problem(self) -> str:
        """The problem after it; mostly none."""


@dataclass(frozen=True)
class Lane:
    """One run of a trace."""

    name: str
    changes: list[list[Change]]
    events: dict[str, list[int]]        # kind of event: steps where it happened, counted from 1
    problem: str = ""                   # what is wrong after the last step
    ends: int = 0                       # steps that were taken


@dataclass(frozen=True)
class Journey:
    """A trace, and its runs side by side."""

    name: str
    steps: list[str]
    lanes: list[Lane]
    note: str = ""
    marks: list[dict[str, Any]] = field(default_factory=list)    # {"step", "text"}: what a finding says of a step


def journey(
    name: str, runs: Mapping[str, Iterable[Taken]], note: str = "", marks: Sequence[dict[str, Any]] = (),
) -> Journey:
    """The runs of one trace as a journey; the longest of them gives the steps."""
    steps: list[str] = []
    lanes = []
    for lane_name, moments in runs.items():
        taken, lane = _lane(lane_name, moments)
        lanes.append(lane)
        steps = max(steps, taken, key=len)
    return Journey(name, steps, lanes, note, list(marks))


def packed(journey: Journey) -> str:
    """The journey as text for a page: JSON, deflated, base64."""
    value = {"name": journey.name, "steps": journey.steps, "note": journey.note, "marks": journey.marks,
             "lanes": [vars(lane) for lane in journey.lanes]}
    data = json.dumps(value, separators=(",", ":")).encode()
    return base64.b64encode(zlib.compress(data, PACKED)).decode("ascii")


def unpacked(text: str) -> dict[str, Any]:
    """The value that the page reads from it."""
    value: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(text)))
    return value


def _lane(name: str, moments: Iterable[Taken]) -> tuple[list[str], Lane]:
    writer, steps, problem = _Writer(), [], ""
    for moment in moments:
        steps.append(moment.step)
        writer.take(moment.heap)
        problem = problem or moment.problem
    return steps, Lane(name, writer.changes, writer.events, problem, len(steps))


class _Writer:
    """What changed from each heap to the next."""

    def __init__(self) -> None:
        self.changes: list[list[Change]] = []
        self.events: dict[str, list[int]] = {"split": [], "coalesce": [], "growth": [], "return": []}
        self._strips: dict[Key, tuple[int, _Strip]] = {}      # with their numbers
        self._lists: dict[int, tuple[int, ...]] = {}
        self._cursors: dict[int, int] = {}
        self._made = self._held = 0

    def take(self, heap: Heap) -> None:
        found: list[Change] = []
        self.changes.append(found)
        present = _sources(heap)
        for key in [key for key in self._strips if key not in present]:
            found.append([GONE, self._strips.pop(key)[0]])
        for key, source in present.items():
            if key not in self._strips or not _is_same(self._strips[key][1].source, source):
                found += self._strip(key, _strip(source))
        for arena in heap.arenas:
            found += self._list(arena)
        held = sum([strip.end - strip.start for _, strip in self._strips.values()])
        if held != self._held:                  # what is only cut, joined or used again is neither
            self._saw("growth" if held > self._held else "return")
            self._held = held

    def _saw(self, event: str) -> None:
        """Note an event of the last step, once."""
        steps, now = self.events[event], len(self.changes)
        if not steps or steps[-1] != now:
            steps.append(now)

    def _strip(self, key: Key, strip: "_Strip") -> Iterator[Change]:
        if key not in self._strips:
            yield [ADDED, key[0], strip.kind, strip.start, strip.end]
            self._strips[key] = (self._made, strip._replace(blocks=()))
            self._made += 1
        number, old = self._strips[key]
        if old.end != strip.end:
            yield [MOVED, number, strip.start, strip.end]
        yield from self._splices(number, old, strip)
        self._strips[key] = (number, strip)

    def _splices(self, number: int, old: "_Strip", new: "_Strip") -> Iterator[Change]:
        for first, count, cells in reversed(list(_differences(old.blocks, new.blocks))):
            offset = [cells[0].address - new.start] if cells and first == 0 else [-1]
            yield [SPLICED, number, first, count, *offset, *[_token(block) for block in cells]]
            whole = count or first == 0         # a new region starts as one block
            if old.end == new.end and whole and len(cells) != max(count, 1):
                self._saw("split" if len(cells) > count else "coalesce")

    def _list(self, arena: Arena) -> Iterator[Change]:
        old, new = self._lists.get(arena.index, ()), arena.forward
        if old != new:
            yield [LISTED, arena.index, *_list_change(old, new)]
            self._lists[arena.index] = new
        if self._cursors.get(arena.index, 0) != arena.cursor:
            yield [CURSOR, arena.index, arena.cursor]
            self._cursors[arena.index] = arena.cursor


class _Strip(NamedTuple):
    source: Region | Mapped
    kind: int
    start: int
    end: int
    blocks: tuple[Block, ...]


def _sources(heap: Heap) -> dict[Key, Region | Mapped]:
    """The regions, and the mappings of their own."""
    found: dict[Key, Region | Mapped] = {(arena.index, region.start): region
                                         for arena in heap.arenas for region in arena.regions}
    for mapped in heap.mapped:
        found[NO_ARENA, mapped.start] = mapped
    return found


def _is_same(old: Region | Mapped, new: Region | Mapped) -> bool:
    """Whether nothing changed; a region is the same object then."""
    return old is new or isinstance(new, Mapped) and old == new


def _strip(source: Region | Mapped) -> _Strip:
    if isinstance(source, Region):
        return _Strip(source, SBRK if source.kind == "sbrk" else MMAP, source.start, source.end, source.blocks)
    end = source.start + source.length
    cell = Block(source.address, end - source.address, source.used, True, 0, None)
    return _Strip(source, OWN, source.start, end, (cell,))


def _token(block: Block) -> int:
    return block.size << 2 | block.prev_used << 1 | block.used


def _differences(
    old: tuple[Block, ...], new: tuple[Block, ...],
) -> Iterator[tuple[int, int, tuple[Block, ...]]]:
    """Where two sequences of blocks differ, in order: (first, how many, what stands there instead)."""
    i = j = _common(old, new)
    tail = _common_tail(old, new, min(len(old), len(new)) - i)
    last_old, last_new = len(old) - tail, len(new) - tail
    first_old, first_new = i, j
    while i < last_old or j < last_new:
        if i < last_old and j < last_new and old[i] == new[j]:
            if i > first_old or j > first_new:
                yield first_old, i - first_old, new[first_new:j]
            i, j = i + 1, j + 1
            first_old, first_new = i, j
        elif j >= last_new or i < last_old and old[i].address <= new[j].address:
            i, j = i + 1, j + (j < last_new and old[i].address == new[j].address)
        else:
            j += 1
    if i > first_old or j > first_new:
        yield first_old, i - first_old, new[first_new:j]


def _common(old: Sequence[Any], new: Sequence[Any]) -> int:
    """How many elements both start with; by halves, since comparing slices is quick."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_tail(old: Sequence[Any], new: Sequence[Any], most: int) -> int:
    """How many elements both end with, up to `most`."""
    low, high, old_end, new_end = 0, most, len(old), len(new)
    while low < high:
        middle = (low + high + 1) // 2
        if old[old_end - middle:old_end - low] == new[new_end - middle:new_end - low]:
            low = middle
        else:
            high = middle - 1
    return low


def _list_change(old: tuple[int, ...], new: tuple[int, ...]) -> list[int]:
    """How many come to the front, which, and the indices of those that go; a whole new list if need be."""
    tail = _common_tail(old, new, min(len(old), len(new)))
    head, fresh = old[:len(old) - tail], new[:len(new) - tail]
    count = len(fresh) - _kept(head, fresh)
    return [count, *fresh[:count], *_gone(head, fresh[count:])]


def _kept(head: tuple[int, ...], fresh: tuple[int, ...]) -> int:
    """How many of the last of `fresh` are in `head`, in this order: the most, since the last ones are sought first."""
    left, wanted = len(head), len(fresh)
    while left > 0 and wanted:
        same = _common_tail(head[:left], fresh[:wanted], min(left, wanted))
        left, wanted = left - same - 1, wanted - same           # and one of `head` that is gone
        if left > 0 and wanted and fresh[wanted - 1] not in head[:left]:
            break
    return len(fresh) - wanted


def _gone(head: tuple[int, ...], kept: tuple[int, ...]) -> list[int]:
    """Indices in `head` of what is not in `kept`, which is there in this order."""
    gone: list[int] = []
    at = found = 0
    while at < len(head):
        same = _common(head[at:], kept[found:])
        at, found = at + same, found + same
        if found == len(kept):
            return [*gone, *range(at, len(head))]
        gone.append(at)
        at += 1
    return gone
