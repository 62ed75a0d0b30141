"""Programs of the public suite where they are built, and peers that are given as paths."""

import json
import os
from pathlib import Path

import jsonschema
import pytest

from heapster.checkers.bench.figures import geometric_mean
from heapster.checkers.bench.measuring import BenchPlan, measure
from heapster.checkers.bench.results import run_of
from heapster.checkers.bench.suite import HOW_TO_BUILD, NOT_STARTED, suite_in
from heapster.checkers.bench.targets import NamedTarget, find_targets
from heapster.checkers.targets import grammar
from heapster.cli import main
from heapster.reports import jsonfile
from tests.bench.planting import planted

ALONE = ("cfrac", "espresso", "barnes", "malloc-large", "mleak10", "mleak100", "glibc-simple", "z3", "rbstress1")
END = "<!-- bench: end -->\n"
PLACES = f"Before.\n\n<!-- bench: suite -->\nold\n{END}\n<!-- bench: own means -->\nolder\n{END}"


def program(folder: Path, name: str, text: str) -> None:
    """A program of the suite: what it says and does."""
    path = folder / "out" / "bench" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A folder with three programs of the suite: one that reads, one of fixed time, one with an argument."""
    folder = tmp_path / "the suite"
    program(folder, "barnes", "read line; test \"$line\" = bodies && i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done")
    (folder / "bench" / "barnes").mkdir(parents=True)
    (folder / "bench" / "barnes" / "input").write_text("bodies\n", encoding="utf-8")
    program(folder, "larson", "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; echo 'Throughput = 2000 operations'")
    program(folder, "cfrac", "test -x ./cfrac && test $# = 1")
    return folder


def measured(folder: Path, *names: str, targets: tuple[str, ...] = (), rounds: int = 1) -> BenchPlan:
    found = suite_in(str(folder), 2)
    return BenchPlan(tuple(one for one in found.workloads if one.name in names), find_targets(
        map(NamedTarget, map(grammar.parse, targets))), rounds, suite=found)


def test_what_is_built_runs_where_it_lies_and_what_is_not_is_named(suite: Path) -> None:
    plan = measured(suite, "barnes", "cfrac", "espresso")
    run = run_of(plan, measure(plan), frozenset())
    assert (run.verdict.value, set(run.extra["workloads"])) == ("passed", {"barnes", "cfrac"})
    assert run.extra["suite"] == "mimalloc-bench"
    assert "espresso: espresso is not built" in run.extra["not_checked"]
    assert any(line.startswith(", ".join(NOT_STARTED)) for line in run.extra["not_checked"])


def test_a_program_without_its_input_is_not_run(suite: Path) -> None:
    (suite / "bench" / "barnes" / "input").unlink()
    run = run_of(plan := measured(suite, "barnes", "cfrac"), measure(plan), frozenset())
    assert any("there is no " in line and "barnes/input" in line for line in run.extra["not_checked"])


def test_a_program_of_fixed_time_is_told_for_a_fixed_amount_of_work(suite: Path) -> None:
    plan = measured(suite, "larsonN")
    few = measure(plan).of("larsonN", "libc")[0].cpu
    (suite / "out" / "bench" / "larson").write_text((suite / "out" / "bench" / "larson").read_text().replace(
        "2000 op", "2 op"), encoding="utf-8")
    assert measure(plan).of("larsonN", "libc")[0].cpu > 50 * few, "a thousandth of the work in about the same time"


def test_a_program_that_does_not_say_what_it_did_is_left_out(suite: Path) -> None:
    program(suite, "larson", "true")
    run = run_of(plan := measured(suite, "larsonN", "cfrac"), measure(plan), frozenset())
    assert "larsonN: it fails under libc: it did not say how much it did" in run.extra["not_checked"]


@pytest.mark.parametrize(("processors", "more"), [(1, 11), (2, 14), (64, 14)])
def test_programs_have_the_suites_names_and_threads(suite: Path, processors: int, more: int) -> None:
    found = {one.name: one for one in suite_in(str(suite), processors).workloads}
    assert tuple(found)[:len(ALONE)] == ALONE
    assert len(found) == len(ALONE) + more
    assert found["larsonN"].command(1) == ["5", "8", "1000", "5000", "100", "4141", str(processors)]
    if processors > 1:
        assert found["alloc-testN"].command(1) == [str(min(16, processors))]


def test_a_run_is_told_shown_written_and_renews_a_document(
        suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    document = tmp_path / "README.md"
    document.write_text(PLACES, encoding="utf-8")
    slow = planted(tmp_path, "SLOW")
    assert main(["bench", "--suite", str(suite), "--targets", f"idle={slow}", "--rounds", "1", "--json", "b.json",
                 "--workloads", "barnes,cfrac", "--write", str(document)]) == 0
    assert "idle" in capsys.readouterr().out
    run = json.loads(Path("b.json").read_text(encoding="utf-8"))
    jsonschema.validate(run, jsonfile.schema())
    assert run["libraries"] == {"idle": Path(slow).name}
    text = document.read_text(encoding="utf-8")
    assert "On 2 programs of mimalloc-bench, which nobody here wrote" in text
    assert ("old\n" in text, "older\n" in text, text.startswith("Before.")) == (False, True, True)
    assert main(["bench", "--targets", "libc", "--workloads", "churn", "--quick", "--rounds", "1",
                 "--write", str(document)]) == 0
    assert "older\n" not in document.read_text(encoding="utf-8")


def test_a_finding_names_the_suite_and_the_peer_as_they_were_given(suite: Path, tmp_path: Path) -> None:
    program(suite, "cfrac", 'test -z "$LD_PRELOAD"')
    path = planted(tmp_path, "SLOW")
    found = suite_in(str(suite), 2)
    plan = BenchPlan(tuple(one for one in found.workloads if one.name == "cfrac"),
                find_targets([NamedTarget(grammar.parse(path), "mine")]), 1, suite=found)
    (finding,) = run_of(plan, measure(plan), frozenset()).findings
    assert finding.replay == f"heapster bench --suite '{suite}' --targets mine={path} --workloads cfrac --rounds 1"


def test_bad_calls_are_one_line(suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "plain.md").write_text("no place", encoding="utf-8")
    slow = planted(tmp_path, "SLOW")
    with_suite = ["--suite", str(suite)]
    for arguments, said in (
            (["--suite", str(tmp_path / "gone")], "no such folder"),
            (["--suite", str(tmp_path / "empty")], HOW_TO_BUILD),
            ([*with_suite, "--workloads", "cfrag"], "did you mean cfrac?"),
            ([*with_suite, "--targets", f"a={slow},a=native"], "two are called a"),
            ([*with_suite, "--targets", f"libc={slow}"], "two are called libc"),
            ([*with_suite, "--targets", f"a={tmp_path}/none.so"], "none.so"),
            ([*with_suite, "--targets", "a=mimaloc"], "did you mean mimalloc?"),
            ([*with_suite, "--write", str(tmp_path / "plain.md")], "<!-- bench: suite -->"),
            ([*with_suite, "--misuse"], "leave --rounds"),
            ([*with_suite, "--write", str(tmp_path / "gone.md")], "No such file")):
        assert main(["bench", *arguments]) in (2, 4), arguments
        done = capsys.readouterr()
        assert (done.out, done.err.count("\n")) == ("", 1), arguments
        assert said in done.err, arguments


def test_a_peer_of_that_name_that_does_not_load_is_refused(suite: Path, tmp_path: Path,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.so").write_text("no library", encoding="utf-8")
    os.chdir(tmp_path)
    assert main(["bench", "--suite", str(suite), "--targets", "mine=./text.so"]) == 4
    assert "text.so is not a shared object" in capsys.readouterr().err


def test_no_weights_are_needed_for_programs_that_others_wrote(suite: Path) -> None:
    run = run_of(plan := measured(suite, "barnes", "cfrac"), measure(plan), frozenset())
    ratios = [one["targets"]["libc"]["cpu_ratio"] for one in run.extra["workloads"].values()]
    assert run.extra["geomean"]["libc"]["cpu_ratio"] == pytest.approx(geometric_mean(ratios, [1, 1]))
