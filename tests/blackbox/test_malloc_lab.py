"""What is particular to malloc labs: the limit of mem_sbrk, and the student's own heap checker."""

from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import MEANINGFUL_CHECK, Compiler, judge_program
from heapster.checkers.blackbox.judge import Ending, Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.protocol import Ended, Phase, Suspicion
from heapster.checkers.blackbox.reproducer import Reproducer, prove
from heapster.checkers.blackbox.seed_corpus import FILLING, exhausted
from heapster.checkers.blackbox.stepwise import BlackboxRun, run_trace, why_it_died
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.operation import Trace
from heapster.model.spec import Promises
from heapster.model.trace import parse

CORRECT = Path(__file__).parent / "correct" / "mm.c"
LAB = """
#include "mm.h"
#include "memlib.h"
#include <assert.h>
#include <string.h>
static char *at, *end;
int mm_init(void) { at = mem_sbrk(65536); end = at + 65536; return 0; }
static int grow(size_t size)
{
    MORE
    return 1;
}
void *mm_malloc(size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (size == 0 || size > 1 << 30 || (size > (size_t)(end - at) && !grow(size)))
        return NULL;
    void *p = at;
    at += size;
    return p;
}
void mm_free(void *p) { (void)p; }
void *mm_realloc(void *p, size_t size) { (void)p; return mm_malloc(size); }
CHECK
"""
GROWS = "if ((at = mem_sbrk(size)) == (void *)-1) { at = end; return 0; } end = at + size;"


def outcome(folder: Path, trace: Trace, grow: str = GROWS, check: str = "") -> tuple[BlackboxRun, bool]:
    """How the trace goes on such a lab, and whether a C program shows it too."""
    source = folder / "mm.c"
    source.write_text(LAB.replace("MORE", grow).replace("CHECK", check))
    target = resolve(ForeignOptions(grammar.parse(str(source))))
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, None).promises
        found = run_trace(judge, trace, promises)
    program = Reproducer(target, trace[:found.last + 1], found.code, promises, "").program(folder)
    return found, bool(found.code) and prove(program, folder, target, Compiler())


@pytest.mark.parametrize("count", FILLING)
def test_a_failing_mem_sbrk_is_met_by_a_correct_lab(count: int) -> None:
    target = resolve(ForeignOptions(grammar.parse(str(CORRECT))))
    trace = exhausted(target.room, count, target.verbs)
    with Judge(judge_program(target.bits), target) as judge:
        found = run_trace(judge, trace, learn(judge, None).promises)
    assert found.code == ""
    assert any(not seen.pointer for step, seen in zip(trace, found.seen, strict=True) if step.verb == "malloc")


def test_a_failing_mem_sbrk_that_is_not_looked_for_is_found(tmp_path: Path) -> None:
    grow = "at = mem_sbrk(size); assert(at != (void *)-1); end = at + size;"
    found, shown = outcome(tmp_path, exhausted(20 << 20, 7, frozenset()), grow)
    assert (found.code, shown) == ("abort", True)


def test_null_while_mem_sbrk_has_plenty_is_too_early(tmp_path: Path) -> None:
    found, shown = outcome(tmp_path, parse("a = malloc(60000); b = malloc(20000)"), "return 0;")
    assert (found.code, found.last, shown) == ("spurious_null", 1, True)


def test_a_checker_that_hangs_is_blamed_itself() -> None:
    hung = Ending(Ended.TIMED_OUT, 0, 0, Phase.OWN_CHECK, Suspicion.NOTHING, 1, False, "")
    assert why_it_died(hung, "malloc", Promises(), "").code == "heap_check_failed"
    assert why_it_died(hung._replace(phase=Phase.CALLING), "malloc", Promises(), "").code == "hang"


def test_a_checker_that_says_no_is_heeded(tmp_path: Path) -> None:
    check = "int mm_check(void)\n{\n    if (at > end - 65400) return 0;\n    return 1;\n}"
    found, shown = outcome(tmp_path, parse("a = malloc(16); b = malloc(400)"), check=check)
    assert (found.code, found.last, shown) == ("heap_check_failed", 1, True)


def test_a_checker_that_says_no_of_any_heap_is_not_believed(tmp_path: Path) -> None:
    check = "int mm_check(void)\n{\n    int errors = 0;\n    return errors;\n}"
    assert outcome(tmp_path, parse("a = malloc(16)"), check=check)[0].code == ""


@pytest.mark.parametrize(("text", "means"), [
    ("bool mm_checkheap(int line)\n{", True),
    ("int mm_check(void)\n{\n    if (bad) return 0;\n    return 1;\n}\n", True),
    ("int mm_check(void)\n{\n    return 0;\n}\n", False),
    ("int mm_check(void)\n{\n    puts(\"fine\");\n}\nint f(void)\n{\n    return 1;\n}\n", False),
    ("int mm_check(void);\nint f(void)\n{\n    return 1;\n}\n", False),
    ("void mm_checkheap(int line)\n{", False)])
def test_whose_answers_mean_something(text: str, means: bool) -> None:
    assert bool(MEANINGFUL_CHECK.search(text)) == means


def test_an_init_that_answers_nothing_is_not_taken_to_fail(tmp_path: Path) -> None:
    void = "static int other(void) { return 77; }\nvoid mm_init(void)"
    lab = LAB.replace('#include "mm.h"', "").replace("int mm_init(void)", void)
    source = tmp_path / "mm.c"
    source.write_text(lab.replace("end = at + 65536; return 0;", "end = at + 65536; other();")
                      .replace("MORE", GROWS).replace("CHECK", ""))
    target = resolve(ForeignOptions(grammar.parse(str(source))))
    with Judge(judge_program(target.bits), target) as judge:
        assert run_trace(judge, parse("a = malloc(8)"), learn(judge, None).promises).code == ""
