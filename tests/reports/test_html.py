"""The page, read as text: what it says without JavaScript, and what it never does."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from random import Random

import pytest

from heapster.checkers.lockstep.heap_history import by_policy
from heapster.cli import main
from heapster.commands.pages import finding_journeys, trace_journey
from heapster.commands.pages import travelled as travelled_in
from heapster.model.changes import SLOTS
from heapster.model.operation import Step
from heapster.reports.html.page import page
from heapster.reports.jsonfile import as_value
from heapster.reports.plots import plots
from heapster.reports.tables import Table, markdown
from heapster.reports.timeline import ADDED, Journey, journey
from heapster.results import Place
from tests.reports.pages import FUZZ, MUTATE, POLICIES, PROVE, RACES, TEXT, diff_run, failed, travelled
from tests.reports.samples import FAILED, FINDING

STYLE = Path(__file__).parents[2] / "heapster" / "reports" / "html" / "style.css"
VOID = {"meta", "link", "input", "br", "hr", "img"}
READ = 4.5                      # WCAG 2.1 AA, text
SEEN = 3.0                      # WCAG 2.1 AA, graphics


class Reader(HTMLParser):
    """The text of a page outside scripts and styles, and the tags that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


@pytest.fixture(scope="module")
def html() -> str:
    return page([diff_run(), FUZZ, PROVE, MUTATE, RACES], [travelled(), failed()])


@pytest.fixture(scope="module")
def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


@pytest.mark.parametrize("said", [
    "a <b>bold</b> title & more", "heapster explain structure_diverges", "realloc_moved", "never", "top_was_trimmed",
    "split_conserves_bytes", "all words", "split drops the left flag", "boundary_tags_agree", "1,287",
    "all, to 2 preemptions", "Not checked: the moon.", "90.4 %", "free(a) ← noticed here",
    "heapster replay 'a = malloc(40); b = malloc(8); free(a); free(a)'"])
def test_the_page_says_without_javascript(read: Reader, said: str) -> None:
    assert said in "".join(read.text)


@pytest.mark.parametrize(("place", "said"), [
    (Place("mm.c", 7, "mm_free", "what free(a) does first", guess=True), "the call comes by: mm.c:7, in mm_free: what"),
    (Place("mm.c", 7, "mm_free", "all passes", mended="*h = size;"), "the line: mm.c:7, in mm_free: all passes")])
def test_the_page_says_how_sure_a_line_is(place: Place, said: str) -> None:
    assert said in page([as_value(replace(FAILED, findings=(replace(FINDING, place=place),)))], [])


def test_the_middle_of_a_long_trace_folds_but_for_what_is_marked() -> None:
    steps = tuple(f"a{number} = malloc({number})" for number in range(500))
    shown = page([as_value(replace(FAILED, findings=(replace(FINDING, trace=steps, breaking=200, noticing=499),)))], [])
    assert re.findall(r"<summary>(.*?)</summary><ol class=\"trace mono\" start=\"(\d+)\">", shown) == [
        ("185 more steps", "13"), ("284 more steps", "205")]
    assert [int(size) for size in re.findall(r"<li[^>]*>a\d+ = malloc\((\d+)\)", shown)] == list(range(500))
    assert "<li class=\"broke\">a200 = malloc(200) ← broken here" in shown
    assert "<summary>" not in page([as_value(FAILED)], [])


def test_the_page_is_well_formed(read: Reader) -> None:
    assert read.open == []
    assert len(read.ids) == len(set(read.ids))


def test_nothing_is_fetched(html: str) -> None:
    links = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    assert "default-src 'none'" in html
    assert not re.search(r"@import|url\((?!#)", html)


def test_a_page_of_nothing_is_a_page() -> None:
    assert "<h1>Heapster</h1>" in page([], [])


def test_ten_thousand_steps_on_four_policies_are_small() -> None:
    chance, live, steps = Random(7), list(range(40)), []
    steps = [Step("malloc", (chance.randint(1, 900),), h) for h in live]
    while len(steps) < 10_000:
        h = chance.choice(live)
        steps += [Step("free", operand=h), Step("malloc", (chance.randint(1, 900),), h)]
    made = journey("t", by_policy(steps[:10_000], POLICIES))
    assert len(made.steps) == 10_000
    assert len(page([], [made]).encode()) < 5_000_000


def test_plots_are_the_same_each_time_and_take_the_pages_colours() -> None:
    first, second = list(plots(diff_run())), list(plots(diff_run()))
    assert first == second
    assert len(first) == 7
    assert all("currentColor" in one.svg and "#010203" not in one.svg for one in first)


def test_markdown_escapes_what_would_end_a_cell() -> None:
    assert "| a\\|b | 1,000 |" in markdown(Table("c", ("x", "y"), (("a|b", "1,000"),)))


# Contrast.

def _light(colour: str) -> float:
    """Relative luminance, WCAG 2.1."""
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """1 for equal colours, 21 for black and white."""
    low, high = sorted((_light(one), _light(other)))
    return (high + 0.05) / (low + 0.05)


def schemes() -> list[dict[str, str]]:
    """The colours of the light and of the dark page."""
    found = [dict(re.findall(r"--([\w-]+): (#\w{6})", block))
             for block in re.findall(r":root \{(.*?)\}", STYLE.read_text(), re.DOTALL)]
    assert len(found) == 2
    return found


def test_contrast_of_black_and_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("front", "back", "least"), [
    ("ink", "paper", READ), ("ink", "card", READ), ("faint", "paper", READ), ("faint", "card", READ),
    ("link", "paper", READ), ("bad", "paper", READ), ("good", "paper", READ), ("unsure", "paper", READ),
    ("on-used", "used", READ), ("on-used", "own", READ), ("ink", "free", READ), ("used", "paper", SEEN),
    ("ink", "cached", READ), ("used", "cached", SEEN), ("mark", "cached", SEEN), ("link", "cached", SEEN),
    ("ink", "flame", READ), ("ink", "flame-too", READ),
    ("own", "paper", SEEN), ("free-edge", "paper", SEEN), ("mark", "paper", SEEN), ("used", "free", SEEN),
    ("mark", "free", SEEN), ("link", "free", SEEN)])
def test_colours_can_be_told_apart(dark: bool, front: str, back: str, least: float) -> None:
    colours = schemes()[dark]
    assert contrast(colours[front], colours[back]) >= least


# The commands.

def test_report_writes_what_it_is_asked_for(empty_folder: Path) -> None:
    Path("t").write_text(TEXT)
    Path("d.json").write_text(json.dumps(diff_run()))
    Path("f.json").write_text(json.dumps(FUZZ))
    assert main(["report", "d.json", "f.json", "--html", "o.html", "--markdown", "o.md", "--json", "o.json"]) == 0
    joined = json.loads(Path("o.json").read_text())
    assert (joined["verdict"], joined["ops"], len(joined["findings"]), len(joined["runs"])) == ("failed", 22, 1, 2)
    assert "| first_fit |" in Path("o.md").read_text()
    assert Path("o.html").read_text().count("octet-stream\" data-heap=") == 2


@pytest.mark.parametrize(("text", "says"), [
    ("{", "r.json, line 1: this is not JSON"), ("[]", "it is not an object"), ('{"schema": 3}', "its schema is 3"),
    ('{"schema": 1}', "it has no 'command'"), ("\x00\x01", "line 1")])
def test_what_is_no_run_is_one_line(
    empty_folder: Path, capsys: pytest.CaptureFixture[str], text: str, says: str,
) -> None:
    Path("r.json").write_text(text)
    assert main(["report", "r.json", "--html", "o.html"]) == 2
    assert says in (error := capsys.readouterr().err)
    assert error.count("\n") == 1
    assert not Path("o.html").exists()


def test_nothing_to_report_is_usage() -> None:
    assert main(["report"]) == 2


CACHED = ("cache 512", "a = malloc(40)")


@pytest.mark.parametrize(("target", "has_runs"), [
    ("sim:spans=1", True), ("native:spans=1", True), ("native:spans=1+libc", True), ("native:spans=0", False)])
def test_heaps_of_runs_are_of_the_build_of_their_target(target: str, has_runs: bool, empty_folder: Path) -> None:
    """The finding's, which is taken again, and that of the trace that was compared."""
    Path("t").write_text("\n".join(CACHED))
    finding = FUZZ["findings"][0]
    diffed = diff_run()
    diffed["table"]["t"] = {"first_fit": {**diffed["table"]["t"]["first_fit"], "target": target.partition("+")[0]}}
    runs = [{**FUZZ, "target": target, "findings": [{**finding, "trace": CACHED}]}, {**diffed, "target": target}]
    assert shows_runs(finding_journeys(runs)) == has_runs
    (drawn,) = travelled_in(runs).values()
    assert shows_runs([trace_journey("t", drawn.steps, POLICIES[:1], settings=drawn.settings)]) == has_runs


def shows_runs(journeys: Iterable[Journey]) -> bool:
    """Whether runs are among the strips of the one journey."""
    (drawn,) = journeys
    return any(change[0] == ADDED and change[2] == SLOTS for step in drawn.lanes[0].changes for change in step)


def test_diff_writes_the_page_of_its_policies(empty_folder: Path) -> None:
    Path("t").write_text(TEXT)
    assert main(["diff", "t", "--html", "d.html", "--policy", "first_fit,best_fit"]) == 0
    text = Path("d.html").read_text()
    assert 'octet-stream" data-heap="t"' in text
    assert "Utilization (diff)" in text
    assert main(["diff", "t", "--html", "no/d.html"]) == 2
