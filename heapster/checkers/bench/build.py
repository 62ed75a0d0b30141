"""The C programs of the workloads and the launcher, compiled once and cached."""

from pathlib import Path

from heapster.native import cache, toolchain

HERE = Path(__file__).parent / "c"
LAUNCHER = "launch"
FLAGS = ("-std=gnu11", "-O2", "-fno-builtin", "-Wall", "-Wextra", "-Werror", "-pthread")


def programs() -> Path:
    """The directory with a program for each C source."""
    sources = sorted(HERE.iterdir())
    texts = [part for path in sources for part in (path.name, path.read_bytes())]
    return cache.entry(f"bench-{cache.digest(*texts, *FLAGS, toolchain.compiler_version())}", _make)


def _make(out: Path) -> None:
    for source in sorted(HERE.glob("*.c")):
        toolchain.run([toolchain.compiler(), *FLAGS, source, "-o", out / source.stem, "-ldl"])
