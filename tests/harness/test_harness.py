"""Harnesses: bytes mean the same to C and to Python, what is wrong crashes, and a crash becomes a finding again."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest

import heapster
from heapster import children
from heapster.checkers.blackbox.seed_corpus import basics
from heapster.checkers.harness.coding import CODED, MOST_OPS, OP_BYTES, decoded, encoded, verbs_of
from heapster.checkers.traces.compact import compact
from heapster.checkers.traces.legality import first_misuse
from heapster.cli import main
from heapster.model.operation import NO_HANDLE, Step, Trace
from heapster.model.operations import REQUESTS, requested
from heapster.model.trace import parse

ZOO = Path(__file__).parents[1] / "blackbox" / "zoo"
CORRECT = Path(__file__).parents[1] / "blackbox" / "correct"
FREE_AND_ALL = b"\0\0\x18\0\1\0\0\0"            # a malloc of 24 bytes, and its free
TELLS = """
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
static _Alignas(16) char memory[1 << 24];
static size_t top;
static void *take(size_t size)
{
    if (size > 1 << 20 || top + size + 32 > sizeof memory)
        return NULL;
    void *block = memory + top;
    top += (size + 31) & ~(size_t)15;
    return block;
}
void *malloc(size_t size) { return fprintf(stderr, "malloc %zu\\n", size), take(size); }
void free(void *block) { fprintf(stderr, "free %d\\n", block != NULL); }
void *calloc(size_t n, size_t size) { return fprintf(stderr, "calloc %zu %zu\\n", n, size), take(size); }
void *realloc(void *block, size_t size)
{
    fprintf(stderr, "realloc %d %zu\\n", block != NULL, size);
    void *other = take(size);
    return other != NULL && block != NULL ? memcpy(other, block, size) : other;
}
"""


def drawn(number: int) -> bytes:
    return Random(number).randbytes(OP_BYTES * (number % 60))


def written(folder: Path, source: Path, fuzzer: str) -> Path:
    out = folder / "farm"
    assert main(["harness", str(source), "--for", fuzzer, "-o", str(out)]) == 0
    return out


def built(folder: Path, source: Path, fuzzer: str, compiler: str) -> Path:
    out = written(folder, source, fuzzer)
    done = children.run([str(out / "build.sh")], env={**os.environ, "CC": compiler}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def run(program: Path, data: bytes) -> "subprocess.CompletedProcess[str]":
    (program.parent / "input").write_bytes(data)
    return children.run([str(program), str(program.parent / "input")], capture_output=True, text=True)


@pytest.mark.parametrize("has", [frozenset(CODED), frozenset({"malloc", "free"})], ids=["all", "two"])
def test_any_bytes_are_steps_that_misuse_nothing(has: frozenset[str]) -> None:
    verbs = verbs_of(has)
    for number in range(200):
        trace = decoded(drawn(number), verbs)
        assert len(trace) == number % 60
        assert first_misuse(compact(trace)) is None


def test_no_more_steps_are_taken_than_there_are_handles() -> None:
    assert len(decoded(bytes(OP_BYTES) * (MOST_OPS + 5), CODED)) == MOST_OPS


def shape(trace: Trace) -> list[tuple[str, int]]:
    return [(step.verb, requested(step) if step.verb in REQUESTS else int(step.operand == NO_HANDLE)) for step in trace]


def test_steps_of_small_sizes_come_back_as_they_were() -> None:
    trace = parse("a = malloc(24); b = calloc(1, 4095); a = realloc(a, 7); free(b); free(NULL); c = memalign(64, 100)")
    back = decoded(encoded(trace, CODED), CODED)
    assert shape(back) == shape(trace)
    assert back[-1].numbers == (64, 100)


def test_sizes_that_have_no_code_are_rounded_up_and_never_down() -> None:
    for size in (4096, 5001, 1 << 20, (1 << 20) + 1, (1 << 63) + 1, (1 << 64) - 1, (1 << 64) - 9):
        (step,) = decoded(encoded((Step("malloc", (size,), 0),), CODED), CODED)
        assert requested(step) >= size or size > 1 << 40


def test_the_seeds_have_a_code() -> None:
    lost = [trace for trace in basics(frozenset(CODED), 1 << 20) if not encoded(trace, CODED)]
    assert not lost


def test_c_reads_bytes_as_python_does(tmp_path: Path) -> None:
    source = tmp_path / "tells.c"
    source.write_text(TELLS)
    program = built(tmp_path, source, "afl", "cc") / "harness"
    verbs = verbs_of(frozenset({"malloc", "free", "calloc", "realloc"}))
    calls = 0
    for number in range(40):
        done = run(program, drawn(number))
        assert done.returncode == 0, done.stdout
        told = [line.split()[0] for line in done.stderr.splitlines()]
        sizes = [int(line.split()[-1]) for line in done.stderr.splitlines() if not line.startswith("free")]
        steps = decoded(drawn(number), verbs)
        assert told == [step.verb for step in steps]
        assert sizes == [requested(step) for step in steps if step.verb in REQUESTS]
        calls += len(told)
    assert calls > 300


def test_what_is_right_does_not_crash(tmp_path: Path) -> None:
    program = built(tmp_path, CORRECT / "firstfit.c", "honggfuzz", "cc") / "harness"
    for seed in sorted((tmp_path / "farm" / "corpus").iterdir()):
        assert run(program, seed.read_bytes()).returncode == 0
    for number in range(40):
        assert run(program, drawn(number)).returncode == 0


def test_a_folder_is_built_where_its_target_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = tmp_path / "here" / "mine"
    (away / "include" / "deep").mkdir(parents=True)
    (away / "mine.c").write_text('#include "deep/sizes.h"\n#include "beside.h"\n' + TELLS)
    (away / "include" / "deep" / "sizes.h").write_text('#include "../more.h"\n')
    (away / "include" / "more.h").write_text("#define MORE 1\n")
    (away / "beside.h").write_text("#include <stddef.h>\n")
    monkeypatch.chdir(away)
    assert main(["harness", "mine.c", "--cflags", "-Iinclude", "--for", "honggfuzz", "-o", "farm"]) == 0
    out = (away / "farm").rename(tmp_path / "farm")
    shutil.rmtree(tmp_path / "here")
    for file in (file for file in out.rglob("*") if file.is_file() and "corpus" not in file.parts):
        assert str(tmp_path) not in file.read_text(), file
        assert str(Path(heapster.__file__).parent) not in file.read_text(), file
    done = children.run([str(out / "build.sh")], env={**os.environ, "CC": "cc"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert run(out / "harness", FREE_AND_ALL).returncode == 0


def test_what_is_wrong_crashes_and_becomes_a_finding_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                           capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    program = built(tmp_path, ZOO / "misaligned.c", "afl", "cc") / "harness"
    crashed = next(data for number in range(200) if run(program, data := drawn(number)).returncode < 0)
    (tmp_path / "crash").write_bytes(crashed)
    words = ["replay", "crash", "--target", str(ZOO / "misaligned.c"), "--bytes", "--json", "r.json"]
    assert main(words) == 1
    assert "FAILS: crash on" in capsys.readouterr().out
    found = json.loads((tmp_path / "r.json").read_text())["findings"]
    assert [finding["code"] for finding in found] == ["misaligned"]
    assert (tmp_path / ".heapster" / found[0]["id"] / "finding.json").is_file()
    (tmp_path / "whole").write_bytes(FREE_AND_ALL)
    assert main(["replay", "whole", "--target", str(CORRECT / "firstfit.c"), "--bytes"]) == 0
    assert "PASSES: whole on" in capsys.readouterr().out


def has_libfuzzer() -> bool:
    if shutil.which("clang") is None:
        return False
    made = children.run(["clang", "-fsanitize=fuzzer", "-x", "c", "-", "-o", "/dev/null"], capture_output=True,
                        stdin=children.DEVNULL)
    return b"cannot find" not in made.stderr and b"no such file" not in made.stderr.lower()


@pytest.mark.skipif(not has_libfuzzer(), reason="clang has no libFuzzer here (libclang-rt-dev)")
@pytest.mark.parametrize(("source", "fails"), [(ZOO / "merges_used.c", True), (CORRECT / "firstfit.c", False)],
                         ids=["wrong", "right"])
def test_libfuzzer_drives_it_and_sees_edges(source: Path, fails: bool, tmp_path: Path) -> None:
    out = built(tmp_path, source, "libfuzzer", "clang")
    shutil.rmtree(out / "corpus")
    (out / "corpus").mkdir()
    (out / "corpus" / "0000").write_bytes(FREE_AND_ALL)
    done = children.run(["./harness", "-runs=3000" if fails else "-runs=200", "-seed=1", "-dict=dictionary",
                         "-artifact_prefix=crashes/", "corpus"], cwd=out, capture_output=True, text=True)
    assert ("a finding" in done.stderr) is fails
    assert bool(list((out / "crashes").iterdir())) is fails
    assert any(line.split()[1] == "NEW" for line in done.stderr.splitlines() if line.startswith("#"))


@pytest.mark.skipif(shutil.which("afl-fuzz") is None, reason="AFL++ is not installed (afl++)")
def test_afl_drives_it(tmp_path: Path) -> None:
    out = built(tmp_path, ZOO / "merges_used.c", "afl", "afl-clang-fast")
    shutil.rmtree(out / "corpus")
    (out / "corpus").mkdir()
    (out / "corpus" / "0000").write_bytes(FREE_AND_ALL)
    told = dict.fromkeys(("AFL_SKIP_CPUFREQ", "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES", "AFL_NO_UI",
                          "AFL_BENCH_UNTIL_CRASH", "AFL_NO_AFFINITY"), "1")
    children.run(["afl-fuzz", "-s", "1", "-E", "4000", "-t", "2000", "-i", "corpus", "-o", "crashes", "--",
                  "./harness", "@@"], cwd=out, env={**os.environ, **told}, capture_output=True)
    assert list((out / "crashes" / "default" / "crashes").glob("id:*"))


@pytest.mark.parametrize(("words", "says"), [
    (["harness", "libc", "--for", "afl", "-o", "farm"], "no C sources"),
    (["harness", str(CORRECT / "bins.cpp"), "--for", "afl", "-o", "farm"], "C++"),
    (["harness", str(CORRECT / "firstfit.c"), "--for", "afl", "-o", "taken"], "holds no harness"),
    (["harness", "sim", "--for", "afl", "-o", "farm"], "harness cannot take sim"),
    (["replay", "taken/thesis", "--bytes"], "--target"),
    (["replay", "taken/thesis", "--bytes", "--target", str(CORRECT / "firstfit.c")], "no file of a harness"),
    (["replay", "nowhere", "--bytes", "--target", str(CORRECT / "firstfit.c")], "cannot be read"),
])
def test_what_cannot_be_is_told_in_a_line(words: list[str], says: str, tmp_path: Path,
                                          monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis").write_text("abc")
    assert main(words) in (2, 4)
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert (tmp_path / "taken" / "thesis").read_text() == "abc"
