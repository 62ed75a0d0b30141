"""What stands beside the like of a statement elsewhere may be missing here, with the names of its place."""

from pathlib import Path

import pytest

from heapster.checkers.blackbox.analogies import likeness, said_here
from heapster.checkers.blackbox.variants import Variants
from tests.blackbox.test_variants import built

ANCHORS = frozenset({"HEAD", "PUT", "HDRP"})
BLOCKS = """\
struct b { long size; int used; struct b *next, *prev; };
static struct b *first, *last;
static long count;
void cut(struct b *b, struct b *rest)
{
    rest->next = b->next;
    if (rest->next != 0)
        rest->next->prev = rest;
    else
        last = rest;
    b->used = 0;
    count--;
}
void fuse(struct b *b, struct b *before)
{
    b->size += 16 + b->next->size;
    b->next = b->next->next;
    if (b->next != 0)
        b->next->prev = b;
    if (before->used)
        before->size += 16 + b->size;
    before->size += 16 + b->size;
    before->used = 1;
}
"""


@pytest.mark.parametrize(("there", "here", "beside", "said"), [
    ("b -> size += HEAD + b -> next -> size;", "before -> size += HEAD + b -> size;",
     "b -> next = b -> next -> next;", "before -> next = b -> next;"),          # an expression stands for a name
    ("PUT ( HDRP ( p ) , 1 );", "PUT ( HDRP ( q ) , 0 );", "q = NEXT ( p );", "q = NEXT ( q );"),
    ("a -> in . next = c;", "b -> in . next = d;", "c -> in . prev = a;", "d -> in . prev = b;"),
])
def test_what_stands_beside_the_like_of_a_statement_is_said_with_its_names(there: str, here: str, beside: str,
                                                                           said: str) -> None:
    likes = likeness(there, here, ANCHORS)
    assert likes is not None and said in list(said_here(beside, likes))


@pytest.mark.parametrize(("there", "here"), [
    ("a = b;", "c = d;"),                           # nothing is shared but how it is built
    ("a -> next = b;", "a -> next += b;"),
    ("PUT ( p , 1 );", "PUT ( p , q );"),           # a number is no name
])
def test_what_is_only_built_alike_is_not_alike(there: str, here: str) -> None:
    assert likeness(there, here, ANCHORS) is None


@pytest.mark.parametrize(("line", "missing"), [
    (19, "if ( ! ( b -> next != 0 ) ) last = b;"),      # what is done otherwise
    (22, "before -> next = b -> next;"), (23, "count ++;")])
def test_such_statements_are_the_likeliest_to_be_missing(tmp_path: Path, line: int, missing: str) -> None:
    variants = Variants(BLOCKS)
    ranks = {one.after.strip(): one.rank for one in variants.all if one.line == line and not one.before}
    assert ranks[missing] == 0
    built(tmp_path, variants, variants.source())
