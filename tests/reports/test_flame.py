"""Flame graphs: boxes tile what calls them, and the widest graph has the whole."""

from typing import Any

from heapster.reports.flame import MOST_BOXES, Flame, called, flames


def run(stacks: list[tuple[list[int], int, int]], frames: list[str]) -> dict[str, Any]:
    """A run of `record`: stacks with their calls and bytes at the peak."""
    told = [{"frames": inside, "calls": calls, "bytes": size, "peak_blocks": 1, "peak_bytes": size, "left_blocks": 0,
             "left_bytes": 0} for inside, calls, size in stacks]
    peak = {"step": 9, "blocks": len(stacks), "bytes": sum(size for _, _, size in stacks)}
    return {"target": "p", "sites": {"peak": peak, "stacks": told, "frames": frames}}


SMALL = run([([0, 1], 1, 300), ([0, 2], 3, 90), ([0], 4, 10), ([3], 2, 0)], ["main", "load", "<b>&", "start"])


def drawn(flame: Flame) -> dict[str, tuple[float, float, int]]:
    return {box.name: (round(box.start, 4), round(box.width, 4), box.row) for box in flame.boxes}


def test_boxes_lie_under_their_callers() -> None:
    """By bytes and by calls; nothing is left at the end, so no graph of that."""
    size, calls = flames([SMALL])
    assert drawn(size) == {"all": (0, 1, 0), "main": (0, 1, 1), "load": (0, .75, 2), "<b>&": (.75, .225, 2)}
    assert drawn(calls) == {"all": (0, 1, 0), "main": (0, .8, 1), "start": (.8, .2, 1), "<b>&": (0, .3, 2),
                            "load": (.3, .1, 2)}
    assert [size.title, calls.title] == ["Bytes live at the peak: p", "Calls that made a block: p"]


def test_of_very_many_boxes_the_smallest_are_left_out() -> None:
    names = [str(number) for number in range(1040)]
    deep = run([([number, *range(1000, 1040)], 1, 2000 - number) for number in range(200)], names)
    size, _ = flames([deep])
    assert len(size.boxes) == MOST_BOXES
    assert "the smallest are left out" in size.caption


def test_the_table_has_shares_of_the_peak() -> None:
    (table,) = called([SMALL])
    assert table.rows[0] == ("300", "75.0 %", "1", "1", "0", "load < main")
    assert "400 bytes in 4 blocks after step 9" in table.caption
