"""The heap in the terminal: what is drawn, and keys on a real one."""

import os
import pty
import re
import select
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from heapster.checkers.findings.store import FOLDER, Store
from heapster.checkers.lockstep.heap_history import Passage, predicted
from heapster.checkers.targets.grammar import parse as parse_target
from heapster.checkers.traces.compact import compact
from heapster.cli import main
from heapster.commands.view import _Viewer
from heapster.model.runs import RunSlot
from heapster.model.sketch import heap
from heapster.model.trace import parse
from heapster.reports.timeline import unpacked
from heapster.reports.view import BOTH, CACHED, FREE, RECORD, USED, characters, scale, slot_characters
from tests.reports.samples import FINDING

TRACE = "growth 4096; a = malloc(1000); b = malloc(200); c = malloc(600); free(b)"


def test_a_character_says_what_its_bytes_are() -> None:
    (region,) = heap("#64 .64 #32 .32 .64").arenas[0].regions
    drawn = characters(region, 16)
    assert len(drawn) == -(-(region.end - region.start) // 16)
    assert drawn.replace(RECORD, "").startswith(USED * 4 + BOTH + FREE)     # blocks lie 8 bytes off
    assert set(characters(region, 1 << 12)) == {BOTH}


def test_a_character_says_what_its_slots_are() -> None:
    slots = [RunSlot(64 * n, 64, used, cached) for n, (used, cached) in enumerate(
        [(True, False)] * 3 + [(True, True)] + [(False, False)] * 3)]
    assert slot_characters(slots, 1) == USED * 3 + CACHED + FREE * 3
    assert slot_characters(slots, 2) == USED + BOTH + FREE * 2


SLOTS = "cache 512; a = malloc(64); b = malloc(64); c = malloc(64); free(b); d = malloc(500)"


@pytest.mark.parametrize("columns", [40, 80])
def test_runs_are_rows(columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["view", SLOTS, "--target", "sim:spans=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = lines.index("arena 0 run +0, 64-byte slots")
    assert lines[row + 1:row + 4] == [USED + CACHED + USED, "arena 0 run +65536, 512-byte slots", USED]
    assert "+0 #64=a  +64 ~64" in " ".join(lines)
    assert all(len(line) <= columns for line in lines)
    assert main(["view", SLOTS, "--target", "sim:spans=0"]) == 0
    assert "slots" not in capsys.readouterr().out


def test_of_more_runs_than_fit_the_first_are_rows(capsys: pytest.CaptureFixture[str]) -> None:
    many = "; ".join(["cache 1024", *[f"a{size} = malloc({size})" for size in range(32, 512, 16)]])
    assert main(["view", many, "--target", "sim:spans=1"]) == 0
    out = capsys.readouterr().out
    rows, (left,) = len(re.findall("^arena 0 run", out, re.M)), re.findall(r"and (\d+) more runs", out)
    assert rows + int(left) == 30
    assert rows > 2


def test_a_kept_finding_is_viewed_as_its_target_is_built(
    empty_folder: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    kept = replace(FINDING, trace=tuple(SLOTS.split("; ")))
    Store(Path(FOLDER), print).keep(kept, parse_target("sim:spans=1"))
    assert main(["view", kept.id]) == 0
    assert "64-byte slots" in capsys.readouterr().out
    assert main(["report", "--trace", kept.id, "--html", "o.html", "--policy", "best_fit"]) == 0
    (packed_,) = re.findall(r'data-heap="[^"]*">([^<]+)<', Path("o.html").read_text())
    assert unpacked(packed_)["note"] == "What the reference predicts for each policy, with spans=1."


@pytest.mark.parametrize("target", ["libc", "sim:harden=1", "nobody"])
def test_a_heap_that_is_not_predicted_is_not_drawn(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["view", TRACE], ["report", "--trace", "python3", "--markdown", "-"]):
        assert main([*words, "--target", target]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_the_scale_lets_everything_fit() -> None:
    value = heap("#4096 .65536 | #32 || #131072")
    unit = scale(value, 40, 12)
    sizes = [region.end - region.start for arena in value.arenas for region in arena.regions]
    assert sum(-(-size // (unit * 40)) + 1 for size in sizes) <= 12
    assert scale(value, 40, 10_000) == 16


def test_a_step_is_printed_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", TRACE, "--at", "4"]) == 0
    out = capsys.readouterr().out
    assert "> 4: c = malloc(600)" in out
    assert "#208=b" in out
    assert main(["view", TRACE]) == 0
    assert ".208  " in capsys.readouterr().out


def test_a_mapping_that_is_kept_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    for trace, said in (("a = malloc(200000)", "own mapping, 200704 bytes"),
                        ("a = malloc(200000); fail munmap 1; free(a)", "kept mapping, 200704 bytes")):
        assert main(["view", trace]) == 0
        assert said in capsys.readouterr().out


def test_a_trace_longer_than_a_page_is_travelled_whole() -> None:
    """Forward, back over pages that are no longer kept, and to the end; names of blocks of earlier pages stay."""
    trace = compact(parse("; ".join(["a = malloc(40)", *["b = malloc(100); free(b)"] * 7])))
    whole, passage = list(predicted(trace)), Passage(trace, page_steps=4)
    for number in (1, 4, 5, 15, 2, 12, 9, 8):
        page = passage.page(number)
        assert page is not None
        assert page.moments[number - page.first] == whole[number - 1]
        assert "a" in page.live_names(number).values()
    assert (passage.last(99), passage.last(13), passage.page(16)) == (15, 13, None)


def test_an_event_on_another_page_is_found() -> None:
    trace = compact(parse("; ".join(["a = malloc(40)", *["stats"] * 9, "b = malloc(64)", *["stats"] * 9])))
    viewer = _Viewer(Passage(trace, page_steps=4), 1, len(trace))
    viewer.act("", "s")
    assert viewer.number == 11
    viewer.act("last", "")
    assert viewer.number == 20
    viewer.act("", "S")
    assert viewer.number == 11
    viewer.act("", "s")
    assert viewer.number == 11


def test_the_length_of_a_long_trace_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t").write_text("a = malloc(40)\n" + "stats\n" * 4999)
    assert main(["view", str(tmp_path / "t"), "--at", "4500"]) == 0
    assert "step 4,500 of 5,000" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["no-such-file"], [TRACE, "--at", "9"], ["free(x)"]])
def test_what_cannot_be_viewed_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["view", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_keys_travel_on_a_terminal() -> None:
    """Back from step 5, to the split of step 4, to the end, and out."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen([sys.executable, "-m", "heapster", "view", TRACE], stdin=theirs, stdout=theirs,
                             stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"})
    os.close(theirs)
    seen = _until(ours, b"step 5 of 5")
    for key, step in ((b"\x1b[D", 4), (b"h", 3), (b"s", 4), (b"\x1b[H", 1), (b"\x1b[F", 5)):
        os.write(ours, key)
        seen += _until(ours, f"step {step} of 5".encode())
    os.write(ours, b"q")
    _drain(ours)
    assert child.wait(30) == 0
    os.close(ours)
    assert b"used" in seen


def _until(terminal: int, text: bytes, seconds: float = 60) -> bytes:
    seen, end = b"", monotonic() + seconds
    while text not in seen:
        assert monotonic() < end, seen
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 1 << 16)
    return seen


def _drain(terminal: int) -> None:
    try:
        while os.read(terminal, 1 << 16):
            pass
    except OSError:             # the other side is closed
        pass
