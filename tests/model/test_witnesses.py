"""Random runs of the reference: every witness is given, invariants hold, the specification explains.

The model's three judges were written apart from each other, so they check each other too.
"""

from collections import Counter
from random import Random

import pytest

from heapster.model.geometry import REFUSED, SIZE_MAX
from heapster.model.heap import extents
from heapster.model.invariants import violations
from heapster.model.live import Live
from heapster.model.operation import NO_HANDLE, Step
from heapster.model.operations import OPERATIONS, REQUESTS
from heapster.model.placement import POLICY_NAMES
from heapster.model.reference import Reference
from heapster.model.spec import OURS, Operation, Result, advance, explains
from heapster.model.system import USUAL_CALL_NAMES
from heapster.model.witnesses import SOMETIMES
from tests.model.world import World

SIZES = (0, 1, 24, 25, 40, 56, 100, 500, 1000, 3000, 4096, 5000, 9000, 20000, 1 << 50)
VERBS = ["malloc"] * 4 + ["free"] * 5 + ["realloc"] * 3 + sorted(REQUESTS) + ["settings"]
CHANGES = (*(Step("policy", name=name) for name in POLICY_NAMES),
           *(Step("thread", (index,)) for index in (0, 0, 1, 2)),
           *(Step("keep", (size,)) for size in (0, 1 << 20, 1 << 20, 1 << 20)),
           Step("cache", (0,)), *(Step("cache", (size,)) for size in (100, 1024, 4096, 1 << 20)), Step("thread_end"),
           Step("stats"), Step("usable_size"), Step("malloc", (100,)), Step("trim", (0,)), Step("trim", (SIZE_MAX,)))


class Run:
    """Random steps on a reference with a world of its own, judged after each."""

    def __init__(self, seed: int, policy: str) -> None:
        self.random = Random(seed)
        self.reference, self.system, self.live = Reference(), World(), Live()
        self.seen: Counter[str] = Counter()
        self.take(Step("growth", (4096,)))
        self.take(Step("threshold", (8192,)))
        self.take(Step("arenas", (2,)))
        self.take(Step("policy", name=policy))

    def take(self, step: Step, pointer: int = 0) -> None:
        """Take a step, and hold the model's parts against each other."""
        answer = self.reference.predict(self.system, step, pointer)
        self.seen.update(self.reference.events)
        usable = answer if step.verb == "usable_size" else None
        if step.verb in REQUESTS and answer:
            usable = self.reference._usable(answer)
        pointer_answered = answer if step.verb in REQUESTS else 0
        result = Result(pointer_answered, self.reference.errno, self.reference.returned, usable)
        operation = Operation(step.verb, step.numbers, pointer)
        assert explains(self.live, operation, result, OURS) == ()
        advance(self.live, operation, result, OURS)
        heap = self.reference.heap()
        assert violations(heap._replace(system=tuple(extents(heap)))) == []

    def waves(self) -> None:
        """Twice large blocks that come and go, and small ones until pages that lie idle have been looked at."""
        self.take(Step("cache", (0,)))
        self.take(Step("threshold", (1 << 20,)))
        for _ in range(2):
            for size, count in ((100_000, 8), *[(40, 1)] * 7000):
                for pointer in [self.ask(size) for _ in range(count)]:
                    self.reference.free(self.system, pointer)
                    self.seen.update(self.reference.events)

    def extremes(self) -> None:
        """Sizes, alignments and numbers of blocks that random steps stay below."""
        for step in (Step("growth", (100,)), Step("cache", (1 << 15,)), Step("threshold", (1 << 22,))):
            self.take(step)
        for step in (Step("memalign", (1 << 16, 24)), Step("malloc", (1 << 20,)), Step("malloc", (24,))):
            self.take(step, 0)
        large = max(self.live, key=lambda block: block.request).pointer
        self.take(Step("free", operand=0), large)
        self.take(Step("policy", name="segregated_fit"))
        self.take(Step("malloc", (200_000,)))
        self.take(Step("thread", (0,)))
        mine = [self.ask(24) for _ in range(520)]
        self.take(Step("thread", (1,)))
        self.take(Step("cache", (4096,)))
        for pointer in mine:
            self.reference.free(self.system, pointer)
            self.seen.update(self.reference.events)

    def ask(self, size: int) -> int:
        """A block of the reference alone."""
        pointer = self.reference.malloc(self.system, size)
        self.seen.update(self.reference.events)
        return pointer

    def step(self) -> None:
        """Take one at random."""
        self.trouble()
        verb = self.random.choice(VERBS)
        if verb == "settings":
            self.setting()
            return
        held = [block.pointer for block in self.live]
        pointer = self.random.choice(held) if held and OPERATIONS[verb].operand else 0
        numbers = tuple(self.random.choice((2, 8, 64, 4096, 8192) if kind == "alignment" else SIZES)
                        for kind in OPERATIONS[verb].numbers)
        if len(held) < 40 or verb in ("free", "realloc"):
            self.take(Step(verb, numbers, operand=0 if pointer else NO_HANDLE), pointer)

    def setting(self) -> None:
        """Change what rarely changes."""
        self.take(self.random.choice(CHANGES))
        if self.random.random() < 0.02:
            self.take(Step(self.random.choice(("finalize", "fork"))))
        if self.random.random() < 0.05:
            self.crowd()
        if self.random.random() < 0.02:
            self.idle()
        if self.random.random() < 0.01:
            self.ebb()

    def idle(self) -> None:
        """A mapping is kept while another is used over and over."""
        self.take(Step("keep", (1 << 20,)))
        self.churn(100_000, 1)
        self.churn(9000, 260)

    def churn(self, size: int, times: int) -> None:
        """A block is allocated and freed, over and over."""
        for _ in range(times):
            before = {block.pointer for block in self.live}
            self.take(Step("malloc", (size,)))
            for pointer in [block.pointer for block in self.live if block.pointer not in before]:
                self.take(Step("free", operand=0), pointer)

    def ebb(self) -> None:
        """Much is used in an arena and freed, and then less, until epochs have ended."""
        self.take(Step("threshold", (1 << 20,)))
        self.churn(400_000, 1)
        self.churn(100_000, 180)
        self.take(Step("threshold", (8192,)))

    def crowd(self) -> None:
        """More large blocks than can be kept, and all of them freed."""
        before = {block.pointer for block in self.live}
        for _ in range(20):
            self.take(Step("malloc", (9000,)))
        for pointer in [block.pointer for block in self.live if block.pointer not in before]:
            self.take(Step("free", operand=0), pointer)

    def trouble(self) -> None:
        """A system that says no, and a foreigner at the break."""
        self.system.refuses = {name for name in USUAL_CALL_NAMES if self.random.random() < 0.2}
        if self.random.random() < 0.02:
            self.system.brk += self.random.choice((8, 24, 4096))


@pytest.mark.parametrize("policy", POLICY_NAMES)
def test_random_runs_are_sound(policy: str) -> None:
    """What the reference predicts keeps every invariant, and the specification explains it."""
    run = Run(1, policy)
    for _ in range(1500):
        run.step()
    assert len(run.live) > 0


def test_random_runs_see_every_witness() -> None:
    """And no event without a name."""
    seen: Counter[str] = Counter()
    for seed in range(6):
        run = Run(seed, POLICY_NAMES[seed % len(POLICY_NAMES)])
        for _ in range(800):
            run.step()
        seen += run.seen
    waves = Run(6, "first_fit")
    waves.waves()
    extremes = Run(7, "first_fit")
    extremes.extremes()
    seen += waves.seen + extremes.seen
    assert set(seen) == {witness.name for witness in SOMETIMES}


def test_witnesses_are_named_once() -> None:
    """And told in a sentence each."""
    assert len({witness.name for witness in SOMETIMES}) == len(SOMETIMES) >= 14
    assert all(witness.claim for witness in SOMETIMES)


def test_a_run_of_one_malloc_saw_little() -> None:
    """Witnesses can be missing."""
    run = Run(0, "first_fit")
    run.take(Step("malloc", (40,)))
    assert run.seen == {}
    assert run.system.munmap(0, 0) != REFUSED
