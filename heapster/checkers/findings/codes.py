"""The meaning of each finding's code, from `codes.md`."""

from collections.abc import Iterable
from importlib.resources import files
from typing import NamedTuple

from heapster.model.rules import RULE

HEADING, ARISES, LOOK_AT = "## ", "- Arises: ", "- Look at: "


class Explanation(NamedTuple):
    """A code in words."""

    code: str
    means: str
    arises: str
    look_at: str
    source: str = ""            # of the rule that was broken, if it is a standard's


def explained(codes: Iterable[str]) -> dict[str, dict[str, str]]:
    """Of each of these codes that is known: means, arises, look_at and source."""
    known = explanations()
    return {code: known[code]._asdict() for code in sorted(set(codes) & known.keys())}


def explanations() -> dict[str, Explanation]:
    """All explanations by code, in the order of the page."""
    text = files(__package__).joinpath("codes.md").read_text(encoding="utf-8")
    return {part.code: part for part in map(_parse, text.split(f"\n{HEADING}")[1:])}


def _parse(section: str) -> Explanation:
    code, *lines = section.strip().splitlines()
    if len(lines) != 3 or not lines[1].startswith(ARISES) or not lines[2].startswith(LOOK_AT):
        raise ValueError(f"codes.md: {code} needs a sentence, '{ARISES.strip()}' and '{LOOK_AT.strip()}'")
    source = RULE[code].source if code in RULE else ""
    return Explanation(code, lines[0], lines[1].removeprefix(ARISES), lines[2].removeprefix(LOOK_AT), source)
