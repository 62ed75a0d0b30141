"""Forks beside threads, and threads that come and go: what only they do harm to is found."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from heapster.checkers.blackbox import forking, generations
from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.judge import Ending, Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.protocol import Ended, Phase, Suspicion
from heapster.checkers.blackbox.race_program import race_program
from heapster.checkers.blackbox.racing import Race, failed, race, run_threads, who_names_the_line
from heapster.checkers.blackbox.reproducer import prove
from heapster.checkers.blackbox.stepwise import set_promises
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve

ZOO = Path(__file__).parent / "zoo"
LOSES_REMOTE = """
static __thread char here;
#define ON_MALLOC(size) (void)here
#define ON_FREE(b) if ((b)->owner != &here) { UNLOCK(); return; }
#include "firstfit.h"
"""
STOPS = """
#include <stdlib.h>
static int used;
#define NO_ATFORK
#define ON_MALLOC(size) used = 1
#include "firstfit.h"
static void stop(void) { if (used) _Exit(1); }
__attribute__((constructor)) static void begin(void) { pthread_atfork(NULL, NULL, stop); }
"""
THREADS = 3


@contextmanager
def judging(source: Path, *flags: str) -> Iterator[Judge]:
    """A judge of it, which knows its promises."""
    found = resolve(ForeignOptions(grammar.parse(str(source)), compiler=Compiler("cc", (f"-I{ZOO}", *flags))))
    with Judge(judge_program(found.bits), found) as judge:
        set_promises(judge, learn(judge, None).promises)
        judge.header.most_size = 2000
        yield judge


def shown(judge: Judge, race: Race | None, folder: Path) -> str:
    """The code of what was found; a C program shows it too."""
    assert race is not None
    program = race_program(judge.target, race.finding, race.threads, folder)
    assert prove(program, folder, judge.target, Compiler())
    return race.finding.code


def test_of_a_race_the_command_is_told_that_names_its_lines() -> None:
    with judging(ZOO / "no_lock.c") as judge:
        found = next(race_ for race_ in (race(judge, THREADS, seed)[0] for seed in range(1, 9)) if race_)
        assert f"the lines that race: heapster races {ZOO / 'no_lock.c'}" in found.finding.details
        assert not list(who_names_the_line(replace(judge.target, ingredients=None)))


def test_a_lock_that_a_forked_child_inherits_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "LIMIT", 1200)
    with judging(ZOO / "no_atfork.c") as judge:
        race, _ = forking.forks_beside(judge, THREADS, 1)
    assert race is not None
    assert race.finding.code == "fork_hang"


def test_forks_of_what_takes_its_lock_pass() -> None:
    with judging(ZOO / "no_atfork.c", "-DFIXED") as judge:
        race, ops = forking.forks_beside(judge, THREADS, 1)
        assert race is None
        assert ops > forking.FORKS * THREADS


def test_what_a_fork_of_one_thread_does_too_is_no_news_of_threads(tmp_path: Path) -> None:
    source = tmp_path / "never.c"
    source.write_text(STOPS)
    with judging(source) as judge:
        assert forking.still_fails(judge, THREADS, 1)
        assert forking.forks_beside(judge, THREADS, 1)[0] is None


@pytest.mark.parametrize(("ended", "phase", "suspicion", "code"), [
    (Ended.TIMED_OUT, Phase.FORKED, Suspicion.NOTHING, "fork_hang"),
    (Ended.RETURNED, Phase.CALLING, Suspicion.FORK, "fork_unsafe"),
    (Ended.TIRED, Phase.FORKED, Suspicion.NOTHING, ""),
    (Ended.SIGNALLED, Phase.CALLING, Suspicion.NOTHING, ""),
    (Ended.RETURNED, Phase.ENDING, Suspicion.NOTHING, "")])
def test_what_a_run_says_of_its_forks(ended: Ended, phase: Phase, suspicion: Suspicion, code: str) -> None:
    assert forking.fork_code(Ending(ended, 0, 0, phase, suspicion, 0, False, "")) == code


def test_what_a_dead_thread_keeps_is_found(tmp_path: Path) -> None:
    with judging(ZOO / "dead_threads.c") as judge:
        race, _ = generations.threads_lose(judge, THREADS, 1)
        assert shown(judge, race, tmp_path) == "memory_never_returned"


def test_what_another_thread_frees_and_nobody_finds_is_found(tmp_path: Path) -> None:
    source = tmp_path / "remote.c"
    text = (ZOO / "firstfit.h").read_text().replace("    b->used = 1;", "    b->used = 1, b->owner = &here;")
    (tmp_path / "firstfit.h").write_text(text.replace("*next, *prev;", "*next, *prev; void *owner, *pad;", 1))
    source.write_text(LOSES_REMOTE)
    found = resolve(ForeignOptions(grammar.parse(str(source))))
    with Judge(judge_program(found.bits), found) as judge:
        set_promises(judge, learn(judge, None).promises)
        judge.header.most_size = 2000
        assert generations.grown(judge, THREADS, 1) > 0


def test_threads_that_leave_nothing_pass() -> None:
    with judging(ZOO / "dead_threads.c", "-DFIXED") as judge:
        race, ops = generations.threads_lose(judge, THREADS, 1)
        assert (race, ops) == (None, generations.ROUNDS * THREADS * generations.STEPS)


def test_threads_rest_in_the_midst_of_a_call_so_that_a_missing_lock_shows(tmp_path: Path) -> None:
    """On few cores too; who holds its lock meanwhile is none the worse."""
    text = '#include "firstfit.h"\n'
    (tmp_path / "locked.c").write_text(text)
    (tmp_path / "unlocked.c").write_text("#define LOCK()\n#define UNLOCK()\n" + text)
    for name, fails in (("unlocked.c", True), ("locked.c", False)):
        with judging(tmp_path / name) as judge:
            assert any(failed(run_threads(judge, THREADS, 10_000, seed)) for seed in range(10)) == fails
