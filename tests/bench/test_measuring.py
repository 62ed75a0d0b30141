"""Workloads under allocators that are slow, broken or absent: what is found, and what is said of it."""

import os
from pathlib import Path

import pytest

from heapster.checkers.bench import running
from heapster.checkers.bench.build import HERE, programs
from heapster.checkers.bench.measuring import measure, rotated
from heapster.checkers.bench.results import run_of
from heapster.checkers.bench.running import LIMIT, Bench, Sample
from heapster.checkers.bench.targets import BASE, Candidate, NamedTarget, find_targets
from heapster.checkers.bench.workloads import ALL, WORKLOADS, Workload, chosen
from heapster.checkers.targets import grammar, installed
from heapster.results import TargetError, UsageError, Verdict
from tests.bench.planting import SHARE, plan, planted

OURS = [workload for workload in ALL if not workload.installed]


@pytest.mark.parametrize("workload", ALL, ids=lambda workload: workload.name)
def test_every_workload_runs_on_libc(workload: Workload, tmp_path: Path) -> None:
    if workload.installed and running.find_program(workload.program) is None:
        pytest.skip(f"{workload.program} is not installed")
    sample = Bench(programs(), tmp_path).run(workload, BASE, SHARE)
    assert isinstance(sample, Sample), sample
    assert sample.ops >= 1
    assert sample.memory > 500


@pytest.mark.parametrize("workload", [one for one in OURS if one.loop], ids=lambda workload: workload.name)
def test_the_bare_loop_counts_the_same_operations(workload: Workload, tmp_path: Path) -> None:
    bench = Bench(programs(), tmp_path)
    full, bare = (bench.run(workload, BASE, SHARE, empty=empty) for empty in (False, True))
    assert isinstance(full, Sample)
    assert isinstance(bare, Sample)
    assert full.ops == bare.ops


def test_the_amount_of_work_is_a_share() -> None:
    assert WORKLOADS["pair-64"].command(0.5) == ["10000000", "64", "64"]
    assert WORKLOADS["churn"].command(1e-9) == ["1", "2"]


def test_every_program_of_ours_is_used() -> None:
    used = {workload.program for workload in OURS}
    assert {path.stem for path in HERE.glob("*.c")} == used | {"launch"}


def test_memory_is_that_of_the_workload_and_not_of_whoever_runs_it(tmp_path: Path) -> None:
    ballast = bytearray(os.urandom(64)) * (1 << 20)         # 64 MiB in this process
    sample = Bench(programs(), tmp_path).run(WORKLOADS["start-up"], BASE, SHARE)
    assert isinstance(sample, Sample)
    assert sample.memory < len(ballast) / 1024 / 4


def test_a_slow_allocator_is_shown_slower(tmp_path: Path) -> None:
    run = run_of(it := plan([planted(tmp_path, "SLOW")], ["pair-64"], rounds=5), measure(it), frozenset())
    figures = run.extra["workloads"]["pair-64"]["targets"]["slow"]
    assert (run.verdict, figures["cpu_standing"]) == (Verdict.PASSED, "more")
    assert figures["cpu_ratio"] > 2
    assert run.extra["geomean"]["slow"]["cpu_ratio"] > 2
    assert run.extra["geomean"]["libc"]["cpu_ratio"] == 1
    assert len(figures["samples"]["cpu_seconds"]) == 5


@pytest.mark.parametrize(("fault", "code", "said"), [
    ("CRASHES", "crash", "SIGILL"), ("GIVES_UP", "spurious_null", "NULL was returned"),
    ("HANGS", "hang", "did not end within 2 s of wall clock"),
    ("OVERLAPS", "contents_damaged", "a live block was changed"),
])
def test_an_allocator_that_fails_is_a_finding(tmp_path: Path, fault: str, code: str, said: str) -> None:
    path = planted(tmp_path, fault)
    name = "live-small" if fault == "OVERLAPS" else "pair-64"
    run = run_of(it := plan([path], [name, "ladder"], limit=2.0 if code == "hang" else LIMIT), measure(it), frozenset())
    (finding,) = [one for one in run.findings if f"workload {name}" in one.trace]
    assert (run.verdict, finding.code) == (Verdict.FAILED, code)
    assert said in finding.title
    assert finding.replay == f"heapster bench --targets {path} --workloads {name} --rounds 1 --quick"
    assert finding.details[0].startswith("libc needs ")
    assert "libc" in run.extra["workloads"][name]["targets"], "the others are measured all the same"


def test_the_targets_take_turns() -> None:
    four = tuple(map(Candidate, "abcd"))
    orders = ["".join(target.name for target in rotated(four, turn)) for turn in range(5)]
    assert orders == ["abcd", "bcda", "cdab", "dabc", "abcd"]


# What cannot be measured.

def test_a_peer_that_is_asked_for_and_absent_leaves_the_run_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "_linker_cache", lambda: iter(()))
    it = plan(["jemalloc"], ["pair-64"])
    found = measure(it)
    asked, usual = (run_of(it, found, names) for names in (frozenset({"jemalloc"}), frozenset()))
    assert (asked.verdict, usual.verdict) == (Verdict.INCONCLUSIVE, Verdict.PASSED)
    assert "jemalloc: no libjemalloc.so.2 is installed" in asked.extra["not_checked"]
    assert "jemalloc: no libjemalloc.so.2 is installed" in usual.extra["not_checked"]


def test_a_program_that_is_not_installed_is_skipped_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heapster.checkers.bench.running.find_program", lambda name: None)
    run = run_of(it := plan(["libc"], ["pair-64", "perl"]), measure(it), frozenset())
    assert run.verdict is Verdict.PASSED
    assert run.extra["not_checked"] == ["perl: perl is not installed"]


def test_a_file_that_cannot_be_preloaded_or_has_no_malloc_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("no library", encoding="utf-8")
    text = str(tmp_path / "text.so")
    for path, said in ((text, "is not a shared object"), (planted(tmp_path, "NOTHING"), "no malloc")):
        with pytest.raises(TargetError, match=said):
            measure(plan([path], ["pair-64"]))


@pytest.mark.parametrize(("name", "said"), [
    ("jemaloc", "did you mean jemalloc"), ("native:best", "unknown policy 'best'"), ("./none.so", "No such file"),
    ("native:", "unknown policy ''"),
])
def test_a_target_that_means_nothing_is_refused(name: str, said: str) -> None:
    with pytest.raises((UsageError, TargetError), match=said):
        find_targets([NamedTarget(grammar.parse(name))])


def test_an_unknown_workload_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean larson"):
        chosen(["larsen"])


def test_libc_is_always_measured_and_names_are_short_where_they_can_be(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    paths = [planted(tmp_path, "SLOW"), planted(tmp_path / "other", "SLOW"), planted(tmp_path, "CRASHES")]
    found = find_targets(map(NamedTarget, map(grammar.parse, paths))).targets
    assert [target.name for target in found] == ["libc", paths[0], paths[1], "crashes"]


# Stopping early.

def test_an_interrupted_run_keeps_its_whole_rounds() -> None:
    def stop(fraction: float, what: str) -> None:
        if what == "round 2 of 3, ladder":
            raise KeyboardInterrupt

    it = plan(["libc"], ["pair-64", "ladder"], rounds=3)
    run = run_of(it, measure(it, stop), frozenset())
    assert (run.verdict, run.extra["interrupted"]) == (Verdict.INCONCLUSIVE, True)
    rounds = [len(one["targets"]["libc"]["samples"]["cpu_seconds"]) for one in run.extra["workloads"].values()]
    assert (rounds, run.extra["rounds"]) == ([2, 1], 1)
    assert run.extra["not_checked"] == ["some rounds: 1 of 3 are whole"]


def test_without_time_nothing_is_measured_and_nothing_passes() -> None:
    run = run_of(it := plan(["libc"], ["pair-64"], seconds=0.0), measure(it), frozenset())
    assert (run.verdict, run.ops, run.extra["workloads"]) == (Verdict.INCONCLUSIVE, 0, {})
    assert run.extra["not_checked"] == ["pair-64: time was up"]
