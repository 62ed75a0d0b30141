"""The search: honest statements, budgets, strategies, and the command line."""

import json
import shlex
from pathlib import Path

import pytest

from heapster.checkers.lockstep.decode import decode
from heapster.checkers.mutation import hunt_races as hunting
from heapster.checkers.mutation.fault import Edit, Fault, plant
from heapster.checkers.mutation.race_faults import FAULTS
from heapster.checkers.races import ours
from heapster.checkers.races.corpus import as_shipped, is_shipped, policies
from heapster.checkers.races.exploring import SearchTally, every_schedule
from heapster.checkers.races.findings import replay
from heapster.checkers.races.programs import format_program, lanes_of, parse_program
from heapster.checkers.races.replay import format_replay, parse_replay
from heapster.checkers.races.search import SearchPlan
from heapster.checkers.races.searching import races
from heapster.checkers.races.session import Session, ship
from heapster.checkers.targets.source import source_in, without_spans
from heapster.cli import main
from heapster.impl import layout
from heapster.machine.simulated import Simulated
from heapster.model.placement import POLICY_NAMES
from heapster.results import UsageError, Verdict


@pytest.mark.parametrize("strategy", ["dfs", "pct", "random"])
def test_the_shipped_source_passes(strategy: str) -> None:
    run = races(SearchPlan(schedules=150, strategy=strategy, seed=3))
    assert run.verdict is Verdict.PASSED
    assert run.extra["schedules"] == 150
    assert run.witnesses["preempted"] > 0 or strategy == "dfs"


@pytest.mark.parametrize("strategy", ["pct", "random"])
def test_chance_finds_what_needs_a_preemption(strategy: str, tmp_path: Path) -> None:
    source = source_in(plant(FAULTS[0], tmp_path))
    assert races(SearchPlan(schedules=3000, strategy=strategy, seed=1), source).verdict is Verdict.FAILED


def test_a_seed_gives_the_same_search() -> None:
    plan = SearchPlan(schedules=120, strategy="random", seed=9)
    first, second = races(plan), races(plan)
    assert (first.ops, first.checks, first.extra) == (second.ops, second.checks, second.extra)


def test_what_was_explored_is_never_more_than_was_run() -> None:
    assert races(SearchPlan(schedules=1, seed=0)).extra["explored"] == "1 schedule of one program more"


def test_what_was_explored_names_its_bounds() -> None:
    explored = races(SearchPlan(schedules=300, seed=0)).extra["explored"]
    assert "with at most 0 preemptions and 0 old writes of" in explored


@pytest.mark.parametrize("plan", [SearchPlan(threads=1), SearchPlan(threads=9), SearchPlan(ops=0),
                                  SearchPlan(bound=-1), SearchPlan(schedules=0),
                                  SearchPlan(seconds=0.0), SearchPlan(strategy="breadth")])
def test_plans_that_make_no_sense(plan: SearchPlan) -> None:
    with pytest.raises(UsageError):
        plan.check()


def test_the_command_writes_what_it_did(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["races", "--schedules", "40", "--seed", "2", "--json", "r.json"]) == 0
    written = json.loads(Path("r.json").read_text())
    assert (written["schedules"], written["verdict"]) == (40, "passed")
    assert "explored: " in capsys.readouterr().out


def test_a_target_that_gives_no_hooks_is_inconclusive(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["races", "libc"]) == 3
    assert "its accesses give a scheduler no hooks; try heapster stress libc" in capsys.readouterr().out


def test_a_finding_is_printed_in_lanes_and_replayed(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = plant(FAULTS[1], empty_folder)
    assert main(["races", f"{copy}:spans=0", "--schedules", "50", "--json", "r.json"]) == 1
    printed = capsys.readouterr().out
    assert "thread 0" in printed
    assert "arena.py:" in printed
    text = json.loads(Path("r.json").read_text())["findings"][0]["replay"].split("'")[1]
    capsys.readouterr()
    assert main(["replay", text, "--target", f"{copy}:spans=0"]) == 1
    assert "the source changed" not in capsys.readouterr().err
    assert main(["replay", text]) == 0
    assert "the source changed: the schedule was found in version" in capsys.readouterr().err
    assert main(["replay", "r1:m24|m24;s:0,1;o:1*1"]) == 0
    assert "the schedule does not fit this source" in capsys.readouterr().err


@pytest.mark.parametrize(("old", "new"), [
    ("m.load_relaxed(m.statics() + POLICY)", "m.load_atomic(m.statics() + POLICY)"),
    ("m.store_relaxed(m.statics() + POLICY", "m.store_soon(m.statics() + POLICY"),
    ("m.load_relaxed(m.statics() + POLICY)", "load(m.statics() + POLICY)")])
def test_a_source_that_asks_for_what_no_machine_does_is_told_so(old: str, new: str, tmp_path: Path) -> None:
    fault = Fault("an unknown operation", (Edit("settings.py", old, new),))
    run = races(SearchPlan(schedules=300, seed=1), source_in(plant(fault, tmp_path)))
    assert [(f.code, "cannot run: n" in f.title) for f in run.findings] == [("not_a_program", True)]


TORN = Fault("the growth is set before the threshold, and nothing orders the two for who reads them", (
    Edit("settings.py", "    m.store_relaxed(m.statics() + POLICY, policy)\n", """\
    m.store_relaxed(m.statics() + POLICY, policy)
    m.store_relaxed(m.statics() + GROWTH, 8192)
    m.store_relaxed(m.statics() + THRESHOLD, 8192)
"""),
    Edit("settings.py", "    return m.load_relaxed(m.statics() + POLICY)\n", """\
    if m.load_relaxed(m.statics() + THRESHOLD) == 8192 and m.load_relaxed(m.statics() + GROWTH) == 0:
        m.abort(1, 0)
    return m.load_relaxed(m.statics() + POLICY)
""")))


@pytest.mark.parametrize("strategy", ["dfs", "random"])
def test_a_fault_that_only_an_old_write_shows_is_found_shrunk_and_replayed(
        strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "corpus", lambda **_: iter([(parse_program("n1,m24/p1,f0|m24,m40,p2"), 2)]))
    source = source_in(plant(TORN, tmp_path))
    run = races(SearchPlan(schedules=4000, strategy=strategy, seed=5), source)
    text = shlex.split(run.findings[0].replay)[2]
    what = parse_replay(text)
    assert len(what.old) == 1
    assert sum(1 for _ in lanes_of(what.program)) <= 3
    assert any("meets an old write" in line for line in run.findings[0].details)
    assert {replay(text, source).findings[0].id for _ in range(10)} == {run.findings[0].id}
    assert replay(format_replay(what._replace(old=())), source).verdict is Verdict.PASSED


def test_without_old_writes_that_fault_is_missed(tmp_path: Path) -> None:
    session = Session(parse_program("n1,m24/p1,f0|m24,m40,p2"), source_in(plant(TORN, tmp_path)))
    found = {bool(outcome.problem) for outcome in every_schedule(session, 2, SearchTally(), old=0)}
    assert found == {False}


def test_faults_are_planted_and_hunted_by_schedules(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutate", "--by", "races", "--json", "m.json", "kept mappings are given back without"]) == 0
    assert "1 of 1 planted fault found" in capsys.readouterr().out
    kills = json.loads(Path("m.json").read_text())["kills"]
    assert [(kill["module"], kill["caught_by"]) for kill in kills] == [("retained", "data_race")]


def test_a_fault_that_is_missed_fails_the_run(empty_folder: Path, capsys: pytest.CaptureFixture[str],
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunting, "SCHEDULES", 1)
    assert main(["mutate", "--by", "races", "kept mappings are given back without"]) == 1
    assert "MISSED" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [
    ["races", "--threads", "99"], ["races", "--strategy", "x"], ["races", "nowhere"], ["replay", "r1:m24"],
    ["mutate", "--by", "races", "nothing of the kind"], ["mutate", "--by", "stress", "--write", "t.md"],
    ["races", "--schedules", "1", "--seconds", "1"]])
def test_usage_errors_are_one_line(arguments: list[str], empty_folder: Path,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_ships_is_explored_and_named() -> None:
    run = races(SearchPlan(schedules=1200, seed=0))
    ran = run.extra["programs"]
    shipped = [each for each in ran if each["shipped"]]
    assert {tuple(each["policies"][-1:]) for each in shipped} == {("segregated_fit",)}
    assert len(shipped) > 100
    assert f"; {len(shipped)} of {len(ran)} programs on what ships (segregated_fit, 26" in run.extra["explored"]
    ran_under = run.extra["settings"]
    assert (ran_under["policy"], ran_under["cache"][0], ran_under["retained"][0]) == (list(POLICY_NAMES), 0, 0)
    assert (ran_under["cache"][-1], ran_under["retained"][-1]) == (layout.DEFAULT_CACHE, layout.DEFAULT_KEEP)
    assert run.extra["explored"].endswith(f"policies: {', '.join(POLICY_NAMES)}")


@pytest.mark.parametrize(("text", "expected"), [
    ("m24/f0", (("first_fit",), False)), ("p1,m24/f0|p4", (("next_fit", "segregated_fit"), False)),
    ("p1,o/p2|m24", (("best_fit", "segregated_fit"), True)), ("o,p3/m24", (("worst_fit",), True)),
])
def test_policies_are_those_that_a_program_sets(text: str, expected: tuple[tuple[str, ...], bool]) -> None:
    program = parse_program(text)
    assert (policies(program), is_shipped(program)) == expected


def test_a_written_program_on_what_ships_sets_nothing_of_it_at_first() -> None:
    program = as_shipped(parse_program("n1,h64,p1,l4096,m24/h0,f0|p2"))
    assert format_program(program) == "o,n1,m24/h0,f0|p2"


def test_what_ships_is_what_the_library_sets() -> None:
    m, source = Simulated(), without_spans()
    ship(source, m)
    heap = decode(m)
    assert (heap.policy, heap.cache, heap.keep) == (POLICY_NAMES[layout.DEFAULT_POLICY], 1 << 18, 1 << 28)
