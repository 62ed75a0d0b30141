"""Real programs on a hardened heap: their output must be the same, and their misuse is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from heapster.native.library import PRELOAD, Options, libraries
from tests.programs.running import need, ours, same
from tests.programs.test_programs import SHORT_ROWS, compile_large_file, cpython, git, sqlite, xz

SEGREGATED = "segregated_fit"
MISUSE = """
#include <stdlib.h>
int main(int count, char **arguments) {
    char *p = malloc(100), *q = malloc(100), *large = malloc(500000);
    switch (count) {
    case 1: free(p); free(p); break;
    case 2: p[104] = 1; free(p); break;
    case 3: free(q); q[8] = 1; break;
    case 4: free(p + 16); break;
    case 5: free(large); free(large); break;
    case 6: for (free(q); (p = malloc(5000)); ) *p = 1; return !malloc(100);
    }
    return 0;
}
"""
TOLD = ("double free", "overflow", "write after free", "invalid pointer", "double free")


@pytest.fixture(autouse=True)
def hardened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAPSTER_HARDEN", "1")


def test_small_programs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("some text\n" * 1000)
    for command in (["ls", "-la", "/usr"], ["sort", "file"], ["sh", "-c", "for i in 1 2 3; do echo $(wc file); done"],
                    [sys.executable, "-c", "import json; print(json.dumps({str(i): [i] * 5 for i in range(9999)}))"]):
        same(command, tmp_path, SEGREGATED)


def test_perl(tmp_path: Path) -> None:
    need("perl")
    same(["perl", "-e", 'my %h; $h{$_} = "x" x ($_ % 200) for 1..9999; print join ",", map {$h{$_}} 1..9999'],
         tmp_path, SEGREGATED)


def test_gcc(tmp_path: Path) -> None:
    compile_large_file(tmp_path, 5, SEGREGATED)


def test_git(tmp_path: Path) -> None:
    git(tmp_path, 30, SEGREGATED)


def test_sqlite(tmp_path: Path) -> None:
    sqlite(tmp_path, SHORT_ROWS, SEGREGATED)


def test_xz(tmp_path: Path) -> None:
    xz(tmp_path, 1 << 20, SEGREGATED)


@pytest.mark.programs
def test_cpython(tmp_path: Path) -> None:
    cpython(("test_list", "test_threading", "test_fork1"), SEGREGATED, tmp_path)


@pytest.fixture
def misuse(tmp_path: Path) -> Path:
    (tmp_path / "misuse.c").write_text(MISUSE)
    subprocess.run(["cc", "-w", "-O0", "-o", tmp_path / "misuse", tmp_path / "misuse.c"], check=True)
    return tmp_path / "misuse"


def ends(program: Path, count: int, environment: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run([program, *["x"] * count], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("count", range(5))
def test_misuse_is_told(misuse: Path, count: int) -> None:
    code, said = ends(misuse, count, ours(SEGREGATED))
    assert code == -6 and said.startswith(f"heapster: {TOLD[count]}")


def test_where_addresses_are_limited_memory_is_out_and_what_waits_is_used(misuse: Path) -> None:
    script = f"ulimit -v 60000; exec {misuse} x x x x x"
    done = subprocess.run(["sh", "-c", script], env=ours(SEGREGATED), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_library_may_have_no_other_heap(misuse: Path) -> None:
    library = libraries(Options(harden=True)) / PRELOAD
    code, said = ends(misuse, 1, {"LD_PRELOAD": str(library), "HEAPSTER_HARDEN": "0"})
    assert (code, said.split(" (")[0]) == (-6, "heapster: overflow")


def test_a_value_that_is_none_is_told(misuse: Path) -> None:
    code, said = ends(misuse, 9, {**ours(SEGREGATED), "HEAPSTER_HARDEN": "yes"})
    assert (code, said) == (0, "heapster: HEAPSTER_HARDEN=yes ignored: 1 or 0\n")
