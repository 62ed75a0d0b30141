"""The compiled allocator does word for word what the interpreted one does; faults of the lowering show."""

import functools

import pytest

from heapster.checkers.lockstep.translation import lives, validate
from heapster.checkers.lockstep.validation import CHECK, validated
from heapster.machine.lowering import FAULTS, FUNCTIONS, lowering
from heapster.model.geometry import CACHED_SIZES, HEADER
from heapster.model.operation import Trace
from heapster.model.trace import parse
from heapster.results import Verdict
from tests.hunts import first_hunted

SEED, EXAMPLES = 20, 6
TRACE = parse("""
    growth 4096; threshold 8192
    a = malloc(40); b = calloc(3, 100); c = malloc(100000)
    thread 1; d = malloc(30); free(b)
    thread 0; d = realloc(d, 5000); fail sbrk 1; e = malloc(9000); fail munmap 1; free(c)
    policy next_fit; stats; fork; f = posix_memalign(64, 100); g = malloc(SIZE_MAX); g = pvalloc(1)
    j = malloc(40); free(j); k = calloc(1, 40); keep 1000000
    l = malloc(50000); free(l); m = malloc(20000); n = calloc(1, 10000); o = realloc(n, 24000); free(m); keep 4096
    foreign_sbrk(24); h = malloc(5000); free(h); free(f); i = calloc(1, 40); free(a); free(a)
""")


@functools.cache
def chosen() -> tuple[Trace, ...]:
    return tuple(lives(SEED, EXAMPLES))


def test_a_trace_of_everything_agrees() -> None:
    assert validate(TRACE) == []


def test_traces_that_hypothesis_chooses_agree() -> None:
    assert sum(len(trace) for trace in chosen()) > 500
    assert {step.verb for trace in chosen() for step in trace} > {"malloc", "realloc", "fail", "policy", "thread"}
    assert [problem for trace in chosen() for problem in validate(trace)] == []


def test_settled_pieces_are_compared_to_the_end() -> None:
    trace = parse("growth 4096; a = malloc(100); b = malloc(100); free(a); c = malloc(20); free(b); free(c); finalize")
    assert validate(trace) == []


def test_blocks_of_each_cached_size_go_where_the_table_says() -> None:
    whole = [least - HEADER for least in CACHED_SIZES]
    assert validate(parse("cache 1000000; " + "; ".join(
        f"a{size} = malloc({size}); free(a{size}); b{size} = aligned_alloc(32, {size + 1}); free(b{size})"
        for size in whole))) == []


@pytest.mark.parametrize("fault", first_hunted(sorted(FAULTS)))
def test_a_fault_planted_in_the_lowering_is_found(fault: str) -> None:
    assert any(validate(trace, fault) for trace in (TRACE, *chosen()))


def test_a_run_holds_what_it_compared() -> None:
    run = validated(3, 2)
    assert (run.verdict, run.findings) == (Verdict.PASSED, ())
    assert run.checks == {CHECK: run.ops}
    assert run.ops > 50


@pytest.mark.faults
def test_a_run_tells_the_least_trace_on_which_the_readings_part() -> None:
    """Nothing else notices this one: tests/native/test_native_target.py."""
    run = validated(SEED, EXAMPLES, "long_copy")
    [finding] = run.findings
    assert (run.verdict, finding.code) == (Verdict.FAILED, "translation_differs")
    assert len(finding.trace) <= 4
    assert "realloc" in finding.trace[-1]
    assert "the interpreted one" in finding.title


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_changes_what_it_says(fault: str) -> None:
    assert set(FAULTS[fault]) <= set(FUNCTIONS)
    assert lowering(1024, 64, fault) != lowering(1024, 64)
