"""Others in the process take memory as well, and large blocks come in a row: who is careless is found."""

from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.judge import Judge, packed, unpacked
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.protocol import Mode, Suspicion
from heapster.checkers.blackbox.reproducer import Reproducer, prove
from heapster.checkers.blackbox.seed_corpus import BESIDE_OTHERS, LARGE
from heapster.checkers.blackbox.stepwise import BlackboxRun, run_trace
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.operation import Trace
from heapster.model.trace import parse

BREAK = """
#define _GNU_SOURCE
#include <stdint.h>
#include <unistd.h>
static char *top;
void *malloc(size_t size)
{
    size = (size + 31) & ~(size_t)15;
    if (size > 1 << 30)
        return NULL;
    char *at = sbrk((intptr_t)size);
    if (at == (char *)-1)
        return NULL;
    if ((uintptr_t)at % 16 != 0)
        at = sbrk(16 - (uintptr_t)at % 16), at += 16 - (uintptr_t)at % 16;
#ifdef FOLLOWS
    if (top != NULL)
        at = top;
#endif
    top = at + size;
    *(size_t *)at = size;
    return at + 16;
}
void free(void *p)
{
    char *at = p ? (char *)p - 16 : NULL;
    if (at == NULL || at + *(size_t *)at != top)
        return;
#ifndef CAREFUL
    sbrk(-(intptr_t)*(size_t *)at), top = at;
#else
    if (sbrk(0) == top)
        sbrk(-(intptr_t)*(size_t *)at), top = at;
#endif
}
"""
MAPS = """
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
void *malloc(size_t size)
{
    if (size > PTRDIFF_MAX)
        return NULL;
    size = (size + 16 + 4095) & ~(size_t)4095;
    size_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    at[0] = size;
    return at + 2;
}
void free(void *p) { if (p) munmap((size_t *)p - 2, ((size_t *)p)[-2] + MORE); }
"""
KEEPS = MAPS.replace("    size_t *at = mmap", """    if (kept && FITS) {
        void *again = kept;
        kept = NULL;
        return again;
    }
    size_t *at = mmap""").replace("{ if (p) munmap", "{ if (p && !kept && ((size_t *)p)[-2] > 32 << 20) kept = p; "
                                 "else if (p) munmap").replace("MORE", "0")


def outcome(folder: Path, text: str, trace: Trace, *flags: str) -> BlackboxRun:
    """How the trace goes; a C program shows it too."""
    (folder / "mine.c").write_text(text)
    target = resolve(ForeignOptions(grammar.parse(str(folder / "mine.c")), compiler=Compiler("cc", flags)))
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, None).promises
        found = run_trace(judge, trace, promises)
    if found.reasons:
        program = Reproducer(target, trace[:found.last + 1], found.code, promises, "").program(folder)
        assert prove(program, folder, target, Compiler())
    return found


def any_of(folder: Path, text: str, traces: tuple[Trace, ...], *flags: str) -> list[str]:
    """The codes that the traces show, in their order."""
    (folder / "mine.c").write_text(text)
    target = resolve(ForeignOptions(grammar.parse(str(folder / "mine.c")), compiler=Compiler("cc", flags)))
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, None).promises
        has = target.verbs | {"foreign_sbrk"}
        outcomes = [run_trace(judge, tuple(step for step in trace if step.verb in has), promises) for trace in traces]
    return [found.code for found in outcomes if found.code]


def test_who_lowers_a_break_that_others_have_moved_is_found(tmp_path: Path) -> None:
    found = outcome(tmp_path, BREAK, parse("a = malloc(100000); foreign_sbrk(4096); free(a)"))
    assert (found.code, found.last) == ("foreign_memory_harmed", 2)
    assert found.reasons[0].message == "free gave memory back to the system that somebody else had taken from it"


def test_who_takes_the_break_for_his_own_is_found(tmp_path: Path) -> None:
    trace = parse("a = malloc(1000); foreign_sbrk(4096); b = malloc(1000)")
    found = outcome(tmp_path, BREAK, trace, "-DFOLLOWS")
    assert (found.code, found.last) == ("foreign_memory_harmed", 2)
    assert found.reasons[0].message == "malloc gave a block in memory that somebody else had taken from the system"


def test_who_unmaps_a_neighbour_is_found(tmp_path: Path) -> None:
    found = outcome(tmp_path, MAPS, BESIDE_OTHERS[-1], "-DMORE=4096")
    assert (found.code, found.last) == ("foreign_memory_harmed", 2)


def test_who_keeps_to_his_own_passes(tmp_path: Path) -> None:
    assert any_of(tmp_path, BREAK, BESIDE_OTHERS, "-DCAREFUL") == []
    assert any_of(tmp_path, MAPS, BESIDE_OTHERS, "-DMORE=0") == []


def test_compiled_checks_look_after_others_too(tmp_path: Path) -> None:
    (tmp_path / "mine.c").write_text(BREAK)
    target = resolve(ForeignOptions(grammar.parse(str(tmp_path / "mine.c"))))
    with Judge(judge_program(target.bits), target) as judge:
        learn(judge, None)
        judge.header.masked = 0
        trace = parse("a = malloc(100000); foreign_sbrk(4096); free(a)")
        assert judge.run(Mode.FAST, judge.set_steps(trace)).suspicion is Suspicion.HARM


@pytest.mark.parametrize("fits", ["1", "((size_t *)kept)[-2] >= size"], ids=["any", "one that fits"])
def test_who_gives_a_kept_mapping_that_is_too_small_is_found(tmp_path: Path, fits: str) -> None:
    text = KEEPS.replace("FITS", fits).replace("void *malloc", "static void *kept;\nvoid *malloc")
    found = any_of(tmp_path, text, LARGE)
    assert bool(found) == (fits == "1")


def test_what_others_do_is_packed_as_other_steps_are() -> None:
    trace = parse("foreign_sbrk(24); foreign_sbrk(-24)")
    assert tuple(unpacked(b"".join(map(packed, trace)))) == trace
