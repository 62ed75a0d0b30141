"""The site in a browser: at 400 and 1600 pixels, light and dark. After `make docs` has built it."""

from itertools import pairwise
from pathlib import Path

import pytest

from tests.docs.browser import CHROMIUM, seen
from tests.docs.commands import DOCS

SITE = DOCS / "_build" / "html"
pytestmark = [
    pytest.mark.docs,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="make docs builds the site first")]
PAGES = ("index", "findings", "how-it-works", "lines", "bench", "proofs", "guides/malloc-lab", "guides/ci",
         "guides/notebook", "tour/02-split", "reference/command-line", "reference/commands/fuzz", "reference/codes",
         "reference/installing", "reference/python", "reference/glossary")


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_read(page: str, width: int, tmp_path: Path) -> None:
    """It scrolls up and down only, its headings make a tree, its text stands out, the keyboard gets past the menu."""
    told = seen(SITE / f"{page}.html", tmp_path, width)
    assert told["overflow"] <= 0, told
    levels = told["levels"]
    assert levels.count(1) == 1 == levels[0]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert told["faint"] == []
    assert told["first"] == "Skip to content"
    assert told["seen"] >= 10


def test_a_page_that_cannot_be_read_is_noticed(tmp_path: Path) -> None:
    """Too wide, a heading left out, grey on grey, nothing to skip to."""
    page = tmp_path / "bad.html"
    page.write_text("<!doctype html><html><head></head><body><a href='#x'>Menu</a><article style='background: #888'>"
                    "<h1>One</h1><h3>Three</h3><p style='color: #999; width: 3000px'>grey</p></article></body></html>")
    told = seen(page, tmp_path, 400)
    assert told["overflow"] > 0
    assert told["levels"] == [1, 3]
    assert len(told["faint"]) == 2
    assert told["first"] == "Menu"
