"""What stands beside a statement's like elsewhere in a source, said with the names that it has here.

As `b->next = b->next->next;` beside `b->size += b->next->size;` is `a->next = b->next;` beside `a->size += b->size;`.
"""

import re
from collections.abc import Iterator
from itertools import islice, product

ATOM = re.compile(r"([A-Za-z_]\w*(?: (?:->|\.) \w+)*|\d\w*)")       # a name with its members, or a number
MEMBER = re.compile(r" (?:->|\.) \w+")
MOST_SAID = 8                   # ways to say one statement here

Likeness = list[tuple[str, str]]        # of what is called otherwise there: its name there, and here


def likeness(there: str, here: str, anchors: frozenset[str]) -> Likeness | None:
    """How two statements, of words with blanks between, differ in names alone; None where they are not alike.

    They must share more than how they are built: a member, or one of the names that are `anchors`.
    """
    these, those = ATOM.split(there), ATOM.split(here)
    if these[::2] != those[::2]:
        return None
    found, is_anchored = Likeness(), False
    for one, other in zip(these[1::2], those[1::2], strict=True):
        if one[0].isdigit() != other[0].isdigit():
            return None
        if one[0].isdigit():
            continue
        base, its, shares = _apart(one, other)
        is_anchored |= shares or one == other and one in anchors
        if one not in anchors or one != other:
            found.append((base, its))
    return list(dict.fromkeys(found)) if is_anchored else None


def crossed(likes: Likeness, statement: str) -> Likeness:
    """The names in a statement that differ, each called as another of them: two of them may have changed places.

    As where `a` takes in the `b` behind it, and there `b` the `a` before it. What is called stays a function.
    """
    differing = dict.fromkeys(one for one, other in likes if one != other and f"{one} (" not in statement)
    return [(one, other) for one in differing for _, other in likes if other != one and (one, other) not in likes]


def said_here(statement: str, likes: Likeness) -> Iterator[str]:
    """A statement from there, as it may read here."""
    parts = ATOM.split(statement)
    ways = [list(_ways(atom, likes)) for atom in parts[1::2]]
    for chosen in islice(product(*ways), MOST_SAID):
        words = [*chosen, ""]
        yield "".join(f"{rest}{word}" for rest, word in zip(parts[::2], words, strict=True))


def _apart(one: str, other: str) -> tuple[str, str, bool]:
    """Two names without the members that both end with, and whether there are any."""
    shares = False
    while (last := MEMBER.search(one, max(one.rfind(" -> "), one.rfind(" . "), 0))) and other.endswith(last[0]):
        one, other, shares = one[:last.start()], other[:-len(last[0])], True
    return one, other, shares


def _ways(atom: str, likes: Likeness) -> Iterator[str]:
    """What a name may be called here; itself, where nothing is known of it."""
    found = [other + atom[len(one):] for one, other in likes
             if atom == one or atom.startswith((f"{one} -> ", f"{one} . "))]
    yield from dict.fromkeys(found or [atom])
