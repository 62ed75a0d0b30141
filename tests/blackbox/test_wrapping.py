"""A size that wraps is a finding at the line where it does; the sources that a source needs come along."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from heapster.checkers.blackbox import explaining
from heapster.checkers.blackbox.believing import ALL_MENDED, PARTLY_MENDED
from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.root_cause import is_same_fault
from heapster.checkers.blackbox.wrapping import WRAPS_HERE, asks_for_all
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse
from heapster.results import Finding, Place, TargetError
from tests.reports.samples import FINDING

BUMP = """
#include <errno.h>
#include "sizes.h"
static char room[1 << 20];
static size_t used;
void *malloc(size_t size)
{
    size_t need = rounded(size);
    if (need > sizeof room - used) {
        errno = ENOMEM;
        return 0;
    }
    char *at = room + used;
    used += need;
    return (char *)(((size_t)at + 15) / 16 * 16);
}
void free(void *block) { (void)block; }
void *calloc(size_t count, size_t size)
{
    char *block = malloc(count * size); /* the product */
    for (size_t i = 0; block && i < count * size; i++)
        block[i] = 0;
    return block;
}
"""
SIZES = """
#include "sizes.h"
size_t rounded(size_t size)
{
    size_t need = size + 16;
    return (need + 15) / 16 * 16; /* the sum */
}
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """An allocator in two sources, that asks nobody whether a size is too large."""
    (tmp_path / "mine.c").write_text(BUMP)
    (tmp_path / "sizes.c").write_text(SIZES)
    (tmp_path / "sizes.h").write_text("#include <stddef.h>\nsize_t rounded(size_t size);\n")
    return tmp_path / "mine.c"


def findings(source: Path, *traces: str) -> list[Finding]:
    """What the traces show, with the lines."""
    target = resolve(ForeignOptions(grammar.parse(str(source))))
    with Judge(judge_program(target.bits), target) as judge:
        run = Campaign(judge, 1, 1, lines=True)
        for trace in traces:
            run.judge_trace(parse(trace))
        assert run.explainer is not None
        run.explainer.close()
        return [shown.finding for shown in run.shown]


@pytest.mark.skipif(shutil.which("clang") is None, reason="no clang, which tells of what wraps")
@pytest.mark.parametrize(("trace", "line"), [
    ("a = malloc(SIZE_MAX - 20)", "(need + 15) / 16 * 16; /* the sum */"),
    ("a = calloc(3, 6148914691236517206)", "malloc(count * size); /* the product */")])
def test_the_line_is_named_at_which_a_size_wraps(mine: Path, trace: str, line: str) -> None:
    (finding,) = findings(mine, trace)
    assert finding.place is not None
    assert finding.place.why == WRAPS_HERE
    assert line in Path(finding.place.file).read_text().splitlines()[finding.place.line - 1]


def test_a_reading_of_clang_that_cannot_be_loaded_is_done_without(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of inline functions of C99, which some compilers put in and others leave undefined."""
    lacking = mine.with_name("lacking.so")
    mine.with_name("lacking.c").write_text("void other(void);\nvoid *malloc(long size) { other(); return 0; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", lacking, mine.with_name("lacking.c")], check=True)
    monkeypatch.setattr(explaining, "wrapping_twin", lambda target: replace(target, path=str(lacking)))
    (finding,) = findings(mine, "a = malloc(SIZE_MAX - 20)")
    assert finding.place is None or finding.place.why != WRAPS_HERE


def test_a_size_that_wraps_and_is_refused_is_no_line(mine: Path) -> None:
    mine.write_text(BUMP.replace("malloc(count * size);", "count && count * size / count != size ? 0 : malloc(size);"))
    (finding,) = findings(mine, "a = calloc(4294967296, 4294967296)")
    assert finding.code == "null_without_errno"
    assert finding.place is None or finding.place.why != WRAPS_HERE


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("clang") is None, reason="no clang, which tells of what wraps")
def test_sizes_that_wrap_in_one_line_are_one_finding(mine: Path) -> None:
    assert len(findings(mine, "a = malloc(SIZE_MAX - 20)", "a = calloc(1, SIZE_MAX - 18)")) == 1


def test_an_assertion_that_fails_is_the_line(mine: Path) -> None:
    mine.write_text("#include <assert.h>\n" + BUMP.replace("    if (need", "    assert(size < 1000);\n    if (need"))
    (finding,) = findings(mine, "a = malloc(1000)")
    assert finding.code == "abort"
    assert finding.place is not None
    assert "assert(size < 1000)" in mine.read_text().splitlines()[finding.place.line - 1]
    assert finding.place.why == "the assertion that fails"
    assert finding.place.function == "malloc"


def test_an_assertion_is_not_the_line_where_a_change_of_another_makes_all_pass() -> None:
    """Though that is not sure: an assertion tells what is wrong, never where it became so."""
    said, change = "a = malloc(1): malloc aborts: /x/mm.c:9: malloc: Assertion `n' failed", Place("mm.c", 3, "free", "")
    for why, is_assertion in ((f"{ALL_MENDED}, but not all was tried: b;", False), ("writes into a", True),
                              (f"{PARTLY_MENDED}: b;", True)):
        place = explaining._asserted(said, replace(change, why=why))
        assert (place is not None) == is_assertion, why


@pytest.mark.parametrize(("asked", "all_there_is"), [
    ("malloc(18446744073709297632)", True), ("calloc(9223372036854648816, 2)", True), ("malloc(4294967290)", False)])
def test_what_may_wrap_in_spans_of_pages_is_looked_at(asked: str, *, all_there_is: bool) -> None:
    (step,) = parse(f"a = {asked}")
    assert asks_for_all(step, 64) == all_there_is


def test_what_was_printed_before_it_died_is_no_reason(mine: Path) -> None:
    dies = '    puts("in malloc");\n    if (size == 7)\n        *(int *)8 = 0;\n'
    mine.write_text("#include <stdio.h>\n" + BUMP.replace("    if (need", f"{dies}    if (need"))
    (finding,) = findings(mine, "a = malloc(7)")
    assert "dies of SIGSEGV: it follows NULL, 8 bytes behind it, having printed: in malloc" in finding.title


def test_a_source_whose_header_is_included_comes_along_where_it_is_needed(mine: Path) -> None:
    (mine.parent / "more.c").write_text("int nobody_needs_this;\n#error\n")
    (mine.parent / "part.c").write_text("#ifndef BY_SIZES\n#error part of sizes.c\n#endif\n")
    (mine.parent / "sizes.c").write_text('#define BY_SIZES\n#include "sizes.h"\n#include "part.c"\n' + SIZES)
    target = resolve(ForeignOptions(grammar.parse(str(mine))))
    assert target.ingredients is not None
    assert [Path(source).name for source in target.ingredients.sources] == ["mine.c", "sizes.c"]


def test_a_break_of_the_map_on_one_way_is_one_finding_and_on_another_is_another() -> None:
    way = ("put, mine.c:3", "place, mine.c:9")
    one = Place("mine.c", 3, "put", "writes into b, at byte 8 of 9", way)
    assert same(replace(one, why="writes into a, at byte 0 of 9"), one)
    assert not same(replace(one, backtrace=("put, mine.c:3", "free, mine.c:20")), one)
    assert not same(replace(one, why="reads what nobody wrote"), one)
    assert not same(replace(one, line=4), one)
    assert not same(replace(one, why="the call that fails"), replace(one, why="the call that fails"))


def test_what_is_called_the_same_and_seen_the_same_at_a_line_is_one_finding() -> None:
    """Of two crashes at one line the addresses may differ; another code, or what is only guessed, is another."""
    one = Place("mine.c", 90, "put", "accesses 0x8358fafa8 last, and dies")
    other = replace(one, why="accesses 0x8a5a5a5a8 last, and dies")
    assert same(one, other)
    assert not same(one, other, "hang")
    assert not same(replace(one, guess=True), replace(one, guess=True))


def same(one: Place, other: Place, code: str = "crash") -> bool:
    return is_same_fault(replace(FINDING, place=one, code="crash"), replace(FINDING, place=other, code=code))


@pytest.mark.skipif(shutil.which("clang") is None, reason="no clang, which tells of what wraps")
def test_the_line_is_named_in_programs_of_32_bits_too(mine: Path) -> None:
    try:
        judge_program(32)
    except TargetError as error:
        pytest.skip(str(error))
    (mine.parent / "Makefile").write_text("CFLAGS = -m32\nall: mine.o sizes.o\n")
    (finding,) = findings(mine, "a = malloc(4294967280)")
    assert finding.place is not None
    assert finding.place.why == WRAPS_HERE
    assert Path(finding.place.file).name == "sizes.c"
