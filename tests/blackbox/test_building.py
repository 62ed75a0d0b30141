"""--build CMD: the owner's command is run in a copy of the folder, and what it tells its compilers is learnt."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heapster.checkers.blackbox import build
from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.blackbox.twin import instrumented_twin
from heapster.checkers.targets import building, grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse
from heapster.native import cache, shipped
from heapster.results import TargetError, UsageError
from tests.blackbox.test_making import FREE, HEADER, MALLOC, PROGRAM, ROUNDED
from tests.first_hour.typing import first_finding, types

BUILD = """
set -e
mkdir -p made obj
echo "#define GRAIN $1" > made/grain.h
gcc -Iinclude -Imade -DNOTE="two words" -o obj/rounded.o -c src/rounded.c &
gcc -Iinclude -Imade -DNOTE="two words" -o obj/malloc.o -c src/malloc.c &
wait
gcc -Iinclude -Imade -o obj/free.o -c src/free.c
gcc -shared -o libmine.so obj/*.o
gcc -o try src/try.c
"""
TWO_BLOCKS = parse("a = malloc(24); b = malloc(24)")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Sources that need a header which only their build makes; nothing but a script says so."""
    needs_it = '#include "grain.h"\n'
    for name, text in {"src/malloc.c": needs_it + MALLOC, "src/free.c": FREE, "src/rounded.c": needs_it + ROUNDED,
                       "src/try.c": PROGRAM, "include/heap.h": HEADER, "make-it": BUILD}.items():
        path = tmp_path / "mine" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    return tmp_path / "mine"


def opened(path: Path, command: str, *, sandbox: bool = False) -> ForeignTarget:
    """The target, built by a command."""
    return resolve(ForeignOptions(grammar.parse(str(path)), build=command, sandbox=sandbox))


def files(folder: Path) -> dict[Path, bytes]:
    """What lies in a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def verdict(target: ForeignTarget) -> str:
    """What becomes of two blocks."""
    with Judge(judge_program(target.bits), target) as judge:
        return run_trace(judge, TWO_BLOCKS, learn(judge, None).promises).code


@pytest.mark.parametrize(("grain", "code"), [(16, ""), (8, "misaligned")])
def test_both_readings_are_of_what_the_build_makes_and_the_folder_is_as_before(
        project: Path, grain: int, code: str) -> None:
    before = files(project)
    target = opened(project, f"sh make-it {grain}")
    assert target.source == project / "src" / "malloc.c"
    assert target.ingredients is not None
    assert set(target.ingredients.sources) == {str(project / "src" / f"{name}.c") for name in
                                               ("malloc", "free", "rounded")}
    assert target.as_built == ("compiled with -DNOTE=two words, as its own build does (--cflags has the last word)",)
    assert verdict(target) == code
    assert verdict(instrumented_twin(target)) == code
    assert files(project) == before


def test_a_source_brings_what_was_built_with_it_and_a_change_is_built_anew(project: Path) -> None:
    command = "cd .. 2> /dev/null; cd -; sh make-it 16"
    with pytest.MonkeyPatch.context() as here:
        here.chdir(project)
        target = opened(Path("src/malloc.c"), command)
        assert verdict(target) == ""
        (project / "make-it").write_text(BUILD.replace("$1", "8"))
        assert verdict(opened(Path("src/malloc.c"), command)) == "misaligned"


def test_a_build_is_run_once_though_all_seems_up_to_date(project: Path) -> None:
    (project / "Makefile").write_text("all: src/malloc.o\n\techo run >> times\n"
                                      "src/malloc.o: src/malloc.c\n\tgcc -DGRAIN=16 -Iinclude -c -o $@ $<\n")
    (project / "src" / "malloc.c").write_text(MALLOC + FREE + ROUNDED)
    (project / "src" / "malloc.o").write_text("newer than its source")
    assert ["-DGRAIN=16" in opened(project, "make").build[0] for _ in range(2)] == [True, True]
    place = cache.directory() / f"build-{cache.digest(str(project), 'make')}"
    assert (place / "copy" / "times").read_text() == "run\n"


def test_what_is_generated_and_compiled_is_found_in_the_copy(project: Path) -> None:
    target = opened(project, "echo '#define GRAIN 16' > include/grain.h; cp src/rounded.c made.c; rm src/rounded.c; "
                             "cc -Iinclude -c made.c src/malloc.c src/free.c")
    assert verdict(target) == ""


@pytest.mark.parametrize(("command", "says"), [
    ("exit 3", r"--build exit 3: it ends with exit code 3 in a copy of .*mine$"),
    ("echo 'x.c:1: error: odd' >&2; false", r"it ends with exit code 1 in a copy of .*mine: x.c:1: error: odd$"),
    ("gcc -c none.c", r"none.c: No such file or directory$"),
    ("true", r"it starts no compiler of C sources in .* called by its name"),
], ids=["fails", "says why", "names no source", "compiles nothing"])
def test_what_builds_nothing_says_so(project: Path, command: str, says: str) -> None:
    with pytest.raises(TargetError, match=says):
        opened(project, command)


def test_what_does_not_end_or_is_too_large_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "PATIENCE", 0.1)
    with pytest.raises(TargetError, match=r"sleep 9: it was still running after 0.1 s"):
        opened(project, "sleep 9")
    monkeypatch.setattr(building, "MOST_FILES", 3)
    with pytest.raises(TargetError, match=r"holds more than .* files: name a smaller folder"):
        opened(project, "sh make-it 16")


def test_a_target_that_is_not_built_takes_no_command() -> None:
    with pytest.raises(UsageError, match=r"--build says how C sources are built: libc is this machine's C library"):
        opened(Path("libc"), "make")


def test_it_is_typed_and_kept_for_the_replay(project: Path) -> None:
    read = types("heapster fuzz . --build 'sh make-it 8' --seconds 0.3", project)
    assert read.code == 1, read.err
    assert "misaligned" in read.out
    assert "STILL FAILS" in types(f"heapster replay {first_finding(read)[1]}", project).out
    (project / "heapster.toml").write_text("build = 'exit 7'\n[fuzz]\nseconds = 1\n")
    read = types("heapster fuzz .", project)
    assert (read.code, len(read.err.splitlines())) == (4, 1)
    assert "--build exit 7: it ends with exit code 7" in read.err


def test_a_judge_that_another_job_has_built_meanwhile_is_not_built_again(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked: list[Path] = []

    @contextmanager
    def waited(lock: Path) -> Iterator[None]:
        asked.append(lock)
        lock.with_suffix("").write_text("")
        yield

    monkeypatch.setattr(build, "locked", waited)
    monkeypatch.setattr(build, "compile_program", lambda *_: pytest.fail("built twice"))
    program = build.judge_program(64)
    assert [lock.with_suffix("") for lock in asked] == [program]


@pytest.mark.parametrize(("compiler", "came"), [("", True), ("cc -O1", False)])
def test_a_judge_that_came_with_the_wheel_is_used_where_no_other_compiler_is_asked_for(
        compiler: str, came: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "compile_program", lambda _command, made, _libraries: made.touch(0o755))
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "shipped")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CC", compiler)
    own = build.judge_program(64)
    there = build.ship_judge(tmp_path / "shipped" / "programs" / platform.machine())
    assert build.judge_program(64) == (there if came else own)
