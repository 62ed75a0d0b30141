"""The first hour of a student with a malloc lab: mm.c, with a fault, in a folder with nothing else."""

import re
from pathlib import Path

import pytest

from tests.first_hour.folders import FAULTY, lab
from tests.first_hour.typing import Read, first_finding, types

MOST_LINES = 80                 # of a program that shows three calls
FUZZ = "heapster fuzz {} --seconds {}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("student")
    lab(folder)
    return folder


@pytest.fixture(scope="module")
def judged(folder: Path) -> Read:
    return types(FUZZ.format("mm.c", 2), folder)


def test_what_is_read_first_is_the_harm_and_its_line(judged: Read) -> None:
    """No size near the limits, no free(NULL), and the line that is wrong."""
    assert judged.code == 1
    code, _ = first_finding(judged)
    assert code in {"block_too_small", "crash", "contents_damaged", "overlap", "touched_outside",
                    "writes_into_live_block"}
    first = judged.out.split("\n\n")[0]
    assert "SIZE_MAX" not in first
    assert re.search(rf"^found: {code}: .*; now its line is looked for$", judged.err, re.MULTILINE), judged.err
    named = re.findall(r"(?:the line|seen at): mm\.c:(\d+), in ", first)       # in two seconds not all is tried
    assert named[:1] == [str(FAULTY["rounds_down"].line)]


def test_no_size_is_twenty_digits_and_one_byte_is_no_bytes(judged: Read) -> None:
    assert not re.search(r"\d,\d{3},\d{3},\d{3},\d{3},\d{3}", judged.out)
    assert not re.search(r"\b1 bytes|\b1 findings|\b1 operations", judged.out)


def test_the_program_is_short_and_builds_as_it_says(judged: Read, folder: Path) -> None:
    """No path of the machine is in it, and its own first lines are enough."""
    _, finding = first_finding(judged)
    place = folder / ".heapster" / finding
    text = (place / "repro.c").read_text()
    assert len(text.splitlines()) <= MOST_LINES
    for file in ("repro.c", "checks.h"):
        assert not re.search(r"/(?:root|home|tmp|work|usr)/", (place / file).read_text()), file
    for line in re.findall(r"^   (?:the allocator|build):  (.*)$", text, re.MULTILINE):
        assert types(line, folder).code == 0, line
    ran = types(re.findall(r"^   run:    (.*?)  +exit", text, re.MULTILINE)[0], folder)
    assert ran.code == 1
    assert "FAILED at: " in ran.out


def test_a_folder_is_enough(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    lab(tmp_path / "lab")
    read = types(FUZZ.format("lab", 0.1), tmp_path)
    assert read.code == 1
    assert "lab/mm.c:" in read.out


@pytest.mark.slow
def test_a_lab_for_32_bits_says_how_it_is_built(tmp_path: Path) -> None:
    """Its own build says -m32; where that cannot be done the reason is told, and it is judged all the same."""
    lab(tmp_path)
    (tmp_path / "Makefile").write_text("mdriver: mm.c\n\tgcc -m32 -O2 -o mdriver mm.c\n")
    read = types(FUZZ.format("mm.c", 0.1), tmp_path)
    assert read.code == 1
    assert "-m32" in read.out


LINKS_IN_WORDS = """\
#include <stddef.h>
void *mem_sbrk(int);
#define NEXT(p) (*(unsigned *)(p))
#define SIZE(p) (*(unsigned *)((char *)(p) - 4))
static char *list;
int mm_init(void) { list = NULL; return mem_sbrk(4) == (void *)-1 ? -1 : 0; }
void *mm_malloc(size_t n)
{
    unsigned size = n < 4 ? 4 : (n + 11) / 8 * 8 - 4;
    char *before = NULL;
    if (n == 0 || n > 1u << 24)
        return NULL;
    for (char *p = list; p != NULL; before = p, p = (char *)NEXT(p))
        if (SIZE(p) >= size) {
            if (before == NULL)
                list = (char *)NEXT(p);
            else
                NEXT(before) = NEXT(p);
            return p;
        }
    char *p = mem_sbrk(size + 4);
    if (p == (void *)-1)
        return NULL;
    SIZE(p + 4) = size;
    return p + 4;
}
void mm_free(void *p) { if (p != NULL) { NEXT(p) = (unsigned)(size_t)list; list = p; } }
"""


def test_a_lab_that_was_written_for_32_bits_is_judged_so_though_nothing_says_it(tmp_path: Path) -> None:
    """Its lists lie in 32-bit words; told to be one of 64 bits, it is found to cut its addresses."""
    (tmp_path / "mm.c").write_text(LINKS_IN_WORDS)
    read = types("heapster fuzz mm.c --seconds 0.3 --jobs 1 --only crash,contents_damaged", tmp_path)
    assert read.code in (0, 3), read.out
    assert "written for 32 bits, as it keeps addresses in 32-bit words (mm.c:13)" in " ".join(read.out.split())
    read = types("heapster fuzz mm.c --seconds 0.3 --jobs 1 --cflags -m64", tmp_path)
    assert read.code == 1
    assert "written for 32 bits" not in read.out
