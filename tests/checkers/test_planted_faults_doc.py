"""The table of planted faults in the docs tells the truth: each trace still shows its fault."""

from pathlib import Path

import pytest

from heapster.checkers.lockstep.run_trace import on_source, rerun
from heapster.checkers.mutation import fault_matrix
from heapster.checkers.mutation.fault import planted
from heapster.checkers.mutation.fuzz_faults import FAULTS
from heapster.model.trace import parse

DOC = Path(__file__).parents[2] / "docs" / "planted-faults.md"
ROWS = {cells[1].strip(): [cell.strip(" `") for cell in cells[2:5]]
        for cells in (line.split("|") for line in DOC.read_text(encoding="utf-8").splitlines())
        if len(cells) > 4 and cells[2].strip().startswith("`impl/")}


def test_each_way_to_go_wrong_is_planted_for_the_checker_that_is_named() -> None:
    assert "\n".join(fault_matrix.table()) in DOC.read_text(encoding="utf-8")
    assert all(way.title in fault_matrix.PLANTED[way.checker] for way in fault_matrix.WAYS)
    assert len({way.kind for way in fault_matrix.WAYS}) == 6


def test_the_table_lists_the_planted_faults() -> None:
    assert list(ROWS) == [fault.title for fault in FAULTS]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.title.replace(" ", "-"))
def test_the_trace_in_the_table_shows_the_fault_and_passes_without_it(fault: object) -> None:
    assert isinstance(fault, type(FAULTS[0]))
    module, code, trace = ROWS[fault.title]
    assert (module, code) == (f"impl/{fault.module}.py", fault.caught_by)
    assert code in rerun(parse(trace), on_source(planted(fault))).codes
    assert rerun(parse(trace), on_source()).problems == ()
