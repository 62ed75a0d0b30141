"""A report in a browser, as the site's pages are looked at: at 400 and 1600 pixels, light and dark."""

from itertools import pairwise
from pathlib import Path

import pytest

from heapster.reports.html.page import write
from heapster.reports.jsonfile import as_value
from heapster.results import Run, Verdict
from tests.docs.browser import CHROMIUM, seen
from tests.reports.pages import FUZZ, MUTATE, PROVE, RACES, diff_run, failed, travelled
from tests.reports.test_flame import run

pytestmark = [pytest.mark.docs, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]
DARK = "--blink-settings=preferredColorScheme=0"
SITES = run([([0, 1], 1, 300), ([0, 2], 3, 90), ([0], 4, 10)], ["main", "load", "<b>&"])


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all kinds of runs, with heaps to travel through and call sites."""
    page = tmp_path_factory.mktemp("report") / "report.html"
    recorded = {**as_value(Run("record", "p", 0, Verdict.PASSED, 1.0, 1)), **SITES}
    write(page, [FUZZ, diff_run(), PROVE, MUTATE, RACES, recorded], [travelled(), failed()])
    return page


@pytest.mark.parametrize("flags", [(), (DARK,)], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_a_report_can_be_read(report: Path, width: int, flags: tuple[str, ...], tmp_path: Path) -> None:
    told = seen(report, tmp_path, width, *flags)
    assert told["overflow"] <= 0, told
    levels = told["levels"]
    assert levels.count(1) == 1 == levels[0]
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert told["faint"] == []
    assert told["nameless"] == []
    assert told["first"] == "to the content"
    assert told["seen"] >= 10


def test_a_report_that_cannot_be_read_is_noticed(report: Path, tmp_path: Path) -> None:
    """Text as faint as its paper, a heading left out, a button without a name, in dark too."""
    page = tmp_path / "bad.html"
    text = report.read_text().replace("--ink: #1b1f24", "--ink: #eeeeee").replace("--ink: #e8eaed", "--ink: #333333")
    page.write_text(text.replace("<h2>Findings</h2>", "<h4>Findings</h4><button></button>"))
    for flags in ((), (DARK,)):
        told = seen(page, tmp_path, 400, *flags)
        assert len(told["faint"]) == 5
        assert told["levels"][:2] == [1, 4]
        assert told["nameless"] == ["<button></button>"]
