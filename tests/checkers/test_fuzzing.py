"""Campaigns: no false alarm, nothing vacuous, the same bytes for the same seed, nothing lost."""

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from heapster.checkers.fuzz import campaign as fuzzing
from heapster.checkers.fuzz.campaign import FuzzOptions, fuzz
from heapster.checkers.fuzz.stateful import LOOK_EVERY, Record, exact, live_lives
from heapster.checkers.lockstep.lockstep import AT_EACH_LOOK, AT_EACH_STEP
from heapster.checkers.lockstep.run_trace import on_source, rerun
from heapster.checkers.mutation.fault import planted
from heapster.checkers.mutation.fuzz_faults import FAULTS
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import make_for
from heapster.impl.layout import DEFAULT_CACHE, DEFAULT_KEEP
from heapster.model.placement import POLICY_NAMES
from heapster.model.problem import Problem
from heapster.model.trace import parse
from heapster.results import Finding, Verdict

BROKEN = next(fault for fault in FAULTS if fault.title == "no coalescing to the left")


class Memory:
    """A store that keeps findings as long as the test runs."""

    def __init__(self) -> None:
        self.kept: dict[str, Finding] = {}
        self.mended: set[str] = set()

    def mend(self, identity: str) -> bool:
        new = identity not in self.mended
        self.mended.add(identity)
        return new

    def keep(self, finding: Any, target: Any) -> None:
        self.kept[finding.id] = finding

    def drop(self, identity: Any) -> None:
        del self.kept[identity]

    def stored(self, target: Any) -> Any:
        return tuple(self.kept.values())


def campaign(store: Any = None, progress: Any = lambda so_far: None, **options: Any) -> Any:
    return fuzz(FuzzOptions(**options), progress, store or Memory())


@pytest.fixture
def broken(monkeypatch: Any) -> Any:
    """Campaigns run a source with a planted fault."""
    source = planted(BROKEN)
    monkeypatch.setattr(fuzzing, "make_for", lambda target: on_source(source))


@pytest.mark.parametrize("target", ["sim", "process"])
@pytest.mark.parametrize("policy", POLICY_NAMES)
def test_no_false_alarm(policy: Any, target: Any) -> None:
    run = campaign(target=grammar.parse(target), policies=(policy,), examples=10, seed=7)
    assert run.verdict is Verdict.PASSED
    assert run.findings == ()
    assert min(run.checks[name] for name in AT_EACH_STEP) > 500
    assert min(run.checks[name] for name in AT_EACH_LOOK) > 500 // LOOK_EVERY


def test_what_ships_is_among_the_settings() -> None:
    """And the run says so."""
    told = campaign(examples=1, seed=1).extra["settings"]
    assert told["policy"] == list(POLICY_NAMES)
    assert (DEFAULT_CACHE in told["cache"], DEFAULT_KEEP in told["retained"]) == (True, True)


def test_every_witness_is_seen_and_every_check_evaluated() -> None:
    run = campaign(examples=90, seed=8)
    assert [name for name, seen in run.witnesses.items() if not seen] == []
    assert [name for name, times in run.checks.items() if not times] == []


def test_without_faults_the_system_never_refuses() -> None:
    run = campaign(examples=8, seed=1, faults=False)
    assert run.witnesses["munmap_refused"] == 0


def test_one_seed_one_run() -> None:
    first, second = (campaign(examples=6, seed=11) for _ in range(2))
    assert replace(first, seconds=0) == replace(second, seconds=0)


@pytest.mark.usefixtures("broken")
def test_a_failure_is_shrunk_kept_and_reproduces() -> None:
    store = Memory()
    run = campaign(store, examples=50, seed=2)
    assert run.verdict is Verdict.FAILED
    assert list(store.kept) == [run.findings[0].id]
    assert len(run.findings[0].trace) <= 8
    assert run.findings[0].replay.startswith("heapster replay ")
    assert campaign(store, examples=1).findings == run.findings


def test_shrinking_has_its_share_of_processor_time_and_says_when_that_is_up(broken: Any, monkeypatch: Any) -> None:
    """Each look at the clock finds it three seconds on: half of thirty are five replays."""
    seconds = count(step=3)
    monkeypatch.setattr(fuzzing, "processor_seconds", lambda: float(next(seconds)))
    store = Memory()
    run = campaign(store, seconds=30.0, seed=2)
    (finding,) = run.findings
    assert not finding.shrunk and run.extra["cut_short"] == [finding.id]
    assert rerun(parse("\n".join(finding.trace)), on_source(planted(BROKEN))).problems
    assert campaign(store, examples=0).extra["cut_short"] == []


@pytest.mark.usefixtures("broken")
def test_the_same_finding_is_printed_each_time() -> None:
    assert campaign(examples=50, seed=2).findings == campaign(examples=50, seed=2).findings


def test_a_finding_that_no_longer_fails_is_told_once_and_run_again_later(broken: Any, monkeypatch: Any) -> None:
    store = Memory()
    campaign(store, examples=50, seed=2)
    with monkeypatch.context() as mended:
        mended.setattr(fuzzing, "make_for", make_for)
        runs = [campaign(store, examples=1) for _ in range(2)]
    assert [run.extra["fixed"] for run in runs] == [list(store.kept), []]
    assert [run.verdict for run in runs] == [Verdict.PASSED] * 2
    assert [finding.id for finding in campaign(store, examples=0).findings] == list(store.kept)


@pytest.mark.usefixtures("broken")
def test_a_campaign_goes_on_after_a_finding_and_names_what_that_hides() -> None:
    store, told = Memory(), list[Finding]()
    run = fuzz(FuzzOptions(examples=60, seed=2), lambda _: None, store, told.append)
    assert (run.extra["examples"], list(run.findings)) == (60, told)
    (finding,) = told
    assert run.extra["hidden"][finding.id] > 5
    again = campaign(store, examples=8, seed=3)
    assert (again.extra["examples"], again.findings) == (8, run.findings)
    assert again.ops > 0


def test_two_faults_are_two_findings(monkeypatch: Any) -> None:
    other = next(fault for fault in FAULTS if fault.title == "calloc does not zero reused memory")
    both = planted(replace(BROKEN, edits=(*BROKEN.edits, *other.edits)))
    monkeypatch.setattr(fuzzing, "make_for", lambda target: on_source(both))
    found = campaign(examples=60, seed=2).findings
    assert len({finding.code for finding in found}) == len(found) == 2


def test_an_interrupted_campaign_tells_what_it_did() -> None:
    def stop(so_far: Any) -> Any:
        raise KeyboardInterrupt
    run = campaign(examples=50, progress=stop)
    assert run.extra["interrupted"]
    assert run.verdict is Verdict.INCONCLUSIVE
    assert run.ops > 0


def test_a_failure_found_before_the_interrupt_is_kept(broken: Any, monkeypatch: Any) -> None:
    def stop(record: Any, seed: Any, late: Any) -> Any:
        raise KeyboardInterrupt
    monkeypatch.setattr(fuzzing, "smallest", stop)
    store = Memory()
    run = campaign(store, examples=50, seed=2)
    assert run.verdict is Verdict.FAILED
    assert run.extra["interrupted"]
    assert len(store.kept) == 1


def test_a_policy_that_was_hardly_tried_was_not_found_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time ended the campaign; that there are few examples may be the user's wish."""
    monkeypatch.setattr(fuzzing, "LEAST_STEPS", 1 << 30)
    run = campaign(policies=("best_fit",), seconds=0.01, seed=1)
    assert run.verdict is Verdict.INCONCLUSIVE
    starved, = run.extra["starved"]
    assert starved.startswith("best_fit: ")
    assert int(starved.split()[1].replace(",", "")) > 100
    asked = campaign(policies=("best_fit",), examples=1, seed=1)
    assert (asked.verdict, asked.extra["starved"]) == (Verdict.PASSED, [])


def test_what_is_seen_late_is_told_of_its_step() -> None:
    """Between two looks at the heap a fault goes unseen; its trace then ends with the step that it shows after."""
    lives = FuzzOptions()
    record = Record(on_source(planted(next(fault for fault in FAULTS if fault.title == "no footer is written"))),
                    lives.policies, lives.arenas, lives.faults)
    live_lives(record, 1, 4)
    assert record.failure is not None
    trace, problem = record.failure
    assert rerun(trace[:-1], record.make).problems == ()
    assert rerun(trace, record.make).problems[0] == problem
    assert exact((trace + parse("stats") * LOOK_EVERY, Problem("later", "")), record.make) == record.failure
    assert exact(record.failure, on_source()) == record.failure, "what does not show again stays as it was"
