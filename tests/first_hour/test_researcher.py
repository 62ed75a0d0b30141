"""The first hour of a researcher: a program's trace, policies side by side, scores."""

from pathlib import Path

from tests.first_hour.typing import types


def test_a_trace_is_made_and_compared(tmp_path: Path) -> None:
    read = types("heapster trace generate exponential e.trace --steps 400 --seed 1 && heapster diff e.trace", tmp_path)
    assert read.code == 0
    assert "best_fit" in read.out
    assert "segregated_fit" in types("heapster diff --help", tmp_path).out


def test_the_first_run_says_what_takes_so_long(tmp_path: Path) -> None:
    """Where nothing is compiled yet and no machine code came along; a stand-in compiler fails at once."""
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text("raise ImportError('no compiler in this test')\n")
    read = types("python -c \"import sys; sys.path.insert(0, '.'); from heapster.native import library; "
                 "library._tell(library.STEPS['front'])\"", tmp_path)
    assert read.err == ("heapster: compiling the allocator, once on this machine: "
                        "1 of 2, from Python to LLVM (some 20 seconds)\n")
