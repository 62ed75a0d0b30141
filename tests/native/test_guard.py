"""`heapster run --guard`: who touches what is behind, before or gone is told, and who has to do with the block."""

import signal
import sys
from pathlib import Path

import pytest

from heapster import children
from tests.native.building import compiled, plain

HEAPSTER = [sys.executable, "-m", "heapster", "run", "--guard"]
SOURCE = Path(__file__).parent / "guarded.c"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("guarded") / "guarded", SOURCE, "-O0", "-g", "-fno-builtin", "-w")


def said(program: Path, kind: str, *options: str) -> str:
    """What is said of the misuse, which ends the program."""
    done = plain(*HEAPSTER, *options, "--", program, kind)
    assert done.returncode in (-signal.SIGABRT, 128 + signal.SIGABRT)
    return done.stderr


@pytest.mark.parametrize(("kind", "what"), [
    ("behind-far", "a store: 24 bytes behind a block of 40"),
    ("before", "a store: 4096 bytes before a block of 40"),
    ("freed", "a load: 7 bytes inside a freed block of 40"),
    ("twice", "free of a block that was freed already: at the start of a freed block of 40"),
    ("inside", "free of a pointer that no allocation gave: 16 bytes inside a block of 40"),
    ("resized", "realloc of a block that was freed already: at the start of a freed block of 40"),
    ("slack", "a store, seen when the block was freed: 6 bytes behind a block of 40"),
    ("slack-left", "a store, seen as the program ended: 0 bytes behind a block of 40"),
])
def test_a_misuse_is_told_with_who_allocated_and_who_freed(program: Path, kind: str, what: str) -> None:
    text = said(program, kind)
    assert text.startswith(f"heapster: guard: {what}, at 0x")
    done, _, allocated = text.partition("  allocated by thread ")
    assert "make" in allocated and "main" in allocated
    assert ("  done by thread " in done) == (kind != "slack-left")
    assert ("  freed by thread " in allocated) == (kind in ("freed", "twice", "resized"))


def test_what_never_was_a_block_is_told_too(program: Path) -> None:
    assert said(program, "stack").startswith("heapster: guard: free of an invalid pointer: no block is or was at 0x")


def test_a_sound_program_says_what_it_says(program: Path) -> None:
    for kind, out in (("", ""), ("handles", "handled\n"), ("protects", "as set\n"), ("aligned", "done\n")):
        done = plain(*HEAPSTER, "--", program, kind)
        assert (done.stdout, done.stderr, done.returncode) == (out, "", 0)


@pytest.mark.parametrize("kind", ["faults", "sent"])
def test_a_fault_that_is_no_blocks_ends_the_program_as_ever(program: Path, kind: str) -> None:
    done = plain(*HEAPSTER, "--", program, kind)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGSEGV, "", "")


def test_what_has_no_guard_is_said_once_and_counted(program: Path) -> None:
    for kind, why in (("many", "the system allows no more mappings"), ("huge", "they are larger than 256 MiB")):
        done = plain(*HEAPSTER, "--", program, kind)
        first, last = done.stderr.splitlines()
        assert (done.stdout, done.returncode) == ("done\n", 0)
        assert first.startswith(f"heapster: guard: some allocations have no guard: {why}")
        assert "allocations had a guard, " in last


def test_without_addresses_the_program_runs_unguarded(program: Path) -> None:
    environment = _environment()
    done = children.run([program, "aligned"], env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("done\n", "")
    script = f"ulimit -v 200000; exec {program} aligned"
    few = children.run(["sh", "-c", script], env=environment, capture_output=True, text=True)
    assert few.stdout == "done\n"
    assert "some allocations have no guard: there are no addresses to reserve" in few.stderr


def test_where_addresses_are_limited_most_are_left_to_the_program(program: Path) -> None:
    script = f"ulimit -v 2000000; exec {program} gigabyte"
    done = children.run(["sh", "-c", script], env=_environment(), capture_output=True, text=True)
    assert done.stdout == "given\n" * 12
    first, last = done.stderr.splitlines()
    assert "all addresses that were reserved, or records, are used" in first and " had a guard, " in last


def _environment() -> dict[str, str]:
    """What `run --guard` lets a program find."""
    script = "import os; print(os.environ['LD_PRELOAD'], os.environ['HEAPSTER_GUARD_SAMPLE'])"
    preload, sample = plain(*HEAPSTER, "--", sys.executable, "-c", script).stdout.split()
    return {"LD_PRELOAD": preload, "HEAPSTER_GUARD_SAMPLE": sample}


def test_one_in_so_many_is_guarded(program: Path) -> None:
    done = plain(*HEAPSTER, "--sample", "1000000", "--", program, "many")
    assert (done.stdout, done.stderr) == ("done\n", "")


@pytest.mark.parametrize(("options", "reason"), [
    (("run", "--sample", "3", "--", "true"), "--sample says how many allocations --guard guards"),
    (("run", "--guard", "--verify", "--", "true"), "give one of the two"),
])
def test_options_that_do_not_fit_are_one_line(options: tuple[str, ...], reason: str) -> None:
    done = plain(sys.executable, "-m", "heapster", *options)
    assert done.returncode == 2
    assert reason in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [
    ("python3", "-c", "import json; print(len(json.dumps(list(range(3000)))))"),
    ("perl", "-e", "@a = map { { x => $_ } } 1 .. 500; print scalar @a"),
    ("git", "--version"),
])
def test_real_programs_have_the_same_output(command: tuple[str, ...]) -> None:
    assert plain(*HEAPSTER, "--", *command).stdout == plain(*command).stdout
