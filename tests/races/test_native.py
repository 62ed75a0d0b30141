"""The compiled library under the scheduler of targets: its orders are those of its lowering."""

import re

import pytest

from heapster.checkers.races.compiled.build import native
from heapster.checkers.races.compiled.target import CompiledTarget
from heapster.checkers.races.search import SearchPlan
from heapster.checkers.races.searching import races
from heapster.checkers.targets.grammar import parse
from heapster.checkers.targets.target import NATIVE, Target
from heapster.machine.hooked import HOOKS, NUMBERS, hooked
from heapster.machine.lowering import HOOKED, lowering
from heapster.machine.orders import ATOMICS, ORDER_NAMES
from heapster.results import Run, UsageError, Verdict

LOWERED = lowering(64, 64, variant=HOOKED)


def explored(fault: str, schedules: int, of: Target = NATIVE) -> Run:
    target = CompiledTarget(native(of, fault))
    try:
        return races(SearchPlan(schedules=schedules, seed=1), target, NATIVE)
    finally:
        target.close()


def body(name: str, assembly: str = LOWERED) -> str:
    found = re.search(rf"@machine_{name}\(.*?\n}}", assembly, re.DOTALL)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("name", ATOMICS)
def test_each_atomic_is_done_by_a_hook_of_its_order(name: str) -> None:
    assert f"i32 {NUMBERS[ORDER_NAMES[ATOMICS[name].order]]}" in body(name)
    assert "@__tsan_atomic64_" in body(name)


def test_plain_accesses_are_told_before_they_are_done() -> None:
    assert body("load").index("@__tsan_read8") < body("load").index("load i64")
    assert body("store").index("@__tsan_write8") < body("store").index("store i64")


@pytest.mark.parametrize("name", [name for name, atomic in ATOMICS.items() if atomic.weaker])
def test_a_weaker_order_of_the_lowering_is_a_weaker_hook(name: str) -> None:
    weakened = body(name, lowering(64, 64, f"relaxed_{name}", HOOKED))
    assert weakened == body(ATOMICS[name].weaker).replace(f"@machine_{ATOMICS[name].weaker}(", f"@machine_{name}(")
    assert weakened != body(name)


def test_an_atomic_that_no_line_is_for_is_refused() -> None:
    with pytest.raises(AssertionError, match="have no hooks"):
        hooked("%a = atomicrmw add ptr %p, i64 1 monotonic, align 8")


def test_nothing_is_hooked_in_what_ships() -> None:
    assert "__tsan" not in lowering(64, 64) and HOOKS in LOWERED


def test_settings_are_those_that_ship() -> None:
    with pytest.raises(UsageError, match="with the settings that ship"):
        native(parse("native:best_fit"))


@pytest.mark.faults
def test_the_library_passes() -> None:
    assert explored("", 300).verdict is Verdict.PASSED


def test_a_library_with_spans_is_explored_as_well() -> None:
    run = explored("", 40, parse("native:spans=1"))
    assert run.verdict is Verdict.PASSED and run.ops >= 40


@pytest.mark.faults
def test_a_release_that_the_lowering_forgets_is_found() -> None:
    assert explored("relaxed_cas_release", 3000).findings[0].code == "data_race"
