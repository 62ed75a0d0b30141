"""What the README says of the tree."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
COMPLETE = ("impl", "model")            # rooms whose every module is on the map


def rooms() -> dict[str, list[str]]:
    """The map of the rooms: the names in each."""
    (block,) = re.findall(r"## The map of the rooms\n\n```\n(.*?)```", (TOP / "README.md").read_text(), re.DOTALL)
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
