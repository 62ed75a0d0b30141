"""What threads saw against all orders that keep real time."""

from heapster.checkers.races.judge import CallEvent, unexplained
from heapster.model.spec import Operation, Result

A, B = 0x1000, 0x2000


def malloc(thread: int, start: int, end: int, pointer: int) -> CallEvent:
    return CallEvent(thread, start, end, Operation("malloc", (24,)), Result(pointer, errno=0 if pointer else 12))


def free(thread: int, start: int, end: int, pointer: int) -> CallEvent:
    return CallEvent(thread, start, end, Operation("free", (), pointer), Result())


def realloc(thread: int, start: int, end: int, old: int, new: int) -> CallEvent:
    return CallEvent(thread, start, end, Operation("realloc", (24,), old), Result(new))


def test_a_block_given_twice_is_explained_by_no_order() -> None:
    reason = unexplained([malloc(0, 0, 9, A), malloc(1, 1, 8, A)], [], refused=False)
    assert reason is not None
    assert reason[0] == "overlap"


def test_a_block_may_be_given_again_while_its_free_has_yet_to_return() -> None:
    assert unexplained([free(0, 0, 9, A), malloc(1, 2, 5, A)], [(A, 24)], refused=False) is None


def test_a_block_may_not_be_given_again_before_its_free_began() -> None:
    assert unexplained([malloc(1, 0, 2, A), free(0, 3, 9, A)], [(A, 24)], refused=False) is not None


def test_a_moved_block_may_be_given_before_the_move_returns() -> None:
    """The likely order, by ends, is wrong; the search finds the right one."""
    events = [realloc(0, 0, 9, A, B), malloc(1, 2, 5, A)]
    assert unexplained(events, [(A, 24)], refused=False) is None


def test_orders_in_which_a_block_is_freed_before_it_is_given_are_none() -> None:
    events = [malloc(0, 0, 4, A), free(0, 4, 9, A), malloc(1, 1, 3, A), free(1, 5, 8, A)]
    assert unexplained(events, [], refused=False) is not None
    after = [malloc(0, 0, 4, A), free(0, 4, 9, A), malloc(1, 5, 10, A)]
    assert unexplained(after, [], refused=False) is None


def test_null_needs_a_refusal() -> None:
    reason = unexplained([malloc(0, 0, 9, 0)], [], refused=False)
    assert reason is not None
    assert reason[0] == "spurious_null"
    assert unexplained([malloc(0, 0, 9, 0)], [], refused=True) is None
