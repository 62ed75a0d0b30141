"""What holds of each block, fence and region of a heap of any size: assumed of what is met, claimed of it afterwards.

A clause relates a block to itself or to its left neighbour; together, of all blocks, they are the invariants of
`model/invariants.py` that speak of regions. Totals are sums, so a claim about one is a claim about a difference.
"""

from collections.abc import Iterator
from operator import eq, le
from typing import Any, NamedTuple

from heapster.checkers.proofs.layout_spec import ALIGN, MIN_BLOCK

SIGNS = {"==": eq, "<=": le}
Clause = tuple[str, Any, str, Any]      # the invariant's name, and the two sides of a relation


class MetBlock(NamedTuple):
    """A block, or a fence: it has no bytes."""

    b: Any
    size: Any
    used: Any                   # 0 or 1
    prev_used: Any
    owner: Any
    footer: Any                 # of a free block; nothing is said of a used one's

    @property
    def is_fence(self) -> bool:
        """Whether it ends a region."""
        return isinstance(self.size, int) and self.size == 0


def clauses_of(left: MetBlock | None, seen: MetBlock, owner: Any) -> Iterator[Clause]:
    """What holds of a block or fence of the arena with this index, and beside its left neighbour, if that is known."""
    yield "owners_are_right", seen.owner, "==", owner
    if seen.is_fence:
        yield "fences_end_their_regions", seen.used, "==", 1
    else:
        yield "sizes_are_legal", MIN_BLOCK, "<=", seen.size
        yield "sizes_are_legal", seen.size & ALIGN - 1, "==", 0
    if not isinstance(seen.used, int) or not seen.used:
        yield "boundary_tags_agree", seen.footer, "==", seen.size
        yield "no_two_free_neighbours", seen.prev_used, "==", 1
    if left is not None:
        yield "flags_agree_with_neighbours", seen.prev_used, "==", left.used


def holds(clause: Clause) -> bool:
    """Whether a clause does; a path for each answer that can be."""
    _, one, sign, other = clause
    return bool(SIGNS[sign](one, other))
