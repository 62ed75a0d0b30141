"""What a user types, and what they read."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

VARIABLES = {"HEAPSTER_SEED": "1", "COLUMNS": "80"}


class Read(NamedTuple):
    """What stands on the screen, and the exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def types(line: str, folder: Path, **variables: str) -> Read:
    """Let a shell run the line in the folder, with our command on its path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["sh", "-c", line], cwd=folder, env={**os.environ, **VARIABLES, "PATH": path, **variables},
                          capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return Read(done.returncode, done.stdout, done.stderr)


def first_finding(read: Read) -> tuple[str, str]:
    """The code of the finding that is read first, and its id."""
    found = re.match(r"(\w+)  \((\w+)\)", read.out)
    assert found, read.out + read.err
    return found[1], found[2]
