"""Lines of a C target that were run, and those that never were: whichever way its cases end."""

import importlib.util
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from heapster import cli
from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.covering import covering
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.stepwise import hurried, run_trace
from heapster.checkers.targets import coverage, grammar
from heapster.checkers.targets.coverage import PAGE, Coverage
from heapster.checkers.targets.opening import resolve
from heapster.model.spec import Promises
from heapster.model.trace import parse

SOURCE = r"""
#include <stdlib.h>
#include <unistd.h>
static char heap[1 << 20];
static size_t top;
static void note(size_t n) { top += n & 1; }
void *malloc(size_t n)
{
    if (n == 1000) {
        note(1);                            /* crash */
        *(volatile char *)8 = 1;
    }
    if (n == 2000) {
        note(2);                            /* exit */
        _exit(3);
    }
    if (n == 3000) {
        note(3);                            /* abort */
        abort();
    }
    while (n == 4000)
        note(4);                            /* hang */
    if (n == 77777)
        note(5);                            /* never */
    top = (top + n + 31) & ~(size_t)15;
    return heap + top - n;                  /* always */
}
void free(void *p) { (void)p; }
static int spare(int n)
{
    return n + 1;                           /* no call */
}
int (*keep)(int) = spare;
"""
ENDS = {"crash": 1000, "exit": 2000, "abort": 3000, "hang": 4000}


class Counted(NamedTuple):
    """A run of traces that end in every way."""

    coverage: Coverage
    pages: Path
    text: str

    def line(self, mark: str) -> int:
        """The number of the line that is marked so."""
        return next(n for n, line in enumerate(self.text.splitlines(), 1) if f"/* {mark} */" in line)

    def was_run(self, mark: str) -> bool:
        """Whether the marked line is in no range of lines that were not reached."""
        return not any(gap.first <= self.line(mark) <= gap.last for gap in self.coverage.unreached)


def needs(compiler: str) -> None:
    pytest.importorskip("gcovr", reason="gcovr is not installed")
    reader = {"gcc": "gcov", "clang": "llvm-cov"}[compiler]
    if not (shutil.which(compiler) and shutil.which(reader)):
        pytest.skip(f"there is no {compiler} with {reader}")


@pytest.fixture(scope="module", params=["gcc", "clang"])
def counted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    needs(request.param)
    folder = tmp_path_factory.mktemp("counted")
    (folder / "ends.c").write_text(SOURCE)
    target = resolve(ForeignOptions(grammar.parse(str(folder / "ends.c")), compiler=Compiler(request.param)))
    with covering(target, folder / "pages") as covered, Judge(judge_program(64), covered.target) as judge, \
            hurried(judge, 60):
        for size in ENDS.values():
            run_trace(judge, parse(f"a = malloc(24); b = malloc({size}); c = malloc(24)"), Promises(alignment=1))
        assert covered.counting
        yield Counted(covered.counting.read(), folder / "pages", SOURCE)


def test_lines_of_cases_that_ended_in_any_way_count(counted: Counted) -> None:
    assert all(counted.was_run(mark) for mark in (*ENDS, "always"))


def test_lines_that_were_never_run_are_told_with_their_function(counted: Counted) -> None:
    assert not counted.was_run("never") and not counted.was_run("no call")
    functions = {gap.first: gap.function for gap in counted.coverage.unreached}
    assert functions[counted.line("never")] == "malloc"
    assert "spare" in functions.values()


def test_figures_are_sums(counted: Counted) -> None:
    (lines, all_lines), (branches, all_branches), functions = counted.coverage[:3]
    assert 15 < lines < all_lines and 6 < branches < all_branches and functions == (2, 4)


def test_the_page_shows_the_source_and_cobertura_the_lines(counted: Counted) -> None:
    [page] = [file.read_text() for file in counted.pages.glob("index.ends.c.*.html")]
    assert "uncoveredLine" in page and "no call" in page and (counted.pages / PAGE).exists()
    cobertura = (counted.pages / coverage.COBERTURA).read_text()
    assert f'<line number="{counted.line("never")}" hits="0"' in cobertura


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "pool.c").write_text(
        "#include <stddef.h>\n#include \"pool.h\"\nvoid *pool_get(struct pool *p, size_t n)\n{\n"
        "    if (n == 77777)\n        return NULL;\n    return taken(p, n);\n}\nvoid pool_put(void *p) { (void)p; }\n")
    (tmp_path / "pool" / "pool.h").write_text(
        "struct pool { char *at; size_t left; };\nstatic inline void *taken(struct pool *p, size_t n)\n{\n"
        "    n = (n + 15) & ~(size_t)15;\n    if (n == 0 || n > p->left)\n        return NULL;\n"
        "    p->left -= n;\n    return p->at + p->left;\n}\n")
    (tmp_path / "pool.toml").write_text(
        'sources = ["pool/pool.c", "start.c"]\nheaders = ["pool/pool.h", "start.h"]\nregion = 4096\n'
        'instance = "struct pool"\ninit = "start(&instance, region, region_size)"\n'
        'malloc = "pool_get(&instance, size)"\nfree = "pool_put(pointer)"\n')
    (tmp_path / "start.h").write_text("#include <stddef.h>\nvoid start(struct pool *p, char *at, size_t size);\n")
    (tmp_path / "start.c").write_text('#include <stddef.h>\n#include "pool/pool.h"\n#include "start.h"\n'
                                      "void start(struct pool *p, char *at, size_t size)\n"
                                      "{\n    p->at = at;\n    p->left = size;\n}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_fuzz_counts_several_sources_and_their_headers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needs("gcc")
    cli.main(["fuzz", "pool.toml", "--cc", "gcc", "--seconds", "0.3", "--seed", "1", "--coverage", "cov", "--json",
              "run.json"])
    run = json.loads((folder / "run.json").read_text())
    told = run["coverage"]
    assert [gap for gap in told["unreached"] if gap["file"] != "pool/pool.h"] == [
        {"file": "pool/pool.c", "first": 6, "last": 6, "function": "pool_get"}]
    assert "pool/pool.c: 6 (pool_get): lines that were never run" in run["not_checked"]
    out = capsys.readouterr().out
    assert f"run of its sources: {told['lines']['covered']} of {told['lines']['total']} lines, " in out
    assert told["functions"] == {"covered": 4, "total": 4} and (folder / told["page"]).exists()
    assert {"start.c", "pool/pool.h"} <= set(re_names((folder / told["cobertura"]).read_text()))


def re_names(cobertura: str) -> list[str]:
    """The files that Cobertura's report has."""
    return [part.split('"')[0] for part in cobertura.split('filename="')[1:]]


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit code and the one line that was said."""
    code = cli.main(["fuzz", *words, "--seconds", "0.1"])
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("heapster: ")]
    return code, line


def test_what_has_no_sources_is_told_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "libc", "--coverage", "cov") == (
        4, ("heapster: --coverage counts lines of sources, and of libc there are none: give the C sources (mm.c, or a "
            "description whose `sources` names them)"))


def test_a_folder_that_cannot_be_written_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needs("gcc")
    code, line = refused(capsys, "pool.toml", "--coverage", "start.c")
    assert (code, line) == (2, "heapster: --coverage start.c: File exists")


def test_without_gcovr_its_extra_is_named(folder: Path, capsys: pytest.CaptureFixture[str],
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert refused(capsys, "pool.toml", "--coverage", "cov") == (
        2, "heapster: --coverage needs gcovr: pip install 'heapster[coverage]'")


def test_a_compiler_that_counts_nothing_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needs("gcc")
    compiler = folder / "occ"
    compiler.write_text("#!/bin/sh\nfor w; do case $w in --coverage) echo \"occ: unknown argument '$w'\" >&2; exit 1;; "
                        "esac; done\nexec gcc \"$@\"\n")
    compiler.chmod(0o755)
    assert refused(capsys, "pool.toml", "--cc", str(compiler), "--coverage", "cov") == (
        4, "heapster: occ cannot count the lines of this target (--coverage): gcc and clang can, for 64 bits (--cc)")
