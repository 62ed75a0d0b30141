"""Words that are printed: numbers with their nouns, and text of others made harmless."""

import re

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

VERBS = {"are": "is", "were": "was"}        # of many, and of one


def counted(number: int, noun: str, verb: str = "") -> str:
    """The number with its noun, and a verb of `VERBS`, in the plural unless it is one: `1 step`, `2,000 steps are`."""
    if number == 1:
        return f"1 {noun}{f' {VERBS[verb]}' if verb else ''}"
    return f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}{f' {verb}' if verb else ''}"


def legible(text: str) -> str:
    r"""The text with control characters but tabs and line feeds written out: what a target printed is no command.

    assert legible("\x1b[31mred") == "\\x1b[31mred"
    """
    return CONTROL.sub(lambda match: match[0].encode("ascii", "backslashreplace").decode()
                       if match[0] > "\xff" else f"\\x{ord(match[0]):02x}", text)


def printed(data: bytes) -> str:
    """A program's output, harmless and without blanks around it."""
    return legible(data.decode(errors="replace")).strip()
