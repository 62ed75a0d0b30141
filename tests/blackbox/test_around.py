"""An access is told with what it does to whom, and drawn among what lives around it; pages show both with the line."""

import json
from pathlib import Path

import pytest

from heapster.checkers.blackbox.accesses import READS, WRITES
from heapster.checkers.blackbox.around import heap_around, words_of
from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.protocol import Breach, EventKind, TargetEvent
from heapster.checkers.blackbox.root_cause import Payload
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse
from heapster.reports import jsonfile
from heapster.reports.html.page import page
from heapster.results import Finding, Run, Verdict

HERE = Path(__file__).parent
HELD = [Payload(0, 0x1000, 40, 0), Payload(1, 0x1040, 8, 1)]


def event(address: int, flags: int, kind: EventKind = EventKind.ACCESS) -> TargetEvent:
    """An access of 8 bytes in the third step."""
    return TargetEvent(address, 0, 0x31, 8, 2, kind, flags)


@pytest.mark.parametrize(("happened", "says"), [
    (event(0x1000 + 12, WRITES), "stores 8 bytes (0x31) at byte 12 of a"),
    (event(0x1000 - 16, READS), "loads 8 bytes (0x31) 16 bytes before a"),
    (event(0x1000 + 48, WRITES), "stores 8 bytes (0x31) 8 bytes behind a"),
    (event(0x1040, Breach.WRITES_LIVE, EventKind.BREACH), "stores 8 bytes at byte 0 of b"),
    (event(0x1040, Breach.READS_LIVE, EventKind.BREACH), "loads 8 bytes at byte 0 of b"),
    (event(0x90000, WRITES), "stores 8 bytes (0x31) at 0x90000, far from what lives"),
    (event(0, 0, EventKind.ENTER), ""),
])
def test_an_access_in_words(happened: TargetEvent, says: str) -> None:
    assert words_of(happened, HELD) == says


def test_the_access_is_drawn_among_the_blocks() -> None:
    rows = list(heap_around(event(0x1030, WRITES), HELD))
    assert [row.split()[0] for row in rows] == ["a", ">", "b"]
    assert "+48" in rows[1] and "+64" in rows[2]


def finding(folder: Path) -> Finding:
    """Of an allocator that clears what lies behind each block."""
    source = folder / "mine.c"
    source.write_text((HERE / "correct" / "classes.c").read_text().replace(
        "    lists[h->class] = h;", "    lists[h->class] = h;\n    ((size_t *)p)[-6] = 0;"))
    target = resolve(ForeignOptions(grammar.parse(str(source))))
    with Judge(judge_program(target.bits), target) as judge:
        campaign = Campaign(judge, 0, 1, lines=True)
        campaign.judge_trace(parse("a = malloc(112)\nb = malloc(10)\nfree(b)"))
        assert campaign.explainer
        campaign.explainer.close()
        return campaign.shown[0].finding


def test_a_page_shows_the_source_the_heap_and_the_access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = finding(tmp_path)
    assert found.place and found.place.step == 2 and "of a" in found.place.access
    assert [row.split()[0] for row in found.place.heap] == ["a", ">", "b"]
    run = Run("fuzz", "./mine.c", 7, Verdict.FAILED, 2.0, 1000, (found,), {}, {}, {})
    text = page([json.loads(jsonfile.as_text(run))], [])
    for shown in ("the heap meanwhile", found.place.access, "the line runs here", f"replay {found.id} --at 3",
                  "<mark>&gt;"):
        assert shown in text, shown
    assert text.count("((size_t *)p)[-6] = 0;") == 1
