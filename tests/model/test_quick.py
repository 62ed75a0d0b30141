"""The quick reference is the reference: the same answers, system calls and heaps, step by step."""

from random import Random

import pytest

from heapster.model.operation import Step
from heapster.model.placement import NONE_FITS, POLICIES, POLICY_NAMES
from heapster.model.quick import FreeList, Quick
from heapster.model.reference import Reference
from heapster.model.system import System

PAGE = 4096


class World(System):
    """A system that gives what it is asked for, and remembers."""

    __slots__ = ("brk", "log", "top")

    def __init__(self) -> None:
        super().__init__()
        self.brk, self.top = 1 << 28, 1 << 40
        self.log: list[tuple[str, tuple[int, ...]]] = []

    def _answer(self, name: str, arguments: tuple[int, ...]) -> int:
        self.log.append((name, arguments))
        if name == "sbrk":
            self.brk += arguments[0]
            return self.brk - arguments[0]
        if name == "mmap":
            self.top -= arguments[0]
            return self.top
        return 0


def steps(rng: Random, count: int) -> list[Step]:
    """Anything that a program does, on two threads, with sizes about the threshold."""
    live: list[int] = []
    taken = []
    for handle in range(count):
        kind = rng.random()
        size = rng.choice((0, 24, 40, 100, 1000, 3000, PAGE, 5 * PAGE)) + rng.randint(0, 30)
        if live and kind < 0.42:
            taken.append(Step("free", operand=live.pop(rng.randrange(len(live)))))
        elif live and kind < 0.6:
            taken.append(Step("realloc", (size + 1,), handle, live.pop(rng.randrange(len(live)))))
            live.append(handle)
        elif kind < 0.63:
            taken.append(Step("thread", (rng.randrange(2),)))
        else:
            verb = rng.choice(("malloc", "malloc", "calloc", "memalign"))
            numbers = {"calloc": (2, size), "memalign": (64, size)}.get(verb, (size,))
            taken.append(Step(verb, numbers, handle))
            live.append(handle)
    return taken


@pytest.mark.parametrize("policy", POLICY_NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_it_predicts_what_the_reference_predicts(policy: str, seed: int) -> None:
    models = [Reference(), Quick()]
    worlds = [World(), World()]
    pointers = {-1: 0}
    settings = [Step("policy", name=policy), Step("threshold", (2 * PAGE,)), Step("growth", (2 * PAGE,)),
                Step("arenas", (2,))]
    for step in (*settings, *steps(Random(seed), 600)):
        answers = [model.predict(world, step, pointers[step.operand])
                   for model, world in zip(models, worlds, strict=True)]
        assert answers[0] == answers[1], step
        assert models[0].heap() == models[1].heap(), step
        pointers[step.result] = answers[0]
        pointers[-1] = 0
    assert worlds[0].log == worlds[1].log


def test_a_policy_that_it_does_not_search_by_size_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(POLICIES, "last_fit", lambda free, want, _: max(
        (index for index, (_, size) in enumerate(free) if size >= want), default=NONE_FITS))
    free = FreeList()
    for address, size in enumerate((64, 32, 96), 1):
        free.link(address, size)
    assert [free.find("last_fit", want, 0) for want in (32, 64, 80, 128)] == [(1, 3), (1, 3), (3, 3), (0, 3)]


@pytest.mark.parametrize("policy", POLICY_NAMES)
def test_a_search_looks_at_as_many_blocks_as_a_walk_along_the_list(policy: str) -> None:
    rng = Random(policy)
    for _ in range(300):
        free, cursor = FreeList(), 0
        sizes = [32 * rng.randint(1, 6) for _ in range(rng.choice((3, 8, 40)))]
        for address, size in enumerate(sizes, 1):
            free.link(address, size)
        if policy == "next_fit" and rng.random() < 0.8:
            cursor = rng.randint(1, len(sizes))
        want, listed = 32 * rng.randint(1, 7), list(free)
        chosen = POLICIES[policy](listed, want, cursor)
        found, looked = free.find(policy, want, cursor)
        assert found == (listed[chosen][0] if chosen >= 0 else 0)
        if policy == "segregated_fit":      # sizes are few here, each a class: the first of one is looked at
            assert looked == (chosen >= 0)
            continue
        start = [address for address, _ in listed].index(cursor) if cursor else 0
        walk = (chosen - start) % len(listed) + 1 if chosen >= 0 else len(listed)
        exact = chosen >= 0 and listed[chosen][1] == want
        early = policy in ("first_fit", "next_fit") or policy == "best_fit" and exact
        assert looked == (walk if early else len(listed))


def test_nothing_is_free_in_a_new_heap() -> None:
    assert (Quick("best_fit").largest_free, FreeList().largest) == (0, 0)


def test_what_was_done_is_counted() -> None:
    quick, world = Quick("best_fit"), World()
    a = quick.malloc(world, 100)
    b = quick.malloc(world, 100)
    quick.free(world, a)
    quick.free(world, b)
    counts = quick.counts
    assert (counts.splits, counts.coalesces, dict(counts.searches)) == (2, 2, {0: 1, 1: 1})
    assert (quick.free_blocks, quick.free_bytes) == (1, quick.largest_free)
