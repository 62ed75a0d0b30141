"""What cannot be put under the scheduler, or means less there, says so in a line; and how a target is compiled."""

import json
import shlex
from pathlib import Path

import pytest

from heapster.cli import main
from tests.races.test_compiled import C, pytestmark  # noqa: F401  skipped without a compiler

BUMP = """
#include <stdatomic.h>
#include <stddef.h>
static _Alignas(16) char pool[1 << 22];
static atomic_size_t used;
void *my_malloc(size_t n) { START; return pool + atomic_fetch_add(&used, (n + 15) & -16ul); }
void my_free(void *p) { (void)p; }
"""
QUICK = ("--schedules", "40", "--seed", "1")


def explored(folder: Path, text: str, *options: str) -> tuple[int, list[str]]:
    """The exit code, and what is said not to be checked."""
    source, report = folder / "mm.c", folder / "r.json"
    source.write_text(text)
    code = main(["races", str(source), *QUICK, *options, "--json", str(report)])
    return code, json.loads(report.read_text())["not_checked"] if report.exists() else []


def test_one_that_takes_no_lock_is_told_so(tmp_path: Path) -> None:
    plain = BUMP.replace("atomic_size_t used", "size_t used").replace("atomic_fetch_add(&used, ", "(used += ")
    code, left = explored(tmp_path, plain.replace("START;", "").replace("-16ul)", "-16ul) - ((n + 15) & -16ul)"))
    assert code == 1
    assert "whether it is made for threads at all: it takes no lock, and has no atomics" in left


def test_one_with_atomics_is_not_told_so(tmp_path: Path) -> None:
    code, left = explored(tmp_path, BUMP.replace("START;", ""))
    assert code == 0 and not any("made for threads" in line for line in left)


def test_inline_assembly_is_named_with_its_line(tmp_path: Path) -> None:
    waits = BUMP.replace("START;", '__asm__ volatile("lfence" ::: "memory");')
    _, left = explored(tmp_path, waits)
    told, = (line for line in left if line.startswith("inline assembly"))
    assert told.startswith("inline assembly (mm.c:6): what it reads and writes, and the system calls")


FORKS = """
#include <pthread.h>
#include <stddef.h>
static _Alignas(16) char pool[1 << 22];
static size_t used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void before(void) { pthread_mutex_lock(&lock); }
static void after(void) { pthread_mutex_unlock(&lock); }
__attribute__((constructor)) static void begin(void) { pthread_atfork(before, after, after); }
void *my_malloc(size_t n)
{
    pthread_mutex_lock(&lock);
    char *given = pool + used;
    used += (n + 15) & -16ul;
    pthread_mutex_unlock(&lock);
    return given;
}
void my_free(void *p) { (void)p; }
"""


def test_a_constructor_may_say_what_is_done_at_a_fork(tmp_path: Path) -> None:
    """The scheduler's own forks are none of the target's; those of its programs run what was registered."""
    assert explored(tmp_path, FORKS)[0] == 0
    source = tmp_path / "mm.c"
    assert main(["replay", "r1:|m24|k;s:1", "--target", str(source)]) == 0
    source.write_text(FORKS.replace("after, after", "after, NULL"))
    assert main(["replay", "r1:|m24|k;s:1", "--target", str(source)]) == 1


STARTER = """
#include <pthread.h>
#include <unistd.h>
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void *purge(void *none) { for (;;) TURN; return none; }
static void start(void) { pthread_t made; pthread_create(&made, NULL, purge, NULL); }
"""


def test_a_thread_that_the_target_never_ends_is_named(tmp_path: Path) -> None:
    text = STARTER.replace("TURN", "usleep(1000)") + BUMP.replace("START;", "pthread_once(&once, start);")
    code, left = explored(tmp_path, text)
    assert code == 0
    assert "what threads that the target starts, and that do not end, do after the program's last call" in left


def test_a_thread_that_goes_on_and_on_makes_a_target_unusable(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = STARTER.replace("TURN", "count++") + BUMP.replace("START;", "pthread_once(&once, start);")
    assert explored(tmp_path, "static volatile long count;\n" + text)[0] == 4
    assert "a thread that it starts goes on and on while calls of the program wait" in capsys.readouterr().err


@pytest.mark.slow
def test_compiler_flags_and_prefix_are_kept_in_the_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, report = tmp_path / "locked.c", tmp_path / "r.json"
    text = (C / "locked.c").read_text()
    (tmp_path / "more.c").write_text("int more;\n")
    source.write_text(text)
    flags = ["--cflags", "-DFAULT_COUNTED_OUTSIDE", "--cc", "gcc"]
    given = ["races", str(source), str(tmp_path / "more.c"), *flags, "--schedules", "60", "--seed", "1"]
    assert main([*given, "--json", str(report)]) == 1
    again = shlex.split(json.loads(report.read_text())["findings"][0]["replay"])
    assert again[-4:] == ["--cc", "gcc", "--cflags", "-DFAULT_COUNTED_OUTSIDE"]
    assert main(again[1:]) == 1
    assert main([*again[1:-1], "-DOTHER"]) == 0
    assert "the source changed" in capsys.readouterr().err


def test_a_replay_of_another_version_of_the_source_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "mm.c"
    source.write_text(BUMP.replace("START;", ""))
    assert main(["replay", "r1:m24|m24;s:0,1;v:01234567", "--target", str(source)]) == 0
    assert "the source changed: the schedule was found in version 01234567 of it" in capsys.readouterr().err


def test_options_of_compiled_targets_say_nothing_of_our_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["races", "sim", "--cflags", "-O0"]) == 2
    assert "--cflags says nothing here: sim is our own source" in capsys.readouterr().err
