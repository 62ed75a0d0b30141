"""The traces that every target is asked first say what they are to say, and only in the target's verbs."""

from heapster.checkers.blackbox.seed_corpus import FILLING, basics, exhausted, extremes, filled_and_freed, steady
from heapster.model.operations import REQUESTS, requested
from heapster.model.trace import format_steps

EVERYTHING = frozenset({*REQUESTS, "free"})
ROOM = 20 << 20


def test_nothing_is_asked_that_the_target_does_not_define() -> None:
    few = frozenset({"malloc", "free"})
    for trace in (*basics(few, 1 << 25), *extremes(few, 1 << 25, ROOM), *steady(few)):
        assert {step.verb for step in trace} <= few, format_steps(trace)


def test_a_heap_without_a_limit_is_not_filled() -> None:
    filled = set(extremes(EVERYTHING, 1 << 25, ROOM)) - set(extremes(EVERYTHING, 1 << 25, 0))
    assert {exhausted(ROOM, count, EVERYTHING) for count in FILLING} < filled


def test_exhausting_asks_for_more_than_there_is_and_filling_for_less() -> None:
    for count in FILLING:
        assert sum(requested(step) for step in exhausted(ROOM, count, frozenset())[:count + 2]) > ROOM
        assert sum(requested(step) for step in filled_and_freed(ROOM, count, ())[:count]) < ROOM


def test_steady_work_frees_what_it_names_once() -> None:
    for trace in steady(EVERYTHING):
        taken = [step.operand for step in trace if step.operand >= 0]
        assert len(taken) == len(set(taken)), format_steps(trace)
