"""Regions: joining neighbours, growing, giving back. What is proved of `impl/region.py`."""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, BITS, INTEGERS, Proof
from heapster.checkers.proofs.drawing import (
    ALIGN,
    FENCE_BYTES,
    FENCE_REGION,
    FIRST_BLOCK,
    FOOTER,
    MAX_REQUEST,
    MIN_BLOCK,
    MMAP,
    PAGE,
    PAYLOAD,
    REGION,
    SBRK,
    STATICS,
    TOTALS,
    USED,
    a_size,
    header,
    only,
)
from heapster.checkers.proofs.window import GAP, Window
from heapster.machine.symbolic import HIGHEST, LOWEST


def fence_before(source: Any, path: Any) -> None:
    """For each end of a region."""
    end = path.word("end", LOWEST, HIGHEST)
    fence = source.region.fence_before(end)
    path.claim("after_a_fence_payloads_would_be_aligned", lambda: fence + PAYLOAD & ALIGN - 1 == 0)
    path.claim("a_fence_ends_the_region", lambda: 0 <= end - (fence + FENCE_BYTES)
               and end - (fence + FENCE_BYTES) < ALIGN)


class Around:
    """A block in its window: free or used neighbours, and any free list through those that are free."""

    def __init__(self, path: Any, used: int = 1) -> None:
        w = self.w = Window(path)
        self.left_free, self.right_free = path.choose(2), path.choose(2)
        self.size, self.owner = a_size(path), w.owner
        self.left_size = a_size(path, "left_size") if self.left_free else 0
        self.right_size = a_size(path, "right_size", 0 if not self.right_free else MIN_BLOCK)
        self.whole = w.span("left" if self.left_free else "b", self.left_size + self.size + self.right_size + 24)
        self.b = self.whole + self.left_size
        self.right = self.b + self.size
        self.end = self.right + (self.right_size if self.right_free else 0)
        w.m.put(self.b, header(self.size, self.owner, used, 1 - self.left_free), "header of b")
        if self.left_free:
            w.free_block(self.whole, self.left_size, "the left")
        if self.right_free:
            w.m.put(self.right, header(self.right_size, self.owner, 0, used), "header of the right")
            w.m.put(self.end + FOOTER, self.right_size, "footer of the right")
        self.last = path.word("last", 0, TOTALS, ALIGN) + USED
        w.m.put(self.end, self.last + (0 if self.right_free else 2 * used), "header after the whole")

    def list_free(self, path: Any) -> None:
        """Put the free neighbours on the list in either order, and the cursor anywhere."""
        free = [self.whole] * self.left_free + [self.right] * self.right_free
        if len(free) == 2 and path.choose(2):
            free.reverse()
        self.w.listed(free)
        self.free, self.cursor = free, [*free, path.word("cursor", 0, TOTALS)][path.choose(len(free) + 1)]
        if not any(self.cursor is b for b in free):
            for b in free:
                path.apart(self.cursor, 1, b, 1)
        self.w.m.put(self.w.at("cursor"), self.cursor, "cursor")
        self.follows = self.cursor
        while any(self.follows is b for b in free):
            self.follows = self.w.after(self.follows)

    @property
    def total(self) -> Any:
        """Bytes of the block and its free neighbours."""
        return self.end - self.whole


def coalesce(source: Any, path: Any) -> None:
    """Each pattern of neighbours, each place on the list that they can have."""
    a = Around(path, used=path.choose(2))
    w, m = a.w, a.w.m
    free_bytes, free_blocks = w.word("free_bytes"), w.word("free_blocks")
    a.list_free(path)
    known = w.links()
    result = source.region.coalesce(m, w.arena, a.b)
    w.without(*a.free)
    absorbed = a.total - a.size
    path.claim("joining_conserves_bytes", lambda:
               result == a.whole and m.load(result) & (1 << 48) - 16 == a.total)
    path.claim("the_whole_has_no_free_neighbour", lambda: m.load(result) == header(a.total, a.owner, 0, 1))
    path.claim("header_and_footer_of_the_whole_agree", lambda: m.load(a.end + FOOTER) == a.total)
    path.claim("the_right_knows_of_the_whole", lambda: m.load(a.end) == a.last)
    path.claim("absorbed_blocks_leave_the_list", lambda: w.is_linked()
               and (not a.left_free or m.load(a.b) & USED == 0)
               and m.load(w.at("cursor")) == a.follows)
    path.claim("joining_counts_what_was_absorbed", lambda:
               m.load(w.at("free_bytes")) == free_bytes - absorbed
               and m.load(w.at("free_blocks")) == free_blocks - len(a.free))
    path.claim("joining_writes_tags_and_links_alone", lambda: only(
        m, a.b, result, a.end, a.end + FOOTER, w.at("cursor"), w.at("free_bytes"), w.at("free_blocks"), *known,
        *w.links()))


PROOFS = (
    Proof("region.fence_before", ALL_WORDS, fence_before, {
        "after_a_fence_payloads_would_be_aligned": "a payload after it would be aligned",
        "a_fence_ends_the_region": "it ends at or before `end`, by less than ALIGN",
    }, encodings=(BITS, INTEGERS)),
    Proof("region.coalesce", ANY_HEAP, coalesce, {
        "joining_conserves_bytes": "sizes sum",
        "the_whole_has_no_free_neighbour": "neither neighbour of the whole is free",
        "header_and_footer_of_the_whole_agree": "header and footer agree",
        "the_right_knows_of_the_whole": "the right neighbour knows",
        "absorbed_blocks_leave_the_list": "absorbed blocks are on no list and not USED",
        "joining_counts_what_was_absorbed": "the ledger no longer counts them",
        "joining_writes_tags_and_links_alone":
            "no word outside the blocks, the list and the ledger changes",
    }),
)
