"""The site in a browser: at 400 and 1600 pixels, light and dark. After `make docs` has built it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.commands import DOCS

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.webdriver.common.by import By  # noqa: E402  after the skip
from selenium.webdriver.common.keys import Keys  # noqa: E402

SITE = DOCS / "_build" / "html"
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.docs, pytest.mark.timeout(1200),
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromium-driver are not installed"),
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="make docs builds the site first")]
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
PAGES = ("index", "findings", "how-it-works", "lines", "bench", "proofs", "guides/malloc-lab", "guides/ci",
         "tour/02-split",
         "reference/command-line", "reference/commands/fuzz", "reference/codes", "reference/python", "reference/glossary")
TABS = 12
OVERFLOW = "return document.scrollingElement.scrollWidth - window.innerWidth"
LEVELS = "return [...document.querySelectorAll('article h1,h2,h3,h4')].map(h => Number(h.tagName[1]))"
CONTRAST = """
    const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
    const linear = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
        if (c.length == 3 || c[3] == 1) return c; } return [255, 255, 255]; };
    const poor = [];
    const walker = document.createTreeWalker(document.querySelector('article'), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const e = walker.currentNode.parentElement, style = getComputedStyle(e);
        if (!walker.currentNode.data.trim() || style.visibility == 'hidden' || !e.getClientRects().length
            || style.opacity == 0 || e.closest('.headerlink, .copybtn, svg')) continue;
        const [a, b] = [light(parse(style.color)), light(behind(e))].sort((x, y) => y - x);
        const large = parseFloat(style.fontSize) >= 24 || parseFloat(style.fontSize) >= 18.6 && style.fontWeight >= 700;
        if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5))
            poor.push(walker.currentNode.data.trim().slice(0, 30) + ' ' + style.color + ' ' + behind(e));
    }
    return poor.slice(0, 5)"""


@pytest.fixture(scope="module", params=[(400, "light"), (400, "dark"), (1600, "light"), (1600, "dark")],
                ids=lambda how: f"{how[0]}-{how[1]}")
def browser(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A browser of that width, with that theme."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    width, theme = request.param
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                           {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    driver.theme = theme
    yield driver
    driver.quit()


def opened(browser: Any, page: str) -> None:
    browser.get((SITE / f"{page}.html").as_uri())
    browser.execute_script(f"document.body.dataset.theme = '{browser.theme}'")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_read(browser: Any, page: str) -> None:
    """It scrolls up and down only, its headings make a tree, and its text stands out from what is behind it."""
    opened(browser, page)
    assert browser.execute_script(OVERFLOW) <= 0
    levels = browser.execute_script(LEVELS)
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    assert browser.execute_script(CONTRAST) == []


def test_the_keyboard_is_enough(browser: Any) -> None:
    """The first stop is the way past the menu, and each stop can be seen."""
    opened(browser, "index")
    body = browser.find_element(By.TAG_NAME, "body")
    stops = []
    for _ in range(TABS):
        body.send_keys(Keys.TAB)
        focused = browser.switch_to.active_element
        stops.append((focused.tag_name, focused.accessible_name))
        assert browser.execute_script("const s = getComputedStyle(arguments[0]); return s.outlineStyle != 'none' || "
                                      "s.boxShadow != 'none' || s.borderStyle != 'none'", focused)
    assert stops[0] == ("a", "Skip to content")
    assert len(set(stops)) == TABS


def test_every_page_that_is_named_is_there() -> None:
    assert [page for page in PAGES if not Path(SITE / f"{page}.html").exists()] == []
