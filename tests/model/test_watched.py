"""What the watched reference tells of each step is what comparing whole heaps finds."""

from collections.abc import Iterable
from itertools import pairwise
from random import Random

import pytest

from heapster.model.changes import POOLED, PURGED, SLOTS, Changes, HeapComparison, Key, StripChange, list_change
from heapster.model.geometry import RUN
from heapster.model.heap import Block, Heap, waiting
from heapster.model.operation import Step
from heapster.model.placement import POLICY_NAMES
from heapster.model.quick import Quick
from heapster.model.runs import NO_RUNS, RunSlot
from heapster.model.watched import Exchange, Watched, merged
from tests.model.test_quick import PAGE, World, steps


class Drawn:
    """Strips and lists as a page has them, from changes alone."""

    def __init__(self) -> None:
        self.strips: dict[Key, tuple[int, list[Block | RunSlot]]] = {}
        self.lists: dict[int, list[int]] = {}

    def take(self, changes: Changes) -> None:
        for key in changes.gone:
            del self.strips[key]
        for key, _, _, end, splices in changes.strips:
            blocks = self.strips.get(key, (0, []))[1]
            for first, count, fresh in reversed(splices):
                blocks[first:first + count] = fresh
            self.strips[key] = end, blocks
        for arena, come, gone in changes.lists:
            stay = [address for index, address in enumerate(self.lists.get(arena, [])) if index not in gone]
            self.lists[arena] = [*come, *stay]

    def check(self, heap: Heap) -> None:
        regions = {(arena.index, region.start): (region.end, [*region.blocks])
                   for arena in heap.arenas for region in arena.regions}
        assert {key: strip for key, strip in self.strips.items() if len(key) == 2 and key[0] >= 0} == regions
        own = {key[1] for key in self.strips if key[0] < 0 and len(key) == 2}
        assert {mapped.start for mapped in heap.mapped} == own
        runs = heap.runs or NO_RUNS
        assert {(run.start, run.has_pages) for run in runs.pool} == {
            key[1:] for key in self.strips if len(key) == 3 and key[0] < 0}
        assert {key: strip for key, strip in self.strips.items() if len(key) == 3 and key[0] >= 0} == {
            (run.owner, run.start, run.size): (run.start + RUN, [*run.drawn(waiting(heap))]) for run in runs.runs}
        listed = {arena: addresses for arena, addresses in self.lists.items() if addresses}
        assert listed == {arena.index: [*arena.forward] for arena in heap.arenas if arena.forward}


@pytest.mark.parametrize("policy", POLICY_NAMES)
@pytest.mark.parametrize("seed", range(2))
def test_it_tells_what_comparing_heaps_finds(policy: str, seed: int) -> None:
    plain, watched, worlds, comparison = Quick(policy), Watched(policy), (World(), World()), HeapComparison()
    drawn, pointers = Drawn(), {-1: 0}
    end = [Step("trim", (0,)), Step("finalize"), Step("malloc", (100,), 500)]
    settings = [Step(name, (size,)) for name, size in
                (("threshold", 2 * PAGE), ("growth", 2 * PAGE), ("keep", PAGE), ("arenas", 2))]
    for step in (*settings, *steps(Random(seed), 400), *end):
        answers = [model.predict(world, step, pointers[step.operand])
                   for model, world in zip((plain, watched), worlds, strict=True)]
        found, told = comparison.take(plain.heap()), watched.changes()
        assert (told.strips, set(told.gone)) == (found.strips, set(found.gone)), step
        assert found.cursors == told.cursors or step.verb == "finalize"
        drawn.take(told)
        drawn.check(plain.heap())
        pointers |= {step.result: answers[0], -1: 0}


def slot_steps(rng: Random) -> list[Step]:
    """Few classes, so that runs fill, empty, go to the pool and are cut anew; threads, ends of them, forks."""
    live: list[int] = []
    taken = []
    for handle in range(1500):
        kind, wave = rng.random(), handle // 300 % 2
        if live and kind < (0.05, 0.85)[wave]:
            taken.append(Step("free", operand=live.pop(rng.randrange(len(live)))))
        elif kind < 0.9:
            taken.append(Step("malloc", (rng.choice((1000, 1000, 1000, (500, 40)[handle // 600 % 2])),), handle))
            live.append(handle)
        elif live and kind < 0.92:
            taken.append(Step("realloc", (rng.choice((48, 1000, 3000)),), handle, live.pop(rng.randrange(len(live)))))
            live.append(handle)
        elif kind < 0.95:
            taken.append(Step("thread", (rng.randrange(3),)))
        elif kind < 0.96:
            taken.append(rng.choice((Step("trim", (0,)), Step("thread_end"), Step("fork"), Step("cache", (2048,)))))
    frees = [Step("free", operand=handle) for handle in live]
    end = [Step("trim", (0,)), Step("malloc", (100,), 5000), Step("finalize"), Step("malloc", (9,), 5001)]
    return [*taken, *frees, *end]


def test_it_tells_what_changes_about_runs() -> None:
    kinds, cut = set[int](), set[Key]()
    for seed in range(3):
        plain, watched = Quick("best_fit", spans=True), Watched("best_fit", spans=True)
        worlds, comparison, drawn, pointers = (World(), World()), HeapComparison(), Drawn(), {-1: 0}
        taken = (Step("cache", (4096,)), Step("arenas", (2,)), *slot_steps(Random(seed)))
        for step in taken:
            answers = [model.predict(world, step, pointers[step.operand])
                       for model, world in zip((plain, watched), worlds, strict=True)]
            pointers |= {step.result: answers[0], -1: 0}
            found, told = comparison.take(plain.heap()), watched.changes()
            assert (told.strips, set(told.gone)) == (found.strips, set(found.gone)), step
            drawn.take(told)
            drawn.check(plain.heap())
            kinds |= {strip.kind for strip in told.strips}
            cut |= {strip.key for strip in told.strips if strip.kind == SLOTS}
    assert kinds >= {SLOTS, POOLED, PURGED}
    assert len(cut) > len({start for _, start, _ in cut}), "a run was cut anew for another class or arena"


def test_a_run_that_was_given_up_and_cut_anew_between_is_told_as_another() -> None:
    """Of the same class and arena, after more steps than one."""
    watched, world, comparison, drawn = Watched("best_fit", spans=True), World(), HeapComparison(), Drawn()
    watched.set_cache(1024)
    pointers = [watched.malloc(world, 1000) for _ in range(65)]
    drawn.take(watched.changes())
    comparison.take(watched.heap())
    for pointer in pointers[:64]:
        watched.free(world, pointer)
    watched.trim(world, 0)
    runs = watched.heap().runs
    assert runs is not None
    assert runs.pool
    again = [watched.malloc(world, 1000) for _ in range(64)]
    assert pointers[0] & -RUN in {pointer & -RUN for pointer in again}
    told = watched.changes()
    assert of_runs(told.strips) == of_runs(comparison.take(watched.heap()).strips)
    drawn.take(told)
    drawn.check(watched.heap())


def of_runs(strips: Iterable[StripChange]) -> list[StripChange]:
    return [strip for strip in strips if strip.kind >= SLOTS]


def test_edits_that_touch_are_one_and_others_stay_apart() -> None:
    rng = Random(5)
    for _ in range(300):
        old = list(range(12))
        new, edits, fresh = [*old], list[Exchange](), 100
        for _ in range(rng.randint(1, 5)):
            first = rng.randint(0, len(new))
            last, count = rng.randint(first, min(len(new), first + 3)), rng.randint(0, 3)
            new[first:last] = range(fresh, fresh + count)
            edits, fresh = merged(edits, first, last, count), fresh + count
        made = [*old]
        for edit in reversed(edits):
            made[edit.old:edit.old_end] = new[edit.new:edit.new_end]
        assert made == new
        assert all(left.new_end < right.new for left, right in pairwise(edits))


def test_a_list_changes_by_as_few_entries_as_can_be() -> None:
    """Those that come are at the front; of those that stay, as many as were there in this order."""
    rng = Random(3)
    for _ in range(300):
        old = tuple(rng.sample(range(12), rng.randint(0, 8)))
        new = (*rng.sample(range(12), rng.randint(0, 3)), *[a for a in old if rng.random() < 0.7])
        _, come, gone = list_change(0, old, new)
        assert (*come, *[a for i, a in enumerate(old) if i not in gone]) == new
        if come:
            rests = iter(old)
            assert not all(a in rests for a in new[len(come) - 1:]), "one fewer would do"
