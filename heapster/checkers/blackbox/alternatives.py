"""What a number, or a name, of a source might be instead."""

import re
from collections.abc import Iterator

from heapster.model.geometry import WORD

TWINS = (("next", "prev"), ("NEXT", "PREV"), ("left", "right"), ("LEFT", "RIGHT"), ("succ", "pred"), ("SUCC", "PRED"),
         ("HDR", "FTR"), ("head", "tail"), ("HEAD", "FOOT"), ("head", "foot"), ("first", "last"), ("min", "max"),
         ("MIN", "MAX"), ("old", "new"), ("lo", "hi"), ("pre", "next"), ("PRE", "NEXT"), ("start", "end"),
         ("START", "END"), ("before", "after"), ("front", "back"), ("floor", "ceil"), ("Floor", "Ceil"), ("up", "down"),
         ("_N", "_P"))
EXACT_TWINS = (("l", "r"), ("L", "R"), ("fwd", "back"), ("fwd", "bwd"), ("a", "b"), ("below", "above"))
WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
SIBLINGS = re.compile(r"[{;]\s*(?:(?:struct|unsigned|const)\s+)*\w+\s+(\**\w+(?:\s*,\s*\**\w+)+)\s*;")
MASKS = (7, 15, 3, 1)
APPLIED = re.compile(r"\b(\w+)\s*\(\s*(\w+)\s*\(\s*\w+\s*\)\s*\)")         # a function or macro of what another answers
REACHED = re.compile(r"\b(\w+)\s*\(\s*\w+\s*\)\s*->")                   # a member of what a function answers
ARROW = "->"
COMMON = 3                      # letters
MOST_VALUES = 6                 # other values of one constant


def other_numbers(text: str, *, masks: bool) -> Iterator[tuple[str, str]]:
    """Other values of a number, the likeliest first, and its suffix."""
    value, suffix = _read(text)
    if masks and value > max(MASKS) and value & (value + 1) == 0:          # all that lies below a power of two
        yield from ((str(other), suffix) for other in (2 * value + 1, value // 2, *MASKS, 0))
        return
    others = dict.fromkeys((value + 1, value - 1, 2 * value, value // 2, value + 8, value - 8, 2 * value + 1, 0))
    for other in dict.fromkeys((*list(others)[:MOST_VALUES + 1], *(MASKS if masks else ()))):
        if other >= 0 and other != value:
            yield str(other), suffix


def are_a_word_apart(text: str, other: str) -> bool:
    """Whether two numbers differ by a word, and the one is no size of anything: 9 is not what 1 was meant to be."""
    value = _read(text)[0]
    return abs(_read(other)[0] - value) == WORD and (value in MASKS[-2:] or value % 4 not in (0, 3))


def _read(text: str) -> tuple[int, str]:
    """The value of a number, and its suffix."""
    digits = text.rstrip("uUlL")
    return int(digits, 16 if digits[:2] in ("0x", "0X") else 8 if digits[:1] == "0" else 10), text[len(digits):]


def are_of_a_family(name: str, other: str) -> bool:
    """Whether two names share a word, or how they end or start: as WSIZE and DSIZE, TINY_MAX and SMALL_MAX do."""
    words, others = ({word.lower() for word in WORDS.findall(one)} for one in (name, other))
    return bool(words & others) or name[-COMMON:] == other[-COMMON:] or name[:COMMON] == other[:COMMON]


def siblings_in(text: str) -> dict[str, list[str]]:
    """Of each name that is declared together with others, those."""
    found: dict[str, list[str]] = {}
    for match in SIBLINGS.finditer(text):
        names = [name.strip("* \t\n") for name in match[1].split(",")]
        for name in names:
            found.setdefault(name, []).extend(other for other in names if other != name)
    return found


def twins_of(name: str, names: set[str]) -> Iterator[str]:
    """Names of the source that say the opposite."""
    for pair in EXACT_TWINS:
        if name in pair and (twin := pair[pair[0] == name]) in names:
            yield twin
    for one, other in TWINS:
        for this, that in ((one, other), (other, one)):
            if this in name and (twin := name.replace(this, that)) in names and twin != name:
                yield twin


def neighbours_in(text: str) -> dict[str, list[str]]:
    """By function or macro, and by the arrow to a member: what it is applied to the answer of, as to plain variables.

    By no name, those of all that have an opposite: others may have forgotten them.

    So of HDRP, of which there are HDRP(bp) and HDRP(NEXT_BLKP(bp)), it is NEXT_BLKP.
    """
    found: dict[str, list[str]] = {ARROW: []}
    for outer, inner in (*APPLIED.findall(text), *((ARROW, inner) for inner in REACHED.findall(text))):
        plain = outer == ARROW or re.search(rf"\b{outer}\s*\(\s*\w+\s*\)", text)
        if plain and inner not in found.setdefault(outer, []) and inner not in ("sizeof", "defined"):
            found[outer].append(inner)
    words = set(re.findall(r"\w+", text))
    every = dict.fromkeys(inner for inners in found.values() for inner in inners if any(twins_of(inner, words)))
    return {**found, "": list(every)[:MOST_VALUES]}
