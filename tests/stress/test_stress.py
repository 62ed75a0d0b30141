"""Real threads: what works passes, what is broken is told with seed and stacks, a seed fixes the operations."""

import json
import subprocess
from pathlib import Path

import pytest

from heapster.checkers.mutation import hunt_stress
from heapster.checkers.stress import runner
from heapster.checkers.stress.patterns import OURS_ALONE, PATTERNS
from heapster.checkers.stress.runner import StressPlan, parse, stress
from heapster.checkers.targets import grammar
from heapster.cli import main
from heapster.results import TargetError, UsageError, Verdict

SOURCE, HELD = Path(__file__).with_name("broken.c"), Path(__file__).with_name("held.c")


def library(folder: Path, fault: int) -> Path:
    path = folder / f"libbroken{fault}.so"
    flags = ["-O1", "-fPIC", "-shared", "-fno-builtin", "-pthread", f"-DBREAK={fault}"]
    subprocess.run(["cc", *flags, SOURCE, "-o", path], check=True)
    return path


@pytest.mark.parametrize("pattern", [name for name in PATTERNS if name not in OURS_ALONE])
def test_libc_passes_every_pattern(pattern: str, seed: int) -> None:
    run = stress(StressPlan(grammar.parse("libc"), 2, 0.4, pattern, seed))
    assert run.verdict is Verdict.PASSED, run.findings
    assert run.extra["patterns"][pattern]["pauses"] > 0


def test_native_passes_and_its_heap_is_walked(seed: int) -> None:
    run = stress(StressPlan(grammar.parse("native"), 2, 3.0, "all", seed))
    assert run.verdict is Verdict.PASSED, run.findings
    assert set(run.extra["patterns"]) == set(PATTERNS)
    assert run.checks["heap_at_barriers"] >= len(PATTERNS)
    assert run.witnesses["blocks_were_cached"] > 0
    assert {"verified_per_second", "unverified_per_second", "verified_share"} <= set(run.extra)


def test_what_the_target_sets_stays_and_is_said() -> None:
    run = stress(StressPlan(grammar.parse("native:best_fit:cache=0:arenas=2:retained=4096"), 2, 0.5, "mstress", 1))
    assert run.witnesses["blocks_were_cached"] == 0
    assert run.extra["settings"] == {"policy": ["best_fit", "all in the pattern settings"], "cache": [0],
                                     "retained": [4096], "arenas": [2]}


def test_a_seed_gives_each_thread_the_same_operations() -> None:
    runs = [stress(StressPlan(grammar.parse("libc"), 3, 0.5, "mstress", seed)) for seed in (4, 4, 5)]
    first, second, other = (run.extra["patterns"]["mstress"]["digests"] for run in runs)
    assert first == second != other
    assert len(set(first.values())) == 3


@pytest.mark.parametrize(("fault", "code"), [(1, "misaligned"), (2, "contents_damaged"), (3, "abort"), (4, "crash"),
                                             (6, "not_zeroed")])
def test_a_broken_library_is_found_out(fault: int, code: str, tmp_path: Path) -> None:
    path = library(tmp_path, fault)
    run = stress(StressPlan(grammar.parse(str(path)), 2, 1.0, "churn", 1))
    assert run.verdict is Verdict.FAILED
    finding = run.findings[0]
    assert finding.code == code
    assert "seed 1" in finding.title
    assert finding.replay.endswith("--pattern churn --threads 2 --seconds 1 --seed 1")
    assert any("stack of thread" in line for line in finding.details)


@pytest.mark.faults
def test_a_hang_is_told_with_the_stacks_of_all_threads(tmp_path: Path) -> None:
    """Takes the half minute that a thread may stand still."""
    run = stress(StressPlan(grammar.parse(str(library(tmp_path, 5))), 2, 1.0, "handover", 1))
    assert run.findings[0].code == "hang"
    assert sum("stack of thread" in line for line in run.findings[0].details) == 2


@pytest.mark.faults
def test_a_lock_that_is_owned_across_a_fork_is_found(tmp_path: Path) -> None:
    """A thread owns a stream's lock and waits for memory, another flushes streams, a third forks."""
    path = tmp_path / "libheld.so"
    subprocess.run(["cc", "-O1", "-fPIC", "-shared", "-fno-builtin", "-pthread", HELD, "-o", path], check=True)
    run = stress(StressPlan(grammar.parse(str(path)), 3, 20.0, "fork", 1))
    assert run.findings[0].code in ("hang", "fork_hang")
    assert any("fork" in line for line in run.findings[0].details)


@pytest.mark.faults
def test_our_library_with_its_locks_owned_across_a_fork_is_found(tmp_path: Path) -> None:
    assert hunt_stress.hunt_across_fork(tmp_path) in ("hang", "fork_hang")


PREFIXED = """
#include <stdlib.h>
void *NAME(malloc)(size_t n) { return malloc(n); }
void *NAME(calloc)(size_t n, size_t size) { return SHORT ? malloc(n * size) : calloc(n, size); }
void *NAME(realloc)(void *p, size_t n) { return realloc(p, n); }
void NAME(free)(void *p) { free(p); }
"""


@pytest.mark.parametrize(("short", "code", "exit_code"), [(0, [], 0), (1, ["not_zeroed"], 1)])
def test_sources_are_compiled_and_named_as_is_said(short: int, code: list[str], exit_code: int, tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.c").write_text(PREFIXED)
    flags = f"-DSHORT={short} '-DNAME(f)=my_##f'"
    assert main(["stress", "./mine.c", "--prefix", "my_", "--cflags", flags, "--seconds", "1", "--seed", "1",
                 "--pattern", "churn", "--json", "run.json"]) == exit_code
    found = json.loads(Path("run.json").read_text())["findings"]
    assert [finding["code"] for finding in found] == code
    assert all("--prefix my_ --cflags" in finding["replay"] for finding in found)


@pytest.mark.parametrize(("words", "said"), [
    (["native", "--cflags=-DX"], "--cflags says nothing here: native is our own library"),
    (["libc", "--build", "make"], "--build says how C sources are built: libc is this machine's C library"),
    (["./mine.c"], "./mine.c is started by my_init, which stress does not call"),
])
def test_what_cannot_be_said_of_a_target_is_told_in_a_line(words: list[str], said: str, tmp_path: Path,
                                                          monkeypatch: pytest.MonkeyPatch,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.c").write_text("#define NAME(f) my_##f\n#define SHORT 0\nvoid my_init(void) { }\n" + PREFIXED)
    assert main(["stress", *words, "--seconds", "0.2", "--pattern", "churn"]) in (2, 4)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("plan", [StressPlan(threads=0), StressPlan(threads=65), StressPlan(seconds=0.0),
                                  StressPlan(pattern="nothing"),
                                  StressPlan(grammar.parse("libc"), pattern="settings")])
def test_plans_that_make_no_sense(plan: StressPlan) -> None:
    with pytest.raises(UsageError):
        stress(plan)


def test_a_file_that_is_no_library_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("this is text\n")
    with pytest.raises(TargetError):
        stress(StressPlan(grammar.parse(str(tmp_path / "text.so")), 2, 0.2, "churn", 1))


def test_a_library_without_malloc_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "empty.c").write_text("int nothing;\n")
    subprocess.run(["cc", "-shared", "-fPIC", tmp_path / "empty.c", "-o", tmp_path / "empty.so"], check=True)
    with pytest.raises(TargetError):
        stress(StressPlan(grammar.parse(str(tmp_path / "empty.so")), 2, 0.2, "churn", 1))


def test_what_the_harness_says_is_read() -> None:
    said = "ops 12|seconds 0.5|pauses 3|walks 3|digest 1 00ff|finding hang|no thread|stack 0|stress(main+0x1) [0x2]"
    report = parse(said.split("|"))
    assert (report.ops, report.pauses, report.digests, report.code) == (12, 3, {1: "00ff"}, "hang")
    assert report.stacks == ["stack 0", "stress(main+0x1) [0x2]"]


def test_the_stack_of_a_forked_child_is_kept() -> None:
    report = parse(["stack 0", "child(+0x1)", "finding fork_hang", "a forked child", "stack 1"])
    assert (report.code, report.stacks) == ("fork_hang", ["stack 0", "child(+0x1)", "stack 1"])


def test_an_interrupted_run_keeps_what_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    real = runner._child

    def child(plan, command, environment, pattern, seconds, mode):  # type: ignore[no-untyped-def]
        if pattern == "larson":
            raise KeyboardInterrupt
        return real(plan, command, environment, pattern, seconds, mode)

    monkeypatch.setattr(runner, "_child", child)
    run = stress(StressPlan(grammar.parse("libc"), 2, 0.5, "all", 1))
    assert run.extra["interrupted"] is True
    assert run.ops > 0


def test_the_command_writes_what_it_did(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stress", "libc", "--pattern", "churn", "--seconds", "0.5", "--seed", "2", "--json", "s.json"]) == 0
    written = json.loads(Path("s.json").read_text())
    assert written["verdict"] == "passed"
    assert written["patterns"]["churn"]["ops"] > 0
    assert "operations a second" in capsys.readouterr().out


def test_targets_of_a_list_share_the_time_in_one_run(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["stress", "libc,native:best_fit", "--pattern", "churn", "--seconds", "2", "--json", "r.json"]
    assert main([*words, "--jobs", "2"]) == 0
    run = json.loads(Path("r.json").read_text())
    assert run["target"] == "libc+native:best_fit"
    assert list(run["patterns"]) == ["libc churn", "native:best_fit churn"]
    assert run["ops"] == sum(figures["ops"] for figures in run["patterns"].values())
    assert "libc churn " in capsys.readouterr().out
    assert main(["stress", "libc,sim"]) == 2
    assert "stress cannot take sim" in capsys.readouterr().err
