"""What the README and the page on how it works say of the tree."""

import inspect
import re
import shutil
from pathlib import Path

import pytest

from heapster.cli import main
from heapster.commands import COMMANDS
from heapster.impl import block

TOP = Path(__file__).parents[1]
README = TOP / "README.md"
HOW = TOP / "docs" / "how-it-works.md"
MOST_LINES = 110                        # of the README: a screen and a half, and its table of commands
COMPLETE = ("impl", "model")            # rooms whose every module is on the map


def rooms() -> dict[str, list[str]]:
    """The map of the rooms: the names in each."""
    (block,) = re.findall(r"## The map of the rooms\n\n```\n(.*?)```", HOW.read_text(), re.DOTALL)
    found: dict[str, list[str]] = {}
    for line in re.sub(r" \(.*?\)|:.*", "", block).splitlines():
        words = line.split()
        if not line.startswith(" "):
            room = words.pop(0).rstrip("/")
        found.setdefault(room, []).extend(words)
    return found


def in_tree(room: str) -> set[str]:
    entries = (TOP / "heapster" / room).iterdir()
    return {path.stem for path in entries if path.suffix == ".py" or (path / "__init__.py").exists()} - {"__init__"}


@pytest.mark.parametrize("room", rooms())
def test_the_map_of_the_rooms_is_true(room: str) -> None:
    named = rooms()[room]
    assert set(named) - in_tree(room) == set()
    assert room not in COMPLETE or in_tree(room) - set(named) == set()


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = README.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (TOP / link).exists(), link


def test_the_first_finding_that_is_shown_is_what_heapster_says(
        empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That of the least program which a fuzz of the broken copy comes to; the page on findings shows it too."""
    text = README.read_text()
    (old, new, file), = re.findall(r"sed -i 's/(.+?)/(.+?)/' (\S+)", text)
    shutil.copytree(TOP / "heapster" / "impl", "broken")
    source = Path(file).read_text()
    Path(file).write_text(source.replace(old, new))
    (shown,) = re.findall(r"\$ heapster fuzz broken --seed 1\n(.*?)```", text, re.DOTALL)
    assert main(["replay", "a = malloc(0)", "--target", "broken"]) == 1
    assert capsys.readouterr().out.startswith(shown)
    assert f"```text\n{shown}" in (TOP / "docs" / "findings.md").read_text()
    (named,) = re.findall(r"one mask in `(\w+)`", text)
    assert old in inspect.getsource(getattr(block, named))


def test_the_readme_has_a_line_of_each_command() -> None:
    table = README.read_text().partition("\n## What it does\n")[2].partition("\n\n`heapster COMMAND")[0]
    named = set(re.findall(r"`(?:heapster )?([a-z]+)[ `]", table))
    assert set(COMMANDS) - named - {"doctor"} == set()


def test_the_figures_of_the_readme_are_those_of_programs_that_nobody_here_wrote() -> None:
    (said,) = re.findall(r"<!-- bench: suite means -->\n(.*?)<!-- bench: end -->", README.read_text(), re.DOTALL)
    assert f"<!-- bench: suite -->\n{said}" in (TOP / "docs" / "bench.md").read_text()
    assert re.match(r"On \d+ programs of mimalloc-bench, which nobody here wrote", said)


def test_the_means_of_our_workloads_stand_below_their_tables() -> None:
    page = (TOP / "docs" / "bench.md").read_text()
    said = page.partition("<!-- bench: own -->\n")[2].partition("\n\n")[0].replace("\n", " ")
    lines = [line for line in page.splitlines() if line.startswith("| weighted geometric mean")]
    times, memory = ([cell.split()[0] for cell in line.split("|")[3:-1]] for line in lines)
    assert re.findall(r"(\d\.\d+) and (\d\.\d+)", said) == list(zip(times, memory, strict=True))
