"""A campaign over drawn changes, on a project of one line with hunters that are one too."""

import os
import signal
import sys
from pathlib import Path

import pytest

from heapster.checkers.mutation import campaign as campaigns
from heapster.checkers.mutation import hunters
from heapster.checkers.mutation.campaign import Log, Plan, campaign, counts, equivalents, sources
from heapster.checkers.mutation.hunters import Hunter
from heapster.cli import main

SOURCE = "def least(a, b):\n    return a if a < b else b\n"
TWICE = ("import sys; sys.path.insert(0, 'heapster/impl'); import block; "
         "sys.exit(block.least(1, 2) != 1 or block.least(2, 1) != 1)")


def python(text: str) -> Hunter:
    return Hunter("tests", lambda prey: [sys.executable, "-c", text])


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose source is SOURCE."""
    for room in ("impl", "model", "checkers", "../tests"):
        (tmp_path / "heapster" / room).resolve().mkdir(parents=True)
    (tmp_path / "heapster" / "impl" / "block.py").write_text(SOURCE)
    monkeypatch.setattr(campaigns, "PROJECT", tmp_path)
    monkeypatch.setattr(campaigns, "JUDGES", "checkers/*.py")
    monkeypatch.setattr(campaigns, "HUNTERS", (python(TWICE),))
    return tmp_path


def run(project: Path, *, jobs: int = 1, count: int = 99) -> campaigns.Campaign:
    return campaign(Plan(count, 3, jobs=jobs), Log(project / "kept" / "drawn.jsonl"), lambda share, result: None)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_change_that_nothing_notices_survives(project: Path, jobs: int) -> None:
    found = run(project, jobs=jobs)
    assert {(result.after, result.verdict) for result in found.results} == {
        ("return a if a <= b else b", "survived"), ("return a if not (a < b) else b", "killed")}
    assert counts(found.results) == {"killed": 1, "timed_out": 0, "survived": 1, "equivalent": 0}
    assert (project / "heapster" / "impl" / "block.py").read_text() == SOURCE


def test_what_was_hunted_is_not_hunted_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(project, count=1)
    monkeypatch.setattr(campaigns, "HUNTERS", (python("raise SystemExit(1)"),))
    assert run(project, count=1) == first
    (project / "heapster" / "impl" / "block.py").write_text(SOURCE + "\n")
    assert run(project).useless         # another source: hunted anew


def test_a_hunter_that_cries_at_the_source_as_it_is_does_not_count(
        project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaigns, "HUNTERS", (python("raise SystemExit(1)"),))
    found = run(project)
    assert {result.verdict for result in found.results} == {"survived"}
    assert found.useless == ("-c raise SystemExit(1)",)


def test_a_reviewed_change_is_not_hunted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reviewed = {("impl/block.py", "return a if a < b else b", "return a if a <= b else b"): "equals are equal"}
    monkeypatch.setattr(campaigns, "equivalents", lambda: reviewed)
    (result,) = [result for result in run(project).results if result.verdict == "equivalent"]
    assert (result.by, result.said) == ("review", "equals are equal")


def test_an_interrupt_ends_the_hunters_and_keeps_what_is_known(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = python(f"import os, signal; os.kill({os.getpid()}, signal.SIGINT); signal.pause()")
    monkeypatch.setattr(campaigns, "HUNTERS", (waits,))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)       # whoever runs the tests may ignore it
    try:
        found = run(project)
    finally:
        signal.signal(signal.SIGINT, before)
    assert found == campaigns.Campaign([], interrupted=True, useless=())


def test_the_reviewed_changes_are_of_lines_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    texts = sources()
    for file, before, _ in equivalents():
        assert before in [line.strip() for line in texts[file].splitlines()], (file, before)


def test_the_tests_of_a_module_hunt_its_changes_wherever_they_are(tmp_path: Path) -> None:
    for name, text in (("native/test_verify.py", ""), ("native/test_other.py", "from heapster.impl.verify import walk"),
                       ("native/test_far.py", "from heapster.impl.verifying import walk"), ("impl/test_it.py", "")):
        path = tmp_path / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (hunter,) = [hunter for hunter in hunters.HUNTERS if hunter.command is hunters._tests]
    command = hunter.command(hunters.Prey("impl/verify.py", tmp_path, 1))
    assert command[-3:] == ["tests/native/test_other.py", "tests/native/test_verify.py", "tests/impl"]


@pytest.mark.parametrize(("arguments", "said"), [
    (["--random", "3", "--only", "impl/blok.py"], "--only impl/blok.py: no such file"),
    (["--random", "3", "--by", "fuzzz"], "--by fuzzz: did you mean fuzz?"),
    (["--by", "luck"], "--by luck: choose from"),
    (["--random", "3", "block"], "leave out words"), (["--jobs", "2"], "add --random N")])
def test_what_cannot_be_hunted_is_one_line(arguments: list[str], said: str,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutate", *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
