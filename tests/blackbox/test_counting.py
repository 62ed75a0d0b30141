"""What a run says that it has checked is counted: by function and target; and what was starved found nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from junitparser import JUnitXml

from heapster.checkers.blackbox import known_faults, volume
from heapster.checkers.blackbox.baseline import Baseline, BaselineFinding
from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.counting import IN_VOLUME, WHOLE, Counts, Floor
from heapster.checkers.blackbox.fuzzing import starved_of
from heapster.checkers.blackbox.generator import PLAIN
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.known_faults import suspected
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.protocol import Mode
from heapster.checkers.blackbox.recipe import Recipe, read_recipe, shown_as
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.blackbox.target import VERBS
from heapster.checkers.findings.store import Store
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.cli import main
from heapster.model.operations import OPERATIONS
from heapster.model.trace import parse
from heapster.results import Finding

HERE = Path(__file__).parent
LEAN = """
#include <stdlib.h>
void *lean_malloc(size_t n) { return malloc(n); }
void lean_free(void *p) { free(p); }
"""
LACKED = {"not_zeroed", "prefix_lost", "failed_realloc_changed_block", "overflow_accepted", "null_without_error",
          "out_word_changed", "alignment_not_honoured", "bad_alignment_accepted", "usable_too_small", "usable_shrank",
          "usable_of_null"}


@pytest.fixture(scope="module")
def lean(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """A correct allocator that has only malloc and free."""
    source = tmp_path_factory.mktemp("lean") / "lean.c"
    source.write_text(LEAN)
    target = resolve(ForeignOptions(grammar.parse(str(source))))
    with Judge(judge_program(target.bits), target) as judge:
        learn(judge, None)
        yield judge


def counts(judge: Judge, text: str) -> Counts:
    """What one trace puts to the test."""
    promises = learn(judge, None).promises
    counted = Counts(judge.target, promises)
    counted.note_steps(run_trace(judge, parse(text), promises))
    return counted


def test_calls_and_checks_of_one_trace(lean: Judge) -> None:
    steps = "a = malloc(8); b = calloc(1, 8); free(a); free(b); c = malloc(SIZE_MAX); free(c); d = malloc(9)"
    counted = counts(lean, steps)
    checks = counted.checks()
    assert dict(counted.calls) == {"malloc": 3, "free": 2}
    assert (checks["overlap"], checks["contents_damaged"], checks["crash"]) == (2, 5, 5)
    assert (checks["huge_accepted"], checks["wrong_errno"], checks["spurious_null"]) == (1, 1, 1)
    assert LACKED.isdisjoint(checks)
    assert set(counted.inapplicable()) == LACKED


def test_compiled_operations_are_counted_where_they_are_made(lean: Judge) -> None:
    header = lean.header
    header.seed, header.masked, header.verbs = 1, 0, header.has
    header.most_live, header.most_size, header.live_budget, header.limit_ms = 256, 1000, 1 << 20, 4000
    ending = lean.run(Mode.GENERATE, 5000)
    calls = list(lean.calls())
    assert ending.done_ops == sum(times for _, _, times in calls) == 5000
    assert {verb for verb, _, _ in calls} == {"malloc", "free"}
    counted = Counts(lean.target, learn(lean, None).promises)
    counted.note_compiled(calls, suspected(0b10))
    assert counted.compiled == counted.checks()["crash"] == 5000
    assert counted.checks()["misaligned"] == 0          # its bit was masked
    assert counted.checks()["overlap"] == sum(times for verb, _, times in calls if verb == "malloc")
    assert next(iter(lean.calls())) not in calls        # the next case counts from 0


def test_a_resized_block_is_told_from_one_that_is_new(tmp_path: Path) -> None:
    with Judge(judge_program(64), resolve(ForeignOptions(grammar.parse("libc")))) as judge:
        steps = "a = malloc(8); b = realloc(a, 90); c = realloc(NULL, 8); d = malloc(SIZE_MAX); e = calloc(2, 8)"
        judge.run(Mode.PRECISE, judge.set_steps(parse(steps)))
        assert sorted(judge.calls()) == [("calloc", "gave", 1), ("malloc", "gave", 1), ("malloc", "refused", 1),
                                         ("realloc", "gave", 1), ("realloc", "resized", 1)]
        counted = Counts(judge.target, learn(judge, None).promises)
        counted.note_compiled([("realloc", "gave", 3), ("realloc", "resized", 4)])
        assert counted.checks()["prefix_lost"] == 4


def test_a_floor_depends_on_the_target(lean: Judge) -> None:
    counted = Counts(lean.target, learn(lean, None).promises)
    said = list(counted.starved(WHOLE))
    assert any(f"at least {2 * WHOLE.steps}" in line for line in said)
    assert any("malloc 0, free 0" in line for line in said)
    counted.note_compiled([("malloc", "gave", WHOLE.compiled)])
    assert not list(counted.starved(IN_VOLUME))
    assert len(list(counted.starved(WHOLE))) == 2
    few = Counts(lean.target, learn(lean, None).promises)
    few.note_steps(run_trace(lean, parse("a = malloc(8); free(a)"), learn(lean, None).promises))
    assert not list(few.starved(Floor(1, 1, 0)))
    assert len(list(few.starved(Floor(2, 2, 0)))) == 2


def test_a_starved_run_is_inconclusive_and_says_of_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                       capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lean.c").write_text(LEAN)
    files = ["--json", "r.json", "--junit", "r.xml", "--sarif", "r.sarif"]
    for seconds in ("0.01", "0.02", "0.04", "0.08"):        # in the first of them that is enough for a call
        code = main(["fuzz", "lean.c", "--seconds", seconds, "--seed", "1", "--threads", "2", *files])
        if code != 5:
            break
        capsys.readouterr()
    assert code == 3
    said = capsys.readouterr().out
    assert "INCONCLUSIVE: too little was done" in said
    assert "calls were judged in great number, of at least 3,000" in said
    run = json.loads((tmp_path / "r.json").read_text())
    assert run["verdict"] == "inconclusive"
    assert len(run["starved"]) >= 3
    assert LACKED.isdisjoint(run["checks"])
    assert "race" in run["checks"]
    assert set(run["calls"]) <= {"malloc", "free"}
    assert any("calloc" in claim and "not_zeroed" in claim for claim in run["not_checked"])
    cases = {case.name: case for suite in JUnitXml.fromfile(str(tmp_path / "r.xml")) for case in suite}
    assert LACKED.isdisjoint(cases)
    assert "calls were judged in great number" in cases["verdict"].result[0].message
    told = json.loads((tmp_path / "r.sarif").read_text())["runs"][0]["invocations"][0]["properties"]
    assert (told["checks"], told["starved"]) == (run["checks"], run["starved"])


def test_a_campaign_that_has_not_run_is_starved_of_all(lean: Judge) -> None:
    campaign = Campaign(lean, 1, 1, threads=2)
    assert len(list(starved_of(campaign, WHOLE, threads=True))) == 5
    assert "no threads ran for race, threads_that_come_and_go, fork" in starved_of(campaign, WHOLE, threads=True)
    assert "no threads ran for race" in starved_of(campaign, IN_VOLUME, threads=True)
    campaign.tally.checks.update({"race": 1, "fork": 1, "memory_never_returned": 1})
    assert "no threads ran for threads_that_come_and_go" in starved_of(campaign, WHOLE, threads=True)
    campaign.tally.checks["threads_that_come_and_go"] = 1
    assert len(list(starved_of(campaign, WHOLE, threads=True))) == 3


def test_what_of_threads_was_not_run_is_named_with_the_reason(lean: Judge) -> None:
    campaign = Campaign(lean, 1, 1, threads=2)
    campaign._known.add(known_faults.Known("crash", "free", PLAIN))
    campaign._threads_case(Random(1), 0)
    assert list(campaign.unthreaded()) == [
        "race: crash, which is known, would show again", "threads_that_come_and_go: there was no time (--seconds)",
        "fork: there was no time (--seconds)"]


def test_work_that_was_too_short_to_show_growth_is_not_checked_for_it(lean: Judge,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = Campaign(lean, 1, 1)
    campaign.repeat_trace(parse("a = malloc(24)"))
    judged = campaign.tally.checks["memory_never_returned"]
    monkeypatch.setattr(volume, "LEAST_SAMPLES", 1 << 20)
    campaign.repeat_trace(parse("a = malloc(24)"))
    assert campaign.tally.checks["memory_never_returned"] == judged > 0


def test_a_recipe_is_what_a_trace_says() -> None:
    assert read_recipe(["a = malloc(8)", "free(a)"]) == Recipe(parse("a = malloc(8); free(a)"))
    rounds = "# 30 rounds of these, all that is left freed after each"
    assert read_recipe([rounds, "a = malloc(8)"]) == Recipe(parse("a = malloc(8)"), repeat=30)
    threads = "# 4 threads make 50 calls each at the same time, seed 7"
    assert read_recipe([threads]) == Recipe(threads=(4, 50, 7))
    assert [read_recipe(lines) for lines in ([], ["# something else", "a = malloc(8)"], ["nonsense"])] == [None] * 3


def test_threads_that_are_run_again_fail_only_if_they_fail(lean: Judge) -> None:
    assert not shown_as(lean, Recipe(threads=(2, 200, 1)), "race_crash", learn(lean, None).promises)


def test_what_a_baseline_lists_is_run_again_before_it_is_called_fixed(tmp_path: Path) -> None:
    target = resolve(ForeignOptions(grammar.parse(str(HERE / "zoo" / "calloc_zeroes_one.c"))))
    known = {"still": BaselineFinding("not_zeroed", ("a = malloc(8)", "free(a)", "b = calloc(2, 1)")),
             "gone": BaselineFinding("not_zeroed", ("a = malloc(8)",)), "untold": BaselineFinding("overlap"),
             "seen": BaselineFinding("overlap", ("a = malloc(8)",))}
    seen = Finding("seen", "overlap", "", ("a = malloc(8)",), "")
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, None).promises
        standing = Baseline(known).standing(judge, [seen], promises, interrupted=False)
        assert standing == (["seen", "still"], ["gone"], ["untold"])
        halted = Baseline(known).standing(judge, [seen], promises, interrupted=True)
        assert halted == (["seen"], [], ["gone", "still", "untold"])


def test_a_baseline_that_the_run_did_not_reach_is_not_fixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                           capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lean.c").write_text(LEAN)
    findings = [{"id": "12", "code": "overlap"}, {"id": "34", "code": "overlap", "trace": ["a = malloc(8)"]}]
    (tmp_path / "known.json").write_text(json.dumps(findings))
    main(["fuzz", "lean.c", "--seconds", "0.01", "--seed", "1", "--baseline", "known.json", "--json", "r.json"])
    said = capsys.readouterr().out
    assert "no longer fails: 34" in said
    assert "neither met nor run again: 12" in said
    run = json.loads((tmp_path / "r.json").read_text())
    assert (run["accepted"], run["fixed"], run["not_met"]) == ([], ["34"], ["12"])


def test_a_kept_finding_of_threads_does_not_keep_the_next_run_from_starting(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lean.c").write_text(LEAN)
    line = "# 2 threads make 50 calls each at the same time, seed 7"
    Store(tmp_path / ".heapster", print).keep(Finding("0f0f0f0f", "race_crash", "", (line,), ""),
                                              grammar.parse("lean.c"))
    assert main(["fuzz", "lean.c", "--seconds", "0.3", "--seed", "1"]) in (0, 3)      # enough, or thin


def test_functions_are_what_a_target_can_be_asked() -> None:
    assert VERBS[:len(OPERATIONS)] == tuple(OPERATIONS)
