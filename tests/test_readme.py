"""What the README and the page on how it works say of the tree."""

import re
from pathlib import Path

import pytest

from heapster.commands import COMMANDS

TOP = Path(__file__).parents[1]
README = TOP / "README.md"
HOW = TOP / "docs" / "how-it-works.md"
MOST_LINES = 100                        # of the README: a screen and a half, and its table of commands
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


def test_the_readme_has_a_line_of_each_command() -> None:
    table = README.read_text().partition("\n## What it does\n")[2].partition("\n\n`heapster COMMAND")[0]
    named = set(re.findall(r"`(?:heapster )?([a-z]+)[ `]", table))
    assert set(COMMANDS) - named - {"doctor"} == set()


def test_the_figures_of_the_readme_are_those_of_the_tables() -> None:
    """The geometric means of processor time and of peak memory, of ours and of three others."""
    lines = (TOP / "docs" / "bench.md").read_text().splitlines()
    means = [line for line in lines if line.startswith("| geometric mean")]
    times, memory = ([cell.split()[0] for cell in line.split("|")[3:7]] for line in means)
    said = re.findall(r"(0\.\d+)(?: of libc's processor time)? at (\d\.\d+)", README.read_text().replace("\n", " "))
    assert [pair[0] for pair in said] == times
    assert [pair[1] for pair in said] == memory
