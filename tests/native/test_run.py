"""`heapster run` and the environment variables of the library."""

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from heapster.native.preload import Wishes, check, settings
from heapster.results import TargetError
from tests.native.building import compiled, plain, preloaded

HEAPSTER = [sys.executable, "-m", "heapster"]

CORRUPTS = """
#include <stdlib.h>
int main(void) {
    void *volatile held[20];
    for (int i = 0; i < 20; i++)
        held[i] = malloc(40);
    free(held[10]);
    %s
    for (int i = 0; i < 100; i++)
        held[0] = malloc(40);
    return 0;
}
"""


def run(*arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return plain(*HEAPSTER, "run", *arguments, **environment)


def test_the_program_has_its_output_its_input_and_its_exit_code() -> None:
    done = run("--policy", "best_fit", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 7)


def test_options_of_the_program_are_its_own() -> None:
    assert run("ls", "--color=never", "-d", "/").stdout == "/\n"


def test_statistics_at_exit_are_a_table_and_json(tmp_path: Path) -> None:
    file = tmp_path / "stats.json"
    starts_another = "import subprocess; subprocess.run(['ls', '/'], stdout=subprocess.DEVNULL)"
    done = run("--policy", "worst_fit", "--stats", "--stats-file", file, "--", sys.executable, "-c", starts_another)
    assert done.stderr.startswith("heapster: ")
    assert "policy worst_fit" in done.stderr
    figures = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(figures) == 1
    assert figures[0]["policy"] == "worst_fit"
    held = sum(figures[0][f"{kind}_bytes"] for kind in ("used", "cached", "free", "wasted"))
    assert figures[0]["total_bytes"] == held
    assert figures[0]["calls"] == sum(figures[0][f"{kind}_calls"] for kind in ("malloc", "calloc", "realloc",
                                                                              "aligned", "free"))


def test_statistics_survive_a_program_that_closes_stderr() -> None:
    assert "heapster: ls" in run("--stats", "--", "ls", "/").stderr


def test_without_stats_the_file_has_a_line_for_each_process(tmp_path: Path) -> None:
    file = tmp_path / "stats.json"
    run("--stats-file", file, "--", "sh", "-c", "ls / >/dev/null; ls / >/dev/null; exit 0")
    programs = [json.loads(line)["program"] for line in file.read_text().splitlines()]
    assert programs.count("ls") == 2


@pytest.mark.parametrize("program", [("true",), ("ls", "/"), (sys.executable, "-c", "import os; os.close(2); exit(3)")])
def test_statistics_that_cannot_be_written_are_told_and_change_no_exit_code(program: tuple[str, ...]) -> None:
    """Also where the program has closed stderr, as ls does."""
    done = run("--stats-file", "/dev/full", "--", *program)
    assert done.stderr == "heapster: /dev/full cannot be written: No space left on device\n"
    assert done.returncode == (3 if "exit(3)" in program[-1] else 0)


def test_a_file_that_is_gone_at_the_end_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    folder.mkdir()
    done = run("--stats-file", folder / "s", "--", "rm", "-r", str(folder))
    assert done.stderr == f"heapster: {folder}/s cannot be written: No such file or directory\n"


@pytest.mark.parametrize(("variable", "value", "expected"), [
    ("HEAPSTER_POLICY", "bogus", "one of first_fit, next_fit, best_fit, worst_fit, segregated_fit"),
    ("HEAPSTER_ARENAS", "0", "a number from 1 to 64"),
    ("HEAPSTER_ARENAS", "65", "a number from 1 to 64"),
    ("HEAPSTER_MMAP_THRESHOLD", "12k", "a number of bytes"),
    ("HEAPSTER_MMAP_THRESHOLD", "99999999999999999999999", "a number of bytes"),
    ("HEAPSTER_STATS", "yes", "1, 0 or the number of a process"),
])
def test_a_bad_value_is_reported_once_and_ignored(variable: str, value: str, expected: str) -> None:
    done = preloaded("sh", "-c", "ls -d /; ls -d /; exit 0", **{variable: value})
    assert done.stdout == "/\n/\n"
    assert done.stderr == f"heapster: {variable}={value} ignored: {expected}\n"


def test_good_values_are_taken() -> None:
    script = "import ctypes; l = ctypes.CDLL(None); print(l.heapster_get_policy(), l.heapster_get_mmap_threshold())"
    done = preloaded(sys.executable, "-c", script, HEAPSTER_POLICY="best_fit", HEAPSTER_MMAP_THRESHOLD="70000",
                     HEAPSTER_ARENAS="3")
    assert (done.stdout, done.stderr) == ("2 70000\n", "")


@pytest.mark.parametrize(("damage", "invariant"), [
    ("((long *)held[10])[4] = 96;", "boundary_tags_agree"),
    ("((long *)held[5])[-1] += 16;", ""),
    ("((long *)held[5])[-1] ^= 2;", "flags_agree_with_neighbours"),
    ("((long *)held[5])[-1] |= 1L << 50;", "owners_are_right"),
    ("((long *)held[10])[0] = (long)held[3] - 8;", "free_list_is_linked_both_ways"),
])
def test_verify_names_the_violated_invariant(damage: str, invariant: str, tmp_path: Path) -> None:
    program = compiled(tmp_path / "corrupts", CORRUPTS % damage, "-O0", "-fno-builtin", "-w")
    done = run("--verify", "--every", "1", "--", program, HEAPSTER_CACHE="0")
    assert done.returncode in (-6, 134)
    assert done.stderr.startswith(f"heapster: {invariant}")
    assert done.stderr.count("\n") == 1


def test_verify_looks_into_the_thread_s_cache(tmp_path: Path) -> None:
    """A write after free into a block that waits to be used again."""
    program = compiled(tmp_path / "stale", CORRUPTS % "((long *)held[10])[0] = (3L << 48) | (long)held[9];", "-O0",
                       "-fno-builtin", "-w")
    done = run("--verify", "--every", "1", "--", program)
    assert done.returncode in (-6, 134)
    assert done.stderr.startswith("heapster: stacks_count_their_blocks")


def test_verify_lets_a_sound_program_be(tmp_path: Path) -> None:
    program = compiled(tmp_path / "sound", CORRUPTS % "", "-O0", "-fno-builtin", "-w")
    assert run("--verify", "--every", "1", "--", program).returncode == 0
    assert run("--verify", "--every", "50", "--", "git", "--version").stdout.startswith("git version")


# Programs that cannot be served.

def test_a_program_that_does_not_exist_is_one_line() -> None:
    done = run("--", "no-such-program")
    assert (done.returncode, done.stderr) == (2, "heapster: cannot run no-such-program: no such program\n")


def test_a_file_that_is_no_program_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("--", tmp_path / "file")
    assert (done.returncode, done.stderr) == (2, f"heapster: cannot run {tmp_path}/file: it is not executable\n")


def test_a_static_program_is_refused(tmp_path: Path) -> None:
    program = compiled(tmp_path / "static", "int main(void) { return 0; }", "-static")
    done = run("--", program)
    assert done.returncode == 4
    assert "statically linked: the system would ignore the preloaded library" in done.stderr


def test_a_setuid_program_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "setuid"
    shutil.copyfile("/bin/true", program)
    program.chmod(0o755 | stat.S_ISUID)
    done = run("--", program)
    assert done.returncode == 4
    assert "is setuid or setgid: the system would ignore the preloaded library" in done.stderr


def test_a_script_is_judged_by_its_interpreter(tmp_path: Path) -> None:
    static = compiled(tmp_path / "static", "int main(void) { return 0; }", "-static")
    script = tmp_path / "script"
    script.write_text(f"#!{static}\n")
    with pytest.raises(TargetError, match="statically linked"):
        check(script)
    script.write_text("#!/bin/sh\n")
    check(script)


def test_a_cut_off_program_is_left_to_the_system(tmp_path: Path) -> None:
    (tmp_path / "cut").write_bytes(b"\x7fELF\x02")
    (tmp_path / "cut").chmod(0o755)
    done = run("--", tmp_path / "cut")
    assert done.returncode in (2, 4)
    assert done.stderr.count("\n") == 1


def test_a_32_bit_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"\x7fELF\x01" + bytes(100))
    (tmp_path / "old").chmod(0o755)
    assert "no 64-bit program" in run("--", tmp_path / "old").stderr


def test_a_cache_whose_name_a_preload_cannot_say_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="blank or colon"):
        settings(Wishes(), tmp_path / "a b" / "lib.so")


@pytest.mark.parametrize("bytes_", [40, 300000])
def test_what_constructors_of_others_allocate_before_ours_is_freed_by_the_program(bytes_: int, tmp_path: Path) -> None:
    """The key of checksums and seals is drawn before there is any block, not when our constructor runs."""
    early = compiled(tmp_path / "libearly.so", "#include <stdlib.h>\nvoid *early;\n"
                     f"__attribute__((constructor)) static void take(void) {{ early = malloc({bytes_}); }}\n",
                     "-shared", "-fPIC")
    program = compiled(tmp_path / "frees", "#include <stdlib.h>\nextern void *early;\n"
                       "int main(void) { early = realloc(early, 50); free(early); return early == NULL; }\n",
                       early, f"-Wl,-rpath,{tmp_path}")
    assert run("--", program).returncode == 0
