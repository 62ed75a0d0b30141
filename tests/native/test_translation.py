"""The compiled allocator does word for word what the interpreted one does, with spans and without; faults show."""

import functools
from collections.abc import Callable

import pytest

from heapster.checkers.lockstep.translation import lives, validate
from heapster.checkers.lockstep.validation import CHECK, validated
from heapster.checkers.mutation.fault import planted
from heapster.checkers.mutation.spans_faults import FAULTS as SPANS_FAULTS
from heapster.checkers.targets.source import Source, with_spans, without_spans
from heapster.checkers.targets.target import TargetSettings
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


ONLY_WITH_SPANS = {     # faults in functions that the build without spans has not, each with what shows it
    "a run is not held": "cache 4096; a = malloc(40)",
    "a slot is handed out twice": "cache 4096; a = malloc(40); b = malloc(40); c = malloc(40)",
    "a slot that waits is freed again": "cache 4096; a = malloc(40); b = malloc(40); free(a); free(a)",
    "realloc leaves a slot of a lesser class": "cache 4096; a = malloc(40); b = malloc(100); c = realloc(b, 200)",
    "what a run has back is left for new slots":
        "cache 64; a = malloc(40); b = malloc(40); free(a); trim 0; c = malloc(40)",
}
Build = Callable[[], Source]
BUILDS = pytest.mark.parametrize("build", [without_spans, with_spans])


@functools.cache
def chosen(build: Build) -> tuple[Trace, ...]:
    return tuple(lives(SEED, EXAMPLES, build()))


@BUILDS
def test_a_trace_of_everything_agrees(build: Build) -> None:
    assert validate(TRACE, build()) == []


@BUILDS
def test_traces_that_hypothesis_chooses_agree(build: Build) -> None:
    assert sum(len(trace) for trace in chosen(build)) > 500
    verbs = {step.verb for trace in chosen(build) for step in trace}
    assert verbs > {"malloc", "realloc", "fail", "policy", "thread"}
    assert [problem for trace in chosen(build) for problem in validate(trace, build())] == []


@BUILDS
def test_settled_pieces_are_compared_to_the_end(build: Build) -> None:
    trace = parse("growth 4096; a = malloc(100); b = malloc(100); free(a); c = malloc(20); free(b); free(c); finalize")
    assert validate(trace, build()) == []


@BUILDS
def test_blocks_of_each_cached_size_go_where_the_table_says(build: Build) -> None:
    whole = [least - HEADER for least in CACHED_SIZES]
    assert validate(parse("cache 1000000; " + "; ".join(
        f"a{size} = malloc({size}); free(a{size}); b{size} = aligned_alloc(32, {size + 1}); free(b{size})"
        for size in whole)), build()) == []


@pytest.mark.parametrize("fault", first_hunted(sorted(FAULTS)))
@BUILDS
def test_a_fault_planted_in_the_lowering_is_found(fault: str, build: Build) -> None:
    assert any(validate(trace, build(), fault) for trace in (TRACE, *chosen(build)))


@pytest.mark.parametrize("title", ONLY_WITH_SPANS)
def test_code_of_what_only_spans_have_is_held_against_its_source(title: str) -> None:
    """As if the translation had gone wrong there: the code is not made of the source that runs beside it."""
    [fault] = [each for each in SPANS_FAULTS if each.title == title]
    trace = parse(ONLY_WITH_SPANS[title])
    assert validate(trace, with_spans()) == []
    [problem] = validate(trace, planted(fault))
    assert problem.code == "translation_differs"


@BUILDS
def test_a_run_holds_what_it_compared(build: Build) -> None:
    run = validated(3, 2, settings=TargetSettings(spans=int(build().has_spans)))
    assert (run.verdict, run.findings) == (Verdict.PASSED, ())
    assert run.checks == {CHECK: run.ops}
    assert run.ops > 50


@pytest.mark.faults
def test_a_run_tells_the_least_trace_on_which_the_readings_part() -> None:
    """Nothing else notices this one: tests/native/test_native_target.py."""
    run = validated(SEED, EXAMPLES, "long_copy", TargetSettings(spans=0))
    [finding] = run.findings
    assert (run.verdict, finding.code) == (Verdict.FAILED, "translation_differs")
    assert len(finding.trace) <= 4
    assert "realloc" in finding.trace[-1]
    assert "the interpreted one" in finding.title
    assert finding.replay.endswith(f"--seed {SEED}")


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_changes_what_it_says(fault: str) -> None:
    assert set(FAULTS[fault]) <= set(FUNCTIONS)
    assert lowering(1024, 64, fault) != lowering(1024, 64)
