"""Numbers: with their nouns, and by a limit's name where they are close to one."""

from heapster.model.geometry import PTRDIFF_MAX, SIZE_MAX

NAMED = {"PTRDIFF_MAX": PTRDIFF_MAX, "SIZE_MAX": SIZE_MAX}
NEARBY = 1 << 30                # a number this close to a named one is printed by that name


def amount(number: int, noun: str = "byte") -> str:
    """The number with its noun, in the plural unless it is one.

    assert amount(1) == "1 byte" and amount(2, "block") == "2 blocks"
    """
    return f"{number} {noun}{'s' * (number != 1)}"


def format_number(number: int) -> str:
    """A number as traces have it: by a limit's name if it is close to one.

    assert format_number(SIZE_MAX - 14) == "SIZE_MAX - 14"
    """
    for name, value in NAMED.items():
        if abs(number - value) < NEARBY:
            away = number - value
            return name if not away else f"{name} {'+' if away > 0 else '-'} {abs(away)}"
    return str(number)


def figure(number: int) -> str:
    """A number in a sentence: its digits in groups, or a limit's name.

    assert figure(4096) == "4,096" and figure(PTRDIFF_MAX) == "PTRDIFF_MAX"
    """
    named = format_number(number)
    return f"{number:,}" if named.isdigit() else named


def in_bytes(number: int) -> str:
    """So many bytes, in a sentence.

    assert in_bytes(1) == "1 byte" and in_bytes(PTRDIFF_MAX - 14) == "PTRDIFF_MAX - 14 bytes"
    """
    return f"{figure(number)} byte{'s' * (number != 1)}"
