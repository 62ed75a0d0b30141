"""A journey holds exactly the heaps that it was made from."""

from collections.abc import Iterator
from typing import Any

import pytest

from heapster.checkers.lockstep.heap_history import by_policy, compared, observed, predicted
from heapster.checkers.targets.interpreted import simulated
from heapster.checkers.targets.target import SIM, UNSET, TargetSettings
from heapster.model.changes import SLOTS
from heapster.model.heap import Heap, waiting
from heapster.model.runs import NO_RUNS
from heapster.model.trace import format_step, parse
from heapster.reports.timeline import (
    ADDED,
    CURSOR,
    GONE,
    LISTED,
    MOVED,
    SPLICED,
    Lane,
    journey,
    packed,
    unpacked,
)
from tests.reports.pages import POLICIES, STEPS, TEXT, TRACE

Drawn = tuple[set[tuple[int, int, bool, bool]], dict[int, tuple[int, ...]]]
TWO_ARENAS = parse("growth 4096; threshold 8192; arenas 2; a = malloc(100); thread 1; b = malloc(200)\n"
                   "c = malloc(9000); free(a); free(c); b = realloc(b, 3000); d = malloc(4000); thread 0; free(b)\n"
                   "free(d); finalize")
SPANS = TargetSettings(spans=1)
# Two runs of one class fill; the one that is not being cut empties, goes to the pool, and its pages go back.
WITH_RUNS = parse("cache 8192; keep0 = malloc(40); " + "; ".join(f"a{n} = malloc(1000)" for n in range(66)) + "; "
                  + "; ".join(f"free(a{n})" for n in range(66)) + "; trim 0; b = malloc(300); c = malloc(500)")


def replayed(lane: Lane) -> Iterator[Drawn]:
    """Blocks (address, size, used, previous used) and free lists after each step, from the changes alone."""
    strips: list[Any] = []
    lists: dict[int, list[int]] = {}
    for changes in lane.changes:
        for change in changes:
            _apply(strips, lists, change)
        yield ({cell for strip in strips if strip for cell in strip["cells"]},
               {arena: tuple(found) for arena, found in lists.items() if found})


def _apply(strips: list[Any], lists: dict[int, list[int]], change: list[int]) -> None:
    match change:
        case [kind, _, what, start, end, size] if kind == ADDED:
            assert (size > 0) == (what == SLOTS)
            strips.append({"start": start, "end": end, "cells": []})
        case [kind, number] if kind == GONE:
            strips[number] = None
        case [kind, number, start, end] if kind == MOVED:
            strips[number].update(start=start, end=end)
        case [kind, number, first, count, offset, *tokens] if kind == SPLICED:
            cells = strips[number]["cells"]
            at = strips[number]["start"] + offset if offset >= 0 else sum(cells[first - 1][:2]) if first else 0
            fresh = []
            for token in tokens:
                fresh.append((at, token >> 2, bool(token & 1), bool(token & 2)))
                at += token >> 2
            cells[first:first + count] = fresh
        case [kind, arena, count, *rest] if kind == LISTED:
            kept = [a for i, a in enumerate(lists.get(arena, [])) if i not in set(rest[count:])]
            lists[arena] = rest[:count] + kept
        case [kind, *_]:
            assert kind == CURSOR


def of_heap(heap: Heap) -> Drawn:
    """The same of a heap."""
    cells = {(b.address, b.size, b.used, b.prev_used) for arena in heap.arenas for region in arena.regions
             for b in region.blocks}
    cells |= {(m.address, m.start + m.length - m.address, m.used, True) for m in heap.mapped}
    cells |= {(slot.address, slot.size, slot.used, slot.cached)
              for run in (heap.runs or NO_RUNS).runs for slot in run.drawn(waiting(heap))}
    return cells, {arena.index: arena.forward for arena in heap.arenas if arena.forward}


@pytest.mark.parametrize(("trace", "settings"), [(TRACE, UNSET), (TWO_ARENAS, UNSET), (WITH_RUNS, SPANS)],
                         ids=["one arena", "two arenas", "runs"])
@pytest.mark.parametrize("policy", POLICIES)
def test_every_heap_of_the_reference_is_in_the_changes(trace: Any, settings: TargetSettings, policy: str) -> None:
    heaps = [of_heap(moment.heap) for moment in predicted(trace, policy, settings)]
    (lane,) = journey("t", by_policy(trace, [policy], settings)).lanes
    made = [(cells, lists) for cells, lists in replayed(lane)]
    (slowly,) = journey("t", {policy: compared(predicted(trace, policy, settings))}).lanes
    assert lane.events == slowly.events
    for number, (heap, drawn) in enumerate(zip(heaps, made, strict=True), 1):
        assert drawn == heap, number


def test_what_lies_in_memory_is_what_the_reference_predicts() -> None:
    lying = [of_heap(moment.heap) for moment in observed(TWO_ARENAS[:-1], simulated(SIM)())]
    assert lying == [of_heap(moment.heap) for moment in predicted(TWO_ARENAS[:-1])]


def test_events_are_where_the_structure_says() -> None:
    trace = parse("growth 4096; a = malloc(40); b = malloc(40); free(a); free(b); c = malloc(6000)")
    (lane,) = journey("t", {"first_fit": compared(predicted(trace))}).lanes
    assert lane.events == {"split": [2, 3], "coalesce": [5], "growth": [2, 6], "return": []}


def test_a_run_grows_the_heap_and_a_slot_splits_nothing() -> None:
    """A run that goes to the pool and is cut again is neither growth nor return; one whose pages went back is."""
    (lane,) = journey("t", by_policy(WITH_RUNS, ["first_fit"], SPANS)).lanes
    steps = [format_step(step) for step in WITH_RUNS]
    assert (lane.events["split"], lane.events["coalesce"]) == ([], [])
    grown = [steps[number - 1].partition(" = ")[2] for number in lane.events["growth"]]
    assert grown == ["malloc(40)", "malloc(1000)", "malloc(1000)", "malloc(300)", "malloc(500)"]
    assert [steps[number - 1] for number in lane.events["return"]] == ["trim 0"]


def test_misuse_ends_a_lane_and_is_named() -> None:
    trace = parse("a = malloc(40); free(a); free(a); b = malloc(8)")
    (lane,) = journey("t", {"sim": compared(observed(trace, simulated(SIM)()))}).lanes
    assert (lane.ends, lane.problem) == (3, "misuse: double_free")
    assert len(list(predicted(trace))) == 2


def test_packing_keeps_all() -> None:
    made = journey(TEXT[:20], by_policy(TRACE, POLICIES))
    value = unpacked(packed(made))
    assert (value["name"], len(value["steps"])) == (TEXT[:20], STEPS)
    assert [lane["changes"] for lane in value["lanes"]] == [lane.changes for lane in made.lanes]
