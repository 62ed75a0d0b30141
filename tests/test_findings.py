"""Kept findings as things: listed, shown, dropped, accepted, and taken wherever a trace is."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from heapster.checkers.findings.store import FOLDER, Store
from heapster.checkers.targets import grammar
from heapster.cli import main
from tests.reports.samples import FINDING

OTHER = replace(FINDING, id="99990000", code="not_zeroed", trace=("a = calloc(1, 8)",))
THREADS = replace(FINDING, id="77770000", trace=("# 4 threads make 50 calls each at the same time, seed 7",))
THEOREM = replace(FINDING, id="66660000", counterexample="p1:x")


@pytest.fixture
def kept(empty_folder: Path) -> Store:
    """Two findings, of two targets; one is mended."""
    store = Store(Path(FOLDER), pytest.fail)
    store.keep(FINDING, grammar.parse("sim"))
    store.keep(OTHER, grammar.parse("libc"))
    store.mend(OTHER.id)
    return store


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(list(words)) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_nothing_is_kept_at_first(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "findings") == f"nothing is kept in {FOLDER}\n"


@pytest.mark.usefixtures("kept")
def test_they_are_listed_with_state_and_target(capsys: pytest.CaptureFixture[str]) -> None:
    both = said(capsys, "findings")
    first, _, second, _ = both.splitlines()
    assert first.startswith(f"{FINDING.id:<12}  fails   since 2") and first.endswith(f"{FINDING.code} on sim")
    assert second.startswith(f"{OTHER.id:<12}  mended  since 2") and second.endswith("not_zeroed on libc")
    assert said(capsys, "findings", "list") == both
    assert said(capsys, "findings", "list", "--target", "libc").splitlines()[0] == second


@pytest.mark.usefixtures("kept")
def test_one_is_shown_with_its_files(capsys: pytest.CaptureFixture[str]) -> None:
    told = said(capsys, "findings", "show", OTHER.id[:4])
    assert "a = calloc(1, 8)" in told
    assert "on libc; kept since 2" in told and "did not fail when it was last run" in told
    assert f"{FOLDER}/{OTHER.id}/min.trace" in told


def test_they_are_dropped_by_id_or_when_mended(kept: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "findings", "drop", "--mended") == f"dropped {OTHER.id}\n"
    assert [one.finding.id for one in kept.all()] == [FINDING.id]
    said(capsys, "findings", "drop", FINDING.id)
    assert kept.all() == []
    assert "say which" in said(capsys, "findings", "drop", code=2)
    assert "is no finding that is kept" in said(capsys, "findings", "drop", "abcd", code=2)


@pytest.mark.usefixtures("kept")
def test_a_baseline_holds_what_still_fails_or_what_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "findings", "baseline", "known.json") == "known.json: 1 finding\n"
    assert [(one["id"], one["code"], tuple(one["trace"])) for one in json.loads(Path("known.json").read_text())] == [
        (FINDING.id, FINDING.code, FINDING.trace)]
    said(capsys, "findings", "baseline", "known.json", OTHER.id)
    assert [one["id"] for one in json.loads(Path("known.json").read_text())] == [OTHER.id]
    said(capsys, "findings", "drop", FINDING.id)
    assert "that still fails" in said(capsys, "findings", "baseline", "known.json", code=2)


@pytest.mark.usefixtures("kept")
def test_an_id_is_taken_where_a_trace_is(capsys: pytest.CaptureFixture[str]) -> None:
    start = OTHER.id[:5]
    assert said(capsys, "trace", "head", start) == "a = calloc(1, 8)\n"
    assert "1 calloc" in said(capsys, "trace", "info", start)
    said(capsys, "trace", "convert", start, "t.rep")
    assert Path("t.rep").exists()
    assert "calloc(1, 8)" in said(capsys, "view", start)
    assert "1 step," in said(capsys, "diff", start, "--policy", "first_fit", "--targets", "sim")
    said(capsys, "report", "--trace", start, "--html", "r.html")
    assert f"{OTHER.id}/min.trace" in Path("r.html").read_text()
    told = said(capsys, "explain", start)
    assert told.startswith(f"{OTHER.id} on libc") and "not_zeroed" in told


@pytest.mark.parametrize(("finding", "why"), [(THREADS, "is the work of threads"), (THEOREM, "is a refuted theorem")])
def test_what_is_no_trace_is_not_taken_for_one(kept: Store, finding: object, why: str,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    kept.keep(finding, grammar.parse("sim"))        # type: ignore[arg-type]
    identity = finding.id       # type: ignore[attr-defined]
    assert why in said(capsys, "trace", "head", identity, code=2)
    assert why in said(capsys, "view", identity, code=2)


@pytest.mark.usefixtures("kept")
def test_a_file_of_that_name_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    Path(OTHER.id).write_text("a = malloc(1)\n")
    assert said(capsys, "trace", "head", OTHER.id) == "a = malloc(1)\n"
