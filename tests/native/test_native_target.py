"""`fuzz native`: the compiled library in lockstep with the model; crashes and hangs keep their trace."""

import os
import signal
import time

import pytest

from heapster.checkers.fuzz.stateful import Record
from heapster.checkers.lockstep import native
from heapster.checkers.lockstep.native import NativeMake
from heapster.checkers.lockstep.run_trace import rerun
from heapster.checkers.lockstep.subprocess import Died, Done, Journal, contained
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import make_for
from heapster.machine.lowering import FAULTS
from heapster.model.placement import POLICY_NAMES
from heapster.model.problem import Problem
from heapster.model.trace import parse
from heapster.native.library import DEFAULTS
from tests.hunts import first_hunted

HARMLESS = "long_copy"          # a word more than the old block had goes into the new one, where nothing is promised


def test_a_few_lives_pass() -> None:
    make = NativeMake()
    record = Record(make, POLICY_NAMES, arenas=3, faults=True)
    make.live_lives(record, 1, 4)
    assert record.failure is None
    assert record.examples == 4
    assert record.ops > 100


def test_a_library_is_loaded_once() -> None:
    assert native.library() is native.library("", spans=DEFAULTS.spans)


def test_a_trace_is_run_elsewhere() -> None:
    outcome = rerun(parse("a = malloc(40); free(a); b = malloc(PTRDIFF_MAX)"), make_for(grammar.parse("native")))
    assert outcome.problems == ()
    assert outcome.last == 2


def test_a_misuse_that_hits_unmapped_memory_is_a_fault_not_a_crash() -> None:
    outcome = rerun(parse("threshold 4096; a = malloc(5000); free(a); free(a)"), make_for(grammar.parse("native")))
    assert (outcome.problems, outcome.misused) == ((), "fault")


@pytest.mark.parametrize("fault", first_hunted(sorted(FAULTS.keys() - {HARMLESS})))     # each compiles it all
def test_a_fault_planted_in_the_lowering_is_found(fault: str) -> None:
    make = NativeMake(fault, seconds=5)
    record = Record(make, POLICY_NAMES, arenas=3, faults=True)
    make.live_lives(record, 1, 6)
    assert record.failure is not None
    trace, _ = record.failure
    assert make.rerun(trace).problems       # which ones, wild stores leave to luck


@pytest.mark.faults
def test_what_no_caller_may_rely_on_is_not_looked_at() -> None:
    """It takes the translation's own comparison, of all words: see `test_translation`."""
    record = Record(NativeMake(HARMLESS), POLICY_NAMES, arenas=3, faults=True)
    NativeMake(HARMLESS).live_lives(record, 1, 6)
    assert (record.failure, record.examples) == (None, 6)


def test_a_child_that_dies_is_a_problem_of_the_step_that_it_was_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """By how it died, wherever it did."""
    make = NativeMake()

    def dying(_: object, journal: Journal, __: float) -> Died:
        journal.clear()
        for line in ("a = malloc(8)", "free(a)"):
            journal.note(line)
        return Died("crashed", "the process died of SIGSEGV")

    monkeypatch.setattr(native, "contained", dying)
    problem = Problem("crashed", "free(a): the process died of SIGSEGV")
    outcome = make.rerun(parse("a = malloc(8); free(a); b = malloc(9)"))
    assert (outcome.problems, outcome.last) == ((problem,), 1)
    record = Record(make, POLICY_NAMES, arenas=3, faults=True)
    make.live_lives(record, 1, 4)
    assert (record.failure, record.examples) == ((parse("a = malloc(8); free(a)"), problem), 1)


# The child.

def test_an_answer_comes_back() -> None:
    assert contained(lambda: [1, "two"], Journal(), 10) == Done([1, "two"])


def test_a_crash_is_an_answer_and_the_journal_survives_it() -> None:
    journal = Journal()

    def crash() -> None:
        journal.note("a = malloc(1)")
        journal.note("free(a)")
        os.kill(os.getpid(), signal.SIGKILL)

    assert contained(crash, journal, 10) == Died("crashed", "the process died of SIGKILL")
    assert journal.lines() == ["a = malloc(1)", "free(a)"]


def test_an_end_without_an_answer_is_one() -> None:
    assert contained(lambda: os._exit(0), Journal(), 10) == Died("crashed", "the process ended without an answer")


def test_a_hang_is_an_answer() -> None:
    ended = contained(lambda: time.sleep(60), Journal(), 0.3)
    assert isinstance(ended, Died)
    assert ended.how == "hung"


def test_what_makes_progress_does_not_hang() -> None:
    journal = Journal()

    def work() -> int:
        for number in range(12):
            journal.note(str(number))
            time.sleep(0.1)
        return 1

    assert contained(work, journal, 0.6) == Done(1)


def test_a_defect_of_ours_is_no_finding() -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        contained(lambda: 1 // 0, Journal(), 10)


def test_a_journal_that_is_full_keeps_its_beginning() -> None:
    journal = Journal()
    for _ in range(3):
        journal.note("x" * 400_000)
    assert len(journal.lines()) == 2
