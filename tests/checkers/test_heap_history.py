"""A trace as moments: what the reference has after each step, on which policy, and what lies in memory."""

from dataclasses import replace

import pytest

from heapster.checkers.lockstep.heap_history import (
    LONGEST,
    Passage,
    by_policy,
    compared,
    observed,
    of_finding,
    predicted,
)
from heapster.checkers.lockstep.run_trace import Make, on_source, rerun
from heapster.checkers.targets.interpreted import simulated
from heapster.checkers.targets.target import SIM, Target, TargetSettings
from heapster.model.placement import POLICY_NAMES
from heapster.model.runs import NO_RUNS
from heapster.model.trace import format_step, parse
from heapster.results import TargetError

WITH, WITHOUT = (replace(SIM, settings=TargetSettings(spans=spans, cache=4096, arenas=2)) for spans in (1, 0))
SLOTS = parse("a = malloc(40); b = malloc(40); thread 1; c = malloc(500); free(a); free(c); thread 0; free(b); "
              "d = malloc(500); trim 0; e = malloc(1000); free(e); trim 0; finalize; f = malloc(9)")
TRACE = parse("a = malloc(40); policy best_fit; b = malloc(24); c = malloc(9); free(b); d = malloc(8); "
              "foreign_sbrk(16); fail mmap 1; e = malloc(200000); f = malloc(200000); free(f); keep 0; finalize")


def test_moments_are_steps_and_the_heaps_and_answers_after_them() -> None:
    moments = [*predicted(TRACE)]
    assert [moment.step for moment in moments] == [format_step(step) for step in TRACE]
    last = rerun(TRACE[:-1], simulated(SIM)).after
    assert last is not None
    assert moments[-2].heap == last._replace(held_locks=(), system=())
    assert [bool(moment.answer) for moment in moments] == [step.verb == "malloc" for step in TRACE]


@pytest.mark.parametrize("policy", POLICY_NAMES)
def test_a_policy_holds_whatever_the_trace_sets(policy: str) -> None:
    moments = [*predicted(TRACE, policy)]
    (lane,) = by_policy(TRACE, [policy]).values()
    assert [(passed.step, passed.changes) for passed in lane] == [
        (passed.step, passed.changes) for passed in compared(moments)]
    assert {moment.heap.policy for moment in moments[:-1]} == {policy}
    assert [moment.step for moment in moments] == [format_step(step) for step in TRACE]
    assert moments[1].heap == moments[0].heap
    plain = parse(f"policy {policy}; " + "; ".join(format_step(step) for step in TRACE if step.verb != "policy"))
    assert [m.heap for m in moments if m.step != "policy best_fit"] == [m.heap for m in predicted(plain)][1:]


def test_both_take_null_and_have_mappings_moved_by_the_system() -> None:
    trace = parse("free(NULL); a = realloc(NULL, 200000); b = malloc(200000); c = realloc(a, 900000); d = malloc(3)")
    in_memory = [*observed(trace, simulated(SIM)())]
    assert in_memory[1].answer != in_memory[3].answer
    assert [(moment.heap, moment.answer) for moment in predicted(trace)] == [
        (moment.heap._replace(held_locks=(), system=()), moment.answer) for moment in in_memory]


def test_what_lies_in_memory_ends_with_what_is_wrong() -> None:
    moments = [*observed(parse("a = malloc(40); free(a); free(a); b = malloc(1)"), simulated(SIM)())]
    assert [(moment.step, moment.problem) for moment in moments] == [
        ("a = malloc(40)", ""), ("free(a)", ""), ("free(a)", "misuse: double_free")]
    assert moments[2].heap == moments[1].heap
    assert [(moment.heap.arenas, bool(moment.answer)) for moment in moments[:2]] == [
        (moment.heap.arenas, bool(moment.answer)) for moment in predicted(parse("a = malloc(40); free(a)"))]


def failing() -> Make:
    raise TargetError("no compiler")


def test_a_findings_trace_is_taken_on_its_target_or_else_on_the_simulated_machine() -> None:
    trace = ("a = malloc(40)", "free(a)")
    for make, where in ((on_source, "native"), (None, "sim, not native"), (failing, "sim, not native")):
        found = of_finding(trace, "native", make)
        assert found is not None
        assert (found[0], [moment.step for moment in found[1]]) == (where, [*trace])


def test_what_is_no_trace_or_too_long_is_not_taken() -> None:
    assert of_finding(("r1:n1/m24",), "sim", None) is None
    assert of_finding(("stats",) * (LONGEST + 1), "sim", None) is None
    assert of_finding(("stats",) * LONGEST, "sim", None) is not None


@pytest.mark.parametrize("size", [1, 3, 4, 99])
def test_a_passage_is_the_same_in_pages_of_any_size(size: int) -> None:
    whole, passage = [*predicted(TRACE)], Passage(TRACE, page_steps=size)
    for number in (1, 5, 2, len(whole), 3, len(whole)):
        page = passage.page(number)
        assert page is not None
        assert page.has(number)
        assert not page.has(page.first - 1)
        assert not page.has(page.first + len(page.moments))
        assert page.moments[number - page.first] == whole[number - 1]
        assert page.before == (whole[page.first - 2] if page.first > 1 else None)
    assert passage.page(len(whole) + 1) is None
    assert [passage.last(number) for number in (3, len(whole), len(whole) + 9)] == [3, len(whole), len(whole)]


@pytest.mark.parametrize("size", [1, 3, 99])
def test_names_are_those_of_the_blocks_that_are_used(size: int) -> None:
    passage = Passage(TRACE, page_steps=size)
    named = [sorted(page.live_names(number).values()) for number in range(1, len(TRACE) + 1)
             if (page := passage.page(number))]
    assert named[:6] == [["a"], ["a"], ["a", "b"], ["a", "b", "c"], ["a", "c"], ["a", "c", "d"]]
    assert named[9:] == [["a", "c", "d", "e", "f"], ["a", "c", "d", "e"], ["a", "c", "d", "e"], []]


@pytest.mark.parametrize("target", [WITH, WITHOUT], ids=str)
def test_heaps_are_of_the_build_and_as_the_target_is_set(target: Target) -> None:
    """What the reference predicts is what lies in memory, with runs where there are spans."""
    moments = [*predicted(SLOTS, settings=target.settings)]
    in_memory = [*observed(SLOTS, simulated(target)())]
    assert [(moment.heap, moment.answer) for moment in moments] == [
        (moment.heap._replace(held_locks=(), system=()), moment.answer) for moment in in_memory]
    assert {moment.heap.has_spans for moment in moments} == {target is WITH}
    assert any((moment.heap.runs or NO_RUNS).runs for moment in moments) == (target is WITH)
    (lane,) = by_policy(SLOTS, ["best_fit"], target.settings).values()
    assert [passed.changes for passed in lane] == [
        passed.changes for passed in compared(predicted(SLOTS, "best_fit", target.settings))]
    passage = Passage(SLOTS, settings=target.settings)
    page = passage.page(6)
    assert page is not None
    assert page.moments == moments
    assert sorted(page.live_names(6).values()) == ["b"], "what waits in a cache is nobody's"


@pytest.mark.parametrize("target", [WITH, WITHOUT], ids=str)
def test_a_finding_of_another_allocator_is_drawn_of_its_build(target: Target) -> None:
    text = tuple(format_step(step) for step in SLOTS)
    for make in (None, failing):
        found = of_finding(text, "native", make, target.settings)
        assert found is not None
        assert [passed.changes for passed in found[1]] == [
            passed.changes for passed in compared(observed(SLOTS, simulated(target)()))]
