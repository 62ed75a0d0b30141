"""Campaigns that go on: their file, their folder, whose turn it is, and what is told of them."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from heapster.checkers.nightly import running
from heapster.checkers.nightly.ledger import CAME, CampaignFolder, FindingEvent, PieceEntry, opened
from heapster.checkers.nightly.roster import Roster, Task, read_roster
from heapster.checkers.nightly.turns import covers, is_over, next_task, weight
from heapster.cli import main
from heapster.results import UsageError

ZOO = Path(__file__).parents[1] / "blackbox" / "zoo"
FUZZ, PROVE = Task("fuzz", "sim"), Task("prove", "")
ROSTER = Roster("night", Path("night.campaign"), (FUZZ, PROVE, Task("races", "sim")))


def entry(task: Task, **given: Any) -> PieceEntry:
    return PieceEntry(**{"task": task.key, "seed": 0, "at": "2026-01-01T00:00:00Z", "seconds": 10.0,
                         "verdict": "passed", **given})


def toml(folder: Path, text: str) -> Path:
    path = folder / "night.toml"
    path.write_text(text)
    return path


def test_a_file_says_what_runs_and_where_it_is_kept(tmp_path: Path) -> None:
    roster = read_roster(toml(tmp_path, 'seconds = 5\n[[task]]\ncommand = "fuzz"\ntarget = "./mm.c"\n'
                                        'options = "--threads 4"\n[[task]]\ncommand = "prove"\n'))
    assert [task.key for task in roster.tasks] == ["fuzz ./mm.c --threads 4", "prove"]
    assert (roster.name, roster.folder, roster.seconds) == ("night", tmp_path / "night.campaign", 5)


@pytest.mark.parametrize(("text", "says"), [
    ("", "no [[task]]"), ("[[task]]\ncommand = 'fuz'", "did you mean fuzz?"), ("secnds = 3", "did you mean seconds?"),
    ("[[task]]\ncommand = 'fuzz'\noptions = '--json x'", "leave out --json"),
    ("[[task]]\ncommand = 'races'\noptions = '--schedules 9'", "leave out --schedules: the campaign says how many"),
    ("[[task]]\ncommand = 'fuzz'\noptions = '--thread 4'", "task 'fuzz --thread 4': No such option"),
    ("[[task]]\ncommand = 'races'\noptions = '--help'", "task 'races --help': --help runs nothing"),
    ("seconds = 'long'", "wrong kind"),
    ("seconds = -1\n[[task]]\ncommand = 'fuzz'", "must be positive"),
    ("name = '../x'\n[[task]]\ncommand = 'fuzz'", "no name"),
    ("[[task]]\ncommand = 'fuzz'\n[[task]]\ncommand = 'fuzz'", "twice"), ("[[task]", "TOML"),
    ("[[task]]\ncommand = 'fuzz'\noptions = '\"'", "options"), ("task = [3]", "no table"),
])
def test_a_file_that_cannot_be_is_told_in_a_line(text: str, says: str, tmp_path: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["campaign", str(toml(tmp_path, text))]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_no_file_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["campaign", str(tmp_path / "none.toml")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_each_task_has_a_turn_before_any_has_two() -> None:
    ran: list[PieceEntry] = []
    for _ in ROSTER.tasks:
        task = next_task(ROSTER, ran, {})
        assert task is not None
        ran.append(entry(task))
    assert {one.task for one in ran} == {task.key for task in ROSTER.tasks}


def test_time_goes_to_what_still_finds_something_and_nobody_starves() -> None:
    ran: list[PieceEntry] = []
    for _ in range(60):
        task = next_task(ROSTER, ran, {})
        assert task is not None
        ran.append(entry(task, gained=int(task == FUZZ)))
    turns = {task.key: sum(one.task == task.key for one in ran) for task in ROSTER.tasks}
    assert turns[FUZZ.key] > 2 * turns["races sim"]
    assert min(turns.values()) >= 8


def test_a_finding_counts_less_the_longer_ago_it_came() -> None:
    fresh = [entry(FUZZ, new=1)]
    assert weight(FUZZ, fresh) > weight(FUZZ, [*fresh, entry(FUZZ)]) > weight(FUZZ, [*fresh, *[entry(FUZZ)] * 6])
    assert weight(FUZZ, [*fresh, *[entry(FUZZ)] * 6]) == weight(FUZZ, [])


def test_what_is_all_proved_or_gives_no_results_twice_is_over() -> None:
    assert is_over(PROVE, [entry(PROVE, open_=0)])
    assert not is_over(PROVE, [entry(PROVE, open_=3)])
    assert not is_over(PROVE, [entry(PROVE, open_=0, of="12ab")], "34cd")
    assert not is_over(FUZZ, [entry(FUZZ, verdict="unusable")])
    assert is_over(FUZZ, [entry(FUZZ, verdict="unusable")] * 2)


def test_what_is_exhausted_is_over_until_its_source_is_another() -> None:
    exhaust = Task("exhaust", "./mm.c")
    done = [entry(exhaust, complete=True, of="12ab")]
    assert is_over(exhaust, done, "12ab")
    assert not is_over(exhaust, done, "34cd")
    assert not is_over(exhaust, [entry(exhaust, of="12ab")], "12ab")


@pytest.mark.slow
def test_a_campaign_exhausts_small_programs_and_then_goes_on_with_the_rest(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = ZOO / "free_of_null.c"
    path = toml(tmp_path, f'seconds = 60\npiece = 0.01\njobs = 1\n[[task]]\ncommand = "exhaust"\ntarget = "{target}"\n'
                          'options = "--calls 2 --sizes 24"\n')
    assert main(["campaign", str(path)]) == 1       # it ends as soon as nothing is left to do
    assert "1 new" in capsys.readouterr().out.splitlines()[-1]
    rows = [json.loads(line) for line in (tmp_path / "night.campaign" / "pieces.jsonl").read_text().splitlines()]
    assert [row["complete"] for row in rows][-1]
    assert "all programs of 2 calls over 1 size" in {name for row in rows for name in row["covers"]}
    assert "What is exhausted" in (tmp_path / "night.campaign" / "index.html").read_text()
    assert main(["campaign", str(path)]) == 1
    assert "0 of" in capsys.readouterr().out.splitlines()[-1]


def test_what_a_run_covers_is_read_off_its_json() -> None:
    run = {"witnesses": {"full": 3, "never": 0}, "checks": {"overlap": 1}, "corpus": {"edges": 2},
           "programs": [{"program": "m24|m24", "bound": 1}], "theorems": [{"name": "t", "verdict": "PROVED"},
                                                                          {"name": "u", "verdict": "UNKNOWN"}]}
    assert covers(run) == {"witness full", "check overlap", "edge 0", "edge 1", "program m24|m24 1", "proved t"}


def test_theorems_that_were_proved_of_another_source_are_open_again(tmp_path: Path) -> None:
    with opened(tmp_path / "c") as ledger:
        ledger.add(entry(PROVE, of="12ab", proved=1, open_=1), [], {"proved t", "check t"})
        ledger.outdate(PROVE.key, "12ab")
        assert ledger.proved(PROVE.key) == 1
    with opened(tmp_path / "c") as ledger:
        assert ledger.proved(PROVE.key) == 1
        ledger.outdate(PROVE.key, "34cd")
        assert ledger.proved(PROVE.key) == 0
        assert ledger.covered[PROVE.key] == {"check t"}
        ledger.add(entry(PROVE, of="34cd", proved=1, open_=1), [], {"proved u"})
    with opened(tmp_path / "c") as ledger:
        assert ledger.covered[PROVE.key] == {"check t", "proved u"}


def test_a_line_that_was_cut_short_loses_that_piece_alone(tmp_path: Path) -> None:
    with opened(tmp_path / "c") as ledger:
        ledger.add(entry(FUZZ, findings=("abcd",)), [FindingEvent("abcd", CAME, "t", FUZZ.key)], {"witness x"})
        ledger.add(entry(FUZZ), [], set())
    pieces = tmp_path / "c" / "pieces.jsonl"
    pieces.write_bytes(pieces.read_bytes()[:-9])
    with opened(tmp_path / "c") as ledger:
        assert len(ledger.entries) == 1
        assert ledger.covered[FUZZ.key] == {"witness x"}
        assert list(ledger.standing()) == ["abcd"]
        ledger.add(entry(FUZZ), [], set())
    with opened(tmp_path / "c") as ledger:
        assert len(ledger.entries) == 2


def test_a_finding_comes_goes_and_comes_back() -> None:
    ledger = CampaignFolder(Path("c"))
    found = {"findings": [{"id": "abcd", "code": "overlap", "title": "t"}]}
    for run, what in ((found, "came"), (found, None), ({"findings": [], "fixed": ["abcd"]}, "gone"),
                      ({"findings": [], "fixed": ["abcd"]}, None), (found, "back")):
        events = list(running._events(ledger, FUZZ, run, "now", "0123abc"))
        assert [event.what for event in events] == ([what] if what else [])
        ledger.events += events
    assert ledger.standing()["abcd"].revision == "0123abc"


def test_a_folder_of_another_version_or_in_use_is_told_in_a_line(tmp_path: Path) -> None:
    with opened(tmp_path / "c"), pytest.raises(UsageError, match="in use by another run"), opened(tmp_path / "c"):
        pass
    (tmp_path / "c" / "campaign.json").write_text('{"version": 99}')
    with pytest.raises(UsageError, match="of version 99"), opened(tmp_path / "c"):
        pass
    (tmp_path / "c" / "campaign.json").write_text("no")
    with pytest.raises(UsageError, match="no file of a campaign"), opened(tmp_path / "c"):
        pass
    (tmp_path / "f").write_text("")
    with pytest.raises(UsageError, match="cannot hold a campaign"), opened(tmp_path / "f"):
        pass


def piece(tmp_path: Path, run: dict[str, Any] | None) -> Any:
    """What stands in for a command: it writes that run."""
    def ran(command: list[str], seconds: float, folder: Path) -> tuple[bool, str]:
        if run is not None:
            Path(command[-1]).write_text(json.dumps(run))
        return False, "mm.c: no such file"
    return ran


def test_the_exit_code_and_a_line_tell_a_nightly_job_how_it_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                 capsys: pytest.CaptureFixture[str]) -> None:
    path = toml(tmp_path, 'seconds = 0.2\n[[task]]\ncommand = "fuzz"\ntarget = "sim"\n')
    run = {"verdict": "passed", "ops": 70, "findings": [], "witnesses": {"full": 1}}
    monkeypatch.setattr(running, "_run", piece(tmp_path, run))
    assert main(["campaign", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 new, 0 gone, 0 findings there")
    finding = {"id": "abcd", "code": "overlap", "title": "of <two>"}
    monkeypatch.setattr(running, "_run", piece(tmp_path, {**run, "verdict": "failed", "findings": [finding]}))
    assert main(["campaign", str(path)]) == 1
    assert "1 new, 0 gone, 1 finding there" in capsys.readouterr().out.splitlines()[-1]
    page = (tmp_path / "night.campaign" / "index.html").read_text()
    assert "of &lt;two&gt;" in page
    assert "polyline" in page
    monkeypatch.setattr(running, "_run", piece(tmp_path, {**run, "fixed": ["abcd"]}))
    assert main(["campaign", str(path)]) == 0
    assert "0 new, 1 gone, 0 findings there" in capsys.readouterr().out.splitlines()[-1]


def test_a_task_without_results_says_why_and_passes_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(running, "_run", piece(tmp_path, None))
    path = toml(tmp_path, 'seconds = 5\n[[task]]\ncommand = "fuzz"\ntarget = "./mm.c"\n')
    assert main(["campaign", str(path)]) == 3
    assert "had no results: mm.c: no such file" in capsys.readouterr().out


def test_a_full_disk_is_a_line_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = toml(tmp_path, 'seconds = 0.2\n[[task]]\ncommand = "fuzz"\ntarget = "sim"\n')
    monkeypatch.setattr(running, "_run", piece(tmp_path, {"verdict": "passed", "ops": 70, "findings": []}))
    with monkeypatch.context() as patch:
        patch.setattr(CampaignFolder, "add", full)
        assert main(["campaign", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["campaign", str(path)]) == 0


def test_a_campaign_that_is_killed_loses_at_most_a_piece_and_goes_on(tmp_path: Path) -> None:
    path = toml(tmp_path, f'seconds = 60\npiece = 1\njobs = 1\n[[task]]\ncommand = "fuzz"\n'
                          f'target = "{ZOO / "calloc_zeroes_one.c"}"\n')
    pieces = tmp_path / "night.campaign" / "pieces.jsonl"
    words = [sys.executable, "-m", "heapster", "campaign", str(path)]
    first = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while not pieces.exists() or not pieces.read_text():
        assert first.poll() is None
        time.sleep(0.1)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = len(pieces.read_text().splitlines())
    done = subprocess.run([*words, "--seconds", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert len(pieces.read_text().splitlines()) > before
    assert "not_zeroed" in done.stdout
    assert f"of {before + 1} pieces" in done.stdout or f"of {before + 2} pieces" in done.stdout
    history = (tmp_path / "night.campaign" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["what"] for line in history].count("came") == 1


def test_the_lock_goes_with_whoever_held_it(tmp_path: Path) -> None:
    with opened(tmp_path / "c"):
        pass
    with (tmp_path / "c" / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
