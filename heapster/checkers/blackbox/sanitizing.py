"""Shared objects that are built with AddressSanitizer: its runtime has to be in a process before they are loaded."""

import platform
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from heapster import children
from heapster.checkers.blackbox.symbols import SharedObject
from heapster.results import TargetError

STARTS = "__asan_init"
ASKED = "-fsanitize="
NEEDED = re.compile(rb"\0(libasan\.so\.\d+|libclang_rt\.asan[\w.-]*\.so)\0")
BOUND = "-Wl,-Bsymbolic"        # its functions call each other, not those that the runtime puts in their place
BY_NAME = "-print-file-name="
OF_32_BITS = {"x86_64": "i386", "aarch64": "arm"}       # what clang calls the machine then
OPTIONS = ("detect_leaks=0:abort_on_error=1:symbolize=0:detect_odr_violation=0:use_sigaltstack=0:"
           "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0")     # the signals are ours


def is_sanitized(found: SharedObject) -> bool:
    """Whether the object wants the runtime."""
    return STARTS in found.needs


def asks_for_it(flag: str) -> bool:
    """Whether a flag has the compiler build with AddressSanitizer."""
    return flag.startswith(ASKED) and "address" in flag


def runtime_first(path: Path, found: SharedObject, name: str) -> Mapping[str, str]:
    """The environment in which the object can be loaded; TargetError if its runtime is not on this machine."""
    runtime = _answered(_asked(path, found.bits))
    if runtime is None:
        raise TargetError(f"{name} is built with AddressSanitizer, whose runtime is not found here (install gcc's "
                          "libasan or clang's compiler-rt, or build it without -fsanitize=address: each access is "
                          "watched without it)")
    return {"LD_PRELOAD": str(runtime), "ASAN_OPTIONS": OPTIONS}


def as_a_shell_says(name: str, value: str) -> str:
    """A variable of that environment as it is typed on any machine."""
    if name != "LD_PRELOAD":
        return f"{name}={value}"
    runtime = Path(value).name
    return f"{name}=$({'clang' if 'clang_rt' in runtime else 'cc'} {BY_NAME}{runtime})"


def _asked(path: Path, bits: int) -> list[str]:
    """The command that says where the runtime lies: gcc links it with the object, clang leaves it to the program."""
    named = NEEDED.search(path.read_bytes())
    machine = platform.machine() if bits == 64 else OF_32_BITS.get(platform.machine(), "")
    library = named[1].decode() if named else f"libclang_rt.asan-{machine}.so"
    compiler = "clang" if "clang_rt" in library else "cc"
    return [compiler, *(["-m32"] if bits == 32 else []), BY_NAME + library]


def _answered(words: list[str]) -> Path | None:
    """The file that a compiler names; None if it knows none."""
    if shutil.which(words[0]) is None:
        return None
    said = children.run(words, capture_output=True, text=True, errors="replace").stdout.strip()
    return Path(said) if Path(said).is_absolute() and Path(said).is_file() else None
