"""`heapster build`: the libraries, laid out as C tools expect them, and a check that they do their work."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import heapster
from heapster import children
from heapster.native import toolchain
from heapster.native.library import (
    ABI,
    C_SOURCES,
    DEFAULTS,
    HEADER,
    PRELOAD,
    SHARED,
    STATIC,
    Options,
    libraries,
)
from heapster.results import TargetError, UsageError

GENERATED = {                       # template: where it goes
    "heapster.pc.in": "lib/pkgconfig/heapster.pc",
    "heapster-config.cmake.in": "lib/cmake/heapster/heapster-config.cmake",
    "heapster-config-version.cmake.in": "lib/cmake/heapster/heapster-config-version.cmake",
}


def build(out: Path, options: Options = DEFAULTS) -> tuple[Path, ...]:
    """Write the libraries, the header and what tools need to find them below `out`; all that was written.

    The same sources, options and tools give the same bytes, wherever `out` is.
    """
    made = libraries(options)
    version = heapster.__version__
    full, soname = f"{SHARED}.{version}", f"{SHARED}.{ABI}"
    try:
        written = [_copy(made / SHARED, out / "lib" / full),
                   _link(full, out / "lib" / soname),
                   _link(soname, out / "lib" / SHARED),
                   _copy(made / STATIC, out / "lib" / STATIC),
                   _copy(made / PRELOAD, out / "lib" / PRELOAD),
                   _copy(made / HEADER, out / "include" / HEADER)]
        written += [_generate(C_SOURCES / template, out / place) for template, place in GENERATED.items()]
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from None
    return tuple(written)


def _fresh(path: Path) -> Path:
    """The path, free, its directory there: what stood at it may be mapped by a running program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return path


def _copy(source: Path, target: Path) -> Path:
    shutil.copyfile(source, _fresh(target))
    target.chmod(0o755 if ".so" in target.name else 0o644)
    return target


def _link(name: str, target: Path) -> Path:
    _fresh(target).symlink_to(name)
    return target


def _generate(template: Path, target: Path) -> Path:
    text = template.read_text().replace("@VERSION@", heapster.__version__).replace("@ABI@", str(ABI))
    _fresh(target).write_text(text)
    return target


# The check.

EXPECTED = "heapster works\n"


def check(out: Path) -> tuple[str, ...]:
    """The checks that a build at `out` passes; TargetError for the first that it does not."""
    with tempfile.TemporaryDirectory(prefix="heapster-check-") as scratch:
        return tuple(_check(out.resolve(), Path(scratch)))


def _check(out: Path, scratch: Path) -> list[str]:
    source = scratch / "check.c"         # apart from the template of the header that it must not find
    source.write_bytes((C_SOURCES / source.name).read_bytes())
    compile_: list[str | Path] = [toolchain.compiler(), source, f"-I{out / 'include'}"]
    shared, static, plain = scratch / "shared", scratch / "static", scratch / "plain"
    toolchain.run([*compile_, "-o", shared, f"-L{out / 'lib'}", "-lheapster", "-lpthread"])
    toolchain.run([*compile_, "-o", static, out / "lib" / STATIC, "-lpthread"])
    toolchain.run([*compile_, "-fno-builtin", "-DPRELOADED", "-o", plain])
    _expect("linked with the shared library", [shared], {"LD_LIBRARY_PATH": str(out / "lib")})
    _expect("linked with the static library", [static], {})
    _expect("with the library preloaded", [plain], {"LD_PRELOAD": str(out / "lib" / PRELOAD)})
    return ["a program linked with the shared library", "a program linked with the static library",
            "a program with the library preloaded"]


def _expect(how: str, command: Sequence[str | Path], environment: dict[str, str]) -> None:
    command = [*toolchain.emulator(environment), *command]
    environment = {**os.environ, **({} if toolchain.is_cross() else environment)}
    done = children.run(command, env=environment, capture_output=True, text=True)
    if done.returncode or done.stdout != EXPECTED:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise TargetError(f"a program {how} does not work: {said[-1]}")
