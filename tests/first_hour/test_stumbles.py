"""What goes wrong in a first hour, as it is typed, and what is read then."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from heapster.checkers.blackbox.stepwise import BREACH_CODES
from tests.blackbox.line_faults import HERE
from tests.first_hour.folders import ft_malloc, lab
from tests.first_hour.typing import VARIABLES, first_finding, types

ENTERS = "void *mm_malloc(size_t size)\n{\n"
DECIDES = "    if (((char *)mem_heap_lo())[3] & 1) size += 64;\n"        # a byte that nobody has written


@pytest.mark.parametrize(("line", "answer"), [
    ("heapster mm.c", "unknown command 'mm.c': did you mean heapster fuzz?"),
    ("heapster fuzz mm", "unknown target 'mm': did you mean mm.c or mm.o?"),
    ("echo 'int x;' >x.c; cc -c x.c -o mm.o; heapster fuzz mm.o",
     "mm.o is an object file, not a shared object: link it with cc -shared -fPIC"),
    ("heapster fuzz empty.c", "empty.c is empty"),
    ("heapster fuzz nosuch.c", "nosuch.c: No such file or directory")])
def test_a_name_that_is_not_meant_so_is_mended_in_a_line(line: str, answer: str, tmp_path: Path) -> None:
    lab(tmp_path)
    (tmp_path / "mm.o").touch()
    (tmp_path / "empty.c").touch()
    read = types(line, tmp_path)
    assert read.code in (2, 4)
    assert read.err.splitlines()[-1] == f"heapster: {answer}"


def test_the_program_of_a_name_with_spaces_is_built_and_run_as_it_says(tmp_path: Path) -> None:
    ft_malloc(tmp_path)
    (tmp_path / "malloc.c").rename(tmp_path / "my malloc.c")
    read = types("heapster fuzz 'my malloc.c' --seconds 0.3 --jobs 1", tmp_path)
    _, finding = first_finding(read)
    text = (tmp_path / ".heapster" / finding / "repro.c").read_text()
    lines = re.findall(r"^   (?:the allocator|build|run): +(.*?)(?:  +exit.*)?$", text, re.MULTILINE)
    ran = types(" && ".join(lines), tmp_path)
    assert ran.code == 1
    assert "FAILED at: " in ran.out


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_was_found_is_kept_if_its_line_is_not_waited_for(jobs: int, tmp_path: Path) -> None:
    """Ctrl-C as soon as a line says what was found."""
    lab(tmp_path)
    command = [str(Path(sys.executable).with_name("heapster")), "fuzz", "mm.c", "--jobs", str(jobs)]
    with subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **VARIABLES}, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        noticed = process.stderr.readline()
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate()
    assert noticed.startswith("found: ")
    assert process.returncode == 130
    code, finding = first_finding(types(f"echo '{out}'", tmp_path))
    assert noticed.startswith(f"found: {code}: ")
    assert f"STILL FAILS: {code} {finding}" in types(f"heapster replay {finding}", tmp_path).out


def test_what_accesses_alone_tell_fails_when_it_is_replayed(tmp_path: Path) -> None:
    """And a run that does not meet it again does not say that it is mended."""
    source = (HERE / "correct" / "mm.c").read_text()
    assert ENTERS in source
    (tmp_path / "mm.c").write_text(source.replace(ENTERS, ENTERS + DECIDES))
    code, finding = first_finding(types("heapster fuzz mm.c --seconds 4 --jobs 1", tmp_path))
    assert code in BREACH_CODES
    read = types(f"heapster replay {finding}", tmp_path)
    assert read.code == 1, read.out
    assert f"STILL FAILS: {code} {finding}" in read.out
    again = types("heapster fuzz mm.c --seconds 0.3 --jobs 1; heapster findings", tmp_path)
    assert f"{finding}      fails" in again.out


ONE_BLOCK = """\
#include <stdlib.h>
static _Alignas(16) char block[1 << 20];
void *malloc(size_t n) { %s return n > sizeof block ? NULL : block; }
void free(void *p) { (void)p; }
"""


def test_what_fails_in_another_way_now_does_not_pass(tmp_path: Path) -> None:
    (tmp_path / "one.c").write_text(ONE_BLOCK % "")
    code, finding = first_finding(types("heapster fuzz one.c --seconds 0.3 --jobs 1", tmp_path))
    (tmp_path / "one.c").write_text(ONE_BLOCK % "abort();")
    read = types(f"heapster replay {finding}", tmp_path)
    assert read.code == 1
    assert f"FAILS OTHERWISE: {code} {finding} on one.c, as abort 10 of 10 times" in read.out


def test_a_library_of_the_system_is_told_to_have_no_source(tmp_path: Path) -> None:
    read = types("heapster fuzz libc --seconds 2 --jobs 1", tmp_path)
    assert "No such file" not in read.out
    assert "libc was built without -g" in read.out


def test_nothing_of_a_run_lies_in_a_folder_without_write_access(tmp_path: Path) -> None:
    """Findings are shown all the same, and that none is kept is said."""
    lab(tmp_path)
    shutil.copy(tmp_path / "mm.c", tmp_path / "other.c")
    (tmp_path / ".heapster").touch()
    read = types("heapster fuzz mm.c --seconds 0.3 --jobs 1", tmp_path)
    assert read.code == 1
    assert "warning: findings cannot be kept in .heapster: " in read.err
    first_finding(read)


OF_A_FILE = """\
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>
#define HEAP (1 << 22)
static char *heap;
static size_t used;
void *malloc(size_t size)
{
    if (heap == NULL) {
        int fd = memfd_create("heap", 0);
        if (ftruncate(fd, %d) != 0)
            return NULL;
        heap = mmap(NULL, HEAP, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (size > HEAP - used - 32)
        return NULL;
    char *block = heap + used + 16;
    *(size_t *)(block - 8) = size;
    used += (size + 31) & ~(size_t)15;
    return block;
}
void free(void *p) { (void)p; }
"""


@pytest.mark.parametrize(("bytes_of_file", "code", "title"), [
    (0, "crash", r"malloc dies of SIGBUS: it touches a page beyond the end of the file that is mapped there"),
    (8192, "unusable_block", r"the block that malloc answered dies of SIGBUS, at byte [\d,]+ of [\d,]+ of \w")])
def test_a_heap_in_a_file_that_is_too_short_says_where_it_ends(bytes_of_file: int, code: str, title: str,
                                                                tmp_path: Path) -> None:
    (tmp_path / "file.c").write_text(OF_A_FILE % bytes_of_file)
    read = types("heapster fuzz file.c --seconds 0.3 --jobs 1 --ignore memory_never_returned", tmp_path)
    assert first_finding(read)[0] == code
    assert re.search(title, " ".join(read.out.split())), read.out
