"""The table of operations: numbers that binary traces depend on, and what derives from a row."""

from heapster.model.operation import Step
from heapster.model.operations import CALLS, NUMBER, OPERATIONS, ROWS, TAKING, bits

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
