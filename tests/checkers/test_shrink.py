"""The shrinker knows what a trace means."""

from typing import Any

import pytest

from heapster.checkers.fuzz.shrink import PASSES, SHORTENING, asking_for_all, shrink, without
from heapster.model.geometry import SIZE_MAX
from heapster.model.operation import Step
from heapster.model.trace import format_steps, parse


def least(text: Any, fails: Any) -> Any:
    return "; ".join(format_steps(shrink(parse(text), fails).trace))


def frees(trace: Any) -> Any:
    return sum(step.verb == "free" for step in trace)


def test_a_handle_goes_with_its_frees() -> None:
    text = "a = malloc(40); b = malloc(50); free(a); free(b)"
    assert least(text, lambda t: frees(t) >= 1) == "a = malloc(0); free(a)"


def test_dropping_a_resize_leaves_the_old_handle_in_its_place() -> None:
    trace = parse("a = malloc(40); b = realloc(a, 80); free(b)")
    assert format_steps(without(trace, {1})) == ("a = malloc(40)", "free(a)")


def test_dropping_an_allocation_drops_what_needs_it() -> None:
    trace = parse("a = malloc(40); b = realloc(a, 80); free(b); c = malloc(1)")
    assert format_steps(without(trace, {0})) == ("c = malloc(1)",)


def test_sizes_that_must_be_equal_shrink_together() -> None:
    def two_alike(trace: Any) -> Any:
        sizes = [step.numbers[0] for step in trace if step.verb == "malloc"]
        return any(size > 20 and sizes.count(size) > 1 for size in sizes)
    assert least("a = malloc(89); b = malloc(7); c = malloc(89)", two_alike) == "a = malloc(21); b = malloc(21)"


def test_plainer_calls_replace_elaborate_ones() -> None:
    def asks_for_much(trace: Any) -> Any:
        return any(step.verb != "policy" and sum(step.numbers) >= 4096 for step in trace)
    assert least("policy best_fit; a = calloc(2, 3000)", asks_for_much) == "a = malloc(4096)"


def test_what_is_printed_is_the_same_each_time() -> None:
    trace = tuple(Step("malloc", (17 * i % 97,), i) for i in range(30))
    runs = {shrink(trace, lambda t: sum(s.numbers[0] for s in t) > 200) for _ in range(3)}
    assert len(runs) == 1


def test_the_budget_of_replays_is_kept() -> None:
    replays: list[Any] = []

    def passes(trace: Any) -> bool:
        replays.append(trace)
        return False
    shrink(tuple(Step("malloc", (i,), i) for i in range(50)), passes, budget=7)
    assert len(replays) == 7


def test_no_replay_begins_when_it_is_late() -> None:
    replays: list[Any] = []

    def fails(trace: Any) -> bool:
        replays.append(trace)
        return len(trace) >= 3
    shrunk = shrink(tuple(Step("malloc", (64,), i) for i in range(40)), fails, late=lambda: len(replays) >= 5)
    assert (len(replays), shrunk.at_rest) == (5, False)
    assert fails(shrunk.trace)


def test_where_the_budget_ends_the_trace_is_not_at_rest() -> None:
    trace = tuple(Step("malloc", (64,), i) for i in range(40))
    assert not shrink(trace, lambda t: len(t) >= 3, budget=3).at_rest
    assert shrink(trace, lambda t: len(t) >= 3) == (parse("a = malloc(0); b = malloc(0); c = malloc(0)"), True)


def test_long_traces_are_swept_in_parts() -> None:
    replays: list[Any] = []

    def fails(trace: Any) -> Any:
        replays.append(trace)
        sizes = [step.numbers[0] for step in trace if step.verb == "malloc"]
        return sum(size >= 5 for size in sizes) >= 85
    trace = tuple(Step("malloc", (17 * i % 97 + 5,), i) for i in range(3000))
    shrunk = shrink(trace, fails)
    assert len(shrunk.trace) == 85
    assert len(replays) <= 2000


def test_memory_is_filled_with_fewer_larger_blocks() -> None:
    trace = tuple(Step("malloc", (100,), i) for i in range(2000))
    shrunk = shrink(trace, lambda t: sum(step.numbers[0] for step in t if step.verb == "malloc") >= 150_000)
    assert len(shrunk.trace) <= 8


def test_longer_replays_cost_more() -> None:
    replays: list[Any] = []

    def passes(trace: Any) -> bool:
        replays.append(trace)
        return False
    shrink(tuple(Step("malloc", (i,), i) for i in range(50)), passes, budget=30, cost=lambda t: float(len(t)))
    assert sum(map(len, replays)) <= 30


def test_what_fails_where_memory_is_out_needs_one_block_or_one_call() -> None:
    """Of forty blocks, and a few replays: the last call asks for all, or what lives becomes one block."""
    many = "; ".join(f"b{number} = malloc({number + 500})" for number in range(40))
    held = 1 << 14

    def fails_when_out(alone: bool) -> Any:
        def fails(trace: Any) -> bool:
            taken = sum(step.numbers[-1] for step in trace[:-1] if step.verb == "malloc")
            last = trace[-1]
            return last.verb == "calloc" and taken + last.numbers[-1] > held and (alone or last.numbers[-1] < 99)
        return fails

    alone = shrink(parse(f"{many}; z = calloc(1, 48)"), fails_when_out(alone=True), budget=30)
    assert len(alone.trace) == 1
    filled = shrink(parse(f"{many}; z = calloc(1, 48)"), fails_when_out(alone=False), budget=30)
    assert [step.verb for step in filled.trace] == ["malloc", "calloc"]
    gone = parse(f"{many}; free(b7); z = realloc(b7, 48)")
    assert not [*asking_for_all(gone)], "a handle that is gone cannot be had in fewer steps"


@pytest.mark.parametrize("last", ["malloc({})", "aligned_alloc(64, {})", "calloc({}, {})", "realloc(b, {})"])
def test_no_candidate_asks_for_more_than_a_size_can_say(last: str) -> None:
    trace = parse(f"a = malloc(40); b = malloc(5); c = {last}".replace("{}", str(SIZE_MAX)))
    for candidates in (*PASSES, *SHORTENING, asking_for_all):
        for candidate in candidates(trace):
            assert all(0 <= number <= SIZE_MAX for step in candidate for number in step.numbers), candidate
