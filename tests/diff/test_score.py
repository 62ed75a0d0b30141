"""`score`: figures of right allocators, and no points for wrong ones."""

from dataclasses import replace
from pathlib import Path

import pytest

from heapster.checkers.diff.comparing import load
from heapster.checkers.diff.lockstep import play_compiled
from heapster.checkers.score import driver as scorekeeping
from heapster.checkers.score.contestants import contestant
from heapster.checkers.score.driver import Course
from heapster.checkers.score.scoring import score
from heapster.checkers.targets import grammar
from heapster.checkers.targets.target import LIBC, NATIVE, TargetSettings
from heapster.checkers.traces.compact import compact
from heapster.checkers.traces.generating import generate
from heapster.checkers.traces.writing import write_trace
from heapster.model.trace import parse
from heapster.results import UsageError, Verdict
from tests.diff.strangers import PACKED, SMASHES, bump

TRACE = """a = malloc(100); b = malloc(33); c = calloc(3, 40); a = realloc(a, 500); free(b); d = malloc(33)
d = realloc(d, 9); free(c); e = malloc(120); f = calloc(5, 5); free(a); free(d); free(e)"""


@pytest.fixture
def trace(tmp_path: Path) -> str:
    write_trace(compact(parse(TRACE)), tmp_path / "t", "text")
    return str(tmp_path / "t")


def test_policies_and_libc_are_valid_and_measured(tmp_path: Path) -> None:
    write_trace(generate("peaks", 20000, 1), tmp_path / "t", "binary")
    run = score([str(tmp_path / "t")], grammar.parse_list("native:best_fit,libc"))
    assert run.verdict is Verdict.PASSED
    for row in run.extra["table"][str(tmp_path / "t")].values():
        assert row["valid"]
        assert 0.2 < row["utilization"] <= 1         # of runs of 64 KiB a small trace fills little
        assert 0 < row["points"] <= 100
        assert row["ops"] == 20000
    one = run.extra["table"][str(tmp_path / "t")]["best_fit"]
    assert one["target"] == "native:best_fit"
    assert run.extra["totals"]["best_fit"]["points"] == one["points"]


def test_the_heap_of_a_policy_is_what_the_model_says() -> None:
    trace = generate("random", 5000, 4)
    expected = play_compiled(trace, "next_fit").measures
    with Course(trace) as course:
        found = course.run(contestant(replace(NATIVE, settings=TargetSettings("next_fit", cache=0))))
    assert (found.peak_live, found.heap) == (expected.peak_live, expected.peak_heap)


def test_one_policy_has_one_heap_in_diff_and_in_score_without_caches(tmp_path: Path) -> None:
    """What a setting names is what runs; as the library ships, its caches are part of the heap."""
    trace = "a = malloc(8); b = pvalloc(1); c = memalign(64, 100); free(a)"
    write_trace(compact(parse(trace)), tmp_path / "t", "text")
    expected = play_compiled(compact(parse(trace)), "best_fit").measures
    run = score([str(tmp_path / "t")], grammar.parse_list("native:best_fit:cache=0,libc"))
    ours, libc = run.extra["table"][str(tmp_path / "t")].values()
    assert ours["heap"] == expected.peak_heap
    assert ours["utilization"] == round(expected.peak_live / expected.peak_heap, 6)
    with Course(compact(parse(trace))) as course:
        assert course.run(contestant(LIBC)).peak_live == expected.peak_live == 8 + 4096 + 100
    assert "without caches" in run.extra["measures"]
    assert libc["valid"]


def test_what_a_setting_names_is_what_is_scored() -> None:
    """Of a recorded program's blocks a thread with caches keeps enough for another growth of the heap."""
    with Course(load("sqlite3")) as course:
        alone, cached = (course.run(contestant(target)).heap for target in grammar.parse_list(
            f"native:best_fit:cache=0,native:best_fit:cache={1 << 18}"))
    assert alone < cached


@pytest.mark.parametrize("before", ["", PACKED])
def test_a_right_stranger_is_valid(before: str, tmp_path: Path) -> None:
    trace = parse(TRACE + "; a = malloc(8); b = malloc(8); c = calloc(1, 5); free(b); free(a)")
    write_trace(compact(trace), tmp_path / "t", "text")
    run = score([str(tmp_path / "t")], (grammar.parse(bump(tmp_path, before=before)),), "bump_")
    assert run.verdict is Verdict.PASSED


@pytest.mark.parametrize(("wrong", "said"), [
    ({"room": "-16"}, "overlap"),
    ({"free": SMASHES}, "contents of a live block changed"),
    ({"realloc": "return bump_malloc(n);"}, "realloc lost contents"),
    ({"clear": "1 ? memset(bump_malloc(a * b), 9, a * b) : memset"}, "calloc gave memory that is not zero"),
    ({"room": "20"}, ""),
    ({"free": "*(volatile char *)0 = 1;"}, "SIGSEGV"),
    ({"realloc": "return 0;"}, "it gives NULL"),
    ({"free": "__builtin_trap();"}, "SIGILL|SIGTRAP"),
    ({"before": "if (n == 33) return small + 8 * (1 + tiny++);"}, "not aligned")])
def test_a_wrong_stranger_gets_no_points(wrong: dict[str, str], said: str, trace: str, tmp_path: Path) -> None:
    run = score([trace], (grammar.parse(bump(tmp_path, **wrong)),), "bump_")
    row, = run.extra["table"][trace].values()
    assert row["valid"] == (not said)
    if said:
        assert run.verdict is Verdict.FAILED
        assert row["points"] == 0
        finding, = run.findings
        assert any(part in finding.title for part in said.split("|"))


@pytest.mark.parametrize(("limit", "before", "verdict", "said"), [
    ("SECONDS_A_MILLION", "usleep(20000);", Verdict.INCONCLUSIVE, "too slow: it was at step"),
    ("HANGS", "for (;;) usleep(9);", Verdict.FAILED, "step 1: it does not return within 0 s")])
def test_what_is_slow_is_not_wrong_but_what_hangs_is(limit: str, before: str, verdict: Verdict, said: str, trace: str,
                                                     tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorekeeping, "TICK", 0.1)
    monkeypatch.setattr(scorekeeping, limit, 0)
    run = score([trace], (grammar.parse(bump(tmp_path, before=before)),), "bump_")
    assert run.verdict is verdict
    row, = run.extra["table"][trace].values()
    assert said in row["problem"]
    total, = run.extra["totals"].values()
    assert row["valid"] is total["valid"] is (None if verdict is Verdict.INCONCLUSIVE else False)


def test_an_unknown_target_is_named(trace: str) -> None:
    with pytest.raises(UsageError, match="unknown target 'best': choose from sim"):
        score([trace], (grammar.parse("best"),))
