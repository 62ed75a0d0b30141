"""When NULL cannot be for want of memory; and when it may well be, whatever kind of allocator it is."""

import pytest

from heapster.checkers.blackbox.capacity import Room
from heapster.model.live import Live
from heapster.model.operation import NO_HANDLE
from heapster.model.spec import Operation, Promises, Result, advance
from heapster.model.trace import parse

PROMISES = Promises(zero="pointer")
LAB = 20 << 20                  # bytes


def refused(text: str, most: int = 65536, *, merges: bool = False, in_place: bool = False) -> list[str]:
    """Why the last step of the trace may not answer NULL, all before it having been given."""
    room, live, pointers = Room(most, merges), Live(), {NO_HANDLE: 0}
    *steps, last = parse(text)
    for n, step in enumerate(steps):
        old = pointers[step.operand]
        result = Result(0 if step.verb == "free" else old if old and in_place else (n + 1) << 32)
        operation = Operation(step.verb, step.numbers, old)
        advance(live, operation, result, PROMISES)
        room.note(operation, result, live)
        pointers[step.result] = result.pointer
    operation = Operation(last.verb, last.numbers, pointers[last.operand])
    return [reason.code for reason in (*room.refused_nothing(operation, PROMISES), *room.spurious(operation))]


@pytest.mark.parametrize("text", [
    "a = malloc(8)",
    "a = malloc(40000); free(a); b = malloc(15000)",
    "a = malloc(1000); b = malloc(40000); free(b); c = malloc(1000); free(c); d = malloc(1000)"])
def test_there_was_room(text: str) -> None:
    assert refused(text) == ["spurious_null"]


@pytest.mark.parametrize("text", [
    "a = malloc(70000)",
    "a = malloc(40000); free(a); b = malloc(39990)",                # it may be short by a header
    "a = malloc(16400); b = malloc(16400); c = malloc(27000); free(c); d = malloc(4400)",     # buddies: 32768 each
    "a = malloc(16); b = malloc(40000); free(b); c = malloc(300)",  # a pool of its own
    "a = malloc(16); b = malloc(40000); free(b); c = memalign(4096, 16)"])
def test_there_may_have_been_none(text: str) -> None:
    assert refused(text) == []


def test_slots_of_a_pool_may_be_small_and_no_other_first_block_may_be_refused() -> None:
    assert refused("a = malloc(49)") == []
    assert refused("a = malloc(49)", most=0) == refused("a = malloc(49)", merges=True) == ["spurious_null"]


def test_a_block_that_was_made_smaller_in_place_may_be_as_large_as_before() -> None:
    text = "a = malloc(1000); b = malloc(50000); free(a); c = realloc(b, 1); d = malloc(1000)"
    assert refused(text, in_place=True) == []
    assert refused(text) == ["spurious_null"]


def test_a_lab_merges_what_is_free_and_asks_for_more() -> None:
    assert refused("a = malloc(60); b = malloc(90000)", LAB, merges=True) == ["spurious_null"]
    assert refused("a = malloc(60); b = malloc(90000)", LAB) == []
    text = "a = malloc(9000000); b = malloc(10); free(a); c = malloc(100000)"
    assert refused(text, LAB, merges=True) == ["spurious_null"]


def test_nothing_is_said_once_the_system_was_told_to_refuse() -> None:
    room = Room(0, merges=False)
    room.refused = True
    assert room.spurious(Operation("malloc", (24,))) == []


def test_a_block_of_0_bytes_is_owed_while_the_heap_is_all_but_empty() -> None:
    assert refused("a = malloc(24); b = malloc(0)") == ["zero_size_inconsistent"]
    assert refused("a = malloc(30000); b = malloc(0)") == []


def test_a_heap_whose_limit_nobody_knows_may_be_full_of_one_large_block() -> None:
    assert refused("a = malloc(24); b = malloc(0)", most=0) == ["zero_size_inconsistent"]
    assert refused("a = malloc(8388593); b = malloc(0)", most=0) == []
    assert "zero_size_inconsistent" in refused("a = malloc(900000); b = malloc(24); free(a); c = malloc(0)", most=0)
