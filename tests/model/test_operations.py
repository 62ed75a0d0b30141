"""The table of operations: numbers that binary traces depend on, and what derives from a row."""

import pytest

from heapster.model.operation import Step
from heapster.model.operations import (
    ASKING,
    CALLS,
    NUMBER,
    OPERATIONS,
    RELEASING,
    RESIZING,
    ROWS,
    STATING,
    TAKING,
    Stated,
    alignment_asked,
    bits,
    release_stating,
    requested,
    stated,
)

NUMBERED = (        # as traces that were written long ago have them: never change a line of this
    "malloc", "calloc", "realloc", "reallocarray", "aligned_alloc", "posix_memalign", "memalign", "valloc", "pvalloc",
    "free", "usable_size", "policy", "threshold", "growth", "arenas", "thread", "foreign_sbrk", "fail", "fork", "stats",
    "finalize", "cache", "thread_end", "keep", "trim")


def test_a_number_once_given_stays() -> None:
    assert tuple(NUMBER)[:len(NUMBERED)] == NUMBERED
    assert [row.number for row in ROWS] == list(range(len(ROWS)))


def test_rows_say_what_calls_are() -> None:
    assert all(OPERATIONS[verb].standard for verb in CALLS)
    assert [row.name for row in ROWS if row.names and row.operand] == []
    assert all(bool(row.requests) == row.result for row in ROWS)
    assert bits({"malloc", "realloc"}) == 0b101
    assert Step("realloc").verb in TAKING


@pytest.mark.parametrize(("verb", "answers", "declared"), [
    ("malloc", "void *", "size_t size"), ("reallocarray", "void *", "void *pointer, size_t count, size_t size"),
    ("posix_memalign", "int", "void **out, size_t alignment, size_t size"), ("free", "void", "void *pointer"),
    ("usable_size", "size_t", "void *pointer"),
    ("free_aligned_sized", "void", "void *pointer, size_t alignment, size_t size")])
def test_a_row_is_declared_as_c_has_it(verb: str, answers: str, declared: str) -> None:
    assert (OPERATIONS[verb].answers, OPERATIONS[verb].declared) == (answers, declared)


def test_what_operations_do_to_blocks() -> None:
    assert {"realloc", "reallocarray"} == RESIZING
    assert {"free", "free_sized", "free_aligned_sized"} == RELEASING
    assert {"free_sized", "free_aligned_sized"} == STATING
    assert {"usable_size"} == ASKING


@pytest.mark.parametrize(("verb", "numbers", "size", "alignment"), [
    ("malloc", (7,), 7, None), ("calloc", (3, 5), 15, None), ("memalign", (64, 5), 5, 64), ("valloc", (5,), 5, 4096),
    ("pvalloc", (5,), 4096, 4096), ("pvalloc", (4097,), 8192, 4096), ("free_sized", (5,), 0, None),
    ("free", (), 0, None)])
def test_what_is_requested(verb: str, numbers: tuple[int, ...], size: int, alignment: int | None) -> None:
    assert (requested(Step(verb, numbers)), alignment_asked(Step(verb, numbers))) == (size, alignment)


@pytest.mark.parametrize(("verb", "numbers", "said"), [
    ("free_sized", (5,), Stated(None, 5)), ("free_aligned_sized", (64, 5), Stated(64, 5)), ("realloc", (5,), None)])
def test_what_a_call_says_of_its_block_is_said_by_that_call(
        verb: str, numbers: tuple[int, ...], said: Stated | None) -> None:
    assert stated(Step(verb, numbers)) == said
    if said:
        assert release_stating(said) == (verb, numbers)
