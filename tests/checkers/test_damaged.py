"""What a caller writes over is noticed as the model promises, on each reading; and its own words are its own."""

from typing import Any

import pytest

from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.checkers.lockstep.run_trace import rerun
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import make_for
from heapster.machine.simulated import Simulated
from heapster.model.damage import Damage, HeapWord, find, noticed
from heapster.model.trace import parse

THREE = "growth 4096; a = malloc(40); b = malloc(40); c = malloc(40); "
CACHED = "cache 4096; a = malloc(40); free(a); "
MAPPED = "threshold 4096; keep 65536; a = malloc(9000); "
NOTICED = (
    (THREE + "poke a - 8 0x41; free(a)", "invalid_pointer"),
    (THREE + "poke a - 8 -1; b = realloc(a, 100)", "invalid_pointer"),
    (THREE + "poke a + 40 0x30; free(a)", "corrupt_header"),
    (THREE + "poke a + 40 0x1000000000033; free(a)", "corrupt_header"),
    (THREE + "free(b); poke b - 8 0x42; free(a)", "corrupt_header"),
    (THREE + "free(b); poke b + 32 7; free(c)", "corrupt_header"),
    (THREE + "free(b); poke b - 8 0; free(c)", "corrupt_header"),
    (CACHED + "poke a 1; b = malloc(40)", "corrupt_list"),
    (CACHED + "poke a + 8 0; b = calloc(5, 8)", "corrupt_list"),
    (CACHED + "cache 0; poke a + 8 0; b = malloc(33)", "corrupt_list"),
    ("arenas 2; cache 4096; a = malloc(40); thread 1; free(a); poke a + 8 1; thread 0; b = malloc(40)", "corrupt_list"),
    (MAPPED + "poke a - 40 1; free(a)", "corrupt_header"),
    (MAPPED + "poke a - 16 0x1000; b = realloc(a, 20000)", "corrupt_header"),
)


@pytest.mark.parametrize("target", ["sim:spans=0", "process:spans=0", "native:spans=0"])
@pytest.mark.parametrize(("text", "ending"), NOTICED)
def test_what_is_written_over_is_noticed(text: Any, ending: Any, target: str) -> None:
    found = rerun(parse(text), make_for(grammar.parse(target)))
    assert (found.problems, found.misused) == ((), ending)


@pytest.mark.parametrize("text", [
    THREE + "poke a 5; poke a + 8 6; d = realloc(a, 200); e = realloc(d, 10); free(e); finalize",
    THREE + "free(b); poke b + 16 0x41; d = malloc(40); finalize",              # a free block's room: nobody looks
    CACHED + "poke a + 16 0x41; b = malloc(40); finalize"])
def test_what_no_check_looks_at_does_no_harm(text: str) -> None:
    found = rerun(parse(text), make_for(grammar.parse("sim:spans=0")))
    assert found.problems == ()
    assert found.last + 1 == len(parse(text))


def test_a_word_where_nothing_is_mapped_ends_the_run() -> None:
    found = rerun(parse("a = malloc(40); poke a + 1073741824 1; free(a)"), make_for(grammar.parse("sim")))
    assert (found.problems, found.misused, found.last) == ((), "fault", 1)


def test_a_word_that_is_as_it_was_is_no_damage() -> None:
    lockstep = Lockstep(Simulated())
    for step in parse(THREE):
        assert lockstep.take(step) == []
    header = lockstep.m.load(lockstep.pointers[0] - 8)
    for step in parse(f"{THREE}poke a - 8 {header}; stats; free(a)")[4:]:
        assert lockstep.take(step) == []
    assert lockstep.misused == ""


def test_memory_of_another_is_not_answered() -> None:
    """Where a source hands the poisoned link out, that is said."""
    lockstep = Lockstep(Simulated())
    for step in parse("cache 4096; a = malloc(40); b = malloc(40); free(b); poke b + 8 0"):
        assert lockstep.take(step) == []
    given = lockstep.pointers[0]
    lying = type("Lying", (), {"api": type("Api", (), {"malloc": staticmethod(lambda m, size: given),
                                                                 "free": staticmethod(lambda m, p: None)})})()
    lockstep.source = lying
    lockstep.take(parse("a = malloc(1); free(a)")[1])
    assert lockstep.take(parse("a = malloc(8)")[0]) == []
    problems = lockstep.take(parse("c = malloc(8)")[0])
    assert [problem.code for problem in problems] == ["misuse_unnoticed"]
    assert "another block's memory" in problems[0].message


def test_nothing_is_promised_of_a_header_that_is_right_by_chance() -> None:
    lockstep = Lockstep(Simulated())
    for step in parse(THREE):
        lockstep.take(step)
    heap, p = lockstep.heap, lockstep.pointers[0]
    assert heap is not None
    part, block = find(heap, lockstep.live, p - 8)
    assert (part, block) == (HeapWord.HEADER, p - 8)
    step = parse("a = malloc(1); free(a)")[1]
    assert noticed(heap, Damage(part, block, 0x43), step, p, None)
    assert not noticed(heap, Damage(part, block, 0x43, is_forged=True), step, p, None)
    assert not noticed(heap, Damage(HeapWord.OTHER, block, 0x43), step, p, None)
