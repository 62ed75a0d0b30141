"""Statements that often go with another: the link back, the footer beside a header, the same of the other neighbour."""

import re
from collections.abc import Iterator

from heapster.checkers.blackbox.alternatives import twins_of

LINKED = re.compile(r"(?P<owner>[^=]+) -> (?P<within>(?:\w+ \. )*)(?P<member>\w+) = (?P<other>[^=;]+);")
LINKED_BY = re.compile(r"(?P<macro>\w+) \( (?P<owner>[^=]+) \) = (?P<other>[^=;]+);")
WORD = re.compile(r"[A-Za-z_]\w*")
PLACE = re.compile(r"[A-Za-z_].*")          # what may be NULL, and has members: no number, no cast
NO_PLACE = frozenset({"NULL", "nullptr"})


def completions(statement: str, names: set[str]) -> Iterator[str]:
    """What may have been forgotten beside a statement, of words with blanks between; of the names that there are."""
    yield from dict.fromkeys((*_links_back(statement, names), *_twins(statement, names)))


def _links_back(statement: str, names: set[str]) -> Iterator[str]:
    """Of `a -> next = b;`, or `NEXT ( a ) = b;`: b's link to a, and that where there is a b."""
    for pattern in (LINKED, LINKED_BY):
        if (match := pattern.fullmatch(statement)) is None:
            continue
        owner, other = match["owner"], match["other"]
        if not PLACE.fullmatch(other) or other in NO_PLACE or not (_is_closed(owner) and _is_closed(other)):
            continue
        for twin in twins_of(match["member" if pattern is LINKED else "macro"], names):
            link = (f"{other} -> {match['within']}{twin} = {owner};" if pattern is LINKED
                    else f"{twin} ( {other} ) = {owner};")
            yield from (link, f"if ( {other} ) {link}")


def _twins(statement: str, names: set[str]) -> Iterator[str]:
    """The statement with the opposite of all that has one, and of what is called first."""
    twin = {word: other for word in WORD.findall(statement) for other in [*twins_of(word, names)][:1]}
    inner = [word for word in WORD.findall(statement) if word in twin][:1]
    for instead in (twin, {word: twin[word] for word in inner}):
        if instead:
            yield renamed(statement, instead)


def renamed(statement: str, instead: dict[str, str]) -> str:
    """The statement with other names."""
    return WORD.sub(lambda match: instead.get(match[0], match[0]), statement)


def _is_closed(text: str) -> bool:
    """Whether its brackets close."""
    depth = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return False
    return depth == 0
