"""Pieces of work on several cores: answers in order, errors raised, nothing left behind, the same findings."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heapster import children
from heapster.checkers.fuzz import campaign as fuzzing
from heapster.checkers.fuzz.campaign import FuzzOptions, fuzz
from heapster.checkers.jobs.forked import Tell, taken_frames
from heapster.checkers.jobs.local import AHEAD, Local
from heapster.checkers.jobs.pool import cores
from heapster.checkers.lockstep.run_trace import on_source
from heapster.checkers.mutation.fault import planted
from heapster.checkers.traces.errors import TraceFileError
from heapster.results import HarnessError, UsageError
from heapster.signals import Interrupted, heard
from tests.checkers.test_fuzzing import BROKEN, Memory


def test_there_is_a_core() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_answers_come_in_the_order_of_the_pieces(jobs: int) -> None:
    assert list(Local(jobs).in_order(range(12), lambda piece: piece * piece)) == [piece * piece for piece in range(12)]


def test_as_many_children_as_jobs_do_all_pieces() -> None:
    pids = list(Local(2).in_order(range(40), lambda _: os.getpid()))
    assert len({*pids, os.getpid()}) == 3
    assert list(Local(1).in_order(range(2), lambda _: os.getpid())) == [os.getpid()] * 2


def test_a_long_answer_comes_whole() -> None:
    assert list(Local(2).in_order([1 << 20], lambda size: "x" * size)) == ["x" * (1 << 20)]


def test_pieces_are_asked_for_as_they_can_be_begun() -> None:
    asked: list[int] = []

    def pieces() -> Iterator[int]:
        for number in range(1000):
            asked.append(number)
            yield number

    answers = Local(2).in_order(pieces(), lambda piece: piece)
    assert next(answers) == 0
    answers.close()             # type: ignore[attr-defined]
    assert len(asked) <= AHEAD * 2 + 1


def test_what_a_child_raises_is_raised_here() -> None:
    def work(piece: int) -> int:
        if piece == 2:
            raise UsageError("two is too many")
        return piece

    answers = Local(3).in_order(range(5), work)
    assert [next(answers), next(answers)] == [0, 1]
    with pytest.raises(UsageError, match="two is too many"):
        next(answers)


def test_an_error_that_cannot_be_sent_is_told_in_words() -> None:
    class Unsendable(Exception):
        """Not to be found by whoever reads it."""

    def work(_: int) -> int:
        raise Unsendable("here")

    with pytest.raises(HarnessError, match="Unsendable: here"):
        list(Local(2).in_order([1], work))


def test_a_users_error_that_cannot_be_sent_is_one_still() -> None:
    def work(_: int) -> int:
        raise TraceFileError(Path("t.trace"), "line 1", "not a step")

    with pytest.raises(UsageError, match=r"t\.trace, line 1: not a step"):
        list(Local(2).in_order([1], work))


def test_a_child_that_dies_is_no_silence() -> None:
    with pytest.raises(HarnessError, match="without an answer"):
        list(Local(2).in_order([1], lambda _: os.kill(os.getpid(), signal.SIGKILL)))


def test_who_stops_asking_leaves_no_child_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    def fork() -> int:
        begun.append(forked())
        return begun[-1]

    forked = children.fork
    monkeypatch.setattr(children, "fork", fork)
    answers = Local(4).in_order(range(8), lambda piece: piece)
    next(answers)
    answers.close()             # type: ignore[attr-defined]
    assert len(begun) == 4
    for pid in begun:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_a_signal_as_a_child_is_waited_for_leaves_nothing_half_done(monkeypatch: pytest.MonkeyPatch) -> None:
    waitpid = os.waitpid

    def interrupted(pid: int, options: int) -> tuple[int, int]:
        signal.raise_signal(signal.SIGTERM)
        return waitpid(pid, options)

    monkeypatch.setattr(os, "waitpid", interrupted)
    with heard(), pytest.raises(Interrupted):
        list(Local(2).in_order(range(4), lambda piece: piece))
    with pytest.raises(ChildProcessError):
        waitpid(-1, os.WNOHANG)


def test_jobs_change_nothing_of_what_a_campaign_finds(monkeypatch: Any) -> None:
    source = planted(BROKEN)
    monkeypatch.setattr(fuzzing, "make_for", lambda target: on_source(source))
    runs = [fuzz(FuzzOptions(examples=10, seed=2, pool=Local(jobs)), lambda _: None, Memory()) for jobs in (1, 3)]
    first, second = ((run.ops, run.findings, run.checks, run.witnesses, run.extra) for run in runs)
    assert first == second
    assert runs[0].findings


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_piece_tells_is_heard_before_its_answer(jobs: int) -> None:
    heard_so_far: list[str] = []

    def work(piece: int, tell: Tell) -> int:
        tell(f"{piece} begins")
        tell("x" * (1 << 17))
        return piece

    answers = Local(jobs).telling(range(3), work, heard_so_far.append)
    for number in range(3):
        assert next(answers) == number
        assert f"{number} begins" in heard_so_far
    assert sorted(map(len, heard_so_far)) == [8] * 3 + [1 << 17] * 3


def test_frames_are_taken_only_whole() -> None:
    data = bytearray(b"\x03\0\0\0\0\0\0\0ab")
    assert not list(taken_frames(data))
    data += b"c\x01\0\0\0\0\0\0"
    assert list(taken_frames(data)) == [b"abc"]
    data += b"\0z"
    assert list(taken_frames(data)) == [b"z"]
    assert not data
