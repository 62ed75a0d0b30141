"""Planted concurrency faults in allocators of seven designs: each is found, small, and found again; none without."""

import shlex
import subprocess
from pathlib import Path

import pytest

from heapster.checkers.races.findings import replay
from heapster.checkers.races.search import SearchPlan
from heapster.checkers.races.searching import races
from heapster.checkers.targets.grammar import parse
from heapster.results import Finding, Run, Verdict
from tests import hunts
from tests.races.test_compiled import C, opened, pytestmark  # noqa: F401  skipped without a compiler

SCHEDULES = 16000
QUICK = 200                     # schedules of each correct allocator, by each strategy
PLANTED = {
    "locked": {
        "LIST_READ_BEFORE_LOCK": "data_race", "CLAIMED_LATER": "overlap", "COUNTED_OUTSIDE": "data_race",
        "DOUBLE_CHECKED": "data_race", "DONE_TWICE": "data_race", "GROWS_UNLOCKED": "data_race",
        "LOCK_ORDER": "lock_order", "LOST_UNLOCK": "lost_unlock", "RELOCK": "fault_relock",
        "STRANGER_UNLOCK": "fault_stranger_unlock", "WRONG_LOCK": "data_race"},
    "lockfree": {
        "ABA": "overlap", "POP_WITHOUT_CAS": "overlap", "POP_RELAXED": "data_race", "PUSH_RELAXED": "data_race",
        "PUBLISHED_TOO_EARLY": "overlap", "SPIN_BY_LOAD_AND_STORE": "data_race", "SPIN_WITHOUT_RELEASE": "data_race",
        "SPIN_KEPT": "deadlock", "BUMP_IN_TWO_STEPS": "data_race"},
    "cached": {
        "FLUSHED_TWICE": "fault_hang", "GIVEN_AWAY_BEFORE_FLUSH": "data_race", "ONE_CACHE_FOR_ALL": "data_race",
        "REFILL_UNLOCKS_TOO_EARLY": "lost_block", "KEPT_AND_GIVEN_BACK": "overlap", "FORK_WITHOUT_LOCK": "fork_unsafe",
        "CHILD_KEEPS_LOCK": "fork_unsafe", "PARENT_KEEPS_LOCK": "lost_unlock", "CACHE_LOST_AT_END": "heap_growth",
        "CACHE_USED_AFTER_END": "data_race", "TORN_DOWN_AT_EXIT": "crash"},
    "gated": {
        "WAITERS_FORGOTTEN": "deadlock", "WAKES_TOO_EARLY": "deadlock", "WAKES_NOBODY": "deadlock",
        "SIGNALS_NOBODY": "deadlock", "NOT_LOOKED_AT_AGAIN": "data_race", "LOOKED_AT_OUTSIDE": "data_race"},
    "ordered": {
        "READY_RELAXED": "crash", "SET_UP_RELAXED": "crash", "SEQUENCE_ENDS_RELAXED": "overlap",
        "SEQUENCE_WRITER_WITHOUT_FENCE": "overlap", "SEQUENCE_READER_WITHOUT_FENCE": "overlap",
        "POP_RELAXED": "data_race", "PUSH_RELAXED": "data_race"},
    "remote": {
        "ENTRY_WITHOUT_FENCE": "overlap", "ENTRY_ORDERED_TOO_LITTLE": "overlap", "TAKE_RELAXED": "data_race",
        "LEAVE_RELAXED": "data_race", "ABANDON_RELAXED": "data_race", "TAKEN_IN_TWO_STEPS": "lost_block",
        "LEFT_WITHOUT_CAS": "overlap", "HEAPS_OF_ENDED_THREADS_STAY": "heap_growth"},
    "plus": {
        "BUMP_IN_TWO_STEPS": "overlap", "ONE_IS_TOLD": "deadlock", "GIVEN_BACK_WITHOUT_LOCK": "data_race",
        "USED_AFTER_ITS_END": "heap_growth"},
}
WEAK = frozenset({              # shown only where an atomic meets an old write
    "READY_RELAXED", "SET_UP_RELAXED", "SEQUENCE_ENDS_RELAXED", "SEQUENCE_WRITER_WITHOUT_FENCE",
    "SEQUENCE_READER_WITHOUT_FENCE", "ENTRY_WITHOUT_FENCE", "ENTRY_ORDERED_TOO_LITTLE"})
FAULTS = [(design, fault, code) for design, faults in PLANTED.items() for fault, code in faults.items()]


def target_of(folder: Path, design: str, fault: str = "NONE") -> Path:
    """The design with a fault: a source, or in C++ an object that is compiled as a user would."""
    source = folder / f"{design}_{fault.lower()}.c"
    if design != "plus":
        source.write_text(f'#define FAULT_{fault}\n#include "{C / design}.c"\n')
        return source
    made = source.with_suffix(".so")
    subprocess.run(["c++", "-std=c++17", "-g", "-O1", "-fPIC", "-fsanitize=thread", f"-DFAULT_{fault}", "-c",
                    str(C / "plus.cpp"), "-o", str(made.with_suffix(".o"))], check=True)
    subprocess.run(["c++", "-shared", str(made.with_suffix(".o")), "-o", str(made)], check=True)
    return made


def hunted(folder: Path, design: str, fault: str) -> tuple[Finding | None, list[Run]]:
    """The first finding, and ten runs of its replay."""
    source = target_of(folder, design, fault)
    with opened(source) as target:
        target.most_findings = 1
        run = races(SearchPlan(schedules=SCHEDULES, seed=1), target, parse(str(source)))
    if not run.findings:
        return None, []
    text = shlex.split(run.findings[0].replay)[2]
    with opened(source) as target:
        return run.findings[0], [replay(text, target) for _ in range(10)]


@pytest.mark.parametrize("planted", hunts.hunted(FAULTS, lambda planted: (planted[2], planted[1] in WEAK),
                                                 lambda planted: f"{planted[0]}-{planted[1]}"))
def test_a_planted_fault_is_found_small_and_found_again(planted: tuple[str, str, str], tmp_path: Path) -> None:
    design, fault, code = planted
    finding, again = hunted(tmp_path, design, fault)
    assert finding is not None and finding.code == code
    lanes = [sum(step.startswith(f"thread {lane}") for step in finding.trace) for lane in range(8)]
    assert max(lanes) <= 3
    assert int(finding.details[-1].split(";")[0].removeprefix("preemptions: ")) <= 3
    assert (";o:" in finding.replay) == (fault in WEAK)
    assert [run.findings[0].code for run in again] == [code] * 10


@pytest.mark.parametrize("strategy", ["dfs", "random", "pct"])
@pytest.mark.parametrize("design", PLANTED)
def test_a_correct_allocator_passes(design: str, strategy: str, tmp_path: Path) -> None:
    path = target_of(tmp_path, design)
    with opened(path) as target:
        run = races(SearchPlan(schedules=QUICK, strategy=strategy, seed=2), target, parse(str(path)))
    assert run.verdict is Verdict.PASSED, run.findings
