"""`pytest --heapster` and `allocator_tests`, run in a pytest of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = """
from heapster.pytest import allocator_tests
TestFaulty = allocator_tests({faulty!r}, seconds=0.5)
"""
LOADED = """
import sys
def test_it():
    assert not [name for name in sys.modules if name.startswith("heapster.checkers")]
"""


def outcome(folder: Path, *words: str) -> str:
    """What a fresh pytest prints that loads no plugins but ours and xdist."""
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "heapster.pytest_plugin", "-p", "no:cacheprovider", "-q", *words]
    return subprocess.run(command, cwd=folder, env=alone, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def faulty(tmp_path: Path) -> str:
    for name in ("calloc_zeroes_one.c", "firstfit.h"):
        (tmp_path / name).write_text((HERE / "zoo" / name).read_text())
    return "calloc_zeroes_one.c"


def test_a_faulty_allocator_fails_by_the_family_that_is_at_fault(tmp_path: Path, faulty: str) -> None:
    said = outcome(tmp_path, "--heapster", faulty, "--heapster-seconds", "0.5")
    assert "calloc_zeroes_one.c::calloc" in said
    assert "calloc_zeroes_one.c::malloc_and_free" not in said
    assert "not_zeroed" in said
    assert "Finding(" not in said


@pytest.mark.slow
def test_workers_share_the_families(tmp_path: Path, faulty: str) -> None:
    said = outcome(tmp_path, "-p", "xdist", "-n", "2", "--heapster", faulty, "--heapster-seconds", "0.5")
    assert "2 failed, 3 passed" in said


@pytest.mark.slow
def test_a_class_of_tests_for_ones_own_suite(tmp_path: Path, faulty: str) -> None:
    (tmp_path / "test_mine.py").write_text(TESTS.format(faulty=faulty))
    said = outcome(tmp_path, "test_mine.py")
    assert "FAILED test_mine.py::TestFaulty::test_calloc" in said
    assert "TestFaulty::test_realloc" not in said
    assert "2 failed, 3 passed" in said


def test_without_the_option_nothing_of_ours_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(LOADED)
    assert "1 passed" in outcome(tmp_path)


def test_a_family_of_which_the_target_defines_nothing_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "bump.c").write_text("""
#include <stddef.h>
static char arena[1 << 22] __attribute__((aligned(16)));
static size_t at;
void *malloc(size_t n)
{
    n = (n + 16) & ~(size_t)15;
    if (n > sizeof arena - at)
        return NULL;
    at += n;
    return arena + at - n;
}
void free(void *p) { (void)p; }
""")
    said = outcome(tmp_path, "-rs", "--heapster", "bump.c", "--heapster-seconds", "0.1", "-k", "calloc or realloc")
    assert "defines nothing of calloc" in said
    assert "2 skipped" in said
