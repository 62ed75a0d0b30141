"""A heap's life for the page: what each step changes, and nothing else.

A lane is one run of a trace. Its heap is a set of strips: regions, runs of slots, and mappings of their own. Each step
is a list of changes, each a list of numbers that starts with its kind:

    [0, arena, kind, start, end, size]  a strip is added; strips are numbered from 0 and never renumbered; a run's slots
                                        have that size, which is 0 for others
    [1, strip]                          it is gone
    [2, strip, start, end]              its extent is another
    [3, strip, i, n, offset, token...]  its blocks i..i+n-1 become these
    [4, arena, n, address..., i...]     free list: the entries i... go, then n addresses come to the front
    [5, arena, address]                 next fit's cursor

A token is size << 2 | previous is used << 1 | used; of a slot, size << 2 | it is cached << 1 | it is out. Blocks tile a
region, and slots a run as far as they were handed out, so the first of them starts where the one before it ends; if i
is 0, at `offset` from the strip's start, else `offset` is -1. Changes of a strip come from the last block to the first,
so that each index is one of the heap before the step.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from heapster.model.changes import PURGED, SLOTS, Changes, Key, Splice, StripChange

PACKED = 7                              # zlib's level: 9 takes four times as long for 4 % less
ADDED, GONE, MOVED, SPLICED, LISTED, CURSOR = range(6)
Change = list[int]


class Taken(Protocol):
    """A step and what it changed."""

    @property
    def step(self) -> str:
        """As text."""

    @property
    def changes(self) -> Changes:
        """Of the heap."""

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
        writer.take(moment.changes)
        problem = problem or moment.problem
    return steps, Lane(name, writer.changes, writer.events, problem, len(steps))


class _Writer:
    """The changes as numbers, and the events that they tell of."""

    def __init__(self) -> None:
        self.changes: list[list[Change]] = []
        self.events: dict[str, list[int]] = {"split": [], "coalesce": [], "growth": [], "return": []}
        self._strips: dict[Key, _Strip] = {}
        self._made = 0

    def take(self, changes: Changes) -> None:
        found: list[Change] = []
        self.changes.append(found)
        grown = 0
        for key in changes.gone:
            gone = self._strips.pop(key)
            grown -= gone.length
            found.append([GONE, gone.number])
        for strip in changes.strips:
            grown += self._strip(strip, found)
        found += [[LISTED, arena, len(fresh), *fresh, *gone] for arena, fresh, gone in changes.lists]
        found += [[CURSOR, arena, address] for arena, address in changes.cursors]
        if grown:                               # what is only cut, joined or used again is neither
            self._saw("growth" if grown > 0 else "return")

    def _saw(self, event: str) -> None:
        """Note an event of the last step, once."""
        steps, now = self.events[event], len(self.changes)
        if not steps or steps[-1] != now:
            steps.append(now)

    def _strip(self, strip: StripChange, found: list[Change]) -> int:
        """Write what is otherwise about a strip; how many bytes it is longer."""
        key, kind, start, end, splices = strip
        longer = (end - start) * (kind != PURGED)       # what is purged is the system's
        if key in self._strips:
            number, length = self._strips[key]
            if length != longer:
                found.append([MOVED, number, start, end])
        else:
            found.append([ADDED, key[0], kind, start, end, key[2] if kind == SLOTS else 0])
            number, length = self._made, 0
            self._made += 1
        self._strips[key] = _Strip(number, longer)
        for splice in reversed(splices):
            found.append(_numbers(number, start, splice))
            if kind != SLOTS:
                self._note_splice(splice, moved=length not in (0, longer))
        return longer - length

    def _note_splice(self, splice: Splice, *, moved: bool) -> None:
        first, count, blocks = splice
        whole = count or first == 0             # a new region starts as one block
        if not moved and whole and len(blocks) != max(count, 1):
            self._saw("split" if len(blocks) > count else "coalesce")


class _Strip(NamedTuple):
    number: int
    length: int                 # bytes that the heap has of the system


def _numbers(number: int, start: int, splice: Splice) -> Change:
    """A splice of a strip that begins at `start`."""
    first, count, blocks = splice
    offset = blocks[0].address - start if blocks and first == 0 else -1
    return [SPLICED, number, first, count, offset,
            *[size << 2 | beside << 1 | used for _, size, used, beside, *_ in blocks]]
