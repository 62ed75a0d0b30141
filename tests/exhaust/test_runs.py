"""Whole runs of `exhaust`: what is found, by how few calls, what is kept, and what is said of it."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.exhaust import ours, strangers
from heapster.checkers.exhaust.probing import literals
from heapster.checkers.exhaust.running import ExhaustPlan, Listener
from heapster.checkers.findings.store import Store
from heapster.checkers.jobs.local import Local
from heapster.checkers.mutation import spans_faults
from heapster.checkers.mutation.fault import plant
from heapster.checkers.mutation.fuzz_faults import FAULTS
from heapster.checkers.targets import grammar
from heapster.cli import main
from heapster.reports.jsonfile import as_value
from heapster.results import Finding, Run, UsageError, Verdict
from heapster.wording import counted
from tests.exhaust.walks import ALLOCATORS, BUMP, MM

PLAN = ExhaustPlan(calls=3, sizes=(24, 100), seconds=None, refusals=False)
FOURTH = """
#include <stdlib.h>
static int seen;
#define ON_MALLOC(size) ((size) == (seen % 2 ? 100 : 24) && ++seen == 4 ? abort() : (void)0)
#include "firstfit.h"
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def fourth(tmp_path: Path) -> Path:
    """An allocator that fails at the fourth of four mallocs."""
    shutil.copy(ALLOCATORS / "zoo" / "firstfit.h", tmp_path)
    source = tmp_path / "fourth.c"
    source.write_text(FOURTH)
    return source


def exhausted(target: Path | str, plan: ExhaustPlan = PLAN, said: Callable[[str], None] = lambda _: None,
              found: Callable[[Finding], None] = lambda _: None) -> Run:
    """A run, which keeps what it finds here."""
    store, listener = Store(Path(".heapster"), pytest.fail), Listener(found, said, lambda _: None)
    aimed = grammar.parse(str(target))
    if aimed.kind in ("sim", "folder", "process"):
        return ours.exhaust(aimed, plan, listener, store, store.folder)
    return strangers.exhaust(ForeignOptions(aimed), plan, listener, store, store.folder)


def frontiers() -> list[Path]:
    return list(Path(".heapster").glob("*.frontier"))


def test_a_correct_allocator_passes_and_all_of_it_is_said() -> None:
    run = exhausted(MM)
    assert (run.verdict, run.extra["complete"], run.extra["programs"]) == (Verdict.PASSED, True, 5 + 37 + 329)
    assert str(run.extra["covered"]).startswith("all 371 programs of at most 3 calls over 2 sizes")
    assert not frontiers()


def test_a_fault_of_four_calls_is_found_as_four_calls(fourth: Path) -> None:
    run = exhausted(fourth, PLAN._replace(calls=4))
    (finding,) = run.findings
    assert finding.code == "abort"
    assert [step.split("=")[-1].strip() for step in finding.trace] == [
        "malloc(24)", "malloc(100)", "malloc(24)", "malloc(100)"]
    assert json.loads((Path(".heapster") / finding.id / "finding.json").read_text())["code"] == "abort"
    assert (Path(".heapster") / finding.id / "repro.c").exists()


def test_two_jobs_find_what_one_does(fourth: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heapster.checkers.exhaust.called.APART", 20)
    monkeypatch.setattr("heapster.checkers.exhaust.walking.WORTH", 0.0)
    found = []
    for jobs in (1, 2):
        shutil.rmtree(".heapster", ignore_errors=True)
        run = exhausted(fourth, PLAN._replace(calls=4, pool=Local(jobs)))
        found.append((run.ops, run.checks, [finding.id for finding in run.findings], run.extra["programs"]))
    assert found[0] == found[1]
    assert len(found[0][2]) == 1


def test_a_fault_of_four_calls_is_not_found_by_three(fourth: Path) -> None:
    assert exhausted(fourth).verdict is Verdict.PASSED


def test_what_is_cut_short_goes_on_to_the_same_end() -> None:
    whole, plan = exhausted(MM), PLAN._replace(seconds=0.0)
    said: list[str] = []
    for _ in range(10):
        run = exhausted(MM, plan, said.append)
        if run.extra["complete"]:
            break
        assert run.verdict is Verdict.INCONCLUSIVE
        assert len(frontiers()) == 1
        assert any("the same command goes on" in claim for claim in run.extra["not_checked"])
    assert any(line.startswith("goes on with programs of") for line in said)
    same = ("programs", "lengths", "heaps", "ways", "covered")
    assert [run.extra[key] for key in same] == [whole.extra[key] for key in same]
    assert not frontiers()


def test_what_was_found_before_the_cut_is_a_finding_after_it(fourth: Path) -> None:
    fourth.write_text(FOURTH.replace("++seen == 4", "++seen == 1"))
    cut = PLAN._replace(calls=2, seconds=0.0)
    run = exhausted(fourth, cut)
    assert not run.extra["complete"]
    while not run.extra["complete"]:
        run = exhausted(fourth, cut)
    assert [finding.code for finding in run.findings] == ["abort"]


@pytest.mark.parametrize(("change", "why"), [
    (lambda path, plan: plan._replace(calls=4), "of another scope"),
    (lambda path, plan: (path.write_text(path.read_text() + "\nint more;\n"), plan)[1], "of another target")])
def test_a_frontier_of_something_else_is_not_gone_on_from(
        tmp_path: Path, change: Callable[[Path, ExhaustPlan], ExhaustPlan], why: str) -> None:
    path = tmp_path / "mm.c"
    shutil.copy(MM, path)
    exhausted(path, PLAN._replace(seconds=0.0))
    said: list[str] = []
    exhausted(path, change(path, PLAN), said.append)
    assert any(why in line and "begins anew" in line for line in said)


def test_a_frontier_that_is_damaged_is_not_gone_on_from() -> None:
    exhausted(MM, PLAN._replace(seconds=0.0))
    (path,) = frontiers()
    path.write_bytes(path.read_bytes()[:100])
    said: list[str] = []
    assert exhausted(MM, PLAN, said.append).extra["complete"]
    assert any("is damaged" in line for line in said)


def test_libc_is_run_by_children() -> None:
    run = exhausted("libc", PLAN._replace(calls=2, sizes=(24,)))
    assert run.verdict is Verdict.PASSED
    assert run.extra["by_children"] == run.ops


@pytest.mark.parametrize("target", ["sim", "sim:spans=1:cache=64"])
def test_our_own_source_passes_with_every_refusal(target: str) -> None:
    run = exhausted(target, PLAN._replace(calls=2, sizes=(24,), refusals=True))
    assert (run.verdict, run.extra["complete"]) == (Verdict.PASSED, True)
    assert run.extra["refusals"] > 0


def test_a_fault_planted_in_our_source_is_found(tmp_path: Path) -> None:
    fault = next(fault for fault in FAULTS if fault.title == "block sizes forget the header")
    run = exhausted(plant(fault, tmp_path), PLAN._replace(calls=2, sizes=(24,)))
    assert run.verdict is Verdict.FAILED
    assert fault.caught_by in {finding.code for finding in run.findings}
    assert all(len(finding.trace) <= 2 for finding in run.findings)


def test_a_fault_planted_in_runs_is_found_where_there_are_spans(tmp_path: Path) -> None:
    fault = next(fault for fault in spans_faults.FAULTS if fault.title == "the ledger does not count a slot")
    run = exhausted(f"{plant(fault, tmp_path)}:spans=1:cache=64", PLAN._replace(calls=2, sizes=(24,)))
    assert fault.caught_by in {finding.code for finding in run.findings}


def test_the_memory_of_this_process_cannot_be_taken_back() -> None:
    with pytest.raises(UsageError, match="name sim"):
        exhausted("process")


def test_numbers_of_a_source_are_sizes_but_not_those_of_its_comments(tmp_path: Path) -> None:
    source = tmp_path / "a.c"
    source.write_text("/* 999 */ int f(int n) { return n > 0x40 ? 1 << 12 : n == 100; } // 888\n")
    assert literals(source, 1 << 20) == [64, 100, 4096]


def test_an_allocator_that_asks_for_more_than_is_looked_at_by_sbrk_stays_in_sight(tmp_path: Path) -> None:
    source = tmp_path / "grows.c"
    source.write_text("""
#include <stddef.h>
#include <unistd.h>
void *malloc(size_t size)
{
    if (size > (size_t)1 << 40)
        return NULL;
    size_t *p = sbrk((long)((size + 31) & ~(size_t)15));
    return p == (void *)-1 ? NULL : (*p = size, (char *)p + 16);
}
void free(void *p) { (void)p; }
""")
    run = exhausted(source, PLAN._replace(calls=2, sizes=(24, (1 << 32) + 8)))
    assert (run.extra["by_children"], run.extra["complete"]) == (0, True)


@pytest.mark.parametrize(("animal", "ends"), [("free_of_null", (262064, 262112)), ("rest_too_large", (262032, 262080))])
def test_the_ends_of_the_first_block_s_memory_are_sizes(animal: str, ends: tuple[int, int]) -> None:
    said: list[str] = []
    exhausted(ALLOCATORS / "zoo" / f"{animal}.c", ExhaustPlan(1, None, None), said.append)
    assert any(line.startswith(f"{ends[0]}, {ends[1]}, and one byte more") for line in said)


def test_few_sizes_are_walked_over_deeper_than_all(tmp_path: Path) -> None:
    source = tmp_path / "bump.c"
    source.write_text(BUMP)
    run = exhausted(source, ExhaustPlan(4, None, 0.0, refusals=False))
    while not run.extra["of_fewer_sizes"]:
        run = exhausted(source, ExhaustPlan(4, None, 0.0, refusals=False))
    (few,) = run.extra["of_fewer_sizes"]
    assert few["calls"] > run.extra["calls"]
    assert len(few["sizes"]) <= 3 < len(run.extra["sizes"])
    within = f"of at most {counted(few['calls'], 'call')} over {counted(len(few['sizes']), 'size')}"
    assert within in run.extra["covered"]


# The zoo: each fault that a few calls show, of the sizes that are worked out.

OF_FEW_CALLS = frozenset(path.stem for path in (ALLOCATORS / "zoo").glob("*.c")) - {
    "dead_threads", "no_lock", "no_atfork",                     # they need threads,
    "loses_the_rest", "never_merges", "mm_never_merges",        # rounds without end,
    "eighty_fifth", "zero_inconsistent"}                        # or more calls
QUICK = {"free_of_null", "asserts", "usable_shrinks"}
ZOO_SECONDS = 60.0


class _FoundError(Exception):
    """What was looked for."""


@pytest.mark.parametrize("animal", [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.faults) for name in sorted(OF_FEW_CALLS)])
def test_a_fault_of_few_calls_is_found_among_all_of_them(animal: str) -> None:
    path = ALLOCATORS / "zoo" / f"{animal}.c"
    match = re.search(r"expect: ([a-z_ ]+)", path.read_text())
    assert match
    wanted = match[1].split()

    def look(finding: Finding) -> None:
        if finding.code in wanted:
            raise _FoundError

    with pytest.raises(_FoundError):
        exhausted(path, ExhaustPlan(5, None, ZOO_SECONDS), found=look)


# The command.

def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit code, and all that is said."""
    code = main(["exhaust", *words])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_the_command_writes_what_it_covered(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = command(capsys, str(MM), "--calls", "3", "--sizes", "24,100", "--no-faults", "--json", "run.json")
    assert code == 0, said
    written = json.loads(Path("run.json").read_text())
    assert (written["programs"], written["calls"], written["sizes"], written["complete"]) == (371, 3, [24, 100], True)
    assert "371 programs of at most 3 calls" in said


def test_what_it_covered_is_shown_on_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    command(capsys, str(MM), "--calls", "2", "--sizes", "24,100", "--json", "exhaust.json")
    assert main(["report", "exhaust.json", "--html", "page.html"]) == 0
    assert "exhaust" in Path("page.html").read_text(encoding="utf-8")


def test_an_interrupted_run_is_written_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("heapster.checkers.exhaust.layers.Layers.close", interrupt)
    run = exhausted(MM)
    assert (run.verdict, run.extra["interrupted"], len(frontiers())) == (Verdict.INCONCLUSIVE, True, 1)
    assert as_value(replace(run, seed=1))["complete"] is False


@pytest.mark.parametrize(("words", "code", "says"), [
    (("sim", "--sizes", "24,x"), 2, "whole number"),
    (("sim", "--calls", "16"), 2, "from 1 to 15"),
    (("sim", "--cc", "gcc"), 2, "our own allocator"),
    (("process",), 2, "name sim"),
    (("./absent.c",), 4, "No such file"),
])
def test_what_cannot_be_run_is_said_in_a_line(words: tuple[str, ...], code: int, says: str,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    ended, said = command(capsys, *words)
    assert (ended, "Traceback" in said) == (code, False)
    assert says in said
