"""Programs and replay strings: what they say comes back, and what makes no sense is told in one line."""

import pytest
from hypothesis import given, settings

from heapster.checkers.races.corpus import WRITTEN
from heapster.checkers.races.generated import generated, programs
from heapster.checkers.races.programs import Program, format_program, lanes_of, numbered, parse_program, wrong
from heapster.checkers.races.replay import format_replay, parse_replay
from heapster.checkers.races.steps import steps
from heapster.machine.traced import Old, Segment
from heapster.results import UsageError


@pytest.mark.parametrize("written", WRITTEN, ids=lambda w: w.about)
def test_written_programs_come_back_as_they_are_written(written) -> None:  # type: ignore[no-untyped-def]
    assert format_program(parse_program(written.text)) == written.text


@settings(max_examples=60, database=None, derandomize=True, deadline=None)
@given(programs(3, 4))
def test_generated_programs_come_back(program: Program) -> None:
    if not wrong(program):
        assert parse_program(format_program(program)) == numbered(program) == program
        assert len(list(steps(program))) == sum(1 for _ in lanes_of(program))


def test_blocks_are_numbered_as_the_text_has_them() -> None:
    """A block's number says what its payload holds, and so what a run does: a shrunk program must run as it reads."""
    program = parse_program("m24,m48/f0|f1")
    shrunk = Program(program.prologue[1:], program.lanes[1:])
    assert shrunk != numbered(shrunk) == parse_program(format_program(shrunk)) == parse_program("m48/f0")


def test_a_seed_gives_the_same_programs() -> None:
    assert generated(20, 2, 3, 7) == generated(20, 2, 3, 7)


def test_generated_programs_keep_to_their_size() -> None:
    for program in generated(30, 3, 2, 1):
        assert len(program.lanes) == 3
        assert all(1 <= len(lane) <= 2 for lane in program.lanes)


def test_the_replay_string_of_the_documentation_is_read() -> None:
    replay = parse_replay("r1:m24,f0|m24;s:0*3,1*2,0")
    assert replay.segments == (Segment(0, 3), Segment(1, 2), Segment(0, None))
    assert format_replay(replay) == "r1:m24,f0|m24;s:0*3,1*2,0"


def test_old_writes_and_the_version_of_the_source_come_back() -> None:
    text = "r1:m24,f0|m24;s:0*3,1*2,0;o:2*1,7*3;v:01234abc"
    replay = parse_replay(text)
    assert (replay.old, replay.version) == ((Old(2, 1), Old(7, 3)), "01234abc")
    assert format_replay(replay) == text


@pytest.mark.parametrize(("text", "reason"), [
    ("m24|j1", "no operation"),
    ("m24|q1", "before the slash"),
    ("q0/m24", "repeats 1 to"),
    ("m24/v0:5|m24", "before the slash"),
    ("m24,f1|m24,f0,f0", "used"),
    ("f0|m24,f0", "freed by one lane"),
    ("f0,m24", "before it is allocated"),
    ("f3|m24", "never allocated"),
    ("f1,m24|f0,m24", "wait for each other's blocks for ever"),
    ("m24|f0|u0", "more than two lanes"),
    ("m24,r0:0", "write f"),
    ("xb0,m24", "counted from 1"),
    ("|".join(["m24"] * 9), "9 threads"),
    (f"m{1 << 63}", "more than a word"),
])
def test_programs_that_make_no_sense(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_program(text)


@pytest.mark.parametrize("text", ["", "r1:", "r1:m24", "r2:m24;s:0", "r1:m24;s:0*x", "r1:m24;s:1", "r1:m24;s:0*0",
                                  "r1:m24;s:0;s:0", "r1:m24;s:0;o:1", "r1:m24;s:0;o:0*1", "r1:m24;s:0;o:1*0",
                                  "r1:m24;s:0;v:123", "r1:m24;s:0;q:1", "r1:m24;o:1*1", "r1:m24;s:0;o1*1"])
def test_replay_strings_that_make_no_sense(text: str) -> None:
    with pytest.raises(UsageError):
        parse_replay(text)
