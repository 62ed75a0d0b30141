"""`diff`: policies agree with the model; copies that are subtly wrong part from it where it first matters."""

from collections import Counter
from pathlib import Path

import pytest

from heapster.checkers.blackbox.replaying import replay_foreign
from heapster.checkers.diff.comparing import diff, entrants
from heapster.checkers.diff.lockstep import play_compiled
from heapster.checkers.diff.measuring import percentile, size_classes
from heapster.checkers.findings.store import Store
from heapster.checkers.mutation.fault import plant
from heapster.checkers.mutation.fuzz_faults import FAULTS
from heapster.checkers.mutation.spans_faults import FAULTS as SPANS_FAULTS
from heapster.checkers.targets import grammar
from heapster.checkers.targets.target import LIBC
from heapster.checkers.traces.compact import compact
from heapster.checkers.traces.generating import generate
from heapster.checkers.traces.writing import write_trace
from heapster.model.placement import POLICY_NAMES
from heapster.model.trace import parse
from heapster.results import UsageError, Verdict
from tests.diff.strangers import SMASHES, bump


def kept(folder: Path) -> Store:
    return Store(folder / ".heapster", print)


SLOTS = "; ".join([*(f"m{i} = malloc(1000)" for i in range(130)), *(f"free(m{i})" for i in range(129))])
RUNS = f"cache 4096; a = malloc(100); {SLOTS}; trim 0; thread 1; b = malloc(50); free(a); stats; c = malloc(700)"


@pytest.mark.parametrize("spans", [False, True])
@pytest.mark.parametrize("policy", POLICY_NAMES)
def test_the_compiled_allocator_agrees_with_the_model(policy: str, *, spans: bool) -> None:
    trace = generate("peaks", 6000, 3)
    played = play_compiled(trace, policy, spans=spans)
    assert (played.parting, played.steps) == (None, len(trace))
    assert played.compared >= 2


def test_steps_of_every_kind_agree() -> None:
    text = """a = malloc(100); thread 1; b = malloc(100); thread 0; c = posix_memalign(256, 77); growth 8192; fork
    stats
        threshold 8192; d = malloc(9000); fail mmap 1; e = malloc(20000); fail sbrk 1; f = malloc(8000)
    d = realloc(d, 100); foreign_sbrk(100); g = malloc(8000); arenas 2
    usable_size(a); policy worst_fit; h = calloc(3, 100)
    i = reallocarray(NULL, 4, 4); j = pvalloc(1); k = valloc(1); l = memalign(64, 64); m = aligned_alloc(32, 9)
    free(b); free(NULL); n = malloc(SIZE_MAX); finalize; o = malloc(1)"""
    assert play_compiled(compact(parse(text)), "best_fit").parting is None


def test_runs_agree_and_what_is_reserved_for_them_is_no_heap() -> None:
    played = play_compiled(compact(parse(RUNS)), "best_fit", spans=True)
    assert (played.parting, played.compared) == (None, 1)
    figures, series = played.measures.figures(), played.measures.series
    assert [series[name][-1] for name in ("live", "heap")] == [1750, 4 << 16]     # a run of each class
    assert figures["peak_heap"] == 4 << 16
    assert figures["external"] <= 1.0


def test_a_copy_with_a_fault_in_its_runs_parts_from_the_model(tmp_path: Path) -> None:
    fault = next(fault for fault in SPANS_FAULTS if fault.title == "a run is not held")
    (tmp_path / "t").write_text("cache 4096\na = malloc(40)\nb = malloc(700)\n")
    playing = entrants(("best_fit",), grammar.parse_list(f"sim:spans=1,{plant(fault, tmp_path)}:spans=1"))
    run = diff([str(tmp_path / "t")], playing, kept(tmp_path))
    [found] = run.findings
    assert (found.code, run.extra["found_on"][found.id].endswith(":spans=1")) == ("structure_diverges", True)
    assert run.extra["table"][str(tmp_path / "t")]["sim:spans=1:best_fit"]["agrees"]


def test_what_is_measured() -> None:
    text = "a = malloc(1000); b = malloc(3000); free(a); c = realloc(b, 90000); free(c); d = malloc(16)"
    figures = play_compiled(compact(parse(text)), "first_fit").measures.figures()
    assert (figures["peak_live"], figures["peak_heap"]) == (90000, 131072)
    assert figures["utilization"] == round(90000 / 131072, 6)
    assert figures["moves"] == 0
    assert figures["system_calls"] == 1


@pytest.mark.parametrize(("text", "figures"), [
    ("keep 1048576; a = malloc(200000); free(a)", [0, 0, 200704, 200704]),
    ("a = malloc(200000); fail munmap 1; free(a)", [0, 200704, 200704, 0])])
def test_a_mapping_that_is_kept_is_free_and_one_that_was_set_aside_is_not(text: str, figures: list[int]) -> None:
    series = play_compiled(compact(parse(text)), "first_fit").measures.series
    assert [series[name][-1] for name in ("live", "used", "heap", "largest_free")] == figures


def test_percentiles_and_size_classes() -> None:
    assert [percentile({1: 98, 7: 1, 9: 1}, part) for part in (0.5, 0.98, 0.99, 1)] == [1, 1, 7, 9]
    assert percentile({}, 0.99) == 0
    assert size_classes(Counter({0: 1, 1: 2, 16: 3, 17: 4})) == [[1, 3], [16, 3], [32, 4]]


def test_a_run_as_values(tmp_path: Path) -> None:
    write_trace(generate("random", 3000, 1), tmp_path / "t", "binary")
    run = diff([str(tmp_path / "t")], entrants(("first_fit", "best_fit")), kept(tmp_path))
    assert run.verdict is Verdict.PASSED
    rows = run.extra["table"][str(tmp_path / "t")]
    assert list(rows) == ["first_fit", "best_fit"]
    assert rows["best_fit"]["searched_mean"] > 0
    series = run.extra["series"][str(tmp_path / "t")]["first_fit"]
    assert len({len(column) for column in series.values()}) == 1


def test_misuse_in_a_trace_is_named(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("a = malloc(1)\nfree(a)\nfree(a)\n")
    with pytest.raises(UsageError, match=r"t, line 3: free of a block that was freed already"):
        diff([str(tmp_path / "t")], entrants(("first_fit",)), kept(tmp_path))


# Others' allocators.

def test_others_stand_beside_the_policies(tmp_path: Path) -> None:
    write_trace(generate("peaks", 6000, 1), tmp_path / "t", "binary")
    trace = str(tmp_path / "t")
    run = diff([trace], entrants(("first_fit",), [LIBC, grammar.parse(bump(tmp_path))], "bump_"), kept(tmp_path))
    assert run.verdict is Verdict.PASSED
    ours, libc, bumped = run.extra["table"][trace].values()
    assert ours["peak_live"] == libc["peak_live"] == bumped["peak_live"]
    assert ours["peak_live"] <= libc["peak_heap"] < bumped["peak_heap"] <= bumped["final_heap"]
    assert 0 < libc["final_heap"] <= libc["peak_heap"]
    assert libc["searched_mean"] is None
    series = run.extra["series"][trace]["libc"]
    assert max(series["live"]) <= libc["peak_live"]
    assert max(series["heap"]) <= libc["peak_heap"]


def test_a_wrong_one_is_a_finding_on_a_least_trace_that_can_be_replayed(tmp_path: Path) -> None:
    write_trace(generate("random", 2000, 1), tmp_path / "t", "binary")
    store = kept(tmp_path)
    run = diff([str(tmp_path / "t")], entrants((), [grammar.parse(bump(tmp_path, free=SMASHES))], "bump_"), store)
    finding, = run.findings
    assert finding.code == "contents_damaged"
    assert len(finding.trace) < 12
    found = store.find(finding.id)
    assert found is not None
    assert replay_foreign(found, gdb=False, say=lambda _: None, warn=print) == 1


# A policy that is subtly wrong.

WRONG = {fault.title: fault for fault in FAULTS}


@pytest.mark.parametrize(("policy", "title"), [
    ("best_fit", "best fit takes the last of equals"), ("next_fit", "next fit begins at the head each time")])
def test_a_wrong_policy_is_told_apart_at_the_first_step_where_it_matters(policy: str, title: str,
                                                                         tmp_path: Path) -> None:
    folder = plant(WRONG[title], tmp_path)
    write_trace(generate("exponential", 3000, 2), tmp_path / "t", "binary")
    run = diff([str(tmp_path / "t")], entrants((policy,), [grammar.parse(str(folder))]), kept(tmp_path))
    finding, = run.findings
    assert finding.code in ("answer_diverges", "structure_diverges")
    assert len(finding.trace) < 20
    assert finding.before
    assert finding.after
    assert [row["agrees"] for row in run.extra["table"][str(tmp_path / "t")].values()] == [True, False]
