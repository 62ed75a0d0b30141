"""The C compiler and its companions: found, asked for their versions, run; and what may be linked."""

import os
import platform
import re
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from heapster import children
from heapster.results import TargetError

MACHINES = ("x86_64", "aarch64")
C_FLAGS = ("-std=gnu11", "-O2", "-fPIC", "-fno-builtin", "-fvisibility=hidden",
           "-fno-asynchronous-unwind-tables", "-ffunction-sections", "-Wall", "-Wextra", "-Werror")
LINK_FLAGS = (                      # few segments, and functions of libc looked up when first called: a quick start
    "-shared", "-Wl,-z,defs,-z,relro,-z,lazy,-z,noseparate-code", "-Wl,--gc-sections", "-Wl,--build-id=none",
    "-Wl,-s", "-Wl,--hash-style=gnu")
UNDEFINED = re.compile(r"undefined reference to [`']([^`']+)'")


def check_platform() -> None:
    """TargetError unless the library is made for the system that it would be compiled for."""
    system, machine = platform.system(), machine_compiled_for()
    if system != "Linux" or machine not in MACHINES:
        raise TargetError(f"libheapster runs on Linux on x86-64 and aarch64, not on {system} on {machine}")


def compiler() -> str:
    """The path of the C compiler: $CC, or cc."""
    name = os.environ.get("CC", "").strip() or "cc"
    found = shutil.which(name)
    if found is None:
        raise TargetError(f"no C compiler: '{name}' is not on the PATH (install gcc or clang, or set CC)")
    return found


@cache
def _triple_of(path: str) -> str:
    return run([path, "-dumpmachine"]).strip()


def triple() -> str:
    """The compiler's platform, such as aarch64-linux-gnu."""
    return _triple_of(compiler())


def machine_of(named: str) -> str:
    """The processor in a triple."""
    return named.partition("-")[0]


def is_cross() -> bool:
    """Whether the compiler compiles for another processor than this one."""
    return machine_of(triple()) != platform.machine()


def machine_compiled_for() -> str:
    """The processor that the compiler compiles for, as `platform.machine` has it."""
    return machine_of(triple()) if is_cross() else platform.machine()


def emulator(variables: Mapping[str, str]) -> list[str]:
    """What runs programs for another processor, with these variables set; nothing for one of this processor's."""
    if not is_cross():
        return []
    names = (f"qemu-{machine_of(triple())}", f"qemu-{machine_of(triple())}-static")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise TargetError(f"what is compiled for {triple()} cannot be run here: no {names[0]} (apt install qemu-user)")
    settings = [word for name, value in variables.items() for word in ("-E", f"{name}={value}")]
    return [found, "-L", f"/usr/{triple()}", *settings]


def companion(name: str) -> str:
    """The path of nm, ar, objcopy or their like, of the compiler's own."""
    found = shutil.which(run([compiler(), f"-print-prog-name={name}"]).strip()) or shutil.which(name)
    if found is None:
        raise TargetError(f"'{name}' is not on the PATH (it comes with binutils)")
    return found


def compiler_version() -> str:
    """The compiler's own words on what it is."""
    return run([compiler(), "--version"]).partition("\n")[0]


def run(command: Sequence[str | Path], where: Path | None = None) -> str:
    """The output of the command; TargetError with its last words if it fails."""
    environment = {**os.environ, "LC_ALL": "C", "SOURCE_DATE_EPOCH": "0"}
    for variable in ("LD_PRELOAD", "CFLAGS", "LDFLAGS"):
        environment.pop(variable, None)
    try:
        done = children.run(command, cwd=where, env=environment, capture_output=True, text=True)
    except OSError as error:
        raise TargetError(f"cannot run {command[0]}: {error.strerror}") from None
    if done.returncode:
        raise TargetError(f"{Path(command[0]).name} failed: {_telling(done.stderr or done.stdout)}")
    return str(done.stdout)


def _telling(said: str) -> str:
    """The line that says most of what a failed command said."""
    undefined = sorted(set(UNDEFINED.findall(said)))
    if undefined:
        return f"the library would need {', '.join(undefined)}, which libc does not have"
    lines = said.strip().splitlines() or ["it said nothing"]
    return next((line for line in lines if "error" in line), lines[-1])


def link_hooked(objects: Sequence[Path], out: Path) -> Path:
    """A shared object whose hooks the program defines that loads it; its functions keep their names."""
    run([compiler(), "-shared", "-Wl,-z,relro,--gc-sections,--build-id=none", *objects, "-lpthread", "-o", out])
    return out


def compile_c(source: Path, out: Path, *flags: str) -> Path:
    """The object file of a C source; the same bytes wherever the source and `out` lie."""
    run([compiler(), *C_FLAGS, f"-ffile-prefix-map={source.parent}=.", *flags, "-c", source.name, "-o",
         out.resolve()], where=source.parent)
    return out


def link_shared(objects: Sequence[Path], out: Path, *flags: str) -> Path:
    """A shared object of these object files that needs libc only, or TargetError saying what else."""
    run([compiler(), *LINK_FLAGS, *flags, *objects, "-lpthread", "-o", out])
    return out
