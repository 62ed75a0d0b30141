"""What a user types, and what they read."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
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


ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def shown(line: str, folder: Path, columns: int) -> list[str]:
    """What stands on a terminal of so many columns once a shell has run the line: what is drawn over is left out."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(["sh", "-c", line], cwd=folder, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
                          env={**environment, "HEAPSTER_SEED": "1", "PATH": path, "TERM": "xterm"}):
        os.close(theirs)
        text = b"".join(iter(lambda: _read(ours), b"")).decode()
    os.close(ours)
    return [part.split("\r")[-1] for part in ESCAPES.sub("", text).replace("\r\n", "\n").splitlines()]


def _read(terminal: int) -> bytes:
    """What comes next; nothing at the end, which Linux tells by an error."""
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""


def first_finding(read: Read) -> tuple[str, str]:
    """The code of the finding that is read first, and its id."""
    found = re.match(r"(\w+)  \((\w+)\)", read.out)
    assert found, read.out + read.err
    return found[1], found[2]
