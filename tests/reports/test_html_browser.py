"""The page in a browser, with real keys and clicks. Skipped where there is no Chromium."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402  after the skip
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

from heapster.checkers.lockstep.heap_history import predicted  # noqa: E402
from heapster.checkers.targets.target import TargetSettings  # noqa: E402
from heapster.reports.html.page import write  # noqa: E402
from heapster.reports.jsonfile import as_value  # noqa: E402
from heapster.results import Run, Verdict  # noqa: E402
from tests.reports.pages import (  # noqa: E402
    FINDING,
    FUZZ,
    POLICIES,
    STEPS,
    TRACE,
    WITH_RUNS,
    diff_run,
    failed,
    kept,
    travelled,
    with_runs,
)
from tests.reports.test_flame import run  # noqa: E402
from tests.reports.test_timeline import of_heap  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromium-driver are not installed")

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--window-size=1200,1000")
SECONDS = 60                    # until a page counts as broken
BLOCKS = """return travel.maps[arguments[0]].lane.seek(arguments[1]).strips.filter(s => s).flatMap(s =>
    s.addr.map((a, i) => [a, s.size[i], Boolean(s.flag[i] & 1), Boolean(s.flag[i] & 2)]))"""
INK = """const c = arguments[0], d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n / (d.length / 4)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "page.html"
    write(path, [diff_run(), FUZZ], [travelled(), failed(), kept(), with_runs()])
    return path.as_uri()


@pytest.fixture
def opened(browser: Any, url: str) -> Any:
    """The page, at the first step of the trace."""
    return at(browser, f"{url}#heap=t&step=0")


def at(browser: Any, address: str) -> Any:
    """The page at an address, loaded afresh and ready."""
    browser.get("about:blank")
    browser.get(address)
    wait(browser, lambda: browser.find_element(By.ID, "travel").get_attribute("data-ready"))
    return browser


def wait(browser: Any, holds: Any) -> None:
    WebDriverWait(browser, SECONDS, poll_frequency=0.05).until(lambda _: holds())


def part(browser: Any, name: str) -> Any:
    return browser.find_element(By.CSS_SELECTOR, f'[data-part="{name}"]')


def press(browser: Any, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()


def click(browser: Any, do: str) -> None:
    browser.find_element(By.CSS_SELECTOR, f'[data-do="{do}"]').click()


def step(browser: Any) -> int:
    return int(part(browser, "slider").get_attribute("value"))


def test_every_heap_in_the_browser_is_the_references(opened: Any) -> None:
    """Also in an order that goes back to keyframes."""
    for lane, policy in enumerate(POLICIES):
        heaps = [of_heap(moment.heap)[0] for moment in predicted(TRACE, policy)]
        for number in (*range(1, STEPS + 1), *range(STEPS, 0, -3)):
            assert {tuple(cell) for cell in opened.execute_script(BLOCKS, lane, number)} == heaps[number - 1], number


def test_every_run_in_the_browser_is_the_references(browser: Any, url: str) -> None:
    at(browser, f"{url}#heap=runs&step=0")
    heaps = [of_heap(moment.heap)[0] for moment in predicted(WITH_RUNS, POLICIES[0], TargetSettings(spans=1))]
    for number in (*range(1, len(WITH_RUNS) + 1, 5), *range(len(WITH_RUNS), 0, -17)):
        assert {tuple(cell) for cell in browser.execute_script(BLOCKS, 0, number)} == heaps[number - 1], number


def test_a_slot_tells_its_class_owner_and_state_and_no_header(browser: Any, url: str) -> None:
    """By pointing along its run, which has one of each; those of runs are in the legend then."""
    at(browser, f"{url}#heap=runs&step=15")
    assert all(item.is_displayed() for item in browser.find_elements(By.CSS_SELECTOR, "[data-of-runs]"))
    point = """const map = travel.maps[0], rect = map.canvas.getBoundingClientRect();
        const { strip, y } = map.places.find(({ strip }) => strip.kind === SLOTS && strip.slot === 64);
        const clientX = rect.left + (arguments[0] + .5) * 64 * map.width / map.bytesPerRow;
        const clientY = rect.top + y + LABEL + 5 - map.top;
        map.canvas.dispatchEvent(new MouseEvent('mousemove', { clientX, clientY }));
        return document.querySelector('[data-part=block]').textContent"""
    browser.execute_script("travel.zoom = 4096; travel.draw()")
    told = [browser.execute_script(point, number) for number in range(8)]
    states = [re.findall("a slot of 64 bytes, (out|cached|back|never handed out)", text) for text in told]
    assert sorted({state for found in states for state in found}) == ["back", "cached", "never handed out", "out"]
    assert all(f"arena 0, slot {number} of 1024 (0x" in text for number, text in enumerate(told, 1))
    assert all("header" not in text and "footer" not in text for text in told)
    assert [text.count("so since step 14: ") for text in told if ", out · " in text] == [1], "it was cached till then"
    assert all(("so since step" in text) == ("never handed out · of" not in text) for text in told)


def test_runs_are_in_the_figures_and_the_pool_beside_them(browser: Any, url: str) -> None:
    at(browser, f"{url}#heap=runs&step={len(WITH_RUNS)}")
    *_, last = predicted(WITH_RUNS, POLICIES[0], TargetSettings(spans=1))
    ledger = last.heap.arenas[0].ledger
    for name, blocks in (("used", ledger.used_blocks), ("free", ledger.free_blocks)):
        assert browser.find_element(By.CSS_SELECTOR, f'[data-figure="{name}"]').text.endswith(f" in {blocks}")
    titles = browser.execute_script("const m = travel.maps[0]; return m.places.map(({ strip }) => m.title(strip))")
    assert "arena 0 · 1024 B slots · 0 out, 1 cached, 1 back of 64" in titles, titles
    assert titles[-1] == "a run that nobody has · 64.0 KiB", titles
    browser.execute_script("travel.zoom = LEAST; travel.draw()")
    assert browser.execute_script("""const m = travel.maps[0];
        return m.places.every(({ strip }) => !strip.addr.length || m.endOf(strip) >= m.freshFrom(strip))"""), "all rows"
    at(browser, f"{url}#heap=t&step=3")
    assert not any(item.is_displayed() for item in browser.find_elements(By.CSS_SELECTOR, "[data-of-runs]"))


def test_keys_step_and_jump(opened: Any) -> None:
    press(opened, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert step(opened) == 3
    assert part(opened, "now").text == "step 3: b = malloc(200)"
    press(opened, Keys.ARROW_LEFT)
    assert step(opened) == 2
    lanes = travelled().lanes
    for key, event in (("c", "coalesce"), ("s", "split"), ("g", "growth")):
        found = {number for lane in lanes for number in lane.events[event]}
        press(opened, Keys.HOME, key, key, key.upper())
        assert step(opened) == min(found), event
    press(opened, Keys.END)
    assert step(opened) == STEPS
    press(opened, "G", Keys.HOME)
    assert step(opened) == 0


def test_buttons_do_the_same(opened: Any) -> None:
    for do, expected in (("next", 1), ("after:growth", 2), ("back", 1), ("last", STEPS), ("first", 0)):
        click(opened, do)
        assert step(opened) == expected, do


def test_play_goes_on_and_stops(opened: Any) -> None:
    press(opened, " ")
    wait(opened, lambda: step(opened) >= 2)
    press(opened, " ")
    stopped = step(opened)
    assert opened.find_element(By.CSS_SELECTOR, '[data-do="play"]').get_attribute("aria-pressed") == "false"
    assert step(opened) == stopped


def test_the_address_leads_back_to_the_step(opened: Any, url: str) -> None:
    press(opened, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    wait(opened, lambda: opened.current_url.endswith("#heap=t&step=2"))
    assert step(at(opened, f"{url}#heap=t&step=7")) == 7
    opened.execute_script("location.hash = '#step=9'")
    wait(opened, lambda: step(opened) == 9)
    opened.execute_script("const newURL = location.href.replace(/#.*/, '#step=4');"
                          "dispatchEvent(new HashChangeEvent('hashchange', {newURL}))")
    assert step(opened) == 4, "the address that a link led to, whatever became of it meanwhile"


def test_a_finding_leads_to_its_heap_and_is_marked(opened: Any) -> None:
    opened.find_element(By.CSS_SELECTOR, f"#finding-{FINDING.id} a[href^='#heap']").click()
    wait(opened, lambda: part(opened, "journey").get_attribute("value") == FINDING.id and step(opened) == 4)
    wait(opened, lambda: opened.find_elements(By.CSS_SELECTOR, ".panel.failed"))
    assert "double_free" in opened.find_element(By.CSS_SELECTOR, ".panel .problem").text
    assert "noticed here" in opened.find_element(By.CSS_SELECTOR, ".steps .current.marked").text
    press(opened, Keys.HOME, "f")
    assert step(opened) == 4


def test_policies_stand_side_by_side_and_are_drawn(opened: Any) -> None:
    press(opened, *[Keys.ARROW_RIGHT] * 5)
    panels = opened.find_elements(By.CSS_SELECTOR, ".panel")
    assert [panel.find_element(By.TAG_NAME, "h3").text for panel in panels] == list(POLICIES)
    for panel in panels:
        assert opened.execute_script(INK, panel.find_element(By.TAG_NAME, "canvas")) > 0.05
        assert "in 4" in panel.find_element(By.CSS_SELECTOR, '[data-figure="used"]').text


def test_a_block_tells_its_header_flags_and_links(opened: Any) -> None:
    part(opened, "number").send_keys(Keys.CONTROL, "a")
    part(opened, "number").send_keys("8", Keys.ENTER)
    opened.find_element(By.CSS_SELECTOR, ".panel .scroller").click()
    press(opened, ".")
    told = part(opened, "block").text
    assert "header 0x" in told and "PREV_USED 1" in told and "next " in told or "used" in told
    seen = set()
    for _ in range(9):
        press(opened, ".")
        seen.add(part(opened, "block").text)
    assert len(seen) >= 5
    assert any("free" in text and "footer" in text and "number 1 of 3 on the list" in text for text in seen), seen


def test_pointing_at_a_block_tells_it(opened: Any) -> None:
    press(opened, *[Keys.ARROW_RIGHT] * 5)
    canvas = opened.find_element(By.CSS_SELECTOR, ".panel canvas")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    left, top = canvas.size["width"] // 2, canvas.size["height"] // 2      # offsets are from the middle
    ActionChains(opened).move_to_element_with_offset(canvas, 180 - left, 30 - top).perform()
    wait(opened, lambda: "first_fit, arena 0 +40" in part(opened, "block").text)
    assert "a = malloc(1000)" in part(opened, "block").text


def test_a_mapping_that_is_kept_says_so(browser: Any, url: str) -> None:
    told = []
    for number in (1, 3):
        at(browser, f"{url}#heap=kept&step={number}")
        press(browser, ".")
        told.append(part(browser, "block").text)
    assert "own mapping" in told[0] and "bytes, used" in told[0]
    assert "kept mapping" in told[1] and "bytes, free · so since step 3: free(a)" in told[1]


def test_no_scale_is_smaller_than_helps(browser: Any, url: str) -> None:
    at(browser, f"{url}#heap=kept&step=43")
    assert part(browser, "scale").text == "256.0 KiB a row"
    assert part(browser, "now").text.startswith("step 43")


def test_zoom_changes_the_scale(opened: Any) -> None:
    press(opened, Keys.END)
    fitted = part(opened, "scale").text
    press(opened, "-")
    click(opened, "out")
    assert part(opened, "scale").text != fitted
    press(opened, "0")
    assert part(opened, "scale").text == fitted


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_window(opened: Any, width: int, scheme: str) -> None:
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                           {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia",
                           {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    try:
        assert opened.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        paper = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(20, 23, 27)") == (scheme == "dark")
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_nothing_is_fetched_and_nothing_goes_wrong(opened: Any) -> None:
    press(opened, *"scgfSCGF+-0.,", Keys.END)
    assert opened.execute_script("return performance.getEntriesByType('resource').map(e => e.name)") == []
    assert [entry for entry in opened.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_tables_stand_with_javascript_off(browser: Any, url: str, tmp_path: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get("about:blank")
        browser.get(url)
        text = Path(url.removeprefix("file://")).read_text()
        assert "<noscript>" in text
        assert browser.find_element(By.CSS_SELECTOR, "#figures td").text == "first_fit"
        assert browser.find_element(By.CSS_SELECTOR, "#plots svg").size["width"] > 200
        assert "never" in browser.find_element(By.ID, "checked").text
        assert browser.find_element(By.ID, "travel").text.endswith("everything else on this page does without.")
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


FLAME = run([([0, 1], 1, 300), ([0, 2], 3, 90), ([0], 4, 10)], ["main", "load", "<b>&"])
WIDTHS = """const boxes = [...document.querySelector('.flame > svg').children].filter(b => b.style.display !== 'none');
    return Object.fromEntries(boxes.map(b => [b.querySelector('text').textContent,
                                              parseFloat(b.getAttribute('width'))]))"""


def test_a_flame_graph_is_walked_and_zoomed_by_keys(browser: Any, tmp_path: Path) -> None:
    write(tmp_path / "page.html", [{**as_value(Run("record", "p", 0, Verdict.PASSED, 1.0, 1)), **FLAME}], [])
    browser.get((tmp_path / "page.html").as_uri())
    whole = {"all": 100, "main": 100, "load": 75, "<b>&": 22.5}
    assert browser.execute_script(WIDTHS) == whole
    browser.execute_script("document.querySelector('.flame > svg > svg').focus()")
    press(browser, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ENTER)
    assert browser.find_element(By.CSS_SELECTOR, ".flame output").text == "<b>&: 90, 22.5 %"
    assert browser.execute_script(WIDTHS) == {"all": 100, "main": 100, "<b>&": 100}
    press(browser, Keys.ESCAPE)
    assert browser.execute_script(WIDTHS) == whole
    browser.find_element(By.CSS_SELECTOR, ".flame input").send_keys("LOA")
    hit = browser.find_elements(By.CSS_SELECTOR, ".flame")[0].find_elements(By.CSS_SELECTOR, ".hit")
    assert [box.get_attribute("textContent").count("load") for box in hit] == [2]


def test_a_plot_over_steps_is_zoomed_by_dragging_and_by_keys(opened: Any) -> None:
    """The stretch becomes as wide as the plot, its marks are those of its steps, and all comes back."""
    figure = opened.find_element(By.CSS_SELECTOR, "figure.zoom")
    span = "const z = arguments[0].zoom; return [z.from, z.to].map(Math.round)"
    marks = """const shown = t => getComputedStyle(t).display !== 'none';
        const marks = [...arguments[0].querySelectorAll('.xtick, .made')].filter(shown);
        return marks.map(t => Number(t.querySelector('text').textContent))"""
    whole, usual = opened.execute_script(span, figure), opened.execute_script(marks, figure)
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", figure)
    svg = figure.find_element(By.TAG_NAME, "svg")
    wide = svg.size["width"]
    ActionChains(opened).move_to_element_with_offset(svg, 0, 0).click_and_hold().move_by_offset(
        round(wide * .2), 0).release().perform()
    first, last = opened.execute_script(span, figure)
    assert whole[0] < first < last < whole[1]
    assert all(first - 1 <= step <= last + 1 for step in opened.execute_script(marks, figure))
    line = figure.find_element(By.CSS_SELECTOR, "g[clip-path] > *").get_attribute("transform")
    scale = (whole[1] - whole[0]) / (last - first)
    assert abs(float(line[len("matrix("):].split()[0]) / scale - 1) < .3
    opened.execute_script("arguments[0].focus()", figure)
    press(opened, Keys.ESCAPE)
    assert opened.execute_script(span, figure) == whole
    assert opened.execute_script(marks, figure) == usual
    press(opened, "+", Keys.ARROW_LEFT)
    first, last = opened.execute_script(span, figure)
    assert last - first <= (whole[1] - whole[0]) / 2 + 1
