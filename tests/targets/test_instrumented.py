"""The instrumented reading of C: what a client of the hooks is told, and that the target does the same as without."""

import shutil
import subprocess
from pathlib import Path

import pytest

from heapster.checkers.blackbox.symbols import read_shared_object
from heapster.checkers.targets.instrumented import (
    FOLDER,
    HOOKS,
    Ingredients,
    NoInstrumentationError,
    calls_hooks,
    instrument,
)

HERE = Path(__file__).parent
COMPILERS = [pytest.param(name, marks=pytest.mark.skipif(shutil.which(name) is None, reason=f"there is no {name}"))
             for name in ("gcc", "clang")]
READS, WRITES, UNALIGNED, RANGE = 1, 2, 4, 16
HEAD = "#include <string.h>\n#include <stdint.h>\nchar memory[128] __attribute__((aligned(64)));\n"


@pytest.fixture(scope="module")
def onlooker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("onlooker") / "onlooker"
    subprocess.run(["cc", "-std=gnu11", "-rdynamic", f"-I{FOLDER}", HERE / "c" / "onlooker.c", *HOOKS, "-o", program,
                    "-ldl"], check=True)
    return program


def told(onlooker: Path, folder: Path, compiler: str, text: str, *more: str) -> list[str]:
    """The lines that the client prints of a target of that text."""
    source, made = folder / "work.c", folder / "work.so"
    source.write_text(HEAD + text)
    instrument(Ingredients((compiler,), more, (str(source),)), made)
    assert calls_hooks(read_shared_object(made).needs)
    return subprocess.run([onlooker, made], check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.parametrize("compiler", COMPILERS)
def test_loads_and_stores_are_told_with_their_sizes(onlooker: Path, tmp_path: Path, compiler: str) -> None:
    lines = told(onlooker, tmp_path, compiler, """
        int work(void) { *(int *)(memory + 8) = 3; *(volatile char *)(memory + 1) = 4;
            return *(short *)(memory + 32) + 3; }
    """)
    assert [line for line in lines if line.startswith("access")] == [
        f"access 8 4 {WRITES} depth 1", f"access 1 1 {WRITES} depth 1", f"access 32 2 {READS} depth 1"]
    assert lines[0] == "enter" and lines[-2:] == ["exit", "0 3 3"]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_way_of_calls_is_kept(onlooker: Path, tmp_path: Path, compiler: str) -> None:
    lines = told(onlooker, tmp_path, compiler, """
        static void inner(void) { memory[1] = 1; } static void outer(void) { inner(); memory[2] = 2; }
        int work(void) { outer(); memory[3] = 3; return 0; }
    """)
    assert [line.split()[1::4] for line in lines if line.startswith("access")] == [["1", "3"], ["2", "2"], ["3", "1"]]
    assert lines.count("enter") == lines.count("exit") == 3


@pytest.mark.parametrize("compiler", COMPILERS)
def test_atomics_are_told_and_done(onlooker: Path, tmp_path: Path, compiler: str) -> None:
    lines = told(onlooker, tmp_path, compiler, """
        int work(void) { int *a = (int *)memory, e = 9; __atomic_store_n(a, 5, __ATOMIC_RELEASE);
            int old = __atomic_fetch_add(a, 2, __ATOMIC_SEQ_CST);
            __atomic_compare_exchange_n(a, &e, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            return 100 * old + 10 * e + __atomic_exchange_n(a, 0, __ATOMIC_ACQ_REL); }
    """)
    assert [line for line in lines if line.startswith("atomic")] == [
        "atomic 0 4 1 3", "atomic 0 4 4 5", "atomic 0 4 3 5", "atomic -1 0 10 2", "atomic 0 4 2 4"]
    assert lines[-1].endswith("577 577")


@pytest.mark.parametrize("compiler", COMPILERS)
def test_memory_functions_are_taken_over(onlooker: Path, tmp_path: Path, compiler: str) -> None:
    lines = told(onlooker, tmp_path, compiler, """
        int work(void) { size_t n = strlen("four") * 4; memset(memory + 1, 7, n); memcpy(memory + 64, memory, n);
            return memory[64 + 15]; }
    """)
    ranges = [line for line in lines if line.split()[3:4] == [str(RANGE | WRITES)] or "17 depth" in line]
    assert ranges[-3:] == [f"access 1 16 {WRITES | RANGE} depth 1", f"access 0 16 {READS | RANGE} depth 1",
                           f"access 64 16 {WRITES | RANGE} depth 1"]
    assert lines[-1] == "3 7 7"


def test_a_cast_is_aligned_and_a_packed_field_need_not_be(onlooker: Path, tmp_path: Path) -> None:
    lines = told(onlooker, tmp_path, "cc", """
        struct packed { char c; long l; } __attribute__((packed));
        int work(void) { char *p = memory; __asm__("" : "+r"(p)); *(long *)(p + 3) = 1; ((struct packed *)p)->l = 2;
            return 0; }
    """)
    cast, packed = (line for line in lines if line.startswith("access"))
    assert cast == f"access 3 8 {WRITES} depth 1"
    assert packed in {f"access 1 8 {WRITES | free} depth 1" for free in (UNALIGNED, RANGE)}     # clang's, gcc's


def test_a_plain_object_calls_no_hooks(tmp_path: Path) -> None:
    source, made = tmp_path / "plain.c", tmp_path / "plain.so"
    source.write_text("int work(void) { return 0; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", source, "-o", made], check=True)
    assert not calls_hooks(read_shared_object(made).needs)


def test_a_compiler_without_the_pass_says_which_has_it(tmp_path: Path) -> None:
    compiler = tmp_path / "occ"
    compiler.write_text("#!/bin/sh\necho \"occ: error: unrecognized option '-fsanitize=thread'\" >&2\nexit 1\n")
    compiler.chmod(0o755)
    with pytest.raises(NoInstrumentationError, match=r"^occ cannot instrument .* gcc and clang can"):
        instrument(Ingredients((str(compiler),), (), ("a.c",)), tmp_path / "a.so")


def test_a_source_that_does_not_compile_is_told_in_one_line(tmp_path: Path) -> None:
    source = tmp_path / "wrong.c"
    source.write_text("int work(void) { return missing; }\n")
    with pytest.raises(NoInstrumentationError, match="missing") as raised:
        instrument(Ingredients(("cc",), (), (str(source),)), tmp_path / "wrong.so")
    assert "\n" not in str(raised.value)
