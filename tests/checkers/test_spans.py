"""Spans in lock-step: a heap with runs is right, a fault breaks each invariant, and who does not know them says so."""

import os
import sys
from pathlib import Path

import pytest

from heapster import children
from heapster.checkers.fuzz.campaign import FuzzOptions
from heapster.checkers.fuzz.stateful import Record, live_lives
from heapster.checkers.lockstep.native import NativeMake
from heapster.checkers.lockstep.run_trace import Outcome, on_source, rerun, taken
from heapster.checkers.lockstep.spans import SimulatedWithRoom, SpansLockstep
from heapster.checkers.mutation.fault import Fault, one_edit, planted
from heapster.checkers.mutation.spans_faults import FAULTS
from heapster.checkers.stress.runner import StressPlan, stress
from heapster.checkers.targets import grammar
from heapster.checkers.targets.capabilities import view_of
from heapster.checkers.targets.opening import make_for
from heapster.checkers.targets.source import with_spans
from heapster.checkers.targets.target import View
from heapster.cli import main
from heapster.impl import layout, run_layout
from heapster.machine.simulated import Simulated
from heapster.model.run_invariants import SPANS_ALWAYS
from heapster.model.trace import parse
from heapster.model.witnesses import SPANS_SOMETIMES, sometimes
from heapster.results import UsageError

BEGIN = "cache 4096; a = malloc(40)"
MANY = "; ".join(f"m{i} = malloc(1000)" for i in range(130))
FREED = "; ".join(f"free(m{i})" for i in range(130))
FULL = f"cache 2048; {MANY}; {FREED}"
OTHERS = "; ".join(f"o{i} = malloc(500)" for i in range(130))
REMOTE = "cache 4096; arenas 2; a = malloc(40); thread 1; b = malloc(40); free(a); thread 0; c = malloc(40)"
LATE = ("arenas 2; a = malloc(40); b = malloc(40); c = malloc(40); thread 1; d = malloc(40); free(a); free(b); "
        "free(c); thread 0; e = malloc(40)")
FIRST = "; ".join(f"free(m{i})" for i in range(64))
TWO_LISTED = f"cache 2048; {MANY}; free(m3); free(m5); free(m70); free(m71); trim 0; n = malloc(1000); o = malloc(1000)"
REFUSED = "; ".join(f"fail purge {i}" for i in range(4))
SENT_BACK = f"cache 2048; arenas 2; {MANY}; thread 1; x = malloc(5000); {FIRST}; {REFUSED}; trim 0; thread 0; trim 0"
SOME = "; ".join(f"free(m{i})" for i in range(20))
IN_TURN = f"cache 2048; {MANY}; {SOME}; trim 0; cache 16384; n = malloc(1000); o = malloc(1000); p = malloc(1000)"
FROM_THE_END = "; ".join(f"free(m{i})" for i in (129, *range(127, -1, -1)))
NEW = "; ".join(f"n{i} = malloc(1000)" for i in range(12))
WHOLE = f"cache 131072; {MANY}; {FIRST.partition('; free(m50)')[0]}; trim 0; {NEW}"
BACK = "cache 64; a = malloc(40); b = malloc(40); free(a); trim 0; c = malloc(40)"
SHOWN = {
    "a run has another owner": BEGIN,
    "a run has the class below": BEGIN,
    "a run is given back with a slot out": f"{FULL}; trim 0",
    "a run of which no slot is out stays": f"cache 2048; {MANY}; {FREED.rpartition('; free(m64)')[0]}; trim 0",
    "a run is not held": BEGIN,
    "a run is free as a whole": BEGIN,
    "a run that got a slot back is on no list": f"{BEGIN}; free(a); trim 0",
    "a run that gave all its slots again stays listed": f"{BEGIN}; free(a); trim 0; b = malloc(40)",
    "a run of the pool counts as one with pages for ever": f"{FULL}; {OTHERS}",
    "what was purged counts as pages": f"{FULL}; trim 0",
    "a run that is given up counts as used": f"{FULL}; trim 0",
    "a refused reservation is taken": f"fail mmap 0; {BEGIN}",
    "a reservation is asked for at each turn": f"fail mmap 0; {BEGIN}; b = malloc(100)",
    "the end of the reservation stays": f"{BEGIN}; finalize",
    "a slot is handed out twice": f"{BEGIN}; b = malloc(40); c = malloc(40)",
    "slots that are taken stay where they were": IN_TURN,
    "slots that are out are not counted in their run": f"{BEGIN}; b = malloc(40); c = malloc(40); d = malloc(40)",
    "the ledger does not count a slot": BEGIN,
    "the inside of a slot is one": f"{BEGIN}; b = malloc(40); free(a); free(b + 32)",
    "a slot that waits is freed again": f"{BEGIN}; b = malloc(40); free(a); free(a)",
    "a slot that its run has back is not looked for": f"{BEGIN}; b = malloc(40); free(a); trim 0; free(a)",
    "realloc leaves a slot of a lesser class": f"{BEGIN}; free(a); b = malloc(100); c = realloc(b, 200)",
    "a slot goes to whoever frees it": f"{REMOTE}; trim 0; thread 1; trim 0",
    "what others freed of runs is lost": f"cache 64; {LATE}",
    "slots are released as blocks": f"{BEGIN}; free(a); trim 0",
    "blocks wait where their own size is looked for": f"fail mmap 0; {BEGIN}; b = malloc(60); free(a)",
    "calloc leaves the end of a slot": f"{BEGIN}; free(a); b = calloc(1, 40)",
    "what a run has back is left for new slots": BACK,
    "a run that has just a batch back keeps its list": "cache 64; a = malloc(40); free(a); trim 0; b = malloc(40)",
    "all that a run has back comes, more than a bin may keep": IN_TURN,
    "a bin that got many slots at once is over its limit": WHOLE,
    "fewer slots are taken than were asked for": IN_TURN,
    "slots are taken the other way round": IN_TURN,
    "the last slot of a run comes first": f"{BEGIN}; b = malloc(40)",
    "slots begin where their run does": BEGIN,
    "a batch of slots is one too few": f"{BEGIN}; b = malloc(40); c = malloc(40)",
    "a run stays on the list that it is taken off, seen from behind": TWO_LISTED,
    "runs that nobody has wait while new ones are taken": f"{FULL}; {OTHERS}",
    "no more runs keep their pages than are used": f"cache 2048; {MANY}; {FROM_THE_END}; free(m128)",
    "a run of the pool is purged again and again": f"{FULL}; trim 0; trim 0",
    "a run that went to the pool was trimmed": SENT_BACK,
    "the pool is not purged": f"{FULL}; trim 0",
    "slots that come back let no epoch end": f"{BEGIN}; free(a); trim 0",
    "slots that come back at once are a step as one is": f"cache 131072; {MANY}; {FREED}; trim 0",
    "slots that come back at once count as one": f"{BEGIN}; b = malloc(40); free(a); free(b); trim 0",
    "slots of two runs come back to one": f"cache 131072; {MANY}; {FREED}; trim 0",
    "a call that took slots is counted in a cache": BEGIN,
    "realloc leaves a slot in a thread without a cache": "cache 4096; a = malloc(100); thread 1; b = realloc(a, 101)",
    "a slot that was sent counts for nothing": f"cache 64; {LATE.rpartition('; thread 0')[0]}; stats",
    "a refusal is remembered beyond the end of the heap": f"fail mmap 0; {BEGIN}; finalize; b = malloc(40)",
    "a run of which no slot is out stays while its class has room": f"{FULL}; trim 0",
}


def run(text: str, fault: Fault | None = None) -> Outcome:
    return rerun(parse(text), on_source(planted(fault) if fault else with_spans(), spans=True))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.title.replace(" ", "-"))
def test_a_trace_shows_each_fault_and_passes_without_it(fault: Fault) -> None:
    assert fault.caught_by in run(SHOWN[fault.title], fault).codes
    assert run(SHOWN[fault.title]).problems == ()


def test_each_invariant_of_runs_is_broken_by_a_fault() -> None:
    assert {check.__name__ for check in SPANS_ALWAYS} <= {fault.caught_by for fault in FAULTS}


def test_any_calls_are_right() -> None:
    options = FuzzOptions()
    record = Record(on_source(with_spans(), spans=True), options.policies, options.arenas, options.faults)
    live_lives(record, 1000, 4)
    assert record.failure is None and record.ops > 100


@pytest.mark.slow
def test_any_calls_of_the_compiled_library_are_right() -> None:
    options = FuzzOptions()
    record = Record(NativeMake(spans=True), options.policies, options.arenas, options.faults)
    live_lives(record, 1000, 30)
    assert record.failure is None and record.witnesses["a_run_was_cut"] > 0


@pytest.mark.slow
def test_threads_and_forks_find_the_compiled_library_right() -> None:
    assert stress(StressPlan(grammar.parse("native:spans=1"), 2, 20.0, "all", 1)).findings == ()


@pytest.mark.slow
def test_libraries_with_spans_serve_programs(tmp_path: Path) -> None:
    assert main(["build", "--spans", "--check", "--out", str(tmp_path / "built")]) == 0
    ours = {"HEAPSTER_SPANS": "1", "HEAPSTER_VERIFY": "100", "HEAPSTER_STATS": "1"}
    program: list[str | Path] = [sys.executable, "-c", "print(sum(range(9)))"]
    for setting in ({}, {"HEAPSTER_HARDEN": "1"}):
        done = children.run([sys.executable, "-m", "heapster", "run", "--", *program],
                            env={**os.environ, **ours, **setting}, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "36\n"), done.stderr


ENDED = f"{REMOTE}; thread_end; thread 1; {FULL[12:]}; thread_end; thread 0; d = malloc(40); finalize"


@pytest.mark.parametrize("text", [
    f"fail mmap 0; {FULL}; finalize; a = malloc(40)", f"fail munmap 0; {FULL}; finalize; {BEGIN}", ENDED,
    "cache 1; a = malloc(0); fail munmap 1; finalize; b = malloc(1073741824)",
    f"fail purge 0; {FULL}; trim 0; trim 0; {OTHERS}", f"{REMOTE}; fork; d = malloc(40); free(b); trim 0; finalize",
    f"{BEGIN}; b = calloc(5, 100); c = realloc(b, 20); d = realloc(c, 3000); e = aligned_alloc(64, 40); free(e)",
    "cache 4096; a = malloc(40); b = malloc(1025); cache 0; c = malloc(40); free_sized(a, 40); free_sized(c, 40)",
    "cache 4096; a = malloc(0); free_sized(a, 1)", "a = malloc(41); free_sized(a, 0)",
    "cache 1152; a = malloc(1025); free(a); poke a + 8 0x0; b = malloc(1017)",
    "cache 32; a = aligned_alloc(32, 25); free(a); stats"])
def test_nothing_is_wrong(text: str) -> None:
    assert run(text).problems == ()


def test_every_event_of_runs_can_be_seen() -> None:
    blocks = "fail mmap 0; cache 4096; a = malloc(40); free(a)"
    texts = (f"{FULL}; {OTHERS}; trim 0", f"cache 64; {LATE[:LATE.index('; thread 0')]}", blocks,
             IN_TURN, BACK)
    seen = {name for text in texts
            for name in taken(SpansLockstep(SimulatedWithRoom(), with_spans()), parse(text)).witnesses}
    assert {witness.name for witness in SPANS_SOMETIMES} <= seen <= {
        witness.name for witness in sometimes(hardened=False, spans=True)}


# Where runs cannot be had.

def begun() -> tuple[SimulatedWithRoom, int]:
    """A machine with a slot that is used, and where the reservation begins."""
    m, source = SimulatedWithRoom(), with_spans()
    source.settings.set_cache(m, 4096)
    assert source.api.malloc(m, 40)
    return m, m.load(m.statics() + run_layout.RUNS_AT) + run_layout.FAR


def is_slot(base: int, p: int) -> bool:
    return 0 < p - base < 1 << run_layout.RESERVE_SHIFT


def test_arenas_serve_what_no_run_is_left_for() -> None:
    m, base = begun()
    m.store(base + run_layout.RUN_NEXT, run_layout.RUN_COUNT)
    assert not is_slot(base, with_spans().api.malloc(m, 100)) and is_slot(base, with_spans().api.malloc(m, 40))


def test_a_child_that_lost_the_pool_goes_on_without() -> None:
    m, base = begun()
    m.store(base + run_layout.RUN_POOL, 1)              # in the middle of a change
    m.owners[m.statics() + layout.MAPPINGS + layout.ARENA_LOCK] = 1
    with_spans().lifecycle.after_fork_in_child(m)
    assert is_slot(base, with_spans().api.malloc(m, 100))


def test_a_child_that_lost_an_arena_has_slots_of_another() -> None:
    m, base = begun()
    m.owners[m.statics() + layout.ARENAS + layout.ARENA_LOCK] = 1
    with_spans().lifecycle.after_fork_in_child(m)
    assert is_slot(base, with_spans().api.malloc(m, 100))


def test_a_system_without_room_gives_blocks() -> None:
    m, source = Simulated(), with_spans()
    source.settings.set_cache(m, 4096)
    assert source.api.malloc(m, 40) and m.load(m.statics() + run_layout.RUNS_AT) == 0


# How it is spelled.

def test_a_target_may_have_spans() -> None:
    target = grammar.parse("sim:spans=1")
    assert target.settings.environment == {} and target.settings.steps == ()
    assert isinstance(make_for(target)(), SpansLockstep)


def test_either_build_is_held_in_the_same_ways() -> None:
    for command, of_source, of_library in (("fuzz", View.LOCKSTEP, View.LOCKSTEP), ("diff", View.ENGINE, View.ENGINE),
                                           ("races", View.SOURCE, View.CALLS)):
        for spans in (0, 1):
            assert view_of(grammar.parse(f"sim:spans={spans}"), command) is of_source
            assert view_of(grammar.parse(f"native:spans={spans}"), command) is of_library


@pytest.mark.parametrize("target", ["sim:spans=1", "process:spans=1", "native:spans=1"])
def test_each_reading_has_runs(target: str) -> None:
    found = rerun(parse(f"{FULL}; trim 0; n = malloc(1000); stats; finalize; a = malloc(40)"),
                  make_for(grammar.parse(target)))
    assert found.problems == () and found.after and found.after.runs and found.after.runs.runs


@pytest.mark.parametrize("end", [
    "poke a - 8 0x41; free(a)", "free(a); free(a)", "free(a + 16)",
    "cache 65536; c = malloc(3000); free(c); cache 0; poke c 0x8000000000000000; d = malloc(3000)"])
def test_where_nothing_was_reserved_yet_all_that_is_promised_of_blocks_is(end: str) -> None:
    trace = parse(f"growth 4096; a = malloc(40); b = malloc(40); {end}")
    misused = [rerun(trace, make_for(grammar.parse(target))).misused for target in ("sim:spans=0", "sim:spans=1")]
    assert misused[0] == misused[1] != "unnoticed"


def test_what_is_not_noticed_of_a_block_is_told_where_nothing_was_reserved_yet() -> None:
    fault = one_edit("", "malloc", "    if header & USED == 0:", "    if header == 0:", "")
    trace = parse("a = malloc(0); b = malloc(0); free(a); cache 32; free(a)")
    codes = [rerun(trace, on_source(planted(fault), spans=spans)).codes for spans in (False, True)]
    assert codes == [("misuse_unnoticed",)] * 2


def test_a_hardened_heap_is_the_same_where_there_are_spans() -> None:
    make = on_source(with_spans(), hardened=True, spans=True)
    found = rerun(parse(f"{FULL}; b = malloc(80000); c = realloc(b, 30); free(c); trim 0; stats; free(c)"), make)
    assert found.problems == () and found.misused in {"double_free", "invalid_pointer"}


def test_a_hardened_heap_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="a hardened heap has no runs"):
        view_of(grammar.parse("native:spans=1:harden=1"), "fuzz")
    assert main(["build", "--spans", "--harden", "--out", "never"]) == 2
    assert "a hardened heap has no runs" in capsys.readouterr().err
