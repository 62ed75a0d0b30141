"""What is written keeps the published schema, whole or not at all."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from heapster.reports import jsonfile
from heapster.reports.reading import read_run
from heapster.results import Place, Run, Verdict
from tests.reports.samples import FAILED, FINDING, PASSED, RUNS


def problems(value: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(jsonfile.schema())
    return [error.message for error in validator.iter_errors(value)]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(jsonfile.schema())


@pytest.mark.parametrize("run", RUNS)
def test_every_run_keeps_the_schema(run: Run) -> None:
    assert problems(json.loads(jsonfile.as_text(run))) == []


@pytest.mark.parametrize("change", [
    {"schema": 1}, {"verdict": "fine"}, {"seconds": -1}, {"ops": "many"}, {"checks": {"a": -1}}, {"findings": [{}]},
    {"findings": []}, {"verdict": "passed"},
])
def test_the_schema_refuses_what_is_wrong(change: dict[str, Any]) -> None:
    assert problems({**jsonfile.as_value(FAILED), **change})


def test_the_keys_are_those_of_the_design() -> None:
    assert list(jsonfile.as_value(PASSED)) == [
        "schema", "command", "target", "seed", "verdict", "seconds", "cpu_seconds", "ops", "findings", "checks",
        "witnesses", "not_checked", "examples"]
    assert jsonfile.as_value(FAILED)["findings"][0]["trace"] == FINDING.trace


def test_a_finding_says_where_it_comes_from_and_why() -> None:
    place = Place("mm.c", 7, "mm_free", "the header is written", mended="*h = size;")
    found = jsonfile.as_value(replace(FAILED, findings=(replace(FINDING, place=place),)))["findings"][0]
    assert found["location"] == {"file": "mm.c", "line": 7, "function": "mm_free"}
    assert found["cause"] == "the line: mm.c:7, in mm_free: the header is written"
    assert problems(json.loads(jsonfile.as_text(replace(FAILED, findings=(replace(FINDING, place=place),))))) == []


def test_what_an_older_version_wrote_is_read(tmp_path: Path) -> None:
    older = jsonfile.as_value(FAILED) | {"schema": 1}
    del older["cpu_seconds"], older["not_checked"], older["findings"][0]["location"], older["findings"][0]["cause"]
    (tmp_path / "r.json").write_text(json.dumps(older), encoding="utf-8")
    assert problems(read_run(tmp_path / "r.json")) == []


def test_a_command_cannot_replace_a_key_that_every_run_has() -> None:
    with pytest.raises(ValueError, match="verdict"):
        jsonfile.as_text(replace(PASSED, extra={"verdict": "passed"}))


def test_numbers_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        jsonfile.as_text(Run("fuzz", "sim", 0, Verdict.PASSED, float("nan"), 1))


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(ValueError, match="JSON"):
        jsonfile.write(replace(PASSED, extra={"rate": float("inf")}), path)
    assert path.read_text(encoding="utf-8") == "old"
    jsonfile.write(PASSED, path)
    assert json.loads(path.read_text(encoding="utf-8"))["ops"] == PASSED.ops
    assert list(tmp_path.iterdir()) == [path]
