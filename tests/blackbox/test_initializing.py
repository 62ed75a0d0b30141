"""An allocator with a prefix is started by its own init: called first where it takes nothing, asked about where not."""

import subprocess
from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.initializing import start_of
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.reproducer import Reproducer
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse
from heapster.results import TargetError

ITS_OWN = """
#include <stddef.h>
static _Alignas(16) char memory[1 << 16];
static char *top, *end;
int my_init(void) { top = memory, end = memory + sizeof memory; return 1; }
void my_destroy(void) { top = end = NULL; }
void *my_malloc(size_t size)
{
    if (size > (size_t)(end - top))
        return NULL;
    char *at = top;
    top += (size + 15) & ~(size_t)15;
    return at;
}
void my_free(void *block) { (void)block; }
"""
OF_MEMORY = ITS_OWN.replace("int my_init(void) { top = memory, end = memory + sizeof memory; return 1; }",
                            "void my_heap_init(void *start, size_t size) { top = start, end = top + size; }")
HEADER = "#include <stddef.h>\nint my_init(void);\nvoid *my_malloc(size_t);\nvoid my_free(void *);\n"
SERVED = parse("a = malloc(24)\nb = malloc(100)\nfree(a)\nc = malloc(24)")


def opened(path: Path, prefix: str | None = None) -> ForeignTarget:
    """The target of that path."""
    return resolve(ForeignOptions(grammar.parse(str(path)), prefix=prefix))


def verdict(target: ForeignTarget) -> str:
    """What becomes of a few blocks."""
    with Judge(judge_program(target.bits), target) as judge:
        return run_trace(judge, SERVED, learn(judge, None).promises).code


def test_an_init_that_takes_nothing_is_called_first_and_its_answer_means_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.c").write_text(ITS_OWN)
    target = opened(tmp_path / "mine.c")
    assert target.symbols["init"] == "my_init"
    assert target.as_built == ("my_init() is called first, my_destroy() never: each case ends its process",)
    assert verdict(target) == ""
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, None).promises
    program = Reproducer(target, SERVED, "overlap", promises, "").program(tmp_path)
    assert "t_init(NULL, NULL);" in program.beside["checks.h"]


def test_an_init_that_takes_memory_is_asked_about_with_a_draft_that_works(tmp_path: Path) -> None:
    (tmp_path / "mine.c").write_text(OF_MEMORY)
    with pytest.raises(TargetError) as refused:
        opened(tmp_path / "mine.c")
    said, *draft = str(refused.value).splitlines()
    assert "my_heap_init(void *, size_t) has to be called first, and nothing says with which size. Describe" in said
    assert not any("instance" in line for line in draft)
    described = tmp_path / "mine.toml"
    described.write_text("\n".join(line.strip() for line in draft))
    assert verdict(opened(described)) == ""
    told = opened(tmp_path / "mine.c", prefix="my_")
    assert told.as_built == ("my_heap_init(void *, size_t) is not called: it takes what only its author knows",)
    assert verdict(told) == "spurious_null"


def test_of_an_object_the_header_beside_it_says_what_its_init_takes(tmp_path: Path) -> None:
    (tmp_path / "mine.c").write_text(ITS_OWN)
    (tmp_path / "made").mkdir()
    made = tmp_path / "made" / "libmine.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-s", "-o", made, tmp_path / "mine.c"], check=True)
    target = opened(made)
    assert "init" not in target.symbols
    assert target.as_built == ("my_init() is not called: nothing says what it takes (-g, or a header)",)
    (made.parent / "mine.h").write_text(HEADER)
    assert verdict(opened(made)) == ""


@pytest.mark.parametrize(("prefix", "name", "starts"), [
    ("my_", "my_init", True), ("my_", "my_malloc_init", True), ("my_", "my_initialize", True),
    ("my_", "my_init_heap", True), ("my_", "init_my_heap", True), ("rp", "rpmalloc_initialize", True),
    ("my_", "my_mutex_init", False), ("my_", "mine_init", False), ("", "malloc_init", False),
    ("my_", "my_deinit", False), ("my_", "my_initial", False)])
def test_how_such_functions_are_called(prefix: str, name: str, *, starts: bool) -> None:
    assert start_of(prefix, {"other", name}) == (name if starts else "")
