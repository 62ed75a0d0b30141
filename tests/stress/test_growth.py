"""Growth over rests, and what only threads that end, reclaim, exit or fork show: each fault, and who is silent."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from heapster.checkers.growth import steady_growth
from heapster.checkers.stress import growing
from heapster.checkers.stress.growing import (
    ENOUGH,
    LEAST,
    LEAST_RESTS,
    RestSample,
    goes_on,
    grown,
    is_judged,
    is_longer,
)
from heapster.checkers.stress.patterns import OURS_ALONE, PATTERNS
from heapster.checkers.stress.runner import StressPlan, stress
from heapster.checkers.targets import grammar
from heapster.checkers.targets.target import Target
from heapster.results import Run, Verdict

SOURCE = Path(__file__).with_name("caching.c")
MIB = 1 << 20
SECONDS = {"large": 30.0}            # a fork has to come while another thread owns a lock
Compile = Callable[[str], Target]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """The caching allocator with a fault of a name; "": a correct one."""
    folder = tmp_path_factory.mktemp("caching")

    def compile_with(fault: str) -> Target:
        path = folder / f"lib{fault or 'correct'}.so"
        flags = ["-O1", "-fPIC", "-shared", "-fno-builtin", "-pthread", *([f"-D{fault}"] if fault else [])]
        subprocess.run(["cc", *flags, SOURCE, "-o", path], check=True)
        return grammar.parse(str(path))

    return compile_with


def run(target: Target, pattern: str, seconds: float = 0.4) -> Run:
    return stress(StressPlan(target, 2, seconds, pattern, 1))


def samples(*resident: int, every: int = 1000) -> list[RestSample]:
    return [RestSample(every * number, bytes_held) for number, bytes_held in enumerate(resident, 1)]


@pytest.mark.parametrize(("resident", "expected"), [
    ([8 * MIB] * 24, 0),                                                # it rests
    ([n * MIB for n in range(24)], 18 * MIB),                           # it grows all the time
    ([min(n, 8) * MIB for n in range(24)], 0),                          # while it warms up
    ([n * MIB for n in range(LEAST_RESTS - 1)], 0),                     # who can say
    ([MIB, MIB + LEAST, MIB + ENOUGH + 1], ENOUGH + 1)])                # so much that it was stopped
def test_growth_is_what_goes_on_after_the_warm_up(resident: list[int], expected: int) -> None:
    assert grown(samples(*resident)) == expected
    assert is_judged(samples(*resident)) == (len(resident) >= LEAST_RESTS or expected > 0)


def test_a_little_growth_is_none() -> None:
    assert steady_growth([0, 10, 20, 30], 29) == 30
    assert steady_growth([0, 10, 20, 30], 30) == 0
    assert steady_growth([0, 14, 15, 30], 0) == 0


def test_work_counts_and_not_how_long_it_took() -> None:
    """Rests that a loaded machine put close together weigh little."""
    crowded = [RestSample(ops, ops * MIB // 10) for ops in (*range(1, 20), 40, 60, 80, 100, 120, 140, 160)]
    assert grown(crowded) > 0


def test_a_correct_allocator_passes_all_patterns(compiled: Compile) -> None:
    names = [name for name in PATTERNS if name not in OURS_ALONE]
    seen = stress(StressPlan(compiled(""), 3, 0.3 * len(names), "all", 1))
    assert seen.verdict is Verdict.PASSED, seen.findings
    assert seen.checks["fork"] >= len(names) - 1                       # large is slow where the machine is loaded
    assert seen.witnesses["threads_ended"] > 1000
    assert seen.checks["memory_never_returned"] > LEAST_RESTS


def test_a_longer_run_must_grow_on() -> None:
    first, warm = samples(*(n * MIB for n in range(24))), samples(*(min(n, 30) * MIB for n in range(48)), every=1500)
    same = samples(*(n * MIB for n in range(48)))
    assert (goes_on(first, same), is_longer(first, same)) == (True, True)
    assert (goes_on(first, warm), is_longer(first, first)) == (False, False)
    assert goes_on(first, []) is False


@pytest.mark.parametrize(("fault", "pattern", "code", "silent"), [
    pytest.param("FORGETS_RECORDS", "mayflies", "memory_never_returned", ("handover", "larson"),
                 marks=pytest.mark.faults),
    ("LOSES_WHAT_OTHERS_FREE", "handover", "memory_never_returned", ("churn",)),
    ("TRIMS_AS_IT_ALLOCATES", "reclaim", "memory_never_returned", ("handover",)),
    ("LEAVES_A_DEAD_CACHE", "endings", "crash", ("mayflies", "larson")),
    ("ENDS_BEFORE_OTHERS", "endings", "crash", ("mayflies", "fork")),
    pytest.param("FORGETS_THE_BIG_LOCK", "large", "fork_hang", ("fork",), marks=pytest.mark.faults)])
def test_a_pattern_finds_what_others_do_not(fault: str, pattern: str, code: str, silent: tuple[str, ...],
                                            compiled: Compile) -> None:
    target = compiled(fault)
    assert [finding.code for finding in run(target, pattern, SECONDS.get(pattern, 4.0)).findings] == [code]
    assert [other for other in silent if run(target, other).findings] == []


def test_only_growth_shows_what_is_lost(compiled: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "grown", lambda _: 0)
    assert run(compiled("FORGETS_RECORDS"), "mayflies", 1.0).findings == ()


def test_a_finding_says_what_each_thread_costs(compiled: Compile) -> None:
    title = run(compiled("FORGETS_RECORDS"), "mayflies", 1.0).findings[0].title
    each = int(title.split("about ")[1].split(" bytes for each thread that ended")[0].replace(",", ""))
    assert 4096 * 0.5 < each < 4096 * 2


def test_what_was_not_long_enough_is_not_checked(compiled: Compile) -> None:
    seen = run(compiled(""), "churn", 0.05)
    assert seen.checks["memory_never_returned"] == 0
    assert any(line.startswith("growth under churn") for line in seen.extra["not_checked"])
