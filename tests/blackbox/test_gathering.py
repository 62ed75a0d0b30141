"""A folder of C sources without a build is taken whole: what belongs together is, and what does not is said."""

from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse
from heapster.results import TargetError, UsageError

FT_MALLOC = {
    "includes/ft.h": "#include <stddef.h>\n#include <sub/zone.h>\nvoid *take(size_t size);\n"
                     "void say(const char *text);\nvoid *malloc(size_t size);\nvoid free(void *block);\n",
    "includes/sub/zone.h": "typedef struct { size_t size, used; } t_zone;\n",
    "srcs/malloc.c": '#include "ft.h"\nvoid *malloc(size_t size) { return take(size); }\n',
    "srcs/free.c": '#include "ft.h"\n#include <sys/mman.h>\nvoid free(void *block)\n{\n    t_zone *zone = block;\n'
                   "    if (zone)\n        munmap(zone - 1, zone[-1].size);\n}\n",
    "srcs/realloc.c": '#include "ft.h"\n#include <string.h>\nvoid *realloc(void *block, size_t size)\n{\n'
                      "    t_zone *zone = block;\n    void *other = malloc(size);\n"
                      "    if (zone && other)\n"
                      "        memcpy(other, block, size < zone[-1].used ? size : zone[-1].used), free(block);\n"
                      "    return other;\n}\n",
    "srcs/utils/take.c": '#include "ft.h"\n#include <sys/mman.h>\nvoid *take(size_t size)\n{\n'
                         "    if (size > (size_t)1 << 40)\n        return 0;\n"
                         "    size_t all = (size + sizeof(t_zone) + 4095) & ~(size_t)4095;\n"
                         "    t_zone *zone = mmap(0, all, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
                         "    if (zone == MAP_FAILED)\n        return 0;\n"
                         "    *zone = (t_zone){all, size};\n    return zone + 1;\n}\n",
    "srcs/show.c": '#include "ft.h"\nvoid show_alloc_mem(void) { say("TINY"); }\n',
    "srcs/say.c": '#include "ft.h"\n#include <unistd.h>\nvoid say(const char *text) { write(1, text, 1); }\n',
    "tests/try.c": "int main(void) { return 0; }\n",
    "tests/check.c": "int check(void) { return unity_begin(); }\n",
}
LAB = {
    "mm.c": '#include "mm.h"\n#include "memlib.h"\n#include "config.h"\nint mm_init(void) { return 0; }\n'
            "void *mm_malloc(size_t size)\n{\n    void *at = mem_sbrk(rounded(size));\n"
            "    return at == (void *)-1 ? NULL : at;\n}\nvoid mm_free(void *block) { (void)block; }\n",
    "mm.h": "#include <stddef.h>\nint mm_init(void);\nvoid *mm_malloc(size_t);\nvoid mm_free(void *);\n"
            "int rounded(size_t size);\n",
    "rounding.c": '#include "mm.h"\n#include "config.h"\nint rounded(size_t size) { return (size + ALIGNMENT - 1) '
                  "& -ALIGNMENT; }\n",
    "config.h": "#define ALIGNMENT 16\n#define MAX_HEAP (20 * (1 << 20))\n",
    "memlib.h": "void *mem_sbrk(int);\n",
    "memlib.c": '#include "memlib.h"\nvoid *mem_sbrk(int more) { (void)more; return (void *)-1; }\n',
    "clock.c": "int cycles(void) { return 1; }\n",
    "mdriver.c": "int main(void) { return 0; }\n",
}


def written(folder: Path, files: dict[str, str]) -> Path:
    """The folder, with these files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def opened(path: Path) -> ForeignTarget:
    """The target of that path."""
    return resolve(ForeignOptions(grammar.parse(str(path))))


def works(target: ForeignTarget) -> bool:
    """Whether it serves a few calls."""
    steps = "a = malloc(24); b = malloc(5000); free(a)" + "; c = realloc(b, 9000)" * ("realloc" in target.verbs)
    with Judge(judge_program(target.bits), target) as judge:
        return not run_trace(judge, parse(steps), learn(judge, None).promises).reasons


def made_of(target: ForeignTarget) -> set[str]:
    """The names of its sources."""
    assert target.ingredients is not None
    return {Path(source).name for source in target.ingredients.sources}


def test_an_ft_malloc_is_taken_whole_with_its_headers(tmp_path: Path) -> None:
    target = opened(written(tmp_path, FT_MALLOC))
    assert made_of(target) == {"malloc.c", "take.c", "free.c", "realloc.c", "say.c", "show.c"}
    assert set(target.symbols) == {"malloc", "free", "realloc"}
    (words,) = target.as_built
    assert words.startswith("made of srcs/malloc.c, srcs/utils/take.c, ")
    assert words.endswith("; left out: tests/try.c (it defines main), tests/check.c (it needs unity_begin, which "
                          "nothing here defines)")
    assert works(target)


def test_the_source_of_its_malloc_brings_the_rest(tmp_path: Path) -> None:
    """Headers that lie beside the folder are found; what defines the same once more, or lacks something, stays out."""
    (written(tmp_path, FT_MALLOC) / "srcs" / "say.c").unlink()
    (tmp_path / "srcs" / "old.c").write_text("void *malloc(unsigned long size) { return 0; }\n")
    (tmp_path / "srcs" / "odd.c").write_text("this is no C\n")
    target = opened(tmp_path / "srcs" / "malloc.c")
    assert made_of(target) == {"malloc.c", "take.c", "free.c", "realloc.c"}
    (words,) = target.as_built
    assert "old.c (it defines malloc, as malloc.c does)" in words
    assert "show.c (it needs say, which nothing here defines)" in words
    assert "odd.c (cc does not compile it by itself: " in words
    assert works(target)
    with pytest.raises(UsageError, match=r"2 sources in .*srcs define a malloc \(malloc.c, old.c\)"):
        opened(tmp_path / "srcs")


def test_a_lab_takes_what_it_uses_and_the_judge_has_its_own_memory(tmp_path: Path) -> None:
    target = opened(written(tmp_path, LAB))
    assert made_of(target) == {"mm.c", "rounding.c"}
    assert target.shape == "malloc-lab"
    (words,) = target.as_built
    assert words == ("made of mm.c, rounding.c; left out: mdriver.c (it defines main), "
                     "memlib.c (the judge has its own), clock.c (nothing uses it)")
    assert works(target)


def test_a_folder_below_that_is_built_by_itself_is_no_part(tmp_path: Path) -> None:
    written(tmp_path, FT_MALLOC)
    written(tmp_path / "other", {"Makefile": "all:\n", "malloc.c": "void *malloc(unsigned long n) { return 0; }\n"})
    assert "other" not in opened(tmp_path).as_built[0]


def test_what_does_not_compile_says_what_is_missing(tmp_path: Path) -> None:
    written(tmp_path, {"a.c": "#ifndef GRAIN\n#error GRAIN is not said\n#endif\nvoid *malloc(unsigned long n) {\n"
                              " return 0;\n}\n", "b.c": "int other;\n"})
    with pytest.raises(TargetError, match=r"GRAIN is not said(.|\n)*--cflags tells it"):
        opened(tmp_path)


def test_a_makefile_whose_library_is_named_after_the_machine_is_read(tmp_path: Path) -> None:
    written(tmp_path, FT_MALLOC)
    (tmp_path / "Makefile").write_text(
        "ifeq ($(HOSTTYPE),)\nHOSTTYPE := $(shell uname -m)_$(shell uname -s)\nendif\n"
        "NAME = libft_malloc_$(HOSTTYPE).so\n"
        "OBJS = $(addprefix objs/,malloc.o free.o realloc.o show.o say.o utils/take.o)\n"
        "all: $(NAME)\nobjs/%.o: srcs/%.c includes/ft.h\n\t@mkdir -p $(dir $@)\n\t@$(CC) -fPIC -Iincludes -c $< -o $@\n"
        "$(NAME): $(OBJS)\n\t@$(CC) -shared -o $@ $^\n\t@ln -sf $(NAME) libft_malloc.so\n")
    target = opened(tmp_path)
    assert made_of(target) == {"malloc.c", "take.c", "free.c", "realloc.c", "say.c", "show.c"}
    assert works(target)
    assert not (tmp_path / "objs").exists()


MAKEFILE = "all:\n\tcc -std=gnu23 -Iincludes -c srcs/malloc.c srcs/free.c srcs/realloc.c srcs/say.c srcs/show.c\n"


def test_what_a_build_takes_from_elsewhere_in_the_folder_is_found_and_what_it_lacks_is_said(tmp_path: Path) -> None:
    """A library of one's own that its Makefile builds by itself; a flag that the compiler is too old for."""
    written(tmp_path, FT_MALLOC | {"Makefile": MAKEFILE, "srcs/say.c": "#include <cmocka.h>\n"})
    (tmp_path / "srcs" / "show.c").unlink()
    (tmp_path / "lib").mkdir()
    (tmp_path / "srcs" / "utils" / "take.c").rename(tmp_path / "lib" / "take.c")
    (tmp_path / "lib" / "Makefile").write_text("all:\n\tcc -c take.c\n")
    target = opened(tmp_path)
    assert made_of(target) == {"malloc.c", "free.c", "realloc.c", "take.c"}
    assert any("left out: srcs/say.c (cc does not compile it by itself: " in words for words in target.as_built)
    assert works(target)
    (tmp_path / "lib" / "take.c").unlink()
    with pytest.raises(TargetError, match=r"say\.c.*cmocka"):
        opened(tmp_path)
    (tmp_path / "srcs" / "say.c").write_text("")
    with pytest.raises(TargetError, match=r"malloc\.c needs take, which nothing that fits with it in .* defines"):
        opened(tmp_path)


def test_a_flag_that_the_compiler_does_not_know_is_read_as_one_that_it_does_or_left_out(tmp_path: Path) -> None:
    makefile = MAKEFILE.replace("srcs/say.c", "srcs/utils/take.c srcs/say.c")
    written(tmp_path, FT_MALLOC | {"Makefile": makefile.replace("-std=gnu23", "-std=c99000 -D_GNU_SOURCE")})
    target = opened(tmp_path)
    assert "its own build says -std=c99000, which this compiler does not know: it is left out" in target.as_built
    assert works(target)


def test_sources_of_templates_that_both_instantiate_are_taken_together(tmp_path: Path) -> None:
    """Their code is shared when they are linked: nothing is defined twice."""
    written(tmp_path, {
        "heap.hpp": "#include <cstddef>\n#include <sys/mman.h>\ntemplate <class T> T *mapped(std::size_t size)\n{\n"
                    "    return static_cast<T *>(mmap(0, size + 1, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));\n}\n"
                    "void *zero(std::size_t size);\n",
        "malloc.cpp": '#include "heap.hpp"\nextern "C" void *malloc(std::size_t size) { return mapped<void>(size); }\n'
                      'extern "C" void free(void *) {}\n',
        "zero.cpp": '#include "heap.hpp"\nvoid *zero(std::size_t size) { return mapped<void>(size); }\n'
                    'extern "C" void *calloc(std::size_t n, std::size_t size) { return zero(n * size); }\n'})
    assert made_of(opened(tmp_path)) == {"malloc.cpp", "zero.cpp"}


def test_what_other_systems_headers_bring_by_themselves_is_brought_where_it_does_not_compile_else(
        tmp_path: Path) -> None:
    """MAP_ANON under -std=c99, and a type of stdint.h that nothing includes: both compile where they were written."""
    plain = FT_MALLOC["srcs/utils/take.c"].replace("MAP_ANONYMOUS", "MAP_ANON").replace("size_t all", "uintptr_t all")
    makefile = MAKEFILE.replace("gnu23", "c99").replace("srcs/say.c", "srcs/utils/take.c srcs/say.c")
    target = opened(written(tmp_path, FT_MALLOC | {"Makefile": makefile, "srcs/utils/take.c": plain}))
    assert any(words.startswith("it compiles here only with what other systems' headers bring") for words in
               target.as_built)
    assert works(target)


def test_that_many_sources_are_compiled_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = {f"srcs/more/{number}.c": f"int more_{number}(void) {{ return {number}; }}\n" for number in range(30)}
    assert len(made_of(opened(written(tmp_path, FT_MALLOC | more)))) == 36
    assert capsys.readouterr().err == ("heapster: compiling 37 sources, to see which of them make the allocator; fewer "
                                       "can be named\n")
