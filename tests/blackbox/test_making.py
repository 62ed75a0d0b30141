"""A project's own build is asked what it compiles, and with which flags; nothing of it is run."""

import json
from pathlib import Path

import pytest

from heapster.checkers.blackbox import build
from heapster.checkers.blackbox.accesses import TracedEvent
from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.protocol import EventKind, Observation, TargetEvent
from heapster.checkers.blackbox.root_cause import is_cut
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.targets import grammar
from heapster.checkers.targets.making import FIRST_COUNTS, compilations, flags_of
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse
from heapster.results import TargetError, UsageError

MALLOC = """
#include "heap.h"
static char room[1 << 20];
static size_t used;
void *malloc(size_t size)
{
    char *block = room + used;
    if (size > sizeof room - used - GRAIN)
        return 0;
    used += rounded(size);
    return block;
}
"""
FREE = '#include "heap.h"\nvoid free(void *block) { (void)block; }\n'
HEADER = "#include <stddef.h>\nsize_t rounded(size_t size);\n"
ROUNDED = '#include "heap.h"\nsize_t rounded(size_t size) { return (size + GRAIN - 1) / GRAIN * GRAIN; }\n'
PROGRAM = "int main(void) { return 0; }\n"
MAKEFILE = """
SOURCES = src/malloc.c src/free.c
CFLAGS = -Wall -Wnot-a-warning -O9 -D GRAIN=16 -I include
all: libmine.so
\t@cd . && gcc $(CFLAGS) -o try src/try.c; touch built
libmine.so: $(SOURCES:.c=.o)
\tmake -C lib CFLAGS="$(CFLAGS)"
\t@printf 'it is "linked\\n'
\tcc -shared -o $@ $^ lib/lib.a
"""
OF_LIB = "lib.a: rounded.o\n\tar r $@ $^\nrounded.o: rounded.c\n"
OF_LIB += "\tx86_64-linux-gnu-gcc-12 -DGRAIN=16 -I../include -c $<\n"
LINKS_OF_32_BITS = """
#include "mm.h"
#include "memlib.h"
static unsigned first;
int mm_init(void) { first = 0; return 0; }
void *mm_malloc(size_t size)
{
    if (size <= 24 && first) {
        void *block = (void *)(unsigned long)first;
        first = *(unsigned *)block;
        return block;
    }
    char *place = mem_sbrk(size <= 24 ? 24 : (size + 7) / 8 * 8 + 8);
    if (place == (char *)-1)
        return 0;
    return place;
}
void mm_free(void *block)
{
    if (block) {
        *(unsigned *)block = first;
        first = (unsigned)(unsigned long)block;
    }
}
"""
USES_THEM = parse("a = malloc(24)\nb = malloc(24)\nfree(a)\nfree(b)\nc = malloc(24)\nd = malloc(24)\ne = malloc(24)")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Sources in a folder of their own, that do not compile without what the Makefile says."""
    for name, text in {"src/malloc.c": MALLOC, "src/free.c": FREE, "include/heap.h": HEADER, "lib/rounded.c": ROUNDED,
                       "src/try.c": PROGRAM, "Makefile": MAKEFILE, "lib/Makefile": OF_LIB}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def opened(path: Path) -> ForeignTarget:
    """The target of that path."""
    return resolve(ForeignOptions(grammar.parse(str(path))))


def test_a_folder_with_a_makefile_is_built_as_it_says(project: Path) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    target = opened(project)
    assert target.ingredients is not None
    assert {Path(source).name for source in target.ingredients.sources} == {"malloc.c", "free.c", "rounded.c"}
    assert target.source == project / "src" / "malloc.c"
    assert target.as_built == ("compiled with -DGRAIN=16, as its own build does (--cflags has the last word)",)
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_what_two_archives_define_is_linked_once(project: Path) -> None:
    (project / "lib" / "again.c").write_text(ROUNDED)
    (project / "lib" / "Makefile").write_text(f"{OF_LIB}\tcc -DGRAIN=16 -I../include -c again.c\n")
    target = opened(project)
    assert target.ingredients is not None
    assert len(target.ingredients.sources) == 4


def test_a_source_is_compiled_as_the_makefile_above_it_says(project: Path) -> None:
    (project / "src" / "malloc.c").write_text(MALLOC + FREE + ROUNDED)
    assert "-DGRAIN=16" in opened(project / "src" / "malloc.c").build[0]


def test_without_its_build_it_is_told_what_that_would_have_said(project: Path) -> None:
    (project / "Makefile").unlink()
    (project / "main.c").write_text(PROGRAM)
    with pytest.raises(TargetError, match=r"(?s)'GRAIN' undeclared.*as -I or -D, --cflags tells it"):
        opened(project)


def test_a_compilation_database_is_read_and_a_broken_one_is_not(project: Path) -> None:
    flags = ["cc", "-Iinclude", "-DGRAIN=32", "-c"]
    entries = [{"directory": str(project), "arguments": [*flags, source], "file": source}
               for source in ("src/malloc.c", "src/free.c", "lib/rounded.c")]
    (project / "compile_commands.json").write_text(json.dumps(entries))
    assert "-DGRAIN=32" in opened(project).build[0]
    (project / "compile_commands.json").write_text(json.dumps([{"directory": 1}, 2]))
    assert "-DGRAIN=16" in opened(project).build[0]


def test_a_source_that_the_build_does_not_know_gets_what_all_get(project: Path) -> None:
    built = compilations(project)
    assert len(built) == 4
    assert flags_of(built, [project / "new.c"]) == ("-DGRAIN=16", FIRST_COUNTS)
    assert flags_of((), [project / "new.c"]) == ()


@pytest.mark.parametrize("text", ["all:\n  spaces\n", "$(error no)\n", "all:\n\tpython3 build.py\n"])
def test_a_makefile_that_says_nothing_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "Makefile").write_text(text)
    assert compilations(tmp_path) == ()


def test_what_the_build_names_is_the_allocator_though_only_the_compiler_sees_its_malloc(project: Path) -> None:
    (project / "src" / "malloc.c").write_text("#define DEFINES(name, size) void *name(size_t size)\n" + MALLOC.replace(
        "void *malloc(size_t size)", "DEFINES(malloc, size)"))
    assert opened(project).symbols == {"malloc": "malloc", "free": "free"}


def test_a_main_under_a_condition_makes_no_program_and_maths_are_linked(project: Path) -> None:
    (project / "lib" / "rounded.c").write_text(f"""{ROUNDED}#include <math.h>
/* int
main() is below */
#ifdef TRY
#if 1
int main(void) {{ return 0; }}
#endif
#endif
int bin_of(double size) {{ return (int)log2(size); }}
""")
    target = opened(project)
    assert target.ingredients is not None
    assert any("rounded.c" in source for source in target.ingredients.sources)
    with Judge(judge_program(target.bits), target) as judge:
        assert not run_trace(judge, parse("a = malloc(24)"), learn(judge, None).promises).reasons


def test_what_is_told_and_makes_no_sense_was_written_over(project: Path) -> None:
    target = opened(project)
    with Judge(judge_program(target.bits), target) as judge:
        promises, seen = learn(judge, None).promises, judge.observed
        for told in ({"harmed": 1 << 60}, {"breach": 77}):
            def scribbled(length: int, told: dict[str, int] = told) -> list[Observation]:
                return [one._replace(**told) for one in seen(length)]

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(judge, "observed", scribbled)
                assert run_trace(judge, parse("a = malloc(24)"), promises).code == "record_changed"


def test_a_source_that_another_includes_is_no_part_of_its_own(project: Path) -> None:
    (project / "src" / "heap.h").write_text(HEADER)
    (project / "src" / "malloc.c").write_text(f'#define GRAIN 16\n#include "wrapper.c"\n{MALLOC}{FREE}')
    (project / "src" / "wrapper.c").write_text(f"{ROUNDED}void *my_malloc(size_t size) {{ return 0; }}\n")
    assert opened(project / "src").symbols["malloc"] == "malloc"


def test_a_folder_without_any_names_the_one_that_has_some(project: Path) -> None:
    outer = project / "outer"
    (outer / "project").mkdir(parents=True)
    (outer / "project" / "Makefile").write_text(MAKEFILE)
    with pytest.raises(TargetError, match=r"no C sources, no Makefile .* name a folder that does, as .*/project$"):
        opened(outer)
    (outer / "Makefile").write_text("all:\n")
    with pytest.raises(UsageError, match=r"name the folder that does, as .*/project$"):
        opened(outer)


def fails(target: ForeignTarget) -> bool:
    """Whether blocks that are given again break it."""
    with Judge(judge_program(target.bits), target) as judge:
        return bool(run_trace(judge, USES_THEM, learn(judge, None).promises).reasons)


def test_a_lab_of_32_bits_runs_where_no_such_programs_can_be_built(tmp_path: Path,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_why_not_32_bits", lambda _: "asm/errno.h: No such file or directory")
    (tmp_path / "mm.c").write_text(LINKS_OF_32_BITS)
    assert fails(opened(tmp_path / "mm.c"))             # of 64 bits: a link loses half of the address
    (tmp_path / "Makefile").write_text("CFLAGS = -m32\nmm.o: mm.c\n")
    target = opened(tmp_path / "mm.c")
    assert target.bits == 64
    assert target.low
    assert "(asm/errno.h: No such file or directory; gcc-multilib can)" in target.as_built[0]
    assert not fails(target)


def test_why_there_are_no_programs_of_32_bits_is_told_in_the_compilers_words(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    cc = tmp_path / "cc-lean"
    cc.write_text("#!/bin/sh\necho /usr/include/errno.h:28:10: fatal error: bits/errno.h: No such file >&2\nexit 1\n")
    cc.chmod(0o755)
    assert build._why_not_32_bits(build.Compiler(str(cc))) == "bits/errno.h: No such file"
    with pytest.raises(TargetError, match=r"programs of 32 bits: bits/errno.h: No such file \(gcc-multilib can\)$"):
        judge_program(32, build.Compiler(str(cc)))


@pytest.mark.parametrize(("address", "cut"), [
    (0xf7db1030, True), (0xfffffffff7db1030, True), (0x7ffff7db1030, False), (0xf7db5030, False), (0x30, False)])
def test_an_address_of_which_half_is_left_is_known(address: int, *, cut: bool) -> None:
    used = TargetEvent(0x7ffff7db1010, 0, 0, 8, 0, EventKind.ACCESS, 1)
    small = TargetEvent(0x10, 0, 0, 8, 0, EventKind.ACCESS, 1)
    assert is_cut(address, [TracedEvent(used, ()), TracedEvent(small, ())]) == cut


def test_an_init_that_takes_lists_to_keep_gets_none(tmp_path: Path) -> None:
    (tmp_path / "mm.c").write_text(LINKS_OF_32_BITS.replace("unsigned first", "unsigned long first").replace(
        "unsigned *", "unsigned long *").replace("(unsigned)", "").replace(
        "int mm_init(void) {", "void **kept;\nint mm_init(void **lists) { kept = lists; if (kept) return -1;").replace(
        '#include "mm.h"', "#include <stddef.h>"))
    assert not fails(opened(tmp_path / "mm.c"))


def test_a_lab_of_32_bits_is_built_so(tmp_path: Path) -> None:
    try:
        judge_program(32, Compiler())
    except TargetError as error:
        pytest.skip(str(error))
    (tmp_path / "mm.c").write_text(LINKS_OF_32_BITS)
    (tmp_path / "Makefile").write_text("CFLAGS = -m32\nmm.o: mm.c\n")
    target = opened(tmp_path / "mm.c")
    assert target.bits == 32
    assert not target.low
    assert not fails(target)


def test_a_submodule_that_was_not_fetched_is_named(tmp_path: Path) -> None:
    """As a clone without --recursive leaves it."""
    (tmp_path / ".gitmodules").write_text('[submodule "libft"]\n\tpath = libft\n[submodule "t"]\n\tpath = lib/there\n')
    (tmp_path / "lib/there").mkdir(parents=True)
    (tmp_path / "lib/there/there.h").touch()
    (tmp_path / "src").mkdir()
    source = tmp_path / "src/malloc.c"
    source.write_text('#include "libft.h"\nvoid *malloc(unsigned long size) { return 0; }\n')
    with pytest.raises(TargetError, match=r"No such file(.|\n)*\(libft is a submodule that is not there: git "):
        opened(source)
