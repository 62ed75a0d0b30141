"""What `heapster build` writes, and that C, C++, pkg-config and CMake can use it."""

import shutil
from pathlib import Path

import pytest

import heapster
from heapster.cli import main
from heapster.native import toolchain
from heapster.native.compile import COLD, HOT, sources
from heapster.native.library import Options
from heapster.native.package import build, check
from heapster.results import TargetError, UsageError
from tests.native.building import HERE, compiled, plain

GREETING = f"hello, {heapster.__version__}\n"
LARGEST = 112 * 1024            # bytes of a library


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("build") / "dist"
    build(out)
    return out


def test_the_layout_is_what_c_tools_expect(dist: Path) -> None:
    soname = f"libheapster.so.{heapster.__version__.partition('.')[0]}"
    found = {str(path.relative_to(dist)) for path in dist.rglob("*") if not path.is_dir()}
    assert found == {
        "include/heapster.h", "lib/libheapster.a", "lib/libheapster.so", f"lib/{soname}",
        f"lib/libheapster.so.{heapster.__version__}", "lib/libheapster-malloc.so", "lib/pkgconfig/heapster.pc",
        "lib/cmake/heapster/heapster-config.cmake", "lib/cmake/heapster/heapster-config-version.cmake"}
    assert f"[{soname}]" in toolchain.run(["readelf", "-d", dist / "lib" / "libheapster.so"])


@pytest.mark.parametrize("compiler", ["cc", "c++"])
def test_programs_link_with_the_shared_library_and_run(dist: Path, tmp_path: Path, compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    source = tmp_path / ("main.c" if compiler == "cc" else "main.cc")
    shutil.copyfile(HERE / "main.c", source)
    toolchain.run([compiler, "-Wall", "-Wextra", "-pedantic", "-Werror", source, "-o", tmp_path / "main",
                   f"-I{dist}/include", f"-L{dist}/lib", "-lheapster", "-lpthread"])
    assert plain(tmp_path / "main", LD_LIBRARY_PATH=str(dist / "lib")).stdout == GREETING


@pytest.mark.parametrize("compiler", ["cc", "c++"])
def test_every_declaration_of_the_original_compiles_against_ours(dist: Path, tmp_path: Path, compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    language = "c" if compiler == "cc" else "c++"
    standard = "c89" if compiler == "cc" else "c++98"
    command: list[str | Path] = [compiler, "-Wall", "-Wextra", "-pedantic", "-Werror", f"-std={standard}",
                                 f"-I{dist}/include", "-x", language]
    link: list[str | Path] = ["-x", "none", dist / "lib" / "libheapster.a", "-lpthread", "-o", tmp_path / "original"]
    toolchain.run([*command, HERE / "original.c", *link])
    assert "slots of 48 bytes, " in plain(tmp_path / "original").stderr
    other = tmp_path / "other.c"
    other.write_text((HERE / "original.c").read_text().replace("void heapster_status(", "int heapster_status("))
    with pytest.raises(TargetError, match="heapster_status"):
        toolchain.run([*command, other, *link])


def test_programs_link_with_the_static_library_and_run(dist: Path, tmp_path: Path) -> None:
    program = compiled(tmp_path / "main", HERE / "main.c", f"-I{dist}/include", dist / "lib" / "libheapster.a",
                       "-lpthread")
    assert plain(program).stdout == GREETING


def test_a_whole_program_may_be_static(dist: Path, tmp_path: Path) -> None:
    program = compiled(tmp_path / "main", HERE / "main.c", "-static", f"-I{dist}/include",
                       dist / "lib" / "libheapster.a", "-lpthread")
    assert plain(program).stdout == GREETING


def test_pkg_config_finds_it(dist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("pkg-config") is None:
        pytest.skip("no pkg-config")
    monkeypatch.setenv("PKG_CONFIG_PATH", str(dist / "lib" / "pkgconfig"))
    flags = toolchain.run(["pkg-config", "--cflags", "--libs", "heapster"]).split()
    program = compiled(tmp_path / "main", HERE / "main.c", *flags)
    assert plain(program, LD_LIBRARY_PATH=str(dist / "lib")).stdout == GREETING
    assert toolchain.run(["pkg-config", "--modversion", "heapster"]).strip() == heapster.__version__


@pytest.mark.parametrize("target", ["heapster", "static"])
def test_cmake_finds_it(dist: Path, tmp_path: Path, target: str) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("no cmake")
    shutil.copyfile(HERE / "main.c", tmp_path / "main.c")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.13)\nproject(user C)\n"
        f"find_package(heapster {heapster.__version__} REQUIRED)\n"
        f"add_executable(main main.c)\ntarget_link_libraries(main PRIVATE heapster::{target})\n")
    made = tmp_path / "made"
    toolchain.run(["cmake", "-S", tmp_path, "-B", made, f"-DCMAKE_PREFIX_PATH={dist}"])
    toolchain.run(["cmake", "--build", made])
    assert plain(made / "main").stdout == GREETING


def test_the_libraries_replace_nobodys_malloc(dist: Path) -> None:
    shown = toolchain.run(["nm", "-D", "--defined-only", dist / "lib" / "libheapster.so"])
    archived = toolchain.run(["nm", "-g", "--defined-only", dist / "lib" / "libheapster.a"])
    names = [line.split()[-1] for line in (shown + archived).splitlines() if len(line.split()) == 3]
    assert names
    assert all(name.startswith("heapster_") for name in names)


@pytest.mark.parametrize("name", ["libheapster.so", "libheapster-malloc.so"])
def test_libraries_are_small_and_need_libc_only(dist: Path, name: str) -> None:
    library = dist / "lib" / name
    assert library.stat().st_size <= LARGEST
    undefined = [line.split() for line in toolchain.run(["nm", "-D", "--undefined-only", library]).splitlines()]
    assert all(kind == "w" or "@GLIBC" in symbol for kind, symbol in undefined)
    assert "libpython" not in toolchain.run(["readelf", "-d", library])


def test_a_library_that_needs_more_than_libc_is_not_made(tmp_path: Path) -> None:
    source = tmp_path / "more.c"
    source.write_text("void PyErr_Clear(void); void more(void) { PyErr_Clear(); }")
    needy = toolchain.compile_c(source, tmp_path / "more.o", "-fvisibility=default")
    with pytest.raises(TargetError, match="would need PyErr_Clear"):
        toolchain.link_shared([needy], tmp_path / "more.so")


def test_no_path_of_this_machine_is_in_what_is_built(dist: Path) -> None:
    for path in dist.rglob("lib*"):
        if path.is_file():
            assert str(Path.home()).encode() not in path.read_bytes()
            assert str(dist).encode() not in path.read_bytes()


def test_the_options_are_what_a_program_finds(tmp_path: Path) -> None:
    build(tmp_path / "dist", Options("next_fit", 2, 65536))
    program = compiled(tmp_path / "main", "#include <heapster.h>\n#include <stdio.h>\nint main(void) {"
                       'printf("%d %zu", heapster_get_policy(), heapster_get_mmap_threshold()); return 0; }',
                       f"-I{tmp_path}/dist/include", tmp_path / "dist" / "lib" / "libheapster.a", "-lpthread")
    assert plain(program).stdout == "1 65536"


def test_check_finds_a_good_build_good_and_a_broken_one_broken(dist: Path, tmp_path: Path) -> None:
    assert len(check(dist)) == 3
    broken = tmp_path / "broken"
    shutil.copytree(dist, broken, symlinks=True)
    (broken / "lib" / "libheapster.a").write_bytes(b"!<arch>\n")
    with pytest.raises(TargetError):
        check(broken)


def test_an_unwritable_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        build(tmp_path / "file" / "dist")
    assert main(["build", "--out", str(tmp_path / "file" / "dist")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_no_compiler_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                 capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    assert main(["build", "--out", str(tmp_path)]) == 4
    assert capsys.readouterr().err == ("heapster: no C compiler: 'no-such-compiler' is not on the PATH "
                                       "(install gcc or clang, or set CC)\n")


def test_other_platforms_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "triple", lambda: "riscv64-linux-gnu")
    with pytest.raises(TargetError, match="x86-64 and aarch64, not on Linux on riscv64"):
        toolchain.check_platform()


def test_what_is_inlined_or_kept_apart_is_a_function_of_the_source() -> None:
    named = {f"{function.__module__.rpartition('.')[2]}.{function.__name__}" for function in sources()}
    assert named | {"entry"} >= HOT | COLD
