"""The compiled library in volume: sound in every setting; a planted fault is found, kept and replayed."""

from dataclasses import replace
from pathlib import Path

import pytest

from heapster.checkers.findings.store import Store
from heapster.checkers.fuzz.native_volume import CACHES, in_volume, settings, together
from heapster.checkers.stress import build
from heapster.checkers.targets import grammar
from heapster.checkers.targets.native import judged
from heapster.checkers.targets.target import Target
from heapster.cli import main
from heapster.config import POLICIES
from heapster.results import Finding, Run, Verdict

SHORT_COPY = "short_copy"           # of machine/lowering: realloc loses the last word


def run_in(names: tuple[Target, ...], seconds: float) -> list[Run]:
    return in_volume(names, seconds, 1, lambda *_: None, Store(Path(".heapster"), lambda _: None), Path(".heapster"))


def test_every_policy_meets_every_size_of_caches() -> None:
    names = settings(POLICIES)
    assert len(set(names)) == len(POLICIES) * len(CACHES)
    targets = [judged(name, build.native()) for name in names]
    assert {tuple(target.environment.values()) for target in targets} == {
        (policy, str(cache)) for policy in POLICIES for cache in CACHES}


@pytest.mark.parametrize("name", ["native", "native/first_fit", "native/first_fit/", "native/first_fit/64/1",
                                  "native/first_fit/-1", "libc", "./native/first_fit/64x"])
def test_other_names_are_no_old_spellings_of_it(name: str) -> None:
    assert grammar.modern(name) == name


def test_the_library_passes_and_is_walked(empty_folder: Path) -> None:
    runs = run_in(settings(("best_fit",), (0, 64)), 2.0)
    assert [(run.verdict, run.target) for run in runs] == [
        (Verdict.PASSED, "native:best_fit:cache=0"), (Verdict.PASSED, "native:best_fit:cache=64")]
    assert all(run.ops > 1000 for run in runs)
    told = together(runs[0], runs).extra["volume"]
    assert {key: row["target"] for key, row in told.items()} == {
        "native/best_fit/0": "native:best_fit:cache=0", "native/best_fit/64": "native:best_fit:cache=64"}


@pytest.mark.faults
def test_a_fault_planted_in_the_compiled_library_is_found_and_replayed(
        empty_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    sound, faulty = build.native(), build.native(SHORT_COPY)
    monkeypatch.setattr(build, "native", lambda **_: faulty)
    runs = run_in(settings(("first_fit", "best_fit"), (64,)), 6.0)
    assert len(runs) == 2
    run = runs[0]
    assert run.verdict is Verdict.FAILED
    finding = run.findings[0]
    assert finding.code == "prefix_lost"
    assert len(finding.trace) <= 4
    assert finding.details[0].startswith("confirmed 10 of 10 times")
    program = (Path(".heapster") / finding.id / "repro.c").read_text()
    assert f"HEAPSTER_POLICY=first_fit HEAPSTER_CACHE=64 ./repro ./{faulty.name}" in program
    assert main(["replay", finding.id]) == 1
    monkeypatch.setattr(build, "native", lambda **_: sound)
    assert main(["replay", finding.id]) == 0
    assert "PASSES: prefix_lost" in capsys.readouterr().out


def test_the_command_runs_both_and_says_so(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "native", "--seconds", "2", "--policy", "next_fit", "--seed", "1", "--json", "f.json"]) == 0
    written = Path("f.json").read_text()
    assert all(f'"native:next_fit:cache={cache}"' in written for cache in CACHES)
    assert "threads that run at the same time" not in capsys.readouterr().out


def test_a_fault_that_several_settings_show_is_one() -> None:
    same = Finding("1" * 8, "prefix_lost", "", ("a = malloc(8)", "b = realloc(a, 9)"), "")
    other = replace(same, id="3" * 8, trace=("a = malloc(8)",))
    runs = [Run("fuzz", f"native:{name}", 1, Verdict.FAILED, 1.0, 1, findings, extra={
        "interrupted": False, "key": name, "compiled_ops_per_second": 1})
        for name, findings in (("first_fit", (same,)), ("best_fit", (replace(same, id="2" * 8), other)))]
    assert together(runs[0], runs).findings == (same, other)
