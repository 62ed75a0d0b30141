"""Of each faulty allocator in docs/lines.md the line is named that the table says, nearly always the wrong one."""

from pathlib import Path

import pytest

from tests.blackbox import line_table
from tests.blackbox.line_faults import BLIND_FAULTS, LINE_FAULTS, LineFault
from tests.blackbox.line_table import BLIND, DOC, HEAD, first_finding, row

TUNED, _, STRANGERS = DOC.read_text(encoding="utf-8").partition(BLIND)
TABLE, BLIND_TABLE = (part.partition("\n".join(HEAD))[2].strip().splitlines() for part in (TUNED, STRANGERS))
QUICK = ("copies_too_much", "size_rounded_down", "left_footer_misread", "room_too_large", "zeroes_count_only")
FEW_SECONDS, NEEDS_MANY_TRIES = 4, "room_with_header"
FEWEST, LEAST_RIGHT = 24, 0.9


def test_the_table_lists_the_faults_and_nearly_all_are_named_rightly() -> None:
    assert [line.split(" ")[1] for line in TABLE] == [fault.name for fault in LINE_FAULTS]
    assert len(TABLE) >= FEWEST
    assert sum(map(is_right, TABLE)) >= LEAST_RIGHT * len(TABLE)


def test_a_run_of_a_few_seconds_names_the_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has tries of its own for that: with its share of a longer run's it names another line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(line_table, "SECONDS", FEW_SECONDS)
    (fault,) = (fault for fault in LINE_FAULTS if fault.name == NEEDS_MANY_TRIES)
    assert is_right(row(fault, first_finding(fault, tmp_path)))


def test_what_shows_on_the_twin_alone_is_mended_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that is too long reads a neighbour, and damages nothing: what is copied is the less of two sizes."""
    monkeypatch.chdir(tmp_path)
    (fault,) = (fault for fault in LINE_FAULTS if fault.name == "copies_the_request")
    finding = first_finding(fault, tmp_path)
    assert finding is not None and finding.code == "reads_live_block"
    assert finding.place is not None and "b->size" in finding.place.mended


def test_the_blind_set_is_listed_as_it_was_measured() -> None:
    assert [line.split(" ")[1] for line in BLIND_TABLE] == [fault.name for fault in BLIND_FAULTS]
    assert f"{sum(map(is_right, BLIND_TABLE))} of {len(BLIND_TABLE)}" in STRANGERS


def is_right(line: str) -> bool:
    """Whether a line of the table says that the wrong line is named, or that beside it."""
    return "the wrong one" in line or "beside it" in line


def test_a_planted_fault_is_one_line() -> None:
    for fault in (*LINE_FAULTS, *BLIND_FAULTS):
        assert fault.text().count("/* FAULT */") == 1
        assert fault.wrong in fault.text()


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name, marks=() if fault.name in QUICK else
                                                pytest.mark.faults) for fault in LINE_FAULTS])
def test_the_line_is_named_that_the_table_says(fault: LineFault, tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of a fault's findings comes first hangs on the machine's speed; the line of each is the wrong one."""
    monkeypatch.chdir(tmp_path)
    finding = first_finding(fault, tmp_path)
    assert finding is not None
    (listed,) = (line for line in TABLE if line.startswith(f"| {fault.name} |"))
    assert is_right(row(fault, finding)) or not is_right(listed)
