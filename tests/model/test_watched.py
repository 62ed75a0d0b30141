"""What the watched reference tells of each step is what comparing whole heaps finds."""

from itertools import pairwise
from random import Random

import pytest

from heapster.model.changes import Changes, HeapComparison, Key, list_change
from heapster.model.heap import Block, Heap
from heapster.model.operation import Step
from heapster.model.placement import POLICY_NAMES
from heapster.model.quick import Quick
from heapster.model.watched import Exchange, Watched, merged
from tests.model.test_quick import PAGE, World, steps


class Drawn:
    """Strips and lists as a page has them, from changes alone."""

    def __init__(self) -> None:
        self.strips: dict[Key, tuple[int, list[Block]]] = {}
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
        assert {key: strip for key, strip in self.strips.items() if key[0] >= 0} == regions
        assert {mapped.start for mapped in heap.mapped} == {start for arena, start in self.strips if arena < 0}
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
