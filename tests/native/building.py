"""C programs for tests, compiled against a build or for preloading."""

import os
import subprocess
from pathlib import Path

from heapster.native import toolchain
from heapster.native.library import PRELOAD, libraries

HERE = Path(__file__).parent


def compiled(out: Path, source: Path | str, *flags: str | Path) -> Path:
    """The program made of a C source, a file or its text."""
    if isinstance(source, str):
        text, source = source, out.with_suffix(".c")
        source.write_text(text)
    toolchain.run([toolchain.compiler(), "-Wall", "-Werror", source, "-o", out, *flags])
    return out


def preloaded(*command: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The command, run on the library."""
    return plain(*command, LD_PRELOAD=str(libraries() / PRELOAD), **environment)


def plain(*command: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The command, run."""
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
                          timeout=120)
