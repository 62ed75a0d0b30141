"""The C drivers read operations as the model does, and keep one account of handles; their own misuse is no finding."""

import shutil
import subprocess
from pathlib import Path

import pytest

from heapster.checkers.blackbox import build
from heapster.checkers.blackbox.build import SOURCES, Compiler, judge_program
from heapster.checkers.blackbox.judge import Judge, check_harness, packed
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.protocol import headers_folder
from heapster.checkers.blackbox.racing import run_threads
from heapster.checkers.blackbox.reproducer import Reproducer
from heapster.checkers.blackbox.target import libc
from heapster.checkers.diff.lockstep import play_compiled
from heapster.checkers.score import driver as scorekeeping
from heapster.checkers.score.scoring import score
from heapster.checkers.stress import build as stressing
from heapster.checkers.stress.runner import StressPlan, stress
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.checkers.traces.compact import compact
from heapster.checkers.traces.writing import write_trace
from heapster.model.geometry import SIZE_MAX
from heapster.model.operation import Step
from heapster.model.operations import OPERATIONS, REQUESTS, requested
from heapster.model.trace import format_trace, parse
from heapster.native.operations_header import HARNESS_FAULT
from heapster.results import HarnessError, Verdict
from tests.diff.strangers import bump

TELL = """
#include <stdio.h>
#include "operation.h"
int main(void) {
    struct op op;
    while (fread(&op, sizeof op, 1, stdin) == 1)
        printf("%llu\\n", (unsigned long long)requested(&op));
}
"""
NUMBERS = (0, 1, 7, 4095, 4096, 4097, 1 << 32, SIZE_MAX - 4096, SIZE_MAX - 4095, SIZE_MAX)
PASSED_OVER = "a = malloc(100); free(a); a = calloc(1, 50); free(a); b = malloc(100); b = realloc(b, 9)"
ABSENT = """
#include <stdlib.h>
static void *last;
void *lean_malloc(size_t n) { void *p = malloc(n); if (p == last) last = NULL; return p; }
void lean_free(void *p) { if (p && p == last) __builtin_trap(); last = p; free(p); }
"""


def test_bytes_requested_are_the_same_in_c(tmp_path: Path) -> None:
    (tmp_path / "tell.c").write_text(TELL)
    places = [f"-I{SOURCES}", f"-I{headers_folder()}"]
    subprocess.run(["cc", *places, tmp_path / "tell.c", "-o", tmp_path / "tell"], check=True)
    steps = [Step(verb, (first, second)[:len(OPERATIONS[verb].numbers)])
             for verb in [*REQUESTS, "free", "usable_size"] for first in NUMBERS for second in NUMBERS]
    said = subprocess.run([tmp_path / "tell"], input=b"".join(map(packed, steps)), capture_output=True, check=True)
    assert list(map(int, said.stdout.split())) == [min(requested(step), SIZE_MAX) for step in steps]


def lean(folder: Path) -> str:
    """A correct allocator that has only malloc and free, and stops at a block that is freed twice in a row."""
    (folder / "lean.c").write_text(ABSENT)
    return str(folder / "lean.c")


def written(folder: Path, text: str) -> str:
    write_trace(compact(parse(text)), folder / "t", "text")
    return str(folder / "t")


def test_what_a_target_lacks_is_passed_over_in_every_pass_and_counted(tmp_path: Path) -> None:
    trace = written(tmp_path, PASSED_OVER)
    run = score([trace], (grammar.parse(lean(tmp_path)), grammar.parse("libc")), "lean_")
    assert run.verdict is Verdict.PASSED
    row, libc = run.extra["table"][trace].values()
    assert (row["valid"], row["skipped"], row["lacks"]) == (True, 3, ("calloc", "realloc"))
    assert (libc["skipped"], libc["lacks"]) == (0, ())
    assert row["ops"] == libc["ops"] - 3
    assert any(claim.startswith("calloc, realloc of ") for claim in run.extra["not_checked"])


def broken(folder: Path, sources: Path, name: str, old: str, new: str) -> Path:
    """A copy of a driver's sources, one of them changed."""
    copy = folder / "drivers" / sources.parent.name
    shutil.copytree(sources, copy)
    text = (copy / name).read_text()
    assert text.count(old) == 1
    (copy / name).write_text(text.replace(old, new))
    return copy


@pytest.mark.faults
@pytest.mark.parametrize(("room", "name", "guard"), [
    ("SOURCES", "score.c", " || !account_knows(&account, op->operand)"),
    ("JUDGE", "executor.c", "!account_knows(&account, op->operand) || ")])
def test_a_driver_that_uses_what_it_does_not_hold_is_no_finding(room: str, name: str, guard: str, tmp_path: Path,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorekeeping, room, broken(tmp_path, getattr(scorekeeping, room), name, guard, ""))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    trace = written(tmp_path, "a = malloc(100); free(a); a = calloc(1, 50); free(a)")
    with pytest.raises(HarnessError, match="used a, which holds nothing"):
        score([trace], (grammar.parse(lean(tmp_path)),), "lean_")


def test_threads_that_give_back_nothing_are_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "SOURCES", broken(tmp_path, SOURCES, "threads.c", "(*slot)->pointer == NULL", "0"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with Judge(judge_program(64), libc()) as judge:
        judge.header.most_size = 100
        with pytest.raises(HarnessError):
            run_threads(judge, 2, 100, 1)


def test_a_stress_that_gives_back_nothing_is_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = "        release(w, b);\n    fill_slot(w, b, random);"        # larson's
    copy = broken(tmp_path, stressing.HERE, "patterns.c", "if (b->p)\n" + guard, guard)
    monkeypatch.setattr(stressing, "HERE", copy)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(HarnessError, match="in pattern larson"):
        stress(StressPlan(grammar.parse("libc"), 2, 0.1, "larson", 1))


def test_the_compiled_engine_stops_at_its_own_misuse() -> None:
    with pytest.raises(HarnessError, match="used a, which holds nothing"):
        play_compiled(compact(parse("a = malloc(8); free(a); free(a)")), "best_fit")


def test_an_exit_status_alone_is_the_targets(tmp_path: Path) -> None:
    check_harness(HARNESS_FAULT, 0)
    check_harness(1, 5)
    with pytest.raises(HarnessError, match="used e,"):
        check_harness(HARNESS_FAULT, 5)
    assert score([written(tmp_path, "a = malloc(33)")], (grammar.parse(bump(tmp_path, before="_exit(70);")),),
                 "bump_").verdict is Verdict.FAILED


def test_a_program_that_misuses_what_it_holds_shows_nothing(tmp_path: Path) -> None:
    trace = parse("a = malloc(24); free(a); free(a)")
    target = resolve(ForeignOptions(grammar.parse(bump(tmp_path)), prefix="bump_"))
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, None).promises
    Reproducer(target, trace, "crash", promises, format_trace(trace).strip()).program(tmp_path).write(tmp_path)
    subprocess.run([*Compiler().command, "-w", tmp_path / "repro.c", "-o", tmp_path / "repro", "-ldl"], check=True)
    ended = subprocess.run([tmp_path / "repro", target.path], capture_output=True, check=False)
    assert ended.returncode == 3
    assert b"uses a block that it does not hold: it shows nothing" in ended.stdout
