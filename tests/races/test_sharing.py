"""A search that several share comes to what one comes to: the same schedules, the same finding, the same words."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import pytest

from heapster.checkers.jobs.local import AHEAD, Local
from heapster.checkers.mutation.fault import plant
from heapster.checkers.mutation.race_faults import FAULTS
from heapster.checkers.races.ours import schedulable
from heapster.checkers.races.search import ProgramPiece, ScheduleSearch, SearchPlan
from heapster.checkers.races.searching import races
from heapster.checkers.races.session import ScheduleProblem
from heapster.checkers.races.sharing import FAR_AHEAD, Allowance, Explorer, failures
from heapster.checkers.targets.source import source_in
from heapster.results import Run, Verdict


def told(run: Run) -> tuple[Any, ...]:
    return run.verdict, run.ops, run.findings, run.checks, run.witnesses, run.extra


@pytest.mark.parametrize("strategy", ["dfs", "pct", "random"])
def test_any_number_of_jobs_explores_the_same(strategy: str) -> None:
    plan = SearchPlan(schedules=170, strategy=strategy, seed=3)
    first, second = (races(plan, pool=Local(jobs)) for jobs in (1, 3))
    assert told(first) == told(second)
    assert first.extra["schedules"] == 170


@pytest.mark.slow
def test_any_number_of_jobs_finds_the_same(tmp_path: Path) -> None:
    source = source_in(plant(FAULTS[0], tmp_path))
    first, second = (races(SearchPlan(schedules=3000, seed=1), source, pool=Local(jobs)) for jobs in (1, 2))
    assert first.verdict is Verdict.FAILED
    assert told(first) == told(second)


def test_time_that_is_up_ends_those_who_share_too() -> None:
    run = races(SearchPlan(seconds=0.4, seed=1), pool=Local(2))
    assert run.verdict is Verdict.PASSED
    assert run.extra["schedules"] > 0


@pytest.mark.parametrize(("plan", "ahead"), [(SearchPlan(seconds=0.2, seed=1), FAR_AHEAD),
                                             (SearchPlan(schedules=20, seed=1), AHEAD)])
def test_nobody_waits_for_a_program_that_takes_long_unless_schedules_are_counted(
        plan: SearchPlan, ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    used, in_order = list[int](), Local.in_order

    def noted(pool: Local, pieces: Iterable[Any], work: Callable[[Any], Any]) -> Iterator[Any]:
        used.append(pool.ahead)
        return in_order(pool, pieces, work)

    monkeypatch.setattr(Local, "in_order", noted)
    assert races(plan, pool=Local(2)).verdict is Verdict.PASSED
    assert set(used) == {ahead}


def test_whoever_works_after_a_finding_knows_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    subject, known = schedulable(None), list[ScheduleProblem]()
    monkeypatch.setattr(subject, "found", known.append)
    problem = ScheduleProblem("data_race", "of two threads")
    search = ScheduleSearch(SearchPlan(seed=1), subject)
    explorer = Explorer(SearchPlan(seed=1, seconds=9.0), lambda: nullcontext(subject), (problem,))
    explored = explorer(((next(search.pieces()),), Allowance(5.0, None)))
    assert known == [problem]
    assert explored[0].tally.schedules > 0


def test_what_is_not_checked_elsewhere_is_told_here() -> None:
    silent: dict[str, None] = {}
    search = ScheduleSearch(SearchPlan(schedules=60, seed=1), schedulable(None), jobs=2)
    assert list(failures(search, Local(2), lambda: nullcontext(search.subject), silent)) == []
    assert set(silent) == set(search.subject.not_checked)


def test_who_shares_goes_no_further_than_is_left() -> None:
    search = ScheduleSearch(SearchPlan(seed=1), schedulable(None))
    explorer = Explorer(search.plan, lambda: nullcontext(search.subject), ())
    explored = explorer((tuple(islice(search.pieces(), 8)), Allowance(None, 20)))
    assert len(explored) < 8
    assert sum(one.tally.schedules for one in explored) == 20


def test_what_is_beyond_the_number_of_schedules_is_not_explored_again(monkeypatch: pytest.MonkeyPatch) -> None:
    search = ScheduleSearch(SearchPlan(schedules=60, seed=1), schedulable(None), jobs=2)
    here: list[ProgramPiece] = []
    monkeypatch.setattr(search, "failures", here.extend)
    assert list(failures(search, Local(2), lambda: nullcontext(search.subject), {})) == []
    assert (here, search.tally.schedules) == ([], 60)


def test_what_was_given_out_when_something_failed_is_given_again_however_soon_the_next_fails(
        monkeypatch: pytest.MonkeyPatch) -> None:
    search, ahead = ScheduleSearch(SearchPlan(seed=1), schedulable(None)), chain((4,), repeat(1))
    met: list[ProgramPiece] = []
    pieces = list(islice(search.pieces(), 30))

    class Ahead(Local):
        """Takes four chunks at first, and later one at a time; all fail."""

        def in_order(self, given: Iterable[Any], work: Callable[[Any], Any]) -> Iterator[Any]:
            for chunk, _ in list(islice(given, next(ahead))):
                yield [work((chunk[:1], Allowance(None, 1)))[0]._replace(failed=True)]

    def here(given: Iterable[ProgramPiece]) -> Iterator[Any]:
        met.extend(given)
        yield from ()

    monkeypatch.setattr(search, "pieces", lambda: iter(pieces))
    monkeypatch.setattr(search, "failures", here)
    assert list(failures(search, Ahead(2), lambda: nullcontext(search.subject), {})) == []
    assert met == pieces


COUNTS_FAULTS = """
import resource
from heapster.cli import main
main(["races", "sim", "--schedules", "200", "--seed", "1", "--jobs", "2"])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt)
"""


def test_workers_keep_their_memory_between_schedules() -> None:
    """Else each takes its pages of the system again and again, where two cores stand in each other's way."""
    done = subprocess.run([sys.executable, "-c", COUNTS_FAULTS], capture_output=True, text=True, check=True)
    assert int(done.stdout.splitlines()[-1]) < 30_000
