"""Heaps of any size, met as they are asked for; and how many calls theorems about them reach."""

from typing import Any

import pytest

from heapster.checkers.mutation.any_heap_faults import ANY_HEAP
from heapster.checkers.mutation.hunt_proofs import hunt
from heapster.checkers.mutation.lock_faults import LOCK_FAULTS
from heapster.checkers.mutation.mapped_faults import MAPPED_FAULTS
from heapster.checkers.proofs import slot_coverage
from heapster.checkers.proofs.any_heap import AnyHeap
from heapster.checkers.proofs.call_start import CallStart
from heapster.checkers.proofs.catalogue import PROOFS, theorems
from heapster.checkers.proofs.coverage import CoverageTally, coverage_lockstep, reach, theorems_reached
from heapster.checkers.proofs.stand_ins import STAND_INS
from heapster.impl.layout import KEY
from heapster.machine.paths import integers, paths
from heapster.model.operation import Step
from heapster.model.trace import parse

NAMES = {theorem.name for theorem in theorems()}
QUICK = ("a free block is joined with its left alone", "an alignment is lost when it is large",
         "a bin forgets all below its top", "the tail of a large block is lost",
         "an alignment beyond two pages is forgotten", "a mapping that the system moves leaves its list as it was",
         "a large block moves without its last word", "every second block of a long stack is lost")
SHIPPED = "policy segregated_fit\ncache 262144\nkeep 268435456\n"


def refuted(body: Any) -> set[str]:
    """The reasons for which it is, on any path."""
    return {refutation.reason for path in paths(integers(), body) for refutation in path.refuted}


def reached(text: str, *, spans: bool = False) -> CoverageTally:
    """Of the calls of a trace."""
    covered = CoverageTally()
    lockstep = coverage_lockstep(covered, spans=spans)
    for step in parse(SHIPPED + text):
        assert lockstep.take(step) == []
    return covered


def test_a_word_that_nothing_explains_may_not_be_touched() -> None:
    def body(path: Any) -> None:
        heap = AnyHeap(path)
        heap.m.load(heap.block(0, "block").b - 64)

    assert refuted(body) == {"an access to what nothing in the heap explains"}


def test_right_of_a_free_block_lies_a_used_one_or_the_fence() -> None:
    kinds = set()

    def body(path: Any) -> None:
        heap = AnyHeap(path)
        b = heap.block(0, "block")
        word = heap.m.load(b.b + b.size)
        kinds.add((word & 1, heap.seen[-1].is_fence))

    assert refuted(body) == set()
    assert kinds == {(1, False), (1, True)}


def test_what_stands_in_for_a_callee_is_proved() -> None:
    assert [name for each in STAND_INS for name in each.proved_by if name not in NAMES] == []


def test_what_coverage_names_is_proved() -> None:
    assert set(theorems_reached()) <= NAMES


def test_every_theorem_of_any_heap_has_a_fault_that_it_refutes() -> None:
    suffixes = ("_in_any_heap", "_from_an_empty_bin", "_into_a_bin", "_from_a_bin", "_into_a_full_bin",
                "_of_a_mapping", "_that_moves", "_that_leaves_it")
    of_any_heap = {name for proof in PROOFS for name in proof.more if proof.suffix in suffixes}
    assert of_any_heap - {fault.caught_by for fault in (*ANY_HEAP, *MAPPED_FAULTS, *LOCK_FAULTS)} == set()


@pytest.mark.parametrize("title", QUICK)
def test_a_fault_that_shows_in_few_heaps_is_refuted(title: str) -> None:
    [fault] = [fault for fault in (*ANY_HEAP, *MAPPED_FAULTS) if fault.title == title]
    assert hunt(fault).as_expected


@pytest.mark.parametrize(("text", "name"), [
    ("a = malloc(24)\n", "refilling_keeps_every_clause_of_any_heap"),
    ("a = malloc(100000)\n", "malloc_keeps_every_clause_of_any_heap"),
    ("a = memalign(4096, 5000)\n", "aligning_keeps_every_clause_of_any_heap"),
    ("a = malloc(18446744073709551615)\n", "what_no_block_could_hold_is_refused"),
    ("free(NULL)\n", "free_of_null_does_nothing"),
    ("a = malloc(200000)\n", "mapping_keeps_the_list_and_the_totals"),
])
def test_a_call_is_reached(text: str, name: str) -> None:
    covered = reached(text)
    assert (covered.steps, covered.share, dict(covered.reached)) == (1, 1.0, {name: 1})


def test_a_bin_serves_what_was_freed_into_it() -> None:
    covered = reached("a = malloc(24)\nb = malloc(24)\nfree(a)\nfree(b)\nc = malloc(24)\n")
    assert covered.reached["what_a_bin_has_is_handed_out"] == 1
    assert covered.reached["what_is_freed_into_a_bin_is_on_top"] >= 1


def test_mapped_blocks_and_those_that_move_are_reached() -> None:
    covered = reached("a = malloc(200000)\na = realloc(a, 300000)\nfree(a)\nb = malloc(100000)\nc = malloc(9000)\n"
                      "b = realloc(b, 120000)\nd = malloc(100)\nd = realloc(d, 98)\n")
    assert (covered.share, dict(covered.missing)) == (1.0, {})
    assert {name for name, times in covered.reached.items() if times == 1} >= {
        "unmapping_keeps_the_list_and_the_totals", "resizing_a_mapping_keeps_the_list_and_the_totals",
        "what_moves_in_any_heap_is_copied_whole", "what_malloc_could_give_is_left_as_it_is"}


def test_batches_of_any_length_are_reached() -> None:
    covered = reached("".join(f"a{number} = malloc(24)\n" for number in range(16)))
    assert covered.share == 1.0
    assert covered.reached["a_batch_of_any_length_is_carved_under_the_lock"] >= 1


def test_what_is_missing_is_said() -> None:
    lockstep = coverage_lockstep(CoverageTally(), spans=False)
    for step in parse(SHIPPED + "a = malloc(24)\nb = malloc(24)\n"):
        assert lockstep.take(step) == []
    m, pointer = lockstep.m, lockstep.pointers[0]
    m.store(pointer, 0)
    m.store(pointer + 8, m.load(m.statics() + KEY) - pointer)
    found = reach(CallStart(m, Step("free", operand=0), pointer))
    assert found == ("", "a block that is freed does not look as if it waited")


@pytest.mark.parametrize(("text", "last"), [
    ("a = malloc(24)", slot_coverage.NEW_RUN),
    ("a = malloc(24); b = malloc(24)", slot_coverage.NEW),
    ("a = malloc(24); free(a)", slot_coverage.INTO_A_BIN),
    ("a = malloc(24); free(a); b = calloc(3, 8)", slot_coverage.FROM_A_BIN),
    ("a = malloc(24); a = realloc(a, 25)", slot_coverage.LEFT),
    ("a = malloc(24); a = realloc(a, 100)", slot_coverage.MOVING),
    ("a = malloc(24); thread 2; free(a)", slot_coverage.INTO_A_GROWN_BIN),
    ("a = malloc(24); thread 2; free(a); thread 1; b = malloc(24); c = malloc(24); d = malloc(24)", ""),
    ("cache 0; a = malloc(24)", "malloc_keeps_every_clause_of_any_heap"),
    ("a = malloc(1025)", "refilling_keeps_every_clause_of_any_heap"),
    ("a = malloc(100000)", "malloc_keeps_every_clause_of_any_heap"),
])
def test_calls_on_slots_are_reached(text: str, last: str) -> None:
    """Up to the last call, of which the theorem is said."""
    *steps, _ = text.split("; ")
    covered, before = reached(text, spans=True), reached("; ".join(steps), spans=True)
    assert covered.share == 1.0
    assert not last or list(covered.reached - before.reached) == [last]


def test_each_way_to_fill_a_bin_with_slots_is_reached() -> None:
    """Runs of many calls, with caches of all sizes, and threads that free what others have."""
    names = [f"h{number}" for number in range(40)]
    allocations = "".join(f"{name} = malloc(1000)\n" for name in names)
    frees = "".join(f"free({name})\n" for name in names)
    text = allocations + frees + allocations + "thread 2\n" + frees + "thread 1\n" + allocations + "cache 2000\n" + (
        frees + allocations) * 2 + "cache 0\nthread_end\n" + frees + "cache 262144\n" + allocations
    covered = reached(text, spans=True)
    assert covered.share == 1.0
    assert {slot_coverage.FLUSHING, slot_coverage.BACK, slot_coverage.CAME_BACK} <= set(covered.reached)
