"""The library that guards allocations, compiled and cached; it hands on what it does not guard."""

from pathlib import Path

from heapster.native import cache, toolchain

HERE = Path(__file__).parent / "c"
GUARD = "libheapster-guard.so"
FLAGS = ("-std=gnu11", "-O2", "-g", "-fPIC", "-shared", "-fno-builtin", "-fno-omit-frame-pointer", "-pthread", "-Wall",
         "-Wextra", "-Werror")


def guard_library() -> Path:
    """Where it is."""
    sources = sorted(HERE.iterdir())
    texts = [part for path in sources for part in (path.name, path.read_bytes())]
    return cache.entry(f"guard-{cache.digest(*texts, *FLAGS, toolchain.compiler_version())}", _make) / GUARD


def _make(out: Path) -> None:
    toolchain.run([toolchain.compiler(), *FLAGS, *sorted(HERE.glob("*.c")), "-o", out / GUARD, "-ldl"])
