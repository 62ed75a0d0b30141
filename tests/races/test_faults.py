"""Planted concurrency faults are found, shrunk, and found again by their replay strings."""

import shlex
from pathlib import Path

import pytest

from heapster.checkers.mutation.fault import Fault, plant
from heapster.checkers.mutation.race_faults import FAULTS
from heapster.checkers.races.findings import replay
from heapster.checkers.races.programs import lanes_of
from heapster.checkers.races.replay import parse_replay
from heapster.checkers.races.search import SearchPlan
from heapster.checkers.races.searching import races
from heapster.checkers.targets.source import source_in
from heapster.results import Verdict
from tests.hunts import hunted

SCHEDULES = 3000                # a fault that needs more of them says so, and is not found quickly
OF_QUICK = {fault.edits[0].file for fault in FAULTS if not fault.budget}


@pytest.mark.parametrize("fault", hunted(FAULTS, lambda fault: fault.edits[0].file, lambda fault: fault.title,
                                         OF_QUICK))
def test_races_finds_the_fault_and_its_replay_fails_again(fault: Fault, tmp_path: Path) -> None:
    source = source_in(plant(fault, tmp_path), spans=fault.spans)
    run = races(SearchPlan(schedules=fault.budget or SCHEDULES, seed=1), source)
    assert run.verdict is Verdict.FAILED
    found = run.findings[0]
    text = shlex.split(found.replay)[2]
    again = [replay(text, source).findings[0] for _ in range(3)]
    assert {(finding.code, finding.title) for finding in again} == {(found.code, found.title)}
    program, segments, *_ = parse_replay(text)
    assert max(len(lane) for lane in program.lanes) <= 3
    assert sum(1 for _ in lanes_of(program)) <= 8
    assert sum(segment.points is not None for segment in segments) <= 3


def test_there_are_enough_faults_and_no_two_are_the_same() -> None:
    assert len(FAULTS) >= 16
    assert len({fault.title for fault in FAULTS}) == len(FAULTS) == len({fault.edits for fault in FAULTS})


def test_the_shipped_source_passes_the_replay_of_a_fault(tmp_path: Path) -> None:
    assert replay("r1:n1/m24|m24;s:0*50,1,0").verdict is Verdict.PASSED
