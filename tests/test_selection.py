"""--only, --ignore and --fail-on: which findings are reported, and what fails a run."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from heapster.cli import main
from heapster.commands.delivery import exit_code
from heapster.commands.selection import Selection
from heapster.reports.jsonfile import as_text as as_json
from heapster.reports.junit import as_text
from heapster.reports.terminal import run_lines
from heapster.results import Finding, Run, UsageError, Verdict
from tests.reports.samples import FAILED, FINDING
from tests.reports.test_jsonfile import problems

CRASH = replace(FINDING, id="00000001", code="crash", severity="error")
WARNING = replace(FINDING, id="00000002", code="reads_live_block", severity="warning")
BOTH = replace(FAILED, findings=(CRASH, WARNING))


def selected(run: Run = BOTH, **given: Any) -> Run:
    return Selection.of(given).applied(run)


def last_line(run: Run) -> str:
    return run_lines(run)[-1][0]


def test_without_options_a_run_stays_as_it_is() -> None:
    assert selected() is BOTH


@pytest.mark.parametrize("given", [{"only": (("crash",),)}, {"ignore": (("reads_live_block", "hang"),)},
                                   {"ignore": (("reads_live_block",), ("hang",))}])
def test_what_is_left_out_is_counted(given: dict[str, Any]) -> None:
    run = selected(**given)
    assert run.findings == (CRASH,)
    assert (run.verdict, run.extra["left_out"]) == (Verdict.FAILED, {"reads_live_block": 1})
    assert any("1 finding: reads_live_block 1" in line for line, _ in run_lines(run))
    assert problems(json.loads(as_json(run))) == []


def test_a_run_whose_findings_are_all_left_out_has_passed() -> None:
    run = selected(only=(("hang",),))
    assert (run.verdict, exit_code(run)) == (Verdict.PASSED, 0)
    assert last_line(run).startswith("PASSED: nothing else found")


@pytest.mark.parametrize("extra", [{"starved": ["few calls"]}, {"complete": False}, {"interrupted": True}])
def test_too_little_does_not_pass_because_something_is_left_out(extra: dict[str, object]) -> None:
    run = selected(replace(BOTH, extra=extra), fail_on="error", ignore=(("crash", "reads_live_block"),))
    assert run.verdict is Verdict.INCONCLUSIVE
    assert exit_code(run) != 0


@pytest.mark.parametrize(("level", "findings", "verdict"), [
    ("warning", (WARNING,), Verdict.FAILED), ("error", (WARNING,), Verdict.PASSED),
    ("error", (CRASH, WARNING), Verdict.FAILED), ("never", (CRASH,), Verdict.PASSED)])
def test_the_level_says_what_fails(level: str, findings: tuple[Finding, ...], verdict: Verdict) -> None:
    run = selected(replace(BOTH, findings=findings), fail_on=level)
    assert (run.verdict, run.findings) == (verdict, findings)
    assert ("PASSED: 1 finding below --fail-on" in last_line(run)) == (verdict is Verdict.PASSED)
    assert len(list(fromstring(as_text(run)).iter("failure"))) == sum(one.fails(level) for one in findings)  # noqa: S314
    assert problems(json.loads(as_json(run))) == []


@pytest.mark.parametrize(("given", "said"), [
    ({"only": (("overlp",),)}, "unknown code 'overlp': did you mean overlap?"),
    ({"ignore": (("qqq",),)}, "unknown code 'qqq': heapster explain lists all"),
    ({"only": (("crash",),), "ignore": (("crash",),)}, "--only and --ignore both name crash")])
def test_what_cannot_be_meant_is_told(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        Selection.of(given)


@pytest.mark.parametrize("command", ["fuzz", "exhaust", "races", "stress", "check"])
def test_every_command_that_finds_has_the_options(command: str, empty_folder: Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--ignore", "overlp"]) == 2
    assert "did you mean overlap?" in capsys.readouterr().err
    assert main([command, "--fail-on", "eror"]) == 2
    assert "did you mean error?" in capsys.readouterr().err


def test_a_file_may_say_it_and_the_command_line_wins(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (empty_folder / "heapster.toml").write_text('ignore = "crash, overlp"\n')
    assert main(["stress"]) == 2
    assert "unknown code 'overlp'" in capsys.readouterr().err
    assert main(["stress", "--ignore", "overlop"]) == 2
    assert "unknown code 'overlop'" in capsys.readouterr().err
