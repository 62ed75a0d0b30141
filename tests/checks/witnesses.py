"""Values that checks must pass, and that they must not, as one call for each module: it raises if one errs.

They are the tables of the modules' own tests, so that a row added there holds the checks here, too.
"""

from itertools import pairwise
from random import Random
from typing import Any

from heapster.checkers.lockstep import calls
from heapster.checkers.lockstep import lockstep as lockstep_module
from heapster.checkers.lockstep.calls import Answer
from heapster.checkers.lockstep.decode import decode
from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.checkers.lockstep.payload_pattern import BETWEEN, EDGE, WHOLE, Contents, sampled
from heapster.checkers.lockstep.spans import SimulatedWithRoom, SpansLockstep
from heapster.checkers.targets.source import with_spans
from heapster.machine.protocol import REFUSED, Call, MachineFault
from heapster.machine.simulated import Simulated
from heapster.model.live import Held
from heapster.model.misuse import HeaderWord
from heapster.model.operation import Step
from heapster.model.operations import OPERATIONS
from heapster.model.runs import NO_RUNS
from heapster.model.system import System
from heapster.model.trace import parse
from tests.checks import altered, images
from tests.model import test_invariants, test_live, test_spec


def cases(test: Any) -> list[tuple[Any, ...]]:
    """What a test is called with."""
    (mark,) = (mark for mark in test.pytestmark if mark.name == "parametrize")
    return [case if isinstance(case, tuple) and isinstance(mark.args[0], tuple) else (case,) for case in mark.args[1]]


def all_of(module: Any, without: frozenset[str] = frozenset()) -> None:
    """Every test of a module that asks for no fixture, with all that it is called with."""
    for name, test in vars(module).items():
        if name.startswith("test_") and name not in without:
            for case in cases(test) if hasattr(test, "pytestmark") else [()]:
                test(*case)


def specification() -> None:
    """What a correct allocator may answer, and what none does."""
    all_of(test_spec)


def invariants() -> None:
    """Sound heaps, and heaps that break one invariant."""
    all_of(test_invariants)


def decoding() -> None:
    """Memory of heaps, and memory that was tampered with."""
    for text in images.TRACES:
        images.is_decoded(text)
    for tampering in images.TAMPERINGS:
        images.is_told(tampering)
    assert decode(SimulatedWithRoom(), spans=True).runs == NO_RUNS
    images.long_lists_end()
    images.faults_are_told()


def lockstep() -> None:
    """Sources that do all as they must, and sources that do one thing otherwise."""
    for text in images.TRACES:
        altered.goes_well(text)
    for ending in altered.ENDINGS:
        altered.ends(*ending)
    for one in altered.ALTERED:
        altered.is_told(one)
    assert lockstep_module.joined([(8, 12), (0, 4), (4, 8), (20, 24), (24, 28)]) == [(0, 12), (20, 28)]
    looks_at_the_heap()
    slots()
    contents()
    moved_contents()
    headers_of_freed_blocks()
    words_of_the_callers_own()
    ways_of_calling()


def looks_at_the_heap() -> None:
    """When a heap that is looked at now and then is: what is spoilt in memory is told then, and not before."""
    for last, every, looks in (("c = malloc(100)", 100, 0), ("c = malloc(100)", 7, 0), ("c = malloc(100)", 6, 1),
                               ("finalize", 100, 1), ("free(a + 8)", 100, 1), ("stats", 100, 1)):
        lockstep = Lockstep(Simulated(), look_every=every)
        *steps, end = parse("growth 4096; threshold 8192; a = malloc(40); b = malloc(40); free(a); " + last)
        assert [lockstep.take(step) for step in steps] == [[]] * len(steps)
        lockstep.m.store(lockstep.pointers[0] + 32, 0)          # the footer
        codes = [problem.code for problem in lockstep.take(end)]
        assert codes == ["boundary_tags_agree", "structure_diverges"] * looks, (last, every)
        assert lockstep.checks()["boundary_tags_agree"] == looks
        assert lockstep.steps == len(steps) + (last not in ("finalize", "free(a + 8)"))
    crying = altered.Altered("", "verify.verify", altered.raising(MachineFault("hang", "no end", 0)), "", ())
    lockstep = Lockstep(Simulated(), altered.source(crying))
    assert [len(lockstep.take(step)) for step in parse("a = malloc(40); stats")] == [0, 1]
    lockstep = Lockstep(Simulated(), look_every=3)
    counts = []
    for step in parse("a = malloc(40); b = malloc(40); free(a); stats; usable_size(b); free(b); a = malloc(8); "
                      "finalize"):
        assert lockstep.take(step) == []
        counts.append(lockstep.checks()["live_block_is_cached"])
    assert counts == [0, 0, 1, 2, 2, 2, 3, 4]


def slots() -> None:
    """Where there are spans, runs are predicted, and statistics count slots."""
    lockstep = SpansLockstep(SimulatedWithRoom(), with_spans())
    for step in parse("cache 48; arenas 2; a = malloc(40); b = malloc(40); c = malloc(40); d = malloc(2000); free(a); "
                      "trim 0; stats; thread 1; e = malloc(500); free(b); free(d); stats; f = malloc(40); stats"):
        assert lockstep.take(step) == [], step
    lockstep.reference.malloc(System([]), 40)
    assert [problem.code for problem in lockstep.take(Step("stats"))] == ["structure_diverges"]


def words_of_the_callers_own() -> None:
    """A caller that writes a word into its own block finds it there, also where words are not watched; free is free."""
    for text in ("a = malloc(40); poke a + 16 5; b = realloc(a, 8000); poke b 6; free(b); finalize",
                 "a = malloc(8000); poke a + 264 5; free(a); b = calloc(1, 8000); free(b)",
                 "a = malloc(40); poke a 5; free(a); b = malloc(40); c = realloc(b, 8000); finalize; d = malloc(40)",
                 "a = malloc(40); poke a 5; finalize; b = malloc(40); c = realloc(b, 8000)"):
        lockstep = Lockstep(Simulated())
        for step in parse(text):
            assert lockstep.take(step) == [], (text, step)
        assert lockstep.misused == ""


def ways_of_calling() -> None:
    """A row's operands say how its function is called."""
    for verb, way in (("malloc", "_plain"), ("free", "_on_pointer"), ("posix_memalign", "_posix_memalign")):
        assert calls._of(OPERATIONS[verb]).__qualname__.startswith(way), verb


def headers_of_freed_blocks() -> None:
    """What is known of the headers of freed blocks, as calls of the system come between."""
    known, standing, purged = HeaderWord.UNKNOWN, HeaderWord.STANDS, HeaderWord.PURGED
    lockstep = Lockstep(Simulated())
    for step in parse("threshold 8192; a = malloc(40); b = malloc(40); fail mmap 1; fail sbrk 1; fail mmap 2; "
                      "c = realloc(a, 900000); free(NULL)"):
        assert lockstep.take(step) == []
    a, b = lockstep.pointers[0], lockstep.pointers[1]
    assert [lockstep._freed.header(pointer) for pointer in (a, b, 0)] == [known] * 3
    for step in parse("b = malloc(1); free(b)")[1:]:
        assert lockstep.take(step) == []
    assert [lockstep._freed.header(pointer) for pointer in (a, b)] == [known, standing]
    assert lockstep.take(parse("a = malloc(1); a = realloc(a, 0)")[1]) == []
    assert lockstep._freed.header(a) is standing
    for name, arguments, answer, after in (
            ("purge", (1000, 16), 0, purged), ("munmap", (1000, 16), 0, known), ("remap", (1000, 16, 32), 5000, known),
            ("sbrk", (-16,), 1016, known), ("sbrk", (16,), 1000, standing), ("mmap", (16,), 1000, standing)):
        for pointer in (1000, 1008, 1016, 1024):
            lockstep._freed.freed(pointer)
        lockstep._note_lost(name, arguments, answer)
        assert [lockstep._freed.header(pointer) for pointer in (1000, 1008, 1016, 1024)] == [
            standing, after, after, standing], name
        lockstep._freed.given_back(0, 2000)
    refused_and_not(lockstep)


def refused_and_not(lockstep: Lockstep) -> None:
    """A call that the system refused takes nothing."""
    for answer, after in ((REFUSED, HeaderWord.STANDS), (0, HeaderWord.UNKNOWN)):
        lockstep._freed.freed(1008)
        lockstep.m.calls = [Call("munmap", (1000, 16), answer)]
        lockstep._note_freed(Step("stats"), 0, Answer())
        assert lockstep._freed.header(1008) is after


def contents() -> None:
    """Blocks of all sizes, each of whose watched words is changed in turn."""
    for words in (1, 3, WHOLE, WHOLE + 1, WHOLE + 2, 400):
        m = Simulated()
        start = m.mmap(4096 * 4)
        watched = Contents(m)
        for at in (start, start + 2048 * 4):
            watched.write(at, 8 * words + 7)
        seen = set(sampled(words))
        assert watched.damaged() is None
        patterns = [m.load(at + 8 * index) for at in (start, start + 8192) for index in seen]
        assert len(set(patterns)) == len(patterns)
        assert all(word < 0 and word & 15 == 15 for word in patterns), "no header, no size, no address"
        assert seen >= {*range(min(words, EDGE)), *range(max(0, words - EDGE), words)}
        assert (seen == set(range(words))) == (words <= WHOLE)
        assert words <= WHOLE or max(b - a for a, b in pairwise(sorted(seen))) <= max(1, words // BETWEEN)
        for index in seen:
            at = start + 8 * index
            before = m.load(at)
            m.store(at, 0)
            assert watched.damaged() == (start, 8 * index)
            m.store(at, before)
            assert watched.damaged() is None
        watched.drop(start)
        m.store(start, 0)
        assert watched.damaged() is None
        watched.drop_all()
        m.store(start + 8192, 0)
        assert watched.damaged() is None


def moved_contents() -> None:
    """What a move kept, up to where the new block ends; and what is zero."""
    for words in (6, 400):
        m = Simulated()
        start = m.mmap(4096 * 4)
        watched = Contents(m)
        watched.write(start, 8 * words)
        m.copy(start + 8192, start, 8 * words)
        assert watched.prefix_lost(start, start + 8192, 8 * words) is None
        m.store(start + 8192 + 8 * (words - 1), 0)
        assert watched.prefix_lost(start, start + 8192, 8 * words + 64) == 8 * (words - 1)
        assert watched.prefix_lost(start, start + 8192, 8 * words - 1) is None
        m.store(start + 8192, 0)
        assert watched.prefix_lost(start, start + 8192, 8) == 0
        m.fill(start, 0, 8 * words)
        assert watched.not_zero(start, 8 * words + 7) is None
        m.store(start + 8 * words - 8, 1)
        assert watched.not_zero(start, 8 * words) == 8 * words - 8
    serials = Contents(Simulated())
    assert serials.damaged() is None


def live_blocks() -> None:
    """Sets of held blocks."""
    all_of(test_live, frozenset({"test_overlapping"}))
    rng = Random(5)
    for _ in range(300):
        blocks = [Held(rng.randint(1, 100), rng.randint(0, 20), rng.choice((None, rng.randint(0, 30))))
                  for _ in range(rng.randint(0, 6))]
        besides = rng.choice([0, *(held.pointer for held in blocks)])
        test_live.is_found(blocks, rng.randint(1, 100), rng.randint(1, 20), besides)
