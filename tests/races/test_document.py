"""The page on threads tells the truth: each replay in its table still shows its fault."""

from pathlib import Path

import pytest

from heapster.checkers.mutation.fault import Fault, plant
from heapster.checkers.mutation.race_faults import FAULTS
from heapster.checkers.mutation.stress_faults import SHOWN_BY
from heapster.checkers.races.corpus import WITH_SPANS, WRITTEN
from heapster.checkers.races.document import INTRODUCTION, TARGETS, WEAK_MEMORY, litmus_rows
from heapster.checkers.races.findings import replay
from heapster.checkers.targets.source import source_in, with_spans, without_spans
from heapster.results import Verdict

PAGE = (Path(__file__).parents[2] / "docs" / "races.md").read_text(encoding="utf-8")
ROWS = {cells[0]: cells for cells in ([cell.strip(" `") for cell in line.replace("\\|", "¦").split("|")[1:-1]]
                                      for line in PAGE.splitlines() if line.startswith("|"))}


def test_the_page_lists_the_faults_and_the_programs() -> None:
    assert PAGE.startswith(f"{INTRODUCTION}\n{TARGETS}\n{WEAK_MEMORY}")
    assert {fault.title for fault in FAULTS} <= ROWS.keys()
    assert all(ROWS[written.about][1].replace("¦", "|") == written.text for written in (*WRITTEN, *WITH_SPANS))


def test_the_page_has_the_litmus_tests_and_how_many_outcomes_each_has() -> None:
    assert "\n".join(litmus_rows()) in PAGE


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.title)
def test_the_replay_shows_the_fault_ten_times_and_nothing_without_it(fault: Fault, tmp_path: Path) -> None:
    _, code, text, pattern = ROWS[fault.title]
    source = source_in(plant(fault, tmp_path), spans=fault.spans)
    found = {replay(text.replace("¦", "|"), source).findings[0].code for _ in range(10)}
    assert (found, code, pattern) == ({code}, fault.caught_by, SHOWN_BY.get(fault.title, ""))
    assert replay(text.replace("¦", "|"), with_spans() if fault.spans else without_spans()).verdict is Verdict.PASSED
