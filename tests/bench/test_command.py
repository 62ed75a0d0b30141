"""`heapster bench` as it is used: tables, files, exit codes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from heapster.checkers.bench.measuring import BenchPlan, Measured, measure
from heapster.checkers.targets import installed
from heapster.cli import main
from heapster.commands import bench
from heapster.reports import jsonfile
from heapster.reports.columns import drawn
from heapster.reports.html.page import page
from heapster.reports.plots import plots
from heapster.reports.ratios import LEGEND, compared
from tests.bench.planting import planted

pytestmark = pytest.mark.usefixtures("empty_folder")
TARGETS = ("libc", "native", "jemalloc", "mimalloc", "native:worst_fit")


@pytest.fixture(autouse=True)
def _little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "QUICK_SHARE", 0.0005)


def used(cpu: float, memory: int, standing: str, **more: float) -> dict[str, Any]:
    """The figures of a target on a workload, as ratios to 0.1 s and 1 MiB."""
    ratios = {f"{kind}_{key}": value for kind, ratio in (("cpu", cpu * 10), ("memory", memory / 1024))
              for key, value in (("ratio", ratio), ("low", ratio * 0.9), ("high", ratio * 1.1),
                                 ("ratio_spread", 0.01), ("standing", standing))}
    return {"cpu_seconds": cpu, "cpu_spread": 0.001, "memory_kib": memory, "memory_spread": 1, **ratios,
            "samples": {"cpu_seconds": [cpu], "memory_kib": [memory]}, **more}


def made_up(names: tuple[str, ...] = TARGETS) -> dict[str, Any]:
    """A run that nobody measured."""
    figures = {name: used(0.1 * (n + 1), 1024 * (n + 1), "tie" if n == 0 else "more", ns_per_op=5.0, ns_spread=0.1)
               for n, name in enumerate(names)}
    one = {"meaning": "m", "source": "s", "threads": 1, "targets": figures}
    return {"schema": 2, "command": "bench", "target": ",".join(names), "seed": 0, "verdict": "passed", "seconds": 1.0,
            "cpu_seconds": 2.0, "ops": 1, "findings": [], "checks": {}, "witnesses": {}, "rounds": 9, "share": 1.0,
            "machine": {"date": "2026-01-01", "processors": 2, "processor": "p", "system": "s", "libc": "c"},
            "libraries": {}, "workloads": {"pair-64": one, "larson": one}, "not_checked": [],
            "geomean": {name: {**row, "workloads": 2} for name, row in figures.items()}}


def test_a_run_prints_its_tables_and_writes_what_it_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--targets", "libc", "--workloads", "pair-64,churn", "--quick", "--json", "b.json",
                 "--html", "b.html", "--markdown", "b.md"]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("pair-64", "churn", "geometric mean", LEGEND, "Measured 20"))
    run = json.loads(Path("b.json").read_text(encoding="utf-8"))
    jsonschema.validate(run, jsonfile.schema())
    assert (run["command"], run["verdict"], run["rounds"]) == ("bench", "passed", 5)
    assert run["geomean"]["libc"]["cpu_ratio"] == run["geomean"]["libc"]["memory_ratio"] == 1
    assert list(run["workloads"]) == ["pair-64", "churn"]
    assert "| pair-64 |" in Path("b.md").read_text(encoding="utf-8")
    assert "<svg" in Path("b.html").read_text(encoding="utf-8")


def test_an_allocator_that_crashes_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = planted(tmp_path, "CRASHES")
    code = main(["bench", "--targets", path, "--workloads", "pair-64", "--quick", "--rounds", "1", "--json", "b.json"])
    assert code == 1
    out = capsys.readouterr().out
    assert "crashes fails the workload pair-64" in out
    assert out.splitlines()[-1] == "FAILED: 1 finding"
    run = json.loads(Path("b.json").read_text(encoding="utf-8"))
    jsonschema.validate(run, jsonfile.schema())
    assert "crashes" not in run["geomean"]


def test_a_peer_that_is_asked_for_and_absent_is_exit_code_3(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(installed, "_linker_cache", lambda: iter(()))
    arguments = ["bench", "--workloads", "pair-64", "--quick", "--rounds", "1"]
    assert main([*arguments, "--targets", "tcmalloc"]) == 3
    assert "NOT checked: tcmalloc: no libtcmalloc_minimal.so.4 or libtcmalloc.so.4" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "said"), [
    (["--targets", "mimaloc"], "did you mean mimalloc?"), (["--workloads", "larsn"], "did you mean larson?"),
    (["--targets", ","], "name at least one"), (["--rounds", "0"], "0"), (["--json", "no/b.json"], "no folder no"),
    (["--html", "no/b.html"], "no folder no"), (["--seconds", "soon"], "not a number of seconds"),
])
def test_wrong_calls_are_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(["bench", *arguments]) == 2
    done = capsys.readouterr()
    assert (done.out, done.err.count("\n")) == ("", 1)
    assert said in done.err


def test_a_library_without_malloc_is_exit_code_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--targets", planted(tmp_path, "NOTHING"), "--workloads", "pair-64"]) == 4
    assert "nothing cannot be measured: it cannot be preloaded, or has no malloc" in capsys.readouterr().err


def test_an_interrupted_run_is_written(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(plan: BenchPlan, progress: Callable[[float, str], None]) -> Measured:
        def show(fraction: float, what: str) -> None:
            if "round 2" in what:
                raise KeyboardInterrupt
        return measure(plan, show)

    monkeypatch.setattr(bench, "measure", interrupted)
    assert main(["bench", "--targets", "libc", "--workloads", "churn", "--quick", "--json", "b.json"]) == 130
    assert capsys.readouterr().out.splitlines()[-1] == "INCONCLUSIVE: interrupted"
    run = json.loads(Path("b.json").read_text(encoding="utf-8"))
    assert (run["verdict"], run["interrupted"], list(run["workloads"])) == ("inconclusive", True, ["churn"])


@pytest.mark.slow
def test_our_library_is_measured_by_policy(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "--workloads", "ladder", "--quick", "--rounds", "1"]
    assert main([*arguments, "--targets", "native,native:best_fit"]) == 0
    assert "native:best_fit" in capsys.readouterr().out


# Drawing a run.

def test_what_is_made_up_keeps_the_schema() -> None:
    jsonschema.validate(made_up(), jsonfile.schema())


@pytest.mark.parametrize("change", [
    {"geomean": {"native": {"cpu_ratio": 1}}}, {"workloads": {"larson": {"meaning": "m"}}}, {"rounds": -1},
])
def test_the_schema_refuses_what_is_wrong(change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made_up() | change, jsonfile.schema())


def test_tables_are_narrow_and_wide_ones_are_cut_in_parts() -> None:
    many = made_up((*TARGETS, "tcmalloc", "native:first_fit", "native:next_fit"))
    for run, parts in ((made_up(), 1), (many, 2)):
        table, *_ = compared(run)
        lines = [line for line, _ in drawn(table)]
        assert max(map(len, lines)) < 100
        assert sum(line.startswith("pair-64 ") for line in lines) == parts


def test_a_tie_is_called_one_and_so_is_what_is_not_known() -> None:
    run = made_up(("libc", "native", "jemalloc"))
    row = run["workloads"]["pair-64"]["targets"]
    row["native"] = used(0.095, 1024, "tie")
    row["jemalloc"] = used(0.05, 1024, "too few rounds")
    cpu = next(compared(run))
    assert cpu.rows[0] == ("pair-64", "0.100 s", "0.95 ±0.01 tie", "0.50 ±0.01 ?")


def test_a_target_that_failed_a_workload_has_no_figure() -> None:
    run = made_up(("libc", "native"))
    run["workloads"]["larson"] = {**run["workloads"]["larson"], "targets": {"libc": used(0.1, 1024, "tie")}}
    run["geomean"]["native"]["workloads"] = 1
    rows = next(compared(run)).rows
    assert rows[1] == ("larson", "0.100 s", "-")
    assert rows[2] == ("geometric mean", "", "2.00 ±0.01 of 1"), "a mean that leaves something out says so"
    assert len(list(plots(run))) == 2


def test_a_page_has_plots_and_tables_of_a_run() -> None:
    html = page([made_up()], [])
    assert html.count("<svg") == 2
    assert "native:worst_fit" in html
    assert "fewer than 5 rounds" in html
