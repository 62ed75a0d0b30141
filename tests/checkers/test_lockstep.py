"""The lockstep agrees with the shipped source on everything, and with no planted fault."""

from typing import Any

import pytest

from heapster.checkers.lockstep.lockstep import Lockstep
from heapster.checkers.lockstep.run_trace import on_source, rerun
from heapster.checkers.mutation.fault import SHIPPED_FOLDER, StaleFault, one_edit, planted
from heapster.checkers.mutation.fuzz_faults import FAULTS
from heapster.checkers.mutation.hunt_fuzz import hunt, is_short
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import make_for
from heapster.impl.layout import KEY, MARK
from heapster.machine.protocol import Aborted
from heapster.machine.simulated import Simulated
from heapster.model.geometry import EPOCH, MOST_REMOTE, MOST_SENT, SIZE_MAX
from heapster.model.heap import AGED, PURGED
from heapster.model.operation import Step, Trace
from heapster.model.sketch import sketch
from heapster.model.trace import parse
from tests.hunts import hunted

SMALL = "growth 4096; threshold 8192; "


def outcome(text: Any, target: Any = "sim") -> Any:
    return rerun(parse(SMALL + text), make_for(grammar.parse(target)))


@pytest.mark.parametrize("target", ["sim", "process"])
@pytest.mark.parametrize(("text", "heap"), [
    ("a = malloc(40)", "#48 .3984"),
    ("a = malloc(40); b = malloc(40); free(a)", ".48 #48 .3936"),
    ("a = malloc(40); b = malloc(40); free(a); free(b)", ".4032"),
    ("a = malloc(100); b = malloc(40); a = realloc(a, 20)", "#32 .80 #48 .3872"),
    ("a = malloc(40); b = malloc(40); free(b); a = realloc(a, 100)", "#112 .3920"),
    ("a = aligned_alloc(256, 40)", None),
])
def test_whole_heaps(text: Any, heap: Any, target: Any) -> None:
    found = outcome(text, target)
    assert found.problems == ()
    if heap and target == "sim":
        assert sketch(found.after) == heap


THREE = "cache 4096; a = malloc(40); b = malloc(40); c = malloc(40); "
FREED_TWICE = (                         # a block that waits, or that became part of what does, is freed again
    "cache 32; a = malloc(0); thread 1; free(a); free(a)",
    "cache 32; thread 1; a = malloc(0); thread 0; free(a); free(a)",
    THREE + "free(a); free(b); free(c); free(a)",
    THREE + "free(a); free(b); free(c); thread 1; free(b)",
    THREE + "free(a); free(b); thread 1; free(c); thread 2; free(c)",
    THREE + "thread 1; free(a); free(b); free(c); thread 0; free(a)",
    THREE + "thread 1; free(a); free(b); free(c); thread 0; free(b)",
    THREE + "free(a); cache 0; free(a)",
    THREE + "free(a); cache 0; policy best_fit; thread 1; free(a)",
    THREE + "free(a); free(b); thread_end; free(a)",
    THREE + "free(a); free(b); thread_end; free(b)",
    THREE + "free(a); free(b); thread_end; d = malloc(9000); thread 1; free(b)",
    THREE + "thread 1; free(a); thread_end; thread 0; free(a)",
    THREE + "free(a); d = realloc(a, 10)",
    THREE + "free(a); thread 1; d = realloc(a, 1000)",
    THREE + "thread 1; free(a); d = realloc(a, 0)",
    THREE + "thread 1; free(c); d = reallocarray(c, 2, 20)",
    "keep 65536; a = malloc(9000); b = malloc(9000); free(b); free(a); thread 1; free(b)",
    "a = malloc(40); b = malloc(40); c = malloc(40); free(a); free(b); d = malloc(9000); thread 1; free(b)",
)


def told(text: str) -> str:
    """What is said of the last step: only what frees is a second free."""
    return "use_after_free" if "realloc" in text and "(a, 0)" not in text else "double_free"


@pytest.mark.parametrize("target", ["sim", "native"])
@pytest.mark.parametrize("text", FREED_TWICE)
def test_what_was_freed_and_not_handed_out_is_not_freed_again(text: str, target: str) -> None:
    found = outcome(text, target)
    assert (found.problems, found.misused) == ((), told(text))


@pytest.mark.parametrize("text", [
    "free(a); d = malloc(40); free(a)", "thread 1; free(a); thread 0; d = malloc(40); free(a)"])
def test_a_block_that_was_handed_out_again_is_freed(text: str) -> None:
    """By its old name, too: nobody can tell."""
    assert outcome(THREE + text).problems == ()


@pytest.mark.parametrize("target", ["sim", "native"])
def test_who_wrote_the_mark_is_no_double_freer(target: str) -> None:
    """A block that looks as if it waited is looked for, not found, and freed."""
    lockstep = make_for(grammar.parse(target))()
    for step in parse(THREE):
        assert lockstep.take(step) == []
    p, load = lockstep.pointers[0], lockstep.m.load
    lockstep.m.store(p + MARK, load(lockstep.m.statics() + KEY) - load(p) - p)
    api = lockstep.source.api
    q = api.realloc(lockstep.m, lockstep.pointers[0], 41)
    api.free(lockstep.m, q)
    with pytest.raises(Aborted):
        api.free(lockstep.m, q)
    lockstep.m.close()


@pytest.mark.parametrize(("text", "ending"), [
    ("a = malloc(40); free(a); free(a)", "double_free"),
    ("a = malloc(40); b = malloc(40); free(a); free(b); free(b)", "double_free"),
    ("a = malloc(40); free(a + 8)", "invalid_pointer"),
    ("a = malloc(9000); free(a); free(a)", "fault"),
    ("a = malloc(40); free(a); b = realloc(a, 10)", "use_after_free"),
    *((text, told(text)) for text in FREED_TWICE),
])
def test_misuse_ends_the_run_and_is_told(text: Any, ending: Any) -> None:
    found = outcome(text)
    assert (found.problems, found.misused) == ((), ending)


def test_a_refused_system_changes_nothing() -> None:
    found = outcome("a = malloc(40); fail sbrk 1; fail mmap 1; b = malloc(5000); c = malloc(40)")
    assert found.problems == ()
    assert sketch(found.after) == "#48 #48 .3936"


def test_a_class_is_searched_whole_only_where_memory_is_out() -> None:
    holes = "".join(f"h{i} = malloc(504); k{i} = malloc(0); " for i in range(9))
    text = ("growth 65536; policy segregated_fit; a = malloc(552); k = malloc(0); " + holes
            + "r = malloc(59976); free(a); " + "".join(f"free(h{i}); " for i in range(9)))
    refused = rerun(parse(text + "fail sbrk 1; fail mmap 1; z = malloc(552)"), on_source())
    grown = rerun(parse(text + "z = malloc(552)"), on_source())
    assert (refused.problems, grown.problems) == ((), ())
    assert refused.after
    assert grown.after
    assert [sketch(heap).count(".512") for heap in (refused.after, grown.after)] == [9, 9]
    assert [sketch(heap).count(".560") for heap in (refused.after, grown.after)] == [0, 1]
    shallow = one_edit("not whole", "placement", "want, m.load(arena + FREE_BLOCKS))", "want, PROBES)", "")
    assert "structure_diverges" in rerun(parse(text + "fail sbrk 1; fail mmap 1; z = malloc(552)"),
                                         on_source(planted(shallow))).codes


def test_neighbours_that_the_system_does_not_take_back_are_forgotten() -> None:
    found = outcome("threshold 0; keep 4096; a = malloc(4096); b = realloc(a, 1); fail munmap 1; fail munmap 3; "
                    "keep 16384; c = malloc(8147); free(c); finalize")
    assert found.problems == ()


def sent(blocks: int) -> Trace:
    """That many blocks of thread 0's arena, given back by thread 1 as it ends."""
    taken = [Step("malloc", (24,), i) for i in range(blocks)]
    freed = [Step("free", operand=i) for i in range(blocks)]
    return (*taken, Step("cache", (1 << 15,)), Step("thread", (1,)), *freed, Step("thread_end"))


@pytest.mark.parametrize("target", ["sim:spans=0", "native:spans=0"])
@pytest.mark.parametrize(("blocks", "waiting"), [(MOST_REMOTE + 1, MOST_REMOTE + 1), (MOST_REMOTE + 2, 1)])
def test_who_makes_a_remote_list_long_drains_it(blocks: int, waiting: int, target: str) -> None:
    found = rerun(sent(blocks), make_for(grammar.parse(target)))
    assert (found.problems, found.after and len(found.after.arenas[0].remote.payloads)) == ((), waiting)


def test_a_remote_list_that_nobody_drains_is_noticed() -> None:
    fault = one_edit("the bound is ignored", "remote", "< MOST_REMOTE:", "< MOST_REMOTE * MOST_REMOTE:", "")
    assert "caches_keep_to_their_limits" in rerun(sent(MOST_REMOTE + MOST_SENT), on_source(planted(fault))).codes


def waves(size: int, count: int) -> Trace:
    """That many blocks of one size are asked for, and all given back, again and again."""
    return (Step("cache", (1 << 18,)), *(step for wave in range(6) for step in (
        *(Step("malloc", (size,), wave * count + i) for i in range(count)),
        *(Step("free", operand=wave * count + i) for i in range(count)))))


@pytest.mark.parametrize("target", ["sim", "native"])
def test_a_bin_that_is_filled_and_emptied_grows_to_the_setting(target: str) -> None:
    found = rerun(waves(8000, 40), make_for(grammar.parse(target)))
    assert found.problems == ()
    assert found.after
    assert [(bin_.limit * bin_.size, bin_.overflowed) for bin_ in found.after.caches[0].bins] == [(1 << 18, True)]


@pytest.mark.parametrize(("module", "old", "new"), [
    ("bins", "    while blocks > 1 and blocks * total > MOST_MOVED:\n", "    while False:\n"),
    ("bins", "        return SMALL_BIN\n    return MAX_CACHE\n", "        return SMALL_BIN\n    return SMALL_BIN\n"),
    ("thread_cache", "grow_bin(m, thread, total, SMALL_BIN)", "grow_bin(m, thread, total, SMALL_BIN << 8)")])
def test_a_bin_that_grows_otherwise_is_noticed(module: str, old: str, new: str) -> None:
    fault = one_edit("bins grow otherwise", module, old, new, "")
    assert "structure_diverges" in rerun(waves(8000, 40), on_source(planted(fault))).codes


def idle(epochs: int) -> Trace:
    """A mapping, and a page that a resize cuts off, are kept while so many epochs pass."""
    taken = [Step("malloc", (size,), handle) for handle, size in enumerate((140_000, 604_000))]
    resized = [Step("realloc", (600_000,), 2 + i, 1 + i) for i in range(epochs * EPOCH)]
    return (Step("keep", (1 << 20,)), *taken, Step("free", operand=0), *resized)


@pytest.mark.parametrize(("epochs", "mark"), [(1, AGED), (2, PURGED), (3, PURGED)])
def test_what_is_kept_through_an_epoch_is_purged(epochs: int, mark: int) -> None:
    found = rerun(idle(epochs), on_source())
    assert found.after
    assert (found.problems, [mapped.mark for mapped in found.after.mapped if not mapped.used]) == ((), [mark, mark])


@pytest.mark.parametrize(("old", "new"), [
    ("    if steps == EPOCH:\n", "    if steps == -EPOCH:\n"), ("mark == AGED", "mark != AGED"),
    ("KEPT_MARK, PURGED)", "KEPT_MARK, AGED)"), ("m.load(k) > PAGE", "m.load(k) >= PAGE"),
    ("        m.store(k + KEPT_MARK, AGED)\n", "        pass\n")])
def test_an_epoch_that_does_not_end_or_age_what_is_kept_is_noticed(old: str, new: str) -> None:
    codes = rerun(idle(3), on_source(planted(one_edit("", "retained", old, new, "")))).codes
    assert {"structure_diverges", "fault_bad_purge"} & set(codes)


def test_calls_that_a_thread_leaves_to_an_arena_that_is_not_open_are_noticed() -> None:
    opened = "    open_record(m, arena, owner_of(m, arena))\n"
    fault = one_edit("", "thread_cache", f"{opened}    kind = 0\n", "    kind = 0\n", "")
    trace = parse("cache 32; a = malloc(0); thread 1; free(a); thread_end")
    assert rerun(trace, on_source()).problems == ()
    assert "structure_diverges" in rerun(trace, on_source(planted(fault))).codes


BEYOND = f"keep {SIZE_MAX}; cache {SIZE_MAX}; arenas {SIZE_MAX}; growth {SIZE_MAX}; "


@pytest.mark.parametrize(("old", "new"), [
    ("", ""), ("        most = 0\n    if most > MAX_REQUEST:", "        most = 1\n    if most > MAX_REQUEST:")])
def test_settings_beyond_their_bounds_are_those_of_the_model(old: str, new: str) -> None:
    make = on_source(planted(one_edit("", "retained", old, new, ""))) if old else on_source()
    assert bool(rerun(parse(f"{BEYOND}a = malloc(9000)"), make).problems) == bool(old)


# A check of each kind is hunted for quickly; the table in the docs holds a trace for each of all the others.
QUICK = ("usable_too_small", "fault_unmapped", "flags_agree_with_neighbours", "aborted_corrupt_list", "not_zeroed",
         "system_calls_diverge", "structure_diverges", "undecodable_heap", "overlap", "locks_are_released")


@pytest.mark.parametrize("fault", hunted(FAULTS, lambda fault: fault.caught_by,
                                         lambda fault: fault.title.replace(" ", "-"), QUICK))
def test_planted_fault_is_found_by_the_check_that_must(fault: Any) -> None:
    kill = hunt(fault)
    assert kill.as_expected
    assert is_short(kill)


def test_there_are_enough_planted_faults_and_each_is_told_apart() -> None:
    assert len(FAULTS) >= 30
    assert len({fault.title for fault in FAULTS}) == len(FAULTS)


def test_a_fault_that_no_longer_fits_is_an_error() -> None:
    with pytest.raises(StaleFault, match="0 times"):
        planted(one_edit("gone", "block", "no such line", "", "none"))


def test_memory_that_finalize_could_not_return_may_come_again_as_new() -> None:
    assert outcome("fail munmap 1; a = malloc(9000); finalize; b = calloc(1, 9000)").problems == ()


@pytest.mark.parametrize("trace", ["a = malloc(200000)", "a = malloc(200000); free(a)",
                                   "keep 0; a = malloc(200000); fail munmap 1; free(a)"])
def test_finalize_counts_what_the_system_refuses_wherever_it_waits(trace: str) -> None:
    """A mapping that is used, one that is retained, and one that was set aside when the system had refused it."""
    assert outcome(f"{trace}; fail munmap 1; finalize").problems == ()


def test_a_header_that_has_become_a_link_is_told_too() -> None:
    found = outcome("a = malloc(137); b = malloc(377); c = malloc(0); d = malloc(0); free(b); free(d); free(a); "
                    "free(c); e = malloc(553); f = realloc(d, 0)")
    assert (found.problems, found.misused) == ((), "invalid_pointer")


def test_a_copy_of_the_source_takes_every_step() -> None:
    found = outcome("cache 256; a = malloc(3); free(a); thread_end; fork; stats; finalize", str(SHIPPED_FOLDER))
    assert (found.codes, found.last) == ((), 8)


@pytest.mark.parametrize(("last", "looks"), [("finalize", 1), ("free(a + 8)", 1), ("stats", 1), ("usable_size(b)", 1),
                                             ("c = malloc(8)", 0)])
def test_a_heap_that_is_looked_at_now_and_then_is_looked_at_before_it_ends(last: str, looks: int) -> None:
    """With a fault that no answer shows: at the step that is due, at `stats`, and before what ends the run."""
    source = planted(next(fault for fault in FAULTS if fault.title == "no footer is written"))
    lockstep = Lockstep(Simulated(), source, look_every=6 if last == "usable_size(b)" else 100)
    *steps, end = parse(SMALL + "a = malloc(40); b = malloc(40); free(a); " + last)
    assert [problem for step in steps for problem in lockstep.take(step)] == []
    assert ("boundary_tags_agree" in [problem.code for problem in lockstep.take(end)]) == bool(looks)
    assert lockstep.checks()["boundary_tags_agree"] == looks
