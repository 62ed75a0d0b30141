"""The first hour of somebody with an ft_malloc: a Makefile, a source, a shared object."""

from pathlib import Path

import pytest

from tests.first_hour.folders import ft_malloc
from tests.first_hour.typing import first_finding, types

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


def test_an_object_that_may_not_be_opened_is_judged(tmp_path: Path) -> None:
    ft_malloc(tmp_path)
    read = types("cc -g -shared -fPIC -Wl,-z,nodlopen -o libno.so malloc.c && heapster fuzz ./libno.so --seconds 0.5",
                 tmp_path)
    assert read.code == 1
    assert "linked with -z nodlopen: a copy without that mark is loaded" in read.out


def test_a_build_with_address_sanitizer_says_what_to_leave_out(tmp_path: Path) -> None:
    ft_malloc(tmp_path)
    for line in ("cc -fsanitize=address -shared -fPIC -o libx.so malloc.c && heapster fuzz ./libx.so",
                 "heapster fuzz malloc.c --cflags -fsanitize=address"):
        read = types(line, tmp_path)
        assert read.code == 4
        assert "is built with AddressSanitizer" in read.err
        assert "build it without -fsanitize=address" in read.err
        assert len(read.err.splitlines()) == 1
