"""What a run hands on: SARIF, annotations and summary for GitHub, what a baseline accepts and what is fixed."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from heapster.checkers.blackbox.baseline import Baseline
from heapster.checkers.findings.codes import explained, explanations
from heapster.reports import github, sarif
from heapster.results import Finding, Run, UsageError, Verdict

FINDING = Finding("1f", "not_zeroed", "b = calloc(2, 1): 50% of it,\nnot zero", ("a = malloc(8)", "b = calloc(2, 1)"),
                  "heapster replay 1f", 1, 1, details=("confirmed 10 of 10 times",))
RUN = Run("fuzz", "./mine.so", 7, Verdict.FAILED, 2.0, 1000, (FINDING,), {}, {},
          {"source": "src/mine.c", "lines": {"calloc": 40}})
TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
RESULT = {
    "type": "object", "required": ["ruleId", "message", "locations", "level"],
    "properties": {"message": TEXT, "level": {"enum": ["none", "note", "warning", "error"]},
                   "ruleIndex": {"type": "integer", "minimum": 0},
                   "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
                   "locations": {"type": "array", "minItems": 1, "items": {
                       "type": "object", "required": ["physicalLocation"], "properties": {"physicalLocation": {
                           "type": "object", "required": ["artifactLocation", "region"]}}}}}}
SARIF = {
    "type": "object", "required": ["version", "runs", "$schema"],
    "properties": {"version": {"const": "2.1.0"}, "runs": {"type": "array", "minItems": 1, "items": {
        "type": "object", "required": ["tool", "results"], "properties": {
            "tool": {"type": "object", "required": ["driver"], "properties": {"driver": {
                "type": "object", "required": ["name", "rules"]}}},
            "results": {"type": "array", "items": RESULT}}}}}}


def test_sarif_has_what_code_scanning_asks_for() -> None:
    value = json.loads(json.dumps(sarif.as_value(RUN, {})))
    jsonschema.validate(value, SARIF)
    (run,) = value["runs"]
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "not_zeroed"
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "src/mine.c"}, "region": {"startLine": 40}}


def test_a_rule_of_sarif_has_the_help_of_its_code() -> None:
    """What `heapster explain` prints; nothing of a code that it does not know."""
    about = explained(("not_zeroed", "no_such_code"))
    (rule,) = sarif.as_value(RUN, about)["runs"][0]["tool"]["driver"]["rules"]
    said = explanations()["not_zeroed"]
    assert rule["fullDescription"]["text"] == said.means
    assert all(part in rule["help"]["text"] for part in (said.means, said.arises, said.look_at, said.source))
    assert f"**How it arises:** {said.arises}" in rule["help"]["markdown"]
    assert "helpUri" not in rule
    assert about.keys() == {"not_zeroed"}


def test_a_rule_of_sarif_leads_to_where_the_documentation_is_published() -> None:
    value = json.loads(json.dumps(sarif.as_value(RUN, explained(("not_zeroed",)), "https://docs.example/heapster/")))
    jsonschema.validate(value, SARIF)
    (rule,) = value["runs"][0]["tool"]["driver"]["rules"]
    assert rule["helpUri"] == "https://docs.example/heapster/reference/codes.html#code-not-zeroed"
    (unknown,) = sarif.as_value(RUN, {}, "https://docs.example")["runs"][0]["tool"]["driver"]["rules"]
    assert "helpUri" not in unknown


@pytest.mark.parametrize(("source", "uri"), [
    ("my malloc.so", "my%20malloc.so"), ("v2: a&b/#1?.so", "v2%3A%20a%26b/%231%3F.so"), ("naïve/m.c", "na%C3%AFve/m.c"),
    ("/else where/m.c", "file:///else%20where/m.c"), ("\x1b\udcff.so", "%1B%FF.so"), ("./m.c", "m.c")])
def test_a_path_becomes_a_uri_reference(source: str, uri: str) -> None:
    (run,) = sarif.as_value(replace(RUN, extra={"source": source}), {})["runs"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_a_path_in_the_folder_of_the_run_is_relative_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (run,) = sarif.as_value(replace(RUN, extra={"source": str(tmp_path / "src" / "m.c")}), {})["runs"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "src/m.c"


def test_an_annotation_is_one_line_at_the_function_at_fault() -> None:
    (line,) = github.annotations(RUN)
    assert line.startswith("::error file=src/mine.c,line=40,title=heapster%3A not_zeroed::")
    assert "50%25 of it,%0Anot zero" in line
    assert "\n" not in line


def test_the_summary_is_appended_only_where_github_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "summary.md"
    github.publish(RUN, {"GITHUB_STEP_SUMMARY": str(path)})
    assert not path.exists()
    github.publish(RUN, {"GITHUB_STEP_SUMMARY": str(path), "GITHUB_ACTIONS": "true"})
    assert "<b>not_zeroed</b> (1f)" in path.read_text()
    assert capfd.readouterr().out.startswith("::error ")


def test_a_baseline_accepts_by_id(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    path.write_text(json.dumps({"findings": [{"id": "1f", "code": "not_zeroed"}, {"id": "2e", "code": "overlap"}]}))
    known = Baseline.read(path)
    assert known.accepts(FINDING)
    assert not known.accepts(replace(FINDING, id="3d"))


def test_what_is_no_baseline_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    path.write_text("[1, 2]")
    with pytest.raises(UsageError, match="is no baseline"):
        Baseline.read(path)
