"""What a number, or a name, of a source might be instead."""

from collections.abc import Iterator

TWINS = (("next", "prev"), ("NEXT", "PREV"), ("left", "right"), ("LEFT", "RIGHT"), ("succ", "pred"), ("SUCC", "PRED"),
         ("HDR", "FTR"), ("head", "tail"), ("HEAD", "FOOT"), ("head", "foot"), ("first", "last"), ("min", "max"),
         ("MIN", "MAX"), ("old", "new"), ("lo", "hi"), ("pre", "next"), ("PRE", "NEXT"), ("start", "end"),
         ("START", "END"), ("before", "after"), ("front", "back"), ("floor", "ceil"), ("Floor", "Ceil"), ("up", "down"))
MASKS = (7, 15, 3, 1)
MOST_VALUES = 6                 # other values of one constant


def other_numbers(text: str, *, masks: bool) -> Iterator[tuple[str, str]]:
    """Other values of a number, the likeliest first, and its suffix."""
    digits = text.rstrip("uUlL")
    suffix = text[len(digits):]
    value = int(digits, 16 if digits[:2] in ("0x", "0X") else 8 if digits[:1] == "0" else 10)
    others = dict.fromkeys((value + 1, value - 1, 2 * value, value // 2, value + 8, value - 8, 2 * value + 1, 0))
    for other in dict.fromkeys((*list(others)[:MOST_VALUES + 1], *(MASKS if masks else ()))):
        if other >= 0 and other != value:
            yield str(other), suffix


def twins_of(name: str, names: set[str]) -> Iterator[str]:
    """Names of the source that say the opposite."""
    for one, other in TWINS:
        for this, that in ((one, other), (other, one)):
            if this in name and (twin := name.replace(this, that)) in names and twin != name:
                yield twin
