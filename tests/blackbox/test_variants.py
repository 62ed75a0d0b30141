"""One-expression variants of a C source: each compiles, is chosen by its number, and changes nothing until then."""

import ctypes
import subprocess
from pathlib import Path

import pytest

from heapster.checkers.blackbox.edits import around, edited
from heapster.checkers.blackbox.variants import Variants

TEXT = """\
#define WORD 8
#define ROUND(n) (((n) + 7) & ~7)
struct node { int next, prev; };
static int limits[WORD];                /* no variant may make this size vary */
static int head(struct node *node) { return node->next; }
static int tail(struct node *node) { return node->prev; }
int work(int size, int rest)
{
    struct node one = { 1, 2 };
    int sum = ROUND(size) + WORD;
    switch (size) { case 3: sum += 100; }
    if (size < rest && rest != 0)
        sum = head(&one) - rest;        /* "+ 4" in words is none */
    return sum + limits[0] + tail(&one);
}
"""


def built(folder: Path, variants: Variants, text: str) -> ctypes.CDLL:
    source, made = folder / "v.c", folder / f"v{len(list(folder.iterdir()))}.so"
    source.write_text(text)
    subprocess.run(["cc", "-w", "-shared", "-fPIC", source, "-o", made], check=True)
    return ctypes.CDLL(str(made))


def answers(library: ctypes.CDLL, number: int) -> list[int]:
    ctypes.c_uint.in_dll(library, "heapster_choice").value = number
    return [library.work(size, rest) for size in range(-2, 12) for rest in range(-1, 4)]


@pytest.fixture(scope="module")
def variants() -> Variants:
    return Variants(TEXT)


def lines_of(variants: Variants, line: int) -> set[str]:
    return {variants.mended(one).strip() for one in variants.all if one.line == line}


def left_out(variants: Variants) -> list[int]:
    """WORD is an array's size, which may not vary."""
    return [one.number for one in variants.all if one.line == 1]


def test_nothing_changes_unless_it_is_chosen(tmp_path: Path, variants: Variants) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (tmp_path / "varied").mkdir()
    original = built(plain, variants, TEXT + "unsigned heapster_choice;")
    varied = built(tmp_path / "varied", variants, variants.source(left_out(variants)))
    assert answers(varied, 0) == answers(original, 0)
    different = sum(answers(varied, one.number) != answers(varied, 0) for one in variants.all)
    assert different > len(variants.all) // 2


def test_each_variant_is_the_line_that_it_says(tmp_path: Path, variants: Variants) -> None:
    varied = built(tmp_path, variants, variants.source(left_out(variants)))
    lines = TEXT.splitlines()
    for number, one in enumerate(variants.all):
        if number % 17 or one.line == 1:
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        text = "\n".join([*lines[:one.line - 1], variants.mended(one), *lines[one.line:]])
        alone = built(folder, variants, text + "\nunsigned heapster_choice;")
        assert answers(alone, 0) == answers(varied, one.number), one


@pytest.mark.parametrize(("line", "others"), [
    (2, {"#define ROUND(n) (((n) + 8) & ~7)", "#define ROUND(n) (((n) - 7) & ~7)"}),
    (5, {"static int head(struct node *node) { return node->prev; }"}),
    (12, {"if (size <= rest && rest != 0)", "if (!(size < rest) && rest != 0)", "if (size < rest && rest != 1)",
          "if (size < 8 + rest && rest != 0)", "if (size < rest && 1)"}),
    (13, {'sum = tail(&one) - rest;        /* "+ 4" in words is none */'}),
])
def test_the_usual_slips_are_among_them(variants: Variants, line: int, others: set[str]) -> None:
    assert others <= lines_of(variants, line)


def test_nothing_is_compared_with_itself(variants: Variants) -> None:
    assert not {"if (rest < rest && rest != 0)", "if (size < size && rest != 0)"} & lines_of(variants, 12)


@pytest.mark.parametrize(("text", "slip"), [
    ("int f(int n) { return n / 8; }", "return n / 8 - 1;"),                            # a quotient
    ("int f(int n) { int t[4] = { 0 }; return t[n]; }", "return t[n + 1];"),            # a place in a table
    ("int f(int n) { return n & ~1; }", "return n & ~7;"),                              # a mask of several bits
    ("int align(int n) { return n; } int f(int n) { int m = n + 8; return m; }", "int m = align(n + 8);"),
    ("int f(int n) { n += f(n - 1); return n; }", "n += 8 + f(n - 1);"),                # a sum
    ("struct s { struct s *next, *prev; }; void f(struct s *a, struct s *b) { a->next = b; b = a->prev; }",
     "a->next = b->prev;"),                                                             # a stale pointer
    ("struct s { long size; }; long f(void) { return sizeof(struct s); } long g(long a, long b) { return a - b; }",
     "return a - sizeof(struct s) - b;"),                                               # a header that is forgotten
    ("struct s { long size; }; struct s *f(struct s *a, long n) { return a + n * 8; }",
     "return (char *)a + (n * 8);"),                                                    # a cast that is missing
    ("struct s { long size; }; struct s *f(struct s *a, long n) { return (struct s *)(a + n + 8); }",
     "return (struct s *)((char *)a + (n) + (8));"),                                    # of a sum of three
    ("struct s { long size; }; struct s *f(void *a) { return (struct s *)a - sizeof(struct s); }",
     "return (char *)a - (sizeof ( struct s ));"),                                      # one to the wrong type
    ("struct s { long size; }; struct s *f(struct s *a) { struct s *b = (void *)((char *)a + 1); return b; }",
     "b = (void *)(a + (1));"),                                                         # one too many
    ("struct s { long size; }; void *f(struct s *a) { return a; }", "return a + 1;"),   # behind the header
    ("void *malloc(unsigned long n); int f(int n) {\n char *p = malloc(n);\n p[n] = 0; return 0; }",
     "if ( ! p ) return 0;"),
    ("#include <string.h>\n#define HEAD 8\nint f(char *p, char *q, int a, int n) { memcpy(p, q, n); return n + HEAD; }",
     "memcpy(p, q, a - HEAD);"),
    ("#include <string.h>\nvoid f(char *p, char *q, long old, long need) { memcpy(p, q, need); }",
     "memcpy(p, q, (old < need ? old : need));"),                                       # the less of two
    ("void f(char *p) {\n p[1] = 0; }", "if ( ! p ) return;"),                          # a check that is missing
    ("void *g(long n) { if (n > 9) return 0; return &n; } void f(long m) {\n m = m + 8; }", "if ( m > 9 ) return;"),
])
def test_what_is_left_out_or_taken_from_the_wrong_place_is_among_them(tmp_path: Path, text: str, slip: str) -> None:
    variants = Variants(text)
    assert any(slip in variants.mended(one) for one in variants.all)
    built(tmp_path, variants, variants.source())


def test_what_is_only_asked_for_being_true_is_no_number() -> None:
    """It is always true with a few more."""
    text = "int g(int n) { return n; }\nint f(int n) {\n if (!g(n) && (g(n)) &&\n g(n) > 2) n = g(n); return n; }\n"
    variants = Variants(text)
    more = {one.line for one in variants.all if one.after.startswith("(g(n) + ")}
    assert more == {4}


def test_a_call_of_several_lines_moves_none(tmp_path: Path) -> None:
    text = "int next(int n) { return n; }\nint prev(int n) { return n; }\nint f(int n) { return next(n +\n 1); }\n"
    _, _, made = Variants(text).source().partition("#line 1\n")
    assert made.count("\n") == text.count("\n")
    assert "prev( n + 1 )" in made


def test_only_what_is_in_scope_stands_for_another(tmp_path: Path) -> None:
    text = ("int f(int n) { for (int i = 0; i < n; i++) { int sum = i; n -= sum; }\n"
            "int last = n + 1;\nreturn last; }\n")
    variants = Variants(text)
    others = {one.after for one in variants.all if one.line == 3}
    assert "n" in others and not {"i", "sum"} & others
    built(tmp_path, variants, variants.source())


def test_what_is_no_expression_of_a_function_stays(variants: Variants) -> None:
    assert not lines_of(variants, 3) | lines_of(variants, 4)
    assert not any("case" in variants.mended(one) and one.before == "3" for one in variants.all)


def test_it_is_told_which_variants_were_come_by(tmp_path: Path, variants: Variants) -> None:
    library = built(tmp_path, variants, variants.source(left_out(variants)))
    seen = (ctypes.c_ubyte * (len(variants.all) + 1))()
    ctypes.c_void_p.in_dll(library, "heapster_seen").value = ctypes.addressof(seen)
    library.work(9, 0)
    met = {one.line for one in variants.all if seen[one.number] and one.before}
    assert 10 in met and 13 not in met


@pytest.mark.parametrize(("text", "slip"), [
    ("int f(int n, int m) { if (n > m) return 1; return 0; }", "if (n != m)"),          # another comparison
    ("int f(int n) { for (int i = 0; i < n; i += 4 * n) n--; return n; }", "i < -(4 * n) + n"),   # the last round
    ("int f(int n) { return n == 3 ? n : 0; }", "return n <= 3"),                       # what a choice asks
    ("struct h { long n; }; int f(int n, int m) { return n ? 2 * m : 0; } long g(void) { return sizeof(struct h); }",
     "(2 * m + -(long)sizeof(struct h))"),                                              # a header too much
    ("#include <stdbool.h>\nbool g(bool b) { return b; } bool f(void) { return g(true); }", "g(false)"),
    ("int g(int n) { return n; } int f(int n) { g(n); n = 3; return n; }", "{ ; n = 3;"),         # done too often
    ("int f(int whole, int size) { int rest = size; return rest; }", "rest = (whole - size);"),
    ("struct s { struct s *l, *r; }; void f(struct s *a, struct s *b) { a->l = b; }", "a->r = b;"),
    ("struct s { struct s *next, *prev; }; void f(struct s *a, struct s *b) { a->next = b; a = b; }",
     "b -> prev = a;"),                                                                 # the link back
    ("struct s { struct { void *next, *prev; } in; }; void f(struct s *a, struct s *b) { a->in.next = b; }",
     "b -> in . prev = a;"),                                                            # of links in a member
    ("#define HDR(p) (*(p))\n#define FTR(p) (p)[4]\nvoid f(int *p) { HDR(p) = 1; p++; }", "FTR ( p ) = 1;"),
    ("static int used; void g(void) { used += 2; } void f(int n) { g(); n = 1; }", "used -= 2;"),   # another's undone
    ("struct s { int n; }; void f(struct s *a, int m) { m = 2; a->n = m; }", "a -> n = m; m = 2"),  # the other order
    ("struct s { int n; }; void f(struct s *a, int m) { a->n = m; }", "if (a) a->n = m;"),
    ("int f(int whole, int size) { whole = whole / 2; return whole; }", "(whole / 2 + -(long)size)"),     # a term
    ("#include <stddef.h>\nstatic int *last; int f(int *p) { return p == NULL; }", "p == last"),   # a list's end
    ("struct s { int n; }; void g(struct s *a) { a->n = 1; } void f(struct s *const a, struct s* const b) { g(a); }",
     "g(b)"),                                                                           # pointers that stay
    ("int f(int n, int m) { if (n > 3) m = 1; if (m) n = 2; return n; }", "if (n > 3 && !(m))"),   # half of a condition
    ("int f(int n, int m) { if (n > 3) return 1; m = 2; return m; }", "if (!(n > 3)) m = 2;"),       # a check
    ("struct b { long size; }; long f(struct b *b, long n) { long m = n; return m * b->size; }",
     "m = (b->size < n ? b->size : n);"),                                               # no more than there is
    ("#define ROUND(n) ((n) & ~(unsigned)15)\nint f(int n) { return ROUND(n); }", "(n) + ( unsigned ) 15 & ~"),
])
def test_whole_expressions_and_statements_are_among_them(tmp_path: Path, text: str, slip: str) -> None:
    variants = Variants(text)
    assert any(slip in variants.mended(one) for one in variants.all)
    built(tmp_path, variants, variants.source())


HEAP = """\
#define HDRP(p) ((char *)(p) - 8)
#define NEXT(p) ((char *)(p) + *(long *)HDRP(p))
struct b { struct b *next; union { long units; } s; long flags; };
static void unlink(struct b *b) { b->next = 0; }
static void set(struct b *to, struct b *from) { to->next = from; }
long size(void *p) { return *(long *)HDRP(NEXT(p)) + *(long *)HDRP(p); }
void drop(struct b *first, struct b *second, long n, long m)
{
    if (n > 3) {
        n += 2;
        unlink(first);
        first = second;
    } else {
        n += 2;
        unlink(second);
    }
    set(first, second);
    second->s.units -= n;
    n += second->s.units;
    n -= m;
    second->flags &= ~7;
}
"""


@pytest.mark.parametrize(("line", "slip"), [
    (6, "+ *(long *)HDRP(NEXT(p))"), (6, "(long *)HDRP(p) +"),
    (17, "set(second, first)"),                                                         # swapped
    (15, "first = second;"), (14, "unlink ( first );"), (21, "second -> flags |= 7;"),    # a statement more
    (20, "n -= second->s.units"),                                                       # what lies in a member
])
def test_what_is_swapped_missing_or_of_a_neighbour_is_among_them(tmp_path: Path, line: int, slip: str) -> None:
    variants = Variants(HEAP)
    assert slip not in HEAP.splitlines()[line - 1]
    assert any(slip in variants.mended(one) for one in variants.all if one.line == line)
    built(tmp_path, variants, variants.source())


def test_a_statement_that_stands_so_elsewhere_is_likelier_than_others() -> None:
    lacking = {one.after.strip(): one for one in Variants(HEAP).all if one.line == 15 and not one.before}
    assert lacking["first = second;"].rank < lacking["set ( first , second );"].rank


def test_no_statement_is_taken_for_missing_that_stands_beside_or_names_what_comes_later() -> None:
    text = "static int n;\nvoid f(void) { n = 1; }\nstatic int late;\nvoid g(void) { n = 2; late = n; n = 3; }\n"
    more = {(one.line, one.after.strip()) for one in Variants(text).all if not one.before}
    assert (2, "n = 2;") in more and not {(2, "late = n;"), (2, "n = 1;")} & more


def test_a_constant_of_its_family_comes_first() -> None:
    text = "#define ZERO 0\n#define FREE_BIT 1\n#define LAST_BIT 2\nint f(int n) { return n + FREE_BIT; }\n"
    ranks = {variant.after: variant.rank for variant in Variants(text).all if variant.before == "FREE_BIT"}
    assert ranks["LAST_BIT"] < ranks["ZERO"]


def test_an_alternative_is_left_out_alone(tmp_path: Path) -> None:
    variants = Variants("int f(int n, int m, int k) { return n + m; }")
    others = [one for one in variants.all if one.before == "m" and one.after in ("n", "k")]
    gone, stays = others
    made = variants.source({gone.number})
    assert f"HEAPSTER_IS({gone.number})" not in made and f"HEAPSTER_IS({stays.number})" in made
    built(tmp_path, variants, made)


def test_what_is_handed_to_a_macro_that_is_no_expression_stays(tmp_path: Path) -> None:
    text = ("#define LOG(n)\n#define CHECK(n) do { if (n) return 0; } while (0)\n"
            "int f(int n) {\n  LOG(n + 1);\n  CHECK(n > 9);\n  OF_A_HEADER(n);\n  return n;\n}\n")
    varied = Variants(text, no_values=frozenset({"OF_A_HEADER"}))
    assert {one.line for one in varied.all if one.before and one.line > 2} == {7}
    assert {one.line for one in Variants(text).all if one.before and one.line > 2} == {6, 7}
    built(tmp_path, varied, "#define OF_A_HEADER(n)\n" + varied.source())


def test_of_two_that_start_together_the_longer_is_outside() -> None:
    """Else what is added behind the shorter one is added to the other way to write the longer one too."""
    assert edited("a + b + c", [*around(0, "(", 5, ")", 1), *around(0, "[", 9, "]", 2)]) == "[(a + b) + c]"


def test_a_call_that_another_variable_of_its_kind_may_lack_is_among_them() -> None:
    """As a buddy that stays in its list, where the source takes out another block elsewhere."""
    text = ("struct b { struct b *next; };\nvoid take(struct b *b) { b->next = 0; }\n"
            "void *get(struct b *b)\n{\n    take(b);\n    return b;\n}\n"
            "void put(struct b *b, struct b *other)\n{\n    if (other < b)\n        b = other;\n}\n")
    lacking = {one.after.strip() for one in Variants(text).all if one.line == 11}
    assert {"take ( b );", "take ( other );"} <= lacking
