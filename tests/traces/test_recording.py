"""Recording programs: threads, forks, and an end that nobody planned."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from heapster.checkers.traces.compact import Compact
from heapster.checkers.traces.legality import first_misuse
from heapster.checkers.traces.recording import Recording, record
from heapster.model.operation import Step

ROUNDS = 6000                   # of a thread: more than a chunk of records
PROGRAM = f"""
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static void *go(void *x) {{
    for (int i = 0; i < {ROUNDS}; i++) {{ void *p = malloc(i % 500); p = realloc(p, 800); free(p); }}
    return x;
}}
int main(int argc, char **argv) {{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], 0, go, 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
    void *kept = malloc(77777), *aligned;
    if (posix_memalign(&aligned, 256, 1234)) return 1;
    if (fork() == 0) {{ free(kept); kept = calloc(5, 55555); _exit(kept == 0); }}
    wait(0);
    if (argc > 1 && !strcmp(argv[1], "exec")) execl(argv[0], argv[0], "kill", (char *)0);
    if (argc > 1) raise(SIGKILL);
    free(kept);
    return 7;
}}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "p.c").write_text(PROGRAM)
    subprocess.run(["cc", "-O0", "-fno-builtin", "-o", folder / "p", folder / "p.c", "-lpthread"], check=True)
    return folder / "p"


def recorded(program: Path, *arguments: str, everyone: bool = False) -> Recording:
    return record([str(program), *arguments], program, None, {}, everyone=everyone)


def requests(trace: Compact) -> Counter[tuple[str, int]]:
    return Counter((step.verb, step.numbers[-1]) for step in trace if step.numbers)


def test_nothing_is_lost_on_a_normal_exit(program: Path) -> None:
    done = recorded(program)
    found = requests(done.trace)
    assert done.exit_code == 7
    assert found["realloc", 800] == 2 * ROUNDS
    assert found["malloc", 77777] == found["memalign", 1234] == 1
    assert len({step.numbers for step in done.trace if step.verb == "thread"}) >= 2
    assert first_misuse(done.trace) is None


SIZED = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
int main(void) {
    void (*sized)(void *, size_t), (*aligned)(void *, size_t, size_t);
    *(void **)&sized = dlsym(RTLD_DEFAULT, "free_sized");
    *(void **)&aligned = dlsym(RTLD_DEFAULT, "free_aligned_sized");
    if (!sized || !aligned) return 1;
    sized(malloc(77777), 77777);
    aligned(aligned_alloc(256, 2560), 256, 2560);
    sized(NULL, 5);
    sized(malloc(55555), 5);
    return 0;
}
"""


def test_sized_frees_are_recorded_and_held_against_what_was_asked_for(tmp_path: Path) -> None:
    """Though libc has none: it is asked for free."""
    (tmp_path / "p.c").write_text(SIZED)
    subprocess.run(["cc", "-O0", "-fno-builtin", "-o", tmp_path / "p", tmp_path / "p.c", "-ldl"], check=True)
    done = recorded(tmp_path / "p")
    sized = [(step.verb, step.numbers) for step in done.trace if step.verb.startswith("free_")]
    assert sized == [("free_sized", (77777,)), ("free_aligned_sized", (256, 2560)), ("free_sized", (5,))]
    misuse = first_misuse(done.trace)
    assert misuse is not None
    assert misuse[1] == "free_sized with 5 bytes of a block that was asked for with 55,555 bytes"


def test_a_killed_program_keeps_what_it_did(program: Path) -> None:
    done = recorded(program, "kill")
    assert done.exit_code == 128 + 9
    assert requests(done.trace)["malloc", 77777] == 1


def test_a_forked_child_goes_on_from_its_parents_heap(program: Path) -> None:
    done = recorded(program, everyone=True)
    child, = done.others
    assert requests(child)["calloc", 55555] == 1
    assert requests(done.trace)["calloc", 55555] == 0
    kept = next(step.result for step in child if step.numbers == (77777,))
    assert Step("free", operand=kept) in list(child)[-4:]
    assert first_misuse(child) is None


def test_the_image_after_exec_is_the_program(program: Path) -> None:
    done = recorded(program, "exec", everyone=True)
    assert done.exit_code == 128 + 9
    assert requests(done.trace)["malloc", 77777] == 1
    assert len(done.others) == 3
