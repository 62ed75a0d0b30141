"""The first hour of an embedded engineer: a pool in a header and a source, which no main describes."""

from pathlib import Path

from tests.first_hour.folders import pool, undescribed_pool
from tests.first_hour.typing import first_finding, types


def test_a_pool_is_never_called_with_guessed_arguments(tmp_path: Path) -> None:
    """It is told how to describe it, by a command that drafts the description."""
    undescribed_pool(tmp_path)
    read = types("heapster fuzz pool.c", tmp_path)
    assert read.code == 4
    assert "heapster describe pool.c -o pool.toml" in read.err
    assert read.out == ""


def test_the_draft_is_what_fuzz_reads(tmp_path: Path) -> None:
    undescribed_pool(tmp_path)
    read = types("heapster describe pool.h -o pool.toml && heapster fuzz pool.toml --seconds 1", tmp_path)
    assert read.code == 1
    assert "outside_region" in read.out


def test_a_draft_writes_over_nothing(tmp_path: Path) -> None:
    pool(tmp_path)
    before = (tmp_path / "pool.toml").read_text()
    read = types("heapster describe pool.h -o pool.toml", tmp_path)
    assert (read.code, read.out) == (2, "")
    assert "pool.toml is there already" in read.err
    assert (tmp_path / "pool.toml").read_text() == before


def test_what_allocates_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.h").write_text("int add(int a, int b);\n")
    read = types("heapster describe x.h; heapster describe y.h", tmp_path)
    assert read.code == 4
    assert read.err.splitlines() == [
        "heapster: x.h: none of its functions has a name of one that allocates: add",
        "heapster: y.h: No such file or directory"]


def test_a_pool_has_a_program_of_its_own(tmp_path: Path) -> None:
    """It builds from what lies in the finding's folder and beside the description."""
    pool(tmp_path)
    read = types("heapster fuzz pool.toml --seconds 1", tmp_path)
    _, finding = first_finding(read)
    text = (tmp_path / ".heapster" / finding / "repro.c").read_text()
    lines = [line.partition(":  ")[2] for line in text.splitlines() if line.startswith(("   the alloc", "   build:"))]
    assert len(lines) == 2
    assert str(tmp_path) not in text
    assert [types(line, tmp_path).code for line in lines] == [0, 0]
    run = next(line for line in text.splitlines() if line.startswith("   run:")).removeprefix("   run:")
    assert types(run.partition("  exit")[0].strip(), tmp_path).code == 1
