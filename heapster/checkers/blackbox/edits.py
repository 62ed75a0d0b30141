"""Words put into a source, or in place of others, such that what stands around them keeps its place."""

import re
from collections.abc import Iterable
from typing import NamedTuple

MARKED = re.compile("\0(\\d+)\1(.*?)\2", re.DOTALL)       # what one of several alternatives puts in, and its number
CLOSES = -(1 << 40)             # order of what ends a span: before all that starts there, the innermost first


class TextEdit(NamedTuple):
    """Words put in at an offset, or in place of `length` characters."""

    at: int
    length: int
    text: str
    number: int
    order: int                  # of what stands at the same offset: wrappers outside
    end: int = 0                # of what it starts to wrap

    @property
    def key(self) -> tuple[int, int, int, int]:
        """Sorts them: the longer of two that start together is outside; of two around the same words the first."""
        return self.at, self.order, -self.end, -self.number if self.order < 0 else self.number


def around(start: int, before: str, end: int, after: str, number: int, order: int = 0) -> list[TextEdit]:
    """Words before and behind others."""
    return [TextEdit(start, 0, before, number, order, end), TextEdit(end, 0, after, number, CLOSES - start)]


def marked(number: int, text: str) -> str:
    """What one of several alternatives puts in, so that it can be left out alone."""
    return f"\0{number}\1{text}\2"


def alternatives(first: int, others: Iterable[object], cast: str = "") -> str:
    """The choice between words for one expression, numbered from `first`, before those that stand there."""
    return "".join(marked(n, f"HEAPSTER_IS({n}) ? {cast}{other} : ") for n, other in enumerate(others, first))


def stays(edits: Iterable[TextEdit], out: frozenset[int]) -> bool:
    """Whether anything is left of edits that belong together."""
    return any(edit.number not in out or any(int(number) not in out for number, _ in MARKED.findall(edit.text))
               for edit in edits)


def without(text: str, out: frozenset[int]) -> str:
    """The words of an edit but for the alternatives that are left out."""
    return MARKED.sub(lambda match: "" if int(match[1]) in out else match[2], text)


def edited(text: str, edits: Iterable[TextEdit]) -> str:
    """The text with all of them; but for those inside of what another stands in place of."""
    parts, at = [], 0
    for edit in sorted(edits, key=lambda edit: edit.key):
        if edit.at < at:
            continue
        parts += [text[at:edit.at], edit.text]
        at = edit.at + edit.length
    return "".join(parts) + text[at:]
