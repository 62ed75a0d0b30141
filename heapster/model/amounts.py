"""Numbers with their nouns."""


def amount(number: int, noun: str = "byte") -> str:
    """The number with its noun, in the plural unless it is one.

    assert amount(1) == "1 byte" and amount(2, "block") == "2 blocks"
    """
    return f"{number} {noun}{'s' * (number != 1)}"
