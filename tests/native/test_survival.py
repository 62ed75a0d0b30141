"""What a malloc must survive."""

from pathlib import Path

import pytest

from tests.native.building import HERE, compiled, preloaded

CASES = ("fork_in_threads", "threads_end_with_live_blocks", "any_entry_first_on_a_fresh_thread",
         "errno_as_posix_says", "posix_memalign_leaves_all_alone", "break_moved_by_others", "calls_before_main",
         "malloc_h_speaks_of_this_heap")


@pytest.mark.parametrize("case", CASES)
def test_survives(case: str, tmp_path: Path) -> None:
    program = compiled(tmp_path / "survive", HERE / "survive.c", "-fno-builtin", "-O1", "-lpthread",
                       "-Wno-deprecated-declarations")
    done = preloaded(program, case)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_malloc_stats_speaks_of_this_heap(tmp_path: Path) -> None:
    text = ("#include <malloc.h>\n#include <stdlib.h>\n"
            "int main(void) { void *volatile p = malloc(5000000); malloc_stats(); free(p); return 0; }\n")
    done = preloaded(compiled(tmp_path / "stats", text, "-fno-builtin"))
    total = done.stderr.partition("Total (incl. mmap):")[2].split()
    assert total[:3] == ["system", "bytes", "="]
    assert int(total[3]) >= int(total[8]) >= 5000000


@pytest.mark.parametrize(("body", "says"), [
    ("free(p); free(p);", "double free"),
    ("void *q = malloc(40); free(p); free(q); free(p);", "double free"),
    ("free((char *)p + 8);", "invalid pointer"),
    (("void *a[999]; for (int i = 0; i < 999; i++) a[i] = malloc(2040); "
      "a[500] = memset(a[500], 0, malloc_usable_size(a[500]) + 8); for (int i = 0; i < 999; i++) free(a[i]);"),
     "invalid pointer"),
    ("p = malloc(80000); void *q = malloc(80000); ((long *)p)[10001] &= ~2L; free(p);", "corrupt header"),
    (("p = malloc(80000); void *q = malloc(40); free(p); ((long *)p)[0] = (long)q; ((long *)p)[1] = (long)q; "
      "p = malloc(80000);"), "corrupt free list"),
])
def test_misuse_ends_in_one_line_and_abort(body: str, says: str, tmp_path: Path) -> None:
    text = ("#include <malloc.h>\n#include <stdlib.h>\n#include <string.h>\n"
            f"int main(void) {{ void *volatile p = malloc(40); {body} return 0; }}\n")
    done = preloaded(compiled(tmp_path / "misuse", text, "-fno-builtin", "-O0", "-w"))
    assert done.returncode == -6
    assert done.stderr.startswith(f"heapster: {says}")
    assert done.stderr.count("\n") == 1
