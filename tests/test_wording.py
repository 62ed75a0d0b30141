"""Words that are printed."""

import pytest

from heapster.reports.output import say
from heapster.wording import counted, legible, printed


def test_a_noun_is_in_the_plural_unless_there_is_one() -> None:
    assert [counted(number, "step") for number in (0, 1, 2000)] == ["0 steps", "1 step", "2,000 steps"]
    assert [counted(number, "process", "were") for number in (1, 2)] == ["1 process was", "2 processes were"]


def test_what_a_program_printed_commands_no_terminal() -> None:
    assert printed(b" \x1b[31mheap\x01\r\xff \x9b\n") == "\\x1b[31mheap\\x01\\x0d� �"
    assert legible("a\tb\nc\x9b\udcff") == "a\tb\nc\\x9b\\udcff"


def test_no_line_that_is_said_holds_a_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    say([("\x1b[2Jgone\x07", "")])
    assert capsys.readouterr().out == "\\x1b[2Jgone\\x07\n"
