"""Real programs, run on libc and on the library: their output must be the same."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from heapster.native.library import PRELOAD, libraries

SECONDS = 1200

Command = Sequence[str | Path]


def need(*programs: str) -> None:
    """Skip, by name, where a program is absent."""
    absent = [name for name in programs if shutil.which(name) is None]
    if absent:
        pytest.skip(f"not installed: {', '.join(absent)}")


def ours(policy: str) -> dict[str, str]:
    """The environment of a program that runs on the library."""
    return {**os.environ, "LD_PRELOAD": str(libraries() / PRELOAD), "HEAPSTER_POLICY": policy}


def output(command: Command, folder: Path, environment: dict[str, str] | None = None) -> bytes:
    """What the command prints; the test fails if the command does."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stderr.decode(errors='replace')[-2000:]}"
    return done.stdout


def same(command: Command, folder: Path, policy: str, *files: str) -> None:
    """The command prints and writes the same on libc and on the library."""
    expected = output(command, folder), digests(folder, files)
    assert (output(command, folder, ours(policy)), digests(folder, files)) == expected


def digests(folder: Path, files: Sequence[str]) -> list[str]:
    """The contents of files that a command wrote, in short."""
    return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files]
