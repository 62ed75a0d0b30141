"""Resizing in place: what is proved of `impl/resize.py` in heaps of any size; the rest is in `whole`."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.layout_spec import PREV_USED, header, only
from heapster.checkers.proofs.region import Around


def absorb_right(source: Any, path: Any) -> None:
    """A used block before a used or a free one, on a list of any length."""
    a = Around(path)
    w, m = a.w, a.w.m
    w.word("free_bytes"), w.word("free_blocks")
    a.list_free(path)
    source.resize.absorb_right(m, w.arena, a.b)
    if not a.right_free:
        path.claim("absorbing_conserves_bytes", lambda: only(m))
        return
    w.without(a.right)
    path.claim("absorbing_conserves_bytes", lambda:
               m.load(a.b) == header(a.size + a.right_size, a.owner, 1, 1 - a.left_free))
    path.claim("an_absorbed_block_leaves_the_list", w.is_linked)
    path.claim("the_right_of_an_absorbed_block_knows", lambda: m.load(a.end) == a.last + PREV_USED)


PROOFS = (
    Proof("resize.absorb_right", ANY_HEAP, absorb_right, {
        "absorbing_conserves_bytes": "the sizes sum",
        "an_absorbed_block_leaves_the_list": "the neighbour is on no list",
        "the_right_of_an_absorbed_block_knows": "what lies right of it knows its left as used",
    }),
)
