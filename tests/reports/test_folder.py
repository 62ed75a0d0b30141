"""A folder of runs as one report: an index, with what is no run left out."""

import json
from pathlib import Path

import pytest

from heapster.checkers.findings.codes import explanations
from heapster.cli import main
from tests.reports.pages import FUZZ, PROVE


@pytest.fixture
def runs(empty_folder: Path) -> Path:
    (folder := empty_folder / "runs" / "night").mkdir(parents=True)
    (folder / "fuzz.json").write_text(json.dumps(FUZZ))
    (folder.parent / "prove.json").write_text(json.dumps(PROVE))
    (folder / "package.json").write_text('{"name": "something else"}')
    return folder.parent


def test_each_run_below_the_folder_is_a_line_that_leads_to_it(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(runs), "--html", "index.html", "--markdown", "-"]) == 0
    told = capsys.readouterr()
    assert "| fuzz | sim | failed | 4 | 1.500 | 1 | night/fuzz.json |" in told.out
    assert "| prove | sim | passed | 1 | 3.000 | 0 | prove.json |" in told.out
    assert "left out: " in told.err
    assert "package.json is no run of heapster" in told.err
    page = Path("index.html").read_text()
    assert '<a href="#run-1">fuzz</a>' in page
    assert '<a href="#run-1">fuzz sim</a>' in page
    assert '<h3 id="run-2">prove sim' in page
    assert '<a href="#code-structure_diverges">' in page
    assert f'<p>{explanations()["structure_diverges"].means}</p>' in page


def test_a_folder_without_runs_is_told(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "empty").mkdir()
    assert main(["report", str(runs / "empty")]) == 2
    assert "has no file that --json wrote" in capsys.readouterr().err
