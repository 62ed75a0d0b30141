"""Loads and stores through functions of one statement are their callers', as those through macros are."""

from pathlib import Path

from heapster.checkers.blackbox.accessors import past_accessors
from heapster.checkers.blackbox.outline import Outline
from heapster.checkers.targets.lines import Frame

TEXT = """
static unsigned long load(char *at) { return *(unsigned long *)at; }
static void store(char *at, unsigned long value)
{
    *(unsigned long *)at = value;       /* ; a word */
}
static unsigned long size_of(char *b) { return load(b - 8) & ~15ul; }
static void *walk(char *b) { while (size_of(b)) b += size_of(b); return b; }
static void spin(char *b) { while (size_of(b)) ; }
static void set(char *b, unsigned long n) { store(b, n); store(b + n, n); }
"""


def test_functions_of_one_statement_are_told_apart() -> None:
    assert Outline(TEXT).accessors == {"load", "store", "size_of"}


def test_the_caller_is_named(tmp_path: Path) -> None:
    source = tmp_path / "mm.c"
    source.write_text(TEXT)
    load, size_of, walk = (Frame(name, str(source), line) for name, line in (("load", 2), ("size_of", 7), ("walk", 8)))
    assert past_accessors((load, size_of, walk)) == (walk,) == past_accessors((walk,))


def test_what_has_no_other_function_stays(tmp_path: Path) -> None:
    source = tmp_path / "mm.c"
    source.write_text(TEXT)
    frames = (Frame("load", str(source), 2),)
    assert past_accessors(frames) == frames
    assert past_accessors((Frame("load", str(tmp_path / "none.c"), 2),))[0].function == "load"
