"""A window on a heap of any size: a few blocks and their list neighbours, everything else arbitrary.

A free list is a circle through its head. What a proof knows of it is the blocks of interest and how
they follow each other: directly, with one other block between them, or with at least two, of which
the outer ones are known. These are all the ways there are, so aliasing between list neighbours and
heap neighbours is covered.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    ARENA_RECORD,
    FOOTER,
    LOST,
    MAX_ARENAS,
    MIN_BLOCK,
    NEXT,
    OWNERS,
    PREV,
    STATICS,
    STATICS_BYTES,
    TOTALS,
    draw_key,
    header,
)
from heapster.machine.symbolic import HIGHEST, LOWEST

GAP = None          # between two list neighbours of which nothing is known but that they are not adjacent


def no_longer_first(path: Any, m: Any, place: Any) -> None:
    """Let anything stand where a walk began: one that is under way may be far from the first of its list."""
    cell = m.find(place)
    cell.was = cell.now = path.word("the first of the list")


class Window:
    """Statics, an arena in them, and memory around some blocks."""

    def __init__(self, path: Any, *, segregated: bool = False, lost: bool = False) -> None:
        self.path = path
        self.statics = path.word("statics", LOWEST, HIGHEST, ALIGN)
        self.index = path.word("index", 0, MAX_ARENAS - 1)
        self.arena = self.statics + STATICS["arenas"] + self.index * ARENA_BYTES
        self.m = path.machine(self.statics)
        self.m.spans.append((self.statics, STATICS_BYTES))
        draw_key(self.m)
        self.m.put(self.at("segregated"), int(segregated), "segregated")
        self.head = self.at("head")
        self.owner = path.word("owner", 0, OWNERS - 1)
        self.m.put(self.head, header(0, self.owner) + LOST * lost, "header of the head")
        self.circle: list[Any] = [self.head]

    def at(self, name: str) -> Any:
        """Where the arena's record has this."""
        return self.arena + ARENA_RECORD[name]

    def word(self, name: str, low: int = 0, high: int = TOTALS) -> Any:
        """Put an unknown word into the arena's record."""
        word = self.path.word(name, low, high)
        self.m.put(self.at(name), word, name)
        return word

    def span(self, name: str, length: Any) -> Any:
        """The address of a header, apart from all that the window has."""
        b = self.path.word(name, LOWEST, HIGHEST, ALIGN, 8)
        self.reserve(b, length)
        return b

    def reserve(self, start: Any, length: Any) -> None:
        """Nothing else lies in [start, start + length)."""
        self.path.require(start + length, "<=", HIGHEST)
        for other, count in self.m.spans:
            self.path.apart(start, length, other, count)
        self.m.spans.append((start, length))

    def free_block(self, b: Any, size: Any, name: str) -> None:
        """A free block whose left neighbour is used."""
        self.m.put(b, header(size, self.owner, used=0), f"header of {name}")
        self.m.put(b + size + FOOTER, size, f"footer of {name}")

    def of_class(self, index: int) -> Any:
        """The head of the list of a class of sizes."""
        return self.at("classes") + 16 * index - NEXT

    def look_at(self, head: Any) -> None:
        """Let the list of interest be this one."""
        self.head, self.circle = head, [head]

    def listed(self, blocks: Sequence[Any], gaps: int = 3) -> None:
        """A free list through `blocks`, in this order, with any others before, between and after."""
        for b in [*blocks, None]:
            gap = self.path.choose(gaps)
            others = [self.span("other", MIN_BLOCK) for _ in range(gap)]
            self.circle += others[:1] + [GAP] * (gap == 2) + others[1:]
            if b is not None:
                self.circle.append(b)
        for u, v in self.adjacent():
            self.m.put(u + NEXT, v, "next")
            self.m.put(v + PREV, u, "prev")

    def adjacent(self) -> list[tuple[Any, Any]]:
        """Pairs that follow each other on the list."""
        around = [*self.circle, self.head]
        return [(u, v) for u, v in pairwise(around) if u is not GAP and v is not GAP]

    def without(self, *blocks: Any) -> None:
        """What the list should be when these have left it."""
        self.circle = [u for u in self.circle if u is GAP or not any(u is b for b in blocks)]

    def with_first(self, b: Any) -> None:
        """What the list should be when b was put first."""
        self.circle.insert(1, b)

    def after(self, b: Any) -> Any:
        """What follows b on the list; the head after the last."""
        place = next(i for i, u in enumerate(self.circle) if u is b)
        return [*self.circle, self.head][place + 1]

    def is_linked(self) -> bool:
        """Whether memory has the list as `circle` says, both ways."""
        return all(self.m.load(u + NEXT) == v and self.m.load(v + PREV) == u for u, v in self.adjacent())

    def links(self) -> list[Any]:
        """Where the list's known links are."""
        return [link for u, v in self.adjacent() for link in (u + NEXT, v + PREV)]
