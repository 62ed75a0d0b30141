"""Measures of a policy on a trace: memory, fragmentation and work, over time and in sum.

    live    bytes that the caller asked for and has not given back
    heap    bytes that the allocator has from the system
    used    bytes of the heap that are in no free block: payload, headers, padding, records, mappings set aside

Utilization is peak live over peak heap, as malloc labs define it. Internal fragmentation is the part of
`used` that is no payload, when most is live; external is the part of the free bytes, when the heap is
largest, that the largest free block does not have.
"""

from array import array
from collections import Counter
from collections.abc import Mapping
from typing import Any

from heapster.checkers.diff.recorded_system import FootprintSystem
from heapster.model.geometry import PAGE
from heapster.model.operation import NO_HANDLE, Step
from heapster.model.operations import ASKING, REQUESTS, RESIZING, requested
from heapster.model.quick import Quick

POINTS = 512                    # of a series
SERIES = ("step", "live", "used", "heap", "free_blocks", "largest_free", "searched")


class Measures:
    """The measures so far."""

    def __init__(self, quick: Quick, system: FootprintSystem, steps: int) -> None:
        self._quick, self._system = quick, system
        self._sizes: dict[int, int] = {}            # by pointer: bytes asked for
        self._pages: set[int] = set()
        self._every = max(1, -(-steps // POINTS))
        self._looked = self._searched = 0           # when the last point was noted
        self.series: dict[str, array[float]] = {name: array("d" if name == "searched" else "q") for name in SERIES}
        self.live = self.peak_live = self.peak_heap = 0
        self.internal = self.external = 0.0
        self.moves = self.pages_moved = self.allocations = self.free_blocks_max = 0

    @property
    def _heap(self) -> int:
        """Bytes from the system; of what is reserved for runs, those that have pages."""
        return self._system.bytes - self._quick.idle

    def note(self, index: int, step: Step, pointer: int, answer: int) -> None:
        """A step was taken."""
        if pointer and (answer or step.verb not in REQUESTS or requested(step) == 0) and step.verb not in ASKING:
            old = self._sizes.pop(pointer, 0)
            self.live -= old
            if answer and step.verb in RESIZING and answer != pointer:
                self.moves += 1
                self.pages_moved += -(-min(old, requested(step)) // PAGE)
        if answer and step.result != NO_HANDLE:
            self._given(step, answer)
        elif step.verb == "finalize":
            self._sizes.clear()
            self.live = 0
        if self._heap > self.peak_heap:
            self.peak_heap = self._heap
            self.external = self._external()
        if index % self._every == 0:
            self._point(index)

    def _given(self, step: Step, pointer: int) -> None:
        size = self._sizes[pointer] = requested(step)
        self.allocations += 1
        self.live += size
        first, last = pointer // PAGE, (pointer + max(size, 1) - 1) // PAGE
        if last - first > 1:
            self._pages.update(range(first, last + 1))
        else:
            self._pages.add(first)
            self._pages.add(last)
        if self.live > self.peak_live:
            self.peak_live = self.live
            used = self._heap - self._quick.free_bytes
            self.internal = 1 - self.live / used if used else 0.0

    def _external(self) -> float:
        free = self._quick.free_bytes
        return 1 - self._quick.largest_free / free if free else 0.0

    def _point(self, index: int) -> None:
        searches = self._quick.counts
        looked, made = searches.looked - self._looked, searches.made - self._searched
        self._looked, self._searched = searches.looked, searches.made
        blocks, heap = self._quick.free_blocks, self._heap
        self.free_blocks_max = max(self.free_blocks_max, blocks)
        values = (index, self.live, heap - self._quick.free_bytes, heap, blocks, self._quick.largest_free,
                  round(looked / made, 3) if made else 0.0)
        for name, value in zip(SERIES, values, strict=True):
            self.series[name].append(value)

    def figures(self) -> dict[str, Any]:
        """All in sum, as JSON has it."""
        counts = self._quick.counts
        return {
            "peak_live": self.peak_live, "peak_heap": self.peak_heap, "final_heap": self._heap,
            "utilization": round(self.peak_live / self.peak_heap, 6) if self.peak_heap else 0.0,
            "internal": round(self.internal, 6), "external": round(self.external, 6),
            "searched_mean": round(counts.looked / counts.made, 3) if counts.made else 0.0,
            "searched_p99": percentile(counts.searches, 0.99), "searched_max": max(counts.searches, default=0),
            "free_blocks_max": self.free_blocks_max, "splits": counts.splits, "coalesces": counts.coalesces,
            "system_calls": self._system.total, "pages_touched": len(self._pages),
            "moves": self.moves, "pages_moved": self.pages_moved,
        }

    def searches(self) -> list[list[int]]:
        """Blocks looked at, and how often, ascending."""
        return [[looked, times] for looked, times in sorted(self._quick.counts.searches.items())]


def percentile(counts: Mapping[int, int], part: float) -> int:
    """The least number that at least this part of all are at most."""
    total, seen = sum(counts.values()), 0
    for number, times in sorted(counts.items()):
        seen += times
        if seen >= part * total:
            return number
    return 0


def size_classes(sizes: Counter[int]) -> list[list[int]]:
    """Powers of two, and how many requests are at most that and more than the one before."""
    classes: Counter[int] = Counter()
    for size, times in sizes.items():
        classes[1 << max(size - 1, 0).bit_length()] += times
    return [[limit, times] for limit, times in sorted(classes.items())]
