"""A campaign over drawn changes, on a project of one line with hunters that are one too."""

import os
import signal
import sys
from pathlib import Path

import pytest

from heapster.checkers.jobs.local import Local
from heapster.checkers.mutation import campaign as campaigns
from heapster.checkers.mutation import hunters
from heapster.checkers.mutation import reviewed as reviews
from heapster.checkers.mutation.campaign import HuntPlan, Log, campaign, counts, sources
from heapster.checkers.mutation.drawing import changes, drawn
from heapster.checkers.mutation.hunters import Hunter
from heapster.checkers.mutation.reviewed import amounts, equivalents, why_unseen
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


def run(project: Path, *, jobs: int = 1, count: int = 99) -> campaigns.FaultCampaign:
    return campaign(HuntPlan(count, 3), Log(project / "kept" / "drawn.jsonl"), lambda share, result: None, Local(jobs))


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
    monkeypatch.setattr(reviews, "equivalents", lambda: reviewed)
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
    assert found == campaigns.FaultCampaign([], interrupted=True, useless=())


def test_an_interrupt_before_the_first_hunter_is_out_keeps_what_is_known(
        project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = run(project, count=1)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(campaigns, "_copy", interrupted)
    assert run(project) == known._replace(interrupted=True)
    assert run(project, count=1) == known


def test_the_reviewed_changes_can_be_drawn_and_stand_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    texts = sources()
    for file, before, after in equivalents():
        assert [line.strip() for line in texts[file].splitlines()].count(before) == 1, (file, before)
        assert after in {change.of(texts[file])[1] for change in changes(file, texts[file])}, (file, after)


def test_the_reviewed_amounts_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is said of each that a little more or less is as good."""
    monkeypatch.undo()
    texts = sources()
    for file, name in amounts():
        found = [change for change in changes(file, texts[file]) if change.of(texts[file])[0].startswith(f"{name} = ")]
        assert any(why_unseen(change, texts[file]) for change in found), (file, name)


def test_an_amount_is_about_as_much_or_it_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviews, "amounts", lambda: {("x.py", "MOST"): "as good"})
    text = "MOST = 1 << 9\nLEAST = 7\nif True:\n    MOST = 8\n"
    said = {change.of(text)[1]: why_unseen(change, text) for change in changes("x.py", text)}
    assert {after for after, reason in said.items() if reason} == {"MOST = 2 << 9", "MOST = 1 << 10", "MOST = 1 << 8"}
    assert said["MOST = 0 << 9"] == said["MOST = 1 >> 9"] == said["LEAST = 8"] == said["MOST = 9"] == ""


def planned(folder: Path, *names: str, killers: tuple[str, ...] = ()) -> list[list[str]]:
    """The places of tests that hunters of these names ask about a change of `impl.verify`."""
    for name, text in (("native/test_verify.py", ""), ("impl/test_other.py", "from heapster.impl.verify import walk"),
                       ("native/test_far.py", "from heapster.impl import verifying"),
                       ("model/test_it.py", "from heapster.impl import (\n    bins,\n    verify,\n)"),
                       ("checkers/test_lockstep.py", "")):
        path = folder / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    prey = hunters.Prey("impl/verify.py", folder, 1, killers)
    return [[word for word in getattr(hunters, name)(prey) if word.startswith("tests/")] for name in names]


def test_the_tests_of_a_module_hunt_its_changes_wherever_they_are(tmp_path: Path) -> None:
    assert planned(tmp_path, "_named", "_room", "_wide") == [
        ["tests/impl/test_other.py", "tests/model/test_it.py", "tests/native/test_verify.py"], ["tests/impl"],
        ["tests/checkers/test_lockstep.py", "tests/impl/test_other.py", "tests/model/test_it.py",
         "tests/native/test_verify.py"]]


def test_tests_that_noticed_changes_of_a_file_go_first(project: Path, tmp_path: Path) -> None:
    """As far as they are still there; whoever noticed most goes first."""
    log, plan = Log(project / "drawn.jsonl"), HuntPlan(9, 3)
    often, gone = "tests/native/test_far.py::a", "tests/x.py::y"
    change, other = drawn({"impl/block.py": SOURCE}, 9, 3)
    for line, file, test in ((1, change.file, often), (2, change.file, gone), (3, change.file, often),
                             (4, "", "tests/z")):
        log.add((other if file else change)._replace(line=line), plan, campaigns.HuntResult(
            file, line, "", "", "", "killed", "tests", f"FAILED {test}[1-2] - AssertionError"))
    killers = Log(project / "drawn.jsonl").killers(change.file)
    assert killers == log.killers(change.file) == (often, gone)
    assert planned(tmp_path, "_remembered", killers=killers) == [[often]]
    assert hunters._remembered(hunters.Prey("impl/block.py", tmp_path, 1)) == []


def test_lives_hunt_what_they_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    assert set(sources()) > hunters.UNFUZZED
    assert hunters._fuzz(3, hunters.Prey("model/sketch.py", tmp_path, 1)) == []
    assert hunters._fuzz(3, hunters.Prey("model/arena.py", tmp_path, 1))[-3:] == ["3", "1", "sim:spans=0"]
    assert hunters._fuzz(3, hunters.Prey("impl/vault.py", tmp_path, 1))[-1] == "sim:harden=1"
    root = Path(hunters.__file__).parents[3]
    for file, heaps in (("impl/freelist.py", 1), ("impl/verify.py", 3), ("impl/layout.py", 3), ("model/heap.py", 1)):
        assert len(hunters._fuzz(3, hunters.Prey(file, root, 1))[5:]) == heaps, file


def test_only_the_test_that_cried_is_asked_about_the_source_as_it_is() -> None:
    command = ["python", "-m", "pytest", "tests/impl", "tests/model"]
    assert hunters.again(command, "FAILED tests/model/test_it.py::test_one[a b] - assert") == [
        "python", "-m", "pytest", "tests/model/test_it.py::test_one"]
    assert hunters.again(command, "ERROR tests/model/test_it.py - NameError") == [
        "python", "-m", "pytest", "tests/model/test_it.py"]
    assert hunters.again(command, "no words") == command
    assert hunters.again(["python", "-m", "heapster", "races"], "FAILED tests/x.py::y") == [
        "python", "-m", "heapster", "races"]


FIGURES = "Before.\n\n`heapster mutate --random 9 --seed 1` was\nold.\n\nAfter.\n"


def test_the_figure_of_a_document_is_renewed(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "page.md"
    document.write_text(FIGURES)
    command = ["mutate", "--random", "2", "--seed", "3", "--store", str(tmp_path / "kept"), "--write", str(document)]
    assert main(command) == 1           # one survives
    before, made, after = document.read_text().split("\n\n")
    assert (before, after) == ("Before.", "After.\n")
    assert "`heapster mutate --random 2 --seed 3` draws" in made
    assert " ".join(made.split()).endswith(
        "Of 2 that make a difference 1 were noticed, 50 % (tests 1); 0 more are equivalent.")
    assert max(map(len, made.splitlines())) <= 120


def test_an_interrupted_run_renews_no_figure(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = tmp_path / "page.md"
    document.write_text(FIGURES)
    waits = python(f"import os, signal; os.kill({os.getpid()}, signal.SIGINT); signal.pause()")
    monkeypatch.setattr(campaigns, "HUNTERS", (waits,))
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main(["mutate", "--random", "2", "--write", str(document)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert document.read_text() == FIGURES


@pytest.mark.parametrize("text", [None, "No figure.\n", FIGURES + "\n" + FIGURES])
def test_a_document_without_a_place_for_the_figure_is_one_line(
        text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "page.md"
    if text is not None:
        document.write_text(text)
    assert main(["mutate", "--random", "2", "--write", str(document)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert text is None or document.read_text() == text


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
