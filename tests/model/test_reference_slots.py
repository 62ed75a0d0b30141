"""The reference where there are spans, against runs worked out by hand.

A run of 48 bytes a slot has 1,365 of them, the first 16 bytes from its start; one of 1,024 has 64.
"""

import pytest

from heapster.model.geometry import BEFORE_RUNS, RESERVE, RUN
from heapster.model.reference import Reference
from heapster.model.runs import NO_RUNS, Pooled, RunOfSlots, Runs
from tests.model.world import MAPPINGS, World

FIRST = MAPPINGS + BEFORE_RUNS      # the world's first mapping begins at a multiple of RUN
ASKED = f"mmap({RESERVE + RUN})"


def start(cache: int = 4096) -> tuple[Reference, World]:
    reference, system = Reference(spans=True), World()
    reference.set_cache(cache)
    return reference, system


def runs(reference: Reference) -> Runs:
    found = reference.heap().runs
    assert found is not None
    return found


def test_the_first_slot_asks_for_the_reservation_and_cuts_a_run() -> None:
    reference, system = start(48)
    assert (runs(reference), Reference().heap().runs) == (NO_RUNS, None)
    assert reference.malloc(system, 40) == FIRST + 16
    assert system.take() == [ASKED]
    run = RunOfSlots(FIRST, 0, 48, FIRST + 64, 1, (), -1, True)
    assert runs(reference) == Runs(MAPPINGS, MAPPINGS, True, FIRST + RUN, (run,), 1, 0, ())
    assert reference.heap().arenas[0].ledger == (RUN, 48, 1, 1364 * 48, 1364, (1, 0, 0, 0, 0))


@pytest.mark.parametrize(("request_", "size"), [(0, 32), (32, 32), (33, 48), (48, 48), (1000, 1024), (1024, 1024)])
def test_a_slot_has_no_header(request_: int, size: int) -> None:
    reference, system = start()
    assert reference.usable_size(reference.malloc(system, request_)) == size


@pytest.mark.parametrize("request_", [1025, 4096])
def test_larger_blocks_are_larger_than_what_they_serve(request_: int) -> None:
    reference, system = start(1 << 20)
    assert reference.usable_size(reference.malloc(system, request_)) >= request_ + 8
    assert not runs(reference).is_asked


def test_what_is_back_is_taken_before_new_slots_the_last_first() -> None:
    reference, system = start(48)
    a, b, c = (reference.malloc(system, 40) for _ in range(3))
    for pointer in (a, b, c):
        reference.free(system, pointer)
    reference.trim(system, 0)
    assert (c, runs(reference).runs[0].back) == (FIRST + 16 + 96, (c, b, a))
    assert [reference.malloc(system, 40) for _ in range(4)] == [c, b, a, c + 48]


def test_a_part_of_what_is_back_is_taken_in_turn() -> None:
    reference, system = start(48)
    slots = [reference.malloc(system, 40) for _ in range(7)]
    for pointer in slots:
        reference.free(system, pointer)
    reference.trim(system, 0)
    reference.set_cache(192)                # one is taken, then two: a bin may keep four
    assert [reference.malloc(system, 40) for _ in range(3)] == [slots[6], slots[4], slots[5]]
    assert runs(reference).runs[0].back == (slots[3], slots[2], slots[1], slots[0])
    assert [reference.malloc(system, 40) for _ in range(2)] == [slots[3], slots[2]]     # all four, as they lie
    assert runs(reference).runs[0].back == ()


def test_a_run_that_nobody_has_waits_in_the_pool_and_is_purged_by_trim() -> None:
    reference, system = start(1024)
    slots = [reference.malloc(system, 1000) for _ in range(65)]
    for pointer in slots[:64]:
        reference.free(system, pointer)
    system.take()
    assert reference.trim(system, 0) == 1
    assert runs(reference).pool == (Pooled(FIRST, False),)
    assert system.take()[-1] == f"purge({FIRST:#x}, {RUN})"
    assert reference.malloc(system, 500) == FIRST
    assert (runs(reference).pool, runs(reference).used) == ((), 2)


def test_where_the_system_refuses_arenas_serve_and_it_is_asked_once() -> None:
    reference, system = start()
    system.refuses.add("mmap")
    pointers = [reference.malloc(system, 40), reference.malloc(system, 500)]
    assert system.take().count(ASKED) == 1
    assert reference.usable_size(pointers[0]) == 64 - 8
    assert runs(reference) == NO_RUNS._replace(is_asked=True)


def test_without_caches_arenas_serve() -> None:
    reference, system = start(0)
    assert reference.usable_size(reference.malloc(system, 40)) == 40
    assert runs(reference) == NO_RUNS


def test_realloc_leaves_a_slot_of_its_class_and_moves_others() -> None:
    reference, system = start()
    a = reference.malloc(system, 40)
    assert reference.realloc(system, a, 48) == a
    assert reference.realloc(system, a, 49) != a


def test_the_end_gives_the_reservation_back() -> None:
    reference, system = start()
    reference.malloc(system, 40)
    system.take()
    assert reference.finalize(system) == 0
    assert system.take()[-1] == f"munmap({MAPPINGS:#x}, {RESERVE + RUN})"
    assert runs(reference) == NO_RUNS
