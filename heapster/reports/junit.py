"""A run as JUnit XML: a test case for each check and for each finding."""

import re
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from heapster.files import write_whole
from heapster.reports.terminal import finding_lines
from heapster.results import LEVELS, Finding, Run, Verdict
from heapster.wording import counted

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_text(run: Run) -> str:
    """The run as the text of a JUnit file."""
    suite = TestSuite(f"heapster {run.command} {run.target}")
    found = {finding.code for finding in run.findings}
    for name, times in run.checks.items():
        if name not in found:
            suite.add_testcase(_check(run, name, times))
    for finding in run.findings:
        suite.add_testcase(_finding(run, finding))
    if run.verdict is Verdict.INCONCLUSIVE:
        suite.add_testcase(_inconclusive(run))
    suite.time = round(run.seconds, 3)
    suite.add_property("seed", str(run.seed))
    suite.add_property("ops", str(run.ops))
    for function, calls in run.extra.get("calls", {}).items():
        suite.add_property(f"calls of {function}", str(calls))
    xml = JUnitXml()
    xml.add_testsuite(suite)
    text: str = xml.tostring().decode()
    return text


def _case(run: Run, name: str) -> TestCase:
    return TestCase(_clean(name), classname=_clean(f"heapster.{run.command}.{run.target}"))


def _check(run: Run, name: str, times: int) -> TestCase:
    case = _case(run, name)
    if not times:
        case.result = [Skipped("never evaluated")]
    else:
        case.system_out = f"evaluated {counted(times, 'time')}"
    return case


def _finding(run: Run, finding: Finding) -> TestCase:
    case = _case(run, f"{finding.code} {finding.id}")
    failure = Failure(_clean(finding.title), finding.code)
    failure.text = _clean("\n".join(line for line, _ in finding_lines(finding)))
    if finding.fails(run.extra.get("fail_on", LEVELS[0])):
        case.result = [failure]
    else:
        case.system_out = failure.text
    return case


def _inconclusive(run: Run) -> TestCase:
    case = _case(run, "verdict")
    starved = "; ".join(run.extra.get("starved", ())) or "not decided"
    why = "interrupted" if run.extra.get("interrupted") else "nothing ran" if not run.ops else starved
    case.result = [Error(_clean(f"inconclusive: {why}"), "inconclusive")]
    return case


def _clean(text: str) -> str:
    """The text without what XML cannot hold."""
    return NOT_XML.sub("?", text)


def write(run: Run, path: Path) -> None:
    """Write the run to a file, whole or not at all. Raises OSError."""
    write_whole(path, as_text(run))
