"""Words that are printed: numbers with their nouns, and text of others made harmless."""

import re

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def counted(number: int, noun: str) -> str:
    """The number with its noun, in the plural unless it is one: `1 step`, `2,000 steps`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def legible(text: str) -> str:
    r"""The text with control characters but tabs and line feeds written out: what a target printed is no command.

    assert legible("\x1b[31mred") == "\\x1b[31mred"
    """
    return CONTROL.sub(lambda match: match[0].encode("ascii", "backslashreplace").decode()
                       if match[0] > "\xff" else f"\\x{ord(match[0]):02x}", text)


def printed(data: bytes) -> str:
    """A program's output, harmless and without blanks around it."""
    return legible(data.decode(errors="replace")).strip()
