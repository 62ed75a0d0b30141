"""The first hour of somebody with an ft_malloc: a Makefile, a source, a shared object."""

import re
from pathlib import Path

import pytest

from heapster.checkers.blackbox.sanitizing import runtime_first
from heapster.checkers.blackbox.symbols import SharedObject
from heapster.results import TargetError
from tests.first_hour.folders import ft_malloc
from tests.first_hour.typing import Read, first_finding, types

BUMP = """\
#include <stddef.h>
static _Alignas(16) char memory[1 << 24];
static size_t used;
void *malloc(size_t n) {
    if (n > sizeof memory - used - 16)
        return NULL;
    void *at = memory + used;
    used += (n + %d) & ~(size_t)15;
    return at;
}
"""


def test_make_and_the_object_it_makes(tmp_path: Path) -> None:
    ft_malloc(tmp_path)
    read = types("make -s && heapster fuzz ./libft_malloc.so --seconds 1", tmp_path)
    assert read.code == 1
    assert first_finding(read)[0] in {"contents_damaged", "overlap", "crash", "prefix_lost"}


@pytest.mark.parametrize(("rounding", "code"), [(16, 0), (0, 1)])
def test_a_library_without_free_is_a_bump_allocator(tmp_path: Path, rounding: int, code: int) -> None:
    """A right one passes although nothing comes back; one that rounds down is found."""
    (tmp_path / "bump.c").write_text(BUMP % rounding)
    read = types("heapster fuzz bump.c --seconds 1", tmp_path)
    assert read.code == code, read.out + read.err
    assert "it has no free, and is judged as a bump allocator" in read.out or code


def shows_by_itself(read: Read, folder: Path) -> None:
    """The C program of the first finding is built and run as its head says, and names no path of the machine."""
    kept = folder / ".heapster" / first_finding(read)[1]
    text = (kept / "repro.c").read_text() + (kept / "checks.h").read_text()
    assert str(folder) not in text
    assert ".cache" not in text
    build, run = re.findall(r"^   (?:build|run):  +(.*?)(?:  +exit.*)?$", text, re.MULTILINE)
    ran = types(f"{build} && {run}", folder)
    assert ran.code == 1
    assert "FAILED at: " in ran.out


def test_an_object_that_may_not_be_opened_is_judged(tmp_path: Path) -> None:
    ft_malloc(tmp_path)
    read = types("cc -g -shared -fPIC -Wl,-z,nodlopen -o libno.so malloc.c && heapster fuzz ./libno.so --seconds 0.5",
                 tmp_path)
    assert read.code == 1
    assert "linked with -z nodlopen: a copy without that mark is loaded" in read.out
    shows_by_itself(read, tmp_path)


def test_a_build_with_address_sanitizer_is_loaded_after_its_runtime(tmp_path: Path) -> None:
    """Its functions call each other, not the runtime's."""
    ft_malloc(tmp_path)
    read = types("cc -g -fsanitize=address -shared -fPIC -o libx.so malloc.c && "
                 "heapster fuzz ./libx.so --seconds 0.3 --jobs 1 --only contents_damaged", tmp_path)
    assert read.code == 1, read.out + read.err
    assert "built with AddressSanitizer, whose runtime is loaded first" in read.out
    shows_by_itself(read, tmp_path)
    read = types("heapster stress ./libx.so --seconds 1", tmp_path)
    assert read.code == 4
    assert "libx.so is built with AddressSanitizer" in read.err


def test_sources_whose_own_build_has_address_sanitizer_are_judged_without_it(tmp_path: Path) -> None:
    ft_malloc(tmp_path)
    (tmp_path / "Makefile").write_text("libm.so: malloc.c\n\tcc -g -fsanitize=address -shared -fPIC -o $@ $<\n")
    read = types("heapster fuzz . --seconds 0.1 --jobs 1 --only contents_damaged", tmp_path)
    assert read.code == 1, read.out + read.err
    assert "AddressSanitizer" not in read.out


def test_a_runtime_that_is_not_here_is_said_in_a_line(tmp_path: Path) -> None:
    library = tmp_path / "libx.so"
    library.write_bytes(b"\0libasan.so.99\0")
    with pytest.raises(TargetError, match="whose runtime is not found here"):
        runtime_first(library, SharedObject(64, frozenset(), frozenset({"__asan_init"})), "libx.so")
