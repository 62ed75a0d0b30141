"""The memory model: exactly the outcomes that RC11 allows, by litmus tests and by its axioms; and faults in it."""

from collections.abc import Callable
from random import Random

import pytest

from heapster.checkers.races.litmus import outcomes, parse
from heapster.checkers.races.litmus_tests import LITMUS, Litmus
from heapster.machine.orders import ACQUIRE, RELAXED, RELEASE, SEQ_CST
from heapster.machine.sc_order import AtomicEvent, Write
from heapster.machine.weak_memory import WeakMemory

from . import axioms


@pytest.mark.parametrize("litmus", LITMUS, ids=lambda litmus: litmus.name)
def test_exactly_the_allowed_outcomes_are_found(litmus: Litmus) -> None:
    assert outcomes(litmus.lanes, litmus.observed) == litmus.allowed()


@pytest.mark.parametrize("litmus", [each for each in LITMUS if len(each.lanes) < 4], ids=lambda litmus: litmus.name)
def test_the_axioms_allow_the_same(litmus: Litmus) -> None:
    assert axioms.outcomes(litmus.lanes, litmus.observed) == litmus.allowed()


LOADS, STORES, ALL, FENCES = ("rlx", "acq", "sc"), ("rlx", "rel", "sc"), ("rlx", "acq", "rel", "ar", "sc"), \
    ("acq", "rel", "ar", "sc")
STEPS: dict[str, Callable[[Random, str], str]] = {
    "load": lambda rng, name: f"{name}={rng.choice('xy')} {rng.choice(LOADS)}",
    "store": lambda rng, name: f"{rng.choice('xy')}={rng.choice((1, 2))} {rng.choice(STORES)}",
    "exchange": lambda rng, name: f"{name}=xchg({rng.choice('xy')},{rng.choice((1, 2, 3))}) {rng.choice(ALL)}",
    "cas": lambda rng, name: f"{name}=cas({rng.choice('xy')},{rng.choice((0, 1))},3) {rng.choice(ALL)}",
    "fence": lambda rng, name: f"fence {rng.choice(FENCES)}",
}
KINDS = ("load", "load", "load", "store", "store", "store", "exchange", "cas", "fence")


def drawn(rng: Random) -> str:
    lanes: list[list[str]] = [[] for _ in range(rng.choice((2, 2, 3)))]
    for name in "abcdef"[:rng.choice((3, 4, 4, 5, 5))]:
        rng.choice(lanes).append(STEPS[rng.choice(KINDS)](rng, name))
    return "|".join(";".join(lane) for lane in lanes if lane)


@pytest.mark.parametrize("seed", range(4))
def test_any_small_program_has_the_outcomes_that_the_axioms_allow(seed: int) -> None:
    rng = Random(seed)
    for _ in range(60):
        text = drawn(rng)
        lanes = parse(text)
        names = "".join(step.name for lane in lanes for step in lane) + "xy"
        assert outcomes(lanes, names) == axioms.outcomes(lanes, names), text


# Faults, each caught by some litmus test.


class AcquiresNothing(WeakMemory):
    def _learn(self, thread: int, write: Write, order: int) -> None:
        super()._learn(thread, write, order & ~ACQUIRE)


class ReleasesNothing(WeakMemory):
    def _released(self, thread: int, order: int) -> list[int] | None:
        return super()._released(thread, order & ~RELEASE)


class AllReleases(WeakMemory):
    def _released(self, thread: int, order: int) -> list[int] | None:
        return super()._released(thread, order | RELEASE)


class AllAcquires(WeakMemory):
    def _learn(self, thread: int, write: Write, order: int) -> None:
        super()._learn(thread, write, order | ACQUIRE)


class FencesAreNothing(WeakMemory):
    def fence(self, thread: int, order: int) -> None:
        super().fence(thread, order & ~(ACQUIRE | RELEASE))


class NoLoadIsOld(WeakMemory):
    def readable(self, thread: int, location: int, order: int) -> list[Write]:
        return [*super().readable(thread, location, order)][:1]


class NoStoreIsLate(WeakMemory):
    def placeable(self, thread: int, location: int, order: int) -> list[Write]:
        return [*super().placeable(thread, location, order)][:1]


class ReadsAreForgotten(WeakMemory):
    def load(self, thread: int, location: int, write: Write, order: int) -> int:
        seen = [*self.locations[location].seen[thread]]
        value = super().load(thread, location, write, order)
        self.locations[location].seen[thread] = seen
        return value


class SwapsAreTwoSteps(WeakMemory):
    def swap(self, thread: int, location: int, value: int, read: Write, order: int) -> bool:
        newest = super().swap(thread, location, value, read, order)
        read.swapped = False
        return newest


class SequencesEnd(WeakMemory):
    def swap(self, thread: int, location: int, value: int, read: Write, order: int) -> bool:
        released, read.released = read.released, None
        newest = super().swap(thread, location, value, read, order)
        read.released = released
        return newest


class NoOneOrder(WeakMemory):
    def __init__(self, threads: int) -> None:
        super().__init__(threads, sequential=False)


class FencesAreOutOfTheOrder(WeakMemory):
    def _note(self, event: AtomicEvent) -> None:
        super()._note(event if event.location is not None else event._replace(order=RELAXED))


class AllIsInTheOrder(WeakMemory):
    def _note(self, event: AtomicEvent) -> None:
        super()._note(event._replace(order=SEQ_CST))

    def _event(self, thread: int, location: int, order: int, read: Write | None,
               after: Write | None = None) -> AtomicEvent:
        return super()._event(thread, location, order, read, after)._replace(order=SEQ_CST)


@pytest.mark.parametrize("fault", [
    AcquiresNothing, ReleasesNothing, AllReleases, AllAcquires, FencesAreNothing, NoLoadIsOld, NoStoreIsLate,
    ReadsAreForgotten, SwapsAreTwoSteps, SequencesEnd, NoOneOrder, FencesAreOutOfTheOrder, AllIsInTheOrder])
def test_a_fault_in_the_model_is_caught(fault: Callable[[int], WeakMemory]) -> None:
    assert any(outcomes(each.lanes, each.observed, fault) != each.allowed() for each in LITMUS if len(each.lanes) < 4)
