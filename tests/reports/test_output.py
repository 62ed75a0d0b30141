"""Results reach stdout or the verdict stands without them; progress goes to stderr, now and then."""

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from heapster.reports.output import _fitted, say
from heapster.reports.progress import BETWEEN_LINES, Meter
from heapster.reports.terminal import index_lines
from heapster.results import Finding, Place, Run, Verdict

LINES = """
from heapster.reports.output import _fitted, say
say([("x" * 3000, "bold red"), ("again: heapster replay y", ""), ("  NOT checked: " + "threads " * 9, ""),
     ("     4 | a line of a source that is longer than the terminal", "")] * 99)
"""


def test_a_pipe_gets_plain_lines_of_any_length(capsys: pytest.CaptureFixture[str]) -> None:
    say([("x" * 300, "bold red"), ("[bold]y", "")])
    assert capsys.readouterr().out == "x" * 300 + "\n[bold]y\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-c", LINES + "print('more')"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.close()
        assert child.wait() == 0
        assert child.stderr.read() == b""


def test_a_full_disk_is_told_and_changes_no_exit_code() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run([sys.executable, "-c", LINES], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0
    assert done.stderr == b"heapster: warning: results cannot be printed: No space left on device\n"


def test_without_a_terminal_progress_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    with Meter("fuzz sim", clock=lambda: now[0]) as meter:
        for _ in range(25):
            now[0] += BETWEEN_LINES / 10
            meter.show(now[0] / 25, f"{now[0]:.0f} done")
        meter.close("all done")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["fuzz sim: 40%, 10 done", "fuzz sim: 80%, 20 done", "fuzz sim: all done"]


def on_a_terminal(**environment: str) -> str:
    """What `say` writes to a terminal of 40 columns."""
    ours, theirs = pty.openpty()
    variables = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "COLUMNS": "40", **environment}
    with subprocess.Popen([sys.executable, "-c", LINES], stdout=theirs, env=variables):
        os.close(theirs)
        written = b""
        with suppress(OSError):             # the terminal's other end is closed
            while part := os.read(ours, 1 << 16):
                written += part
    os.close(ours)
    return written.decode()


def test_a_terminal_gets_colour_unless_it_says_no() -> None:
    assert "\x1b[1;31m" in on_a_terminal()
    assert "31m" not in on_a_terminal(NO_COLOR="1")


def test_lines_are_cut_to_the_terminals_width_unless_they_are_to_be_copied() -> None:
    lines = on_a_terminal(NO_COLOR="1").splitlines()
    assert "x" * 37 + "..." in lines[0]
    assert "x" * 38 not in lines[0]
    assert "again: heapster replay y" in lines[1]


def test_sentences_are_wrapped_at_forty_columns_and_sources_are_cut() -> None:
    lines = [re.sub(r"\x1b\[\w*m", "", line).rstrip() for line in on_a_terminal(NO_COLOR="1").splitlines()]
    assert max(map(len, lines)) <= 40
    assert lines[2] == "  NOT checked: threads threads threads"
    assert lines[3] == "      threads threads threads threads"
    assert "     4 | a line of a source that is l..." in lines


def test_several_findings_are_listed_in_their_order_and_one_is_not() -> None:
    first = Finding("0a", "overlap", "b = malloc(1): two share a byte", ("b = malloc(1)",), "",
                    place=Place("mm.c", 78, "mm_malloc", ""))
    second = Finding("0b", "wrong_errno", "xxx " * 50, (), "")
    run = Run("fuzz", "mm.c", 1, Verdict.FAILED, 1.0, 9, (first, second))
    lines = [text for text, _ in index_lines(run)]
    assert lines[:2] == ["findings, what harms most first:", "  0a  mm.c:78  overlap: b = malloc(1): two share a byte"]
    assert lines[2].startswith("  0b  wrong_errno: xxx")
    assert lines[2].endswith("xxx ...") and 96 <= len(lines[2]) <= 100
    assert list(index_lines(Run("fuzz", "mm.c", 1, Verdict.FAILED, 1.0, 9, (first,)))) == []


WITH_A_BAR = """
from heapster.reports.output import _fitted, say
from heapster.reports.progress import Meter
with Meter("fuzz mm.c") as meter:
    meter.show(0.5, "9 operations")
    say([("a finding", ""), ("again: heapster replay " + "y" * 60, "")])
    meter.show(0.6, "10 operations")
    meter.close("11 operations")
"""


def test_what_is_found_while_a_bar_is_shown_goes_where_results_go(tmp_path: Path) -> None:
    """As of `heapster fuzz mm.c > found.txt`: the bar is on the terminal, the finding in the file, and whole."""
    ours, theirs = pty.openpty()
    with (tmp_path / "found.txt").open("wb") as file:
        subprocess.run([sys.executable, "-c", WITH_A_BAR], stdout=file, stderr=theirs, check=True,
                       env={**os.environ, "TERM": "xterm", "COLUMNS": "40"})
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert (tmp_path / "found.txt").read_text() == "a finding\nagain: heapster replay " + "y" * 60 + "\n"
    assert "9 operations" in shown and "11 operations" in shown
    assert "a finding" not in shown


def test_the_line_that_is_wrong_is_told_whole_however_narrow_the_terminal() -> None:
    line = "    >    81 |     size = n <= 8 ? 16 : 8 * ((n + 7) / 8) + header;"
    parts = _fitted(line, 40)
    assert " ".join(" ".join(parts).split()) == " ".join(line.split())
    assert max(map(len, parts)) <= 40
    assert _fitted(line.replace(">", " "), 40) == [line.replace(">", " ")[:37] + "..."]
