"""What stands beside the like of a statement elsewhere may be missing here, with the names of its place."""

from pathlib import Path

import pytest

from heapster.checkers.blackbox.analogies import crossed, likeness, said_here
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


TAKEN_IN = """\
struct b { long size; struct b *next, *prev; };
static struct b *first;
static struct b *behind(struct b *b) { return b->next; }
static struct b *ahead(struct b *b) { return b->prev; }
static void cut(struct b **list, struct b *b) { *list = b->next; }
static struct b *absorb(struct b *m, struct b *n) { m->size += n->size; return m; }
struct b *with_left(struct b **list, struct b *b)
{
    struct b *m = ahead(b);
    cut(list, m);
    b = absorb(m, b);
    first = b;
    return b;
}
struct b *with_right(struct b **list, struct b *b)
{
    struct b *n = behind(b);
    b = absorb(b, n);
    first = b;
    return b;
}
"""


def test_names_that_have_changed_places_are_said_so(tmp_path: Path) -> None:
    """What is merged in is cut out of its list first: there the block before, here the one behind."""
    likes = likeness("b = absorb ( m , b );", "b = absorb ( b , n );", frozenset({"absorb"}))
    assert likes is not None and "cut ( list , n );" not in list(said_here("cut ( list , m );", likes))
    over = crossed(likes, "cut ( list , m );")
    assert "cut ( list , n );" in list(said_here("cut ( list , m );", over))
    assert crossed([("near", "far")], "near ( a );") == []          # what is called stays a function
    variants = Variants(TAKEN_IN)
    ranks = {one.after.strip(): one.rank for one in variants.all if one.line == 17 and not one.before}
    assert ranks["cut ( list , n );"] == 0
    built(tmp_path, variants, variants.source())


ROVER = """\
static char *rover, *heap;
static char *behind(char *b) { return b + *(long *)b; }
void place(char *b)
{
    *(long *)b |= 1;
    rover = behind(b);
}
char *merge(char *b)
{
    *(long *)b += *(long *)behind(b);
    return b;
}
"""


def test_what_keeps_a_neighbour_elsewhere_may_keep_the_block_itself(tmp_path: Path) -> None:
    """As the rover of a next fit, which must not be left in the middle of what is merged."""
    variants = Variants(ROVER)
    assert "rover = b;" in {one.after.strip() for one in variants.all if one.line == 10 and not one.before}
    built(tmp_path, variants, variants.source())
