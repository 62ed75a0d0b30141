"""The first hour of somebody who keeps CI: exit codes, files for other tools, pytest."""

import json
from pathlib import Path
from xml.etree.ElementTree import parse

from tests.first_hour.folders import lab
from tests.first_hour.typing import types

FILES = "--junit h.xml --sarif h.sarif --json h.json"


def test_a_run_writes_what_other_tools_read_in_the_order_of_harm(tmp_path: Path) -> None:
    lab(tmp_path)
    assert types(f"heapster fuzz mm.c --seconds 0.5 {FILES}", tmp_path).code == 1
    run = json.loads((tmp_path / "h.json").read_text())
    results = json.loads((tmp_path / "h.sarif").read_text())["runs"][0]["results"]
    assert [one["ruleId"] for one in results] == [one["code"] for one in run["findings"]]
    assert "SIZE_MAX" not in run["findings"][0]["title"]
    assert len(list(parse(tmp_path / "h.xml").iter("failure"))) == len(results)  # noqa: S314  our own file


def test_the_plugin_of_pytest_is_there_and_mentioned(tmp_path: Path) -> None:
    lab(tmp_path)
    read = types("pytest -q -p no:cacheprovider --heapster mm.c --heapster-seconds 0.2", tmp_path)
    assert read.code == 1
    assert "heapster mm.c malloc_and_free" in read.out
    assert "pytest --heapster" in types("heapster fuzz --help", tmp_path).out


def test_what_is_known_does_not_fail_the_build_a_second_time(tmp_path: Path) -> None:
    """Every code of the first run left out, the next fails no more for them; a code that is mistyped is told."""
    lab(tmp_path)
    fuzz = "heapster fuzz mm.c --seconds 0.3 --jobs 1 --json h.json"
    assert types(fuzz, tmp_path).code == 1
    codes = {one["code"] for one in json.loads((tmp_path / "h.json").read_text())["findings"]}
    first = min(codes)
    read = types(f"{fuzz} --only {first} --fail-on never", tmp_path)
    assert read.code == 0
    assert {one["code"] for one in json.loads((tmp_path / "h.json").read_text())["findings"]} <= {first}
    assert "below --fail-on never" in read.out
    read = types(f"{fuzz} --ignore overlap,crsh", tmp_path)
    assert (read.code, read.err) == (2, "heapster: unknown code 'crsh': did you mean crash?\n")


def test_a_summary_names_the_line_of_each_finding(tmp_path: Path) -> None:
    """In the file that is asked for, and where GitHub shows what a step came to."""
    lab(tmp_path)
    types("heapster fuzz mm.c --seconds 0.5 --json h.json && true; heapster report h.json --markdown h.md", tmp_path,
          GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY="step.md")
    place = json.loads((tmp_path / "h.json").read_text())["findings"][0]["place"]
    for file in ("h.md", "step.md"):
        assert f"mm.c:{place['line']}, in {place['function']}" in (tmp_path / file).read_text()
