"""JUnit XML that other readers accept: a case for each check and for each finding."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from heapster.reports import junit
from heapster.results import Run
from tests.reports.samples import FAILED, FINDING, INTERRUPTED, PASSED


def cases(run: Run) -> dict[str, list[str]]:
    """Names of the cases, and the tags of their results."""
    root = ElementTree.fromstring(junit.as_text(run))       # noqa: S314  we wrote it
    return {case.attrib["name"]: [result.tag for result in case] for case in root.iter("testcase")}


def test_checks_pass_or_are_skipped() -> None:
    assert cases(PASSED) == {"contents": ["system-out"], "statistics": ["skipped"]}


def test_a_finding_fails_in_place_of_its_check() -> None:
    assert cases(FAILED) == {"contents": ["system-out"], "structure_diverges 3f2a90c1": ["failure"]}


def test_an_interrupted_run_is_an_error() -> None:
    assert cases(INTERRUPTED) == {"verdict": ["error"]}


def test_what_xml_cannot_hold_is_replaced(tmp_path: Path) -> None:
    odd = replace(FINDING, title="\x00<&>\ud800 broken")
    junit.write(replace(FAILED, findings=(odd,)), tmp_path / "r.xml")
    root = ElementTree.parse(tmp_path / "r.xml").getroot()      # noqa: S314  we wrote it
    assert [failure.attrib["message"] for failure in root.iter("failure")] == ["?<&>? broken"]
    assert "again: heapster replay" in next(root.iter("failure")).text      # type: ignore[operator]


def test_a_check_says_how_often_it_was_evaluated_and_functions_how_often_they_were_called() -> None:
    text = junit.as_text(replace(PASSED, extra={"calls": {"malloc": 7}}))
    root = ElementTree.fromstring(text)         # noqa: S314  we wrote it
    assert [out.text for out in root.iter("system-out")] == [f"evaluated {PASSED.checks['contents']:,} times"]
    assert {p.attrib["name"]: p.attrib["value"] for p in root.iter("property")}["calls of malloc"] == "7"
