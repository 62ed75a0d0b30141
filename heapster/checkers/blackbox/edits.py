"""Words put into a source, or in place of others, such that what stands around them keeps its place."""

from collections.abc import Iterable
from typing import NamedTuple

CLOSES = -(1 << 40)             # order of what ends a span: before all that starts there, the innermost first


class TextEdit(NamedTuple):
    """Words put in at an offset, or in place of `length` characters."""

    at: int
    length: int
    text: str
    number: int
    order: int                  # of what stands at the same offset: wrappers outside

    @property
    def key(self) -> tuple[int, int, int]:
        """Sorts them: of two around the same words, the one that starts last ends first."""
        return self.at, self.order, -self.number if self.order < 0 else self.number


def around(start: int, before: str, end: int, after: str, number: int, order: int = 0) -> list[TextEdit]:
    """Words before and behind others."""
    return [TextEdit(start, 0, before, number, order), TextEdit(end, 0, after, number, CLOSES - start)]


def edited(text: str, edits: Iterable[TextEdit]) -> str:
    """The text with all of them; but for those inside of what another stands in place of."""
    parts, at = [], 0
    for edit in sorted(edits, key=lambda edit: edit.key):
        if edit.at < at:
            continue
        parts += [text[at:edit.at], edit.text]
        at = edit.at + edit.length
    return "".join(parts) + text[at:]
