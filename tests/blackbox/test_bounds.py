"""Allocators that are confined to some memory: blocks and accesses outside of it are found, on either side."""

from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.protocol import Guard, Mode, Suspicion
from heapster.checkers.blackbox.reproducer import Reproducer, prove
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse

TRACE = parse("a = malloc(24); b = malloc(100); free(a); c = malloc(40)")
POOL = """
#include <stddef.h>
#include <string.h>
typedef struct pool { char *start, *at, *end; } pool;
static inline pool *pool_create(void *memory, size_t size)
{
    pool *p = memory;
    p->start = memory, p->at = p->start + sizeof *p, p->end = p->start + size;
    return p;
}
static inline void *pool_take(pool *p, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (size > (size_t)(p->end - p->at))
        return NULL;
    char *block = p->at;
    FAULT;
    p->at += size;
    return block;
}
static inline void pool_give(pool *p, void *block) { (void)p, (void)block; }
"""
TOML = """
sources = []
headers = ["pool.h"]
region = {region}
region_alignment = {alignment}
alignment = 8
instance = "pool *"
init = "pool_create(region, region_size)"
malloc = "pool_take(instance, size)"
free = "pool_give(instance, pointer)"
"""
LAB = """
#include "mm.h"
#include "memlib.h"
static char *at;
int mm_init(void) { at = mem_sbrk(64); return 0; }
void *mm_malloc(size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (size > 1 << 20)
        return NULL;
    char *end = (char *)mem_heap_hi() + 1;
    if (at + size > end && mem_sbrk(at + size - end - (SHORT)) == (void *)-1)
        return NULL;
    void *block = at;
    at += size;
    end = (char *)mem_heap_hi() + 1;
    MARK;
    return block;
}
void mm_free(void *p) { (void)p; }
void *mm_realloc(void *p, size_t size) { (void)p; return mm_malloc(size); }
"""


def pool(folder: Path, fault: str, region: int = 16384, alignment: int = 8) -> ForeignTarget:
    """A pool with something in place of its fault."""
    (folder / "pool.h").write_text(POOL.replace("FAULT", fault))
    (folder / "pool.toml").write_text(TOML.format(region=region, alignment=alignment))
    return resolve(ForeignOptions(grammar.parse(str(folder / "pool.toml"))))


def lab(folder: Path, short: str = "0", mark: str = "(void)end") -> ForeignTarget:
    """A malloc lab that asks for so many bytes too few, and marks the end of its heap."""
    (folder / "mm.c").write_text(LAB.replace("SHORT", short).replace("MARK", mark))
    return resolve(ForeignOptions(grammar.parse(str(folder / "mm.c"))))


def found(target: ForeignTarget, folder: Path) -> tuple[str, str]:
    """What the trace shows; a C program shows it too."""
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, None).promises
        outcome = run_trace(judge, TRACE, promises)
    if outcome.reasons:
        program = Reproducer(target, TRACE[:outcome.last + 1], outcome.code, promises, "").program(folder)
        assert prove(program, folder, target, Compiler())
    return outcome.code, outcome.reasons[0].message if outcome.reasons else ""


def noticed(target: ForeignTarget, guarded: Guard = Guard.GUARDED) -> Suspicion:
    """What the compiled checks suspect of a few operations."""
    with Judge(judge_program(target.bits), target) as judge:
        learn(judge, None)
        judge.header.guarded, judge.header.masked = guarded, 0
        return judge.run(Mode.FAST, judge.set_steps(TRACE)).suspicion


@pytest.mark.parametrize(("fault", "message"), [
    ("p->end[3] = 1", "malloc reaches 4 bytes beyond the end of its region, and dies of it"),
    ("(void)*(volatile char *)p->end", "malloc reaches 1 byte beyond the end of its region, and dies of it"),
    ("memset(p->end, 0x5a, 64)", "malloc reaches 1 byte beyond the end of its region, and dies of it"),
    ("p->start[-2] = 1", "malloc reaches 2 bytes before the start of its region, and dies of it")])
def test_a_pool_that_reaches_out_of_whole_pages_is_found(tmp_path: Path, fault: str, message: str) -> None:
    assert found(pool(tmp_path, fault), tmp_path) == ("touched_outside", message)


@pytest.mark.parametrize(("fault", "message"), [
    ("p->end[3] = 1", "malloc changed what lies 4 bytes beyond the end of its region"),
    ("p->start[-8] = 0", "malloc changed what lies 8 bytes before the start of its region")])
def test_a_pool_that_writes_beside_a_part_of_a_page_is_found(tmp_path: Path, fault: str, message: str) -> None:
    target = pool(tmp_path, fault, 10_000, 64)
    assert found(target, tmp_path) == ("touched_outside", message)
    assert noticed(target) is Suspicion.STRAY
    assert noticed(target, Guard.BOUNDED) is Suspicion.NOTHING


def test_a_block_beyond_the_end_of_a_pool_is_found(tmp_path: Path) -> None:
    target = pool(tmp_path, "block = p->end - 8")
    assert found(target, tmp_path) == ("outside_region", "the block ends 16 bytes beyond the end of its region")
    assert noticed(target) is Suspicion.OUTSIDE


@pytest.mark.parametrize(("region", "alignment"), [(16384, 8), (10_000, 64), (100, 4096), (65536, 1 << 17)])
def test_a_pool_that_keeps_to_its_region_passes(tmp_path: Path, region: int, alignment: int) -> None:
    target = pool(tmp_path, "memset(p->at, 0, p->end - p->at)", region, alignment)
    assert found(target, tmp_path) == ("", "")
    assert noticed(target) is Suspicion.NOTHING


def test_a_block_beyond_the_break_is_found(tmp_path: Path) -> None:
    code, message = found(lab(tmp_path, short="16"), tmp_path)
    assert (code, message) == ("outside_region", "the block ends 4 bytes beyond mem_heap_hi")


def test_a_mark_beyond_the_break_is_found(tmp_path: Path) -> None:
    target = lab(tmp_path, mark="*(int *)end = 1")
    assert found(target, tmp_path) == ("touched_outside", "malloc changed what lies 1 byte beyond mem_heap_hi")
    assert noticed(target) is Suspicion.STRAY


def test_a_page_beyond_the_break_cannot_be_touched(tmp_path: Path) -> None:
    target = lab(tmp_path, mark="(void)*(volatile char *)(end + 5000)")
    message = "malloc reaches 5,001 bytes beyond mem_heap_hi, and dies of it"
    assert found(target, tmp_path) == ("touched_outside", message)


def test_a_lab_that_keeps_to_its_heap_passes_and_finds_new_memory_empty(tmp_path: Path) -> None:
    mark = "for (char *byte = block; byte < end; byte++) if (*byte) __builtin_trap()"
    assert found(lab(tmp_path, mark=mark), tmp_path) == ("", "")


def test_what_is_known_to_reach_out_is_judged_further(tmp_path: Path) -> None:
    target = pool(tmp_path, "p->end[0] = 1; if (size == 48) block += 8")
    with Judge(judge_program(target.bits), target) as judge:
        run = Campaign(judge, 10, 1, alignment=16)
        for text in ("a = malloc(24)", "a = malloc(48)", "a = malloc(24)"):
            run.judge_trace(parse(text))
    assert [shown.finding.code for shown in run.shown] == ["touched_outside", "misaligned"]


# The first mapping of a target that is not confined: above it nobody has anything.

@pytest.mark.parametrize(("animal", "text"), [
    ("rest_too_large", "a = malloc(1); b = malloc(262096)"),
    ("merges_one_more", "a = malloc(1); free(a); b = malloc(262128)")])
def test_a_block_that_runs_over_the_end_of_the_first_mapping_is_seen_at_once(animal: str, text: str) -> None:
    target = resolve(ForeignOptions(grammar.parse(str(Path(__file__).parent / "zoo" / f"{animal}.c"))))
    with Judge(judge_program(target.bits), target) as judge:
        outcome = run_trace(judge, parse(text), learn(judge, None).promises)
    assert [reason.code for reason in outcome.reasons] == ["unusable_block"]
