"""The page on measuring lists the workloads as they are."""

from pathlib import Path

from heapster.checkers.bench.workloads import table

ROOT = Path(__file__).parents[2]


def test_the_page_lists_the_workloads() -> None:
    assert table() in (ROOT / "docs" / "bench.md").read_text(encoding="utf-8")
