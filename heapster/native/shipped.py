"""Machine code that came with the wheel: `run` and its kin use it at once, where it was made of these very sources."""

import json
import os
import platform
from pathlib import Path

from heapster.native import toolchain

FOLDER = Path(__file__).parent / "shipped"
MANIFEST = "manifest.json"
LIBRARIES = "libraries"
PROGRAMS = "programs"           # in it a folder for the machine that they run on
PLAIN = "plain"                 # the core that is no variant


def found(sources: str) -> Path | None:
    """The folder with the code; None if none came along, or it is of other sources or for another machine."""
    try:
        told = json.loads((FOLDER / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None
    if told != manifest(sources, platform.machine()) or os.environ.get("CC") and toolchain.is_cross():
        return None
    return FOLDER


def program(name: str) -> Path | None:
    """A program that came along; its name tells of what it was made. None if none did, or it does not run here."""
    path = FOLDER / PROGRAMS / platform.machine() / name
    return path if os.access(path, os.X_OK) else None


def manifest(sources: str, machine: str) -> dict[str, str]:
    """The sources, the system and the processor that machine code is of."""
    return {"sources": sources, "system": platform.system(), "machine": machine}


def core_folder(sources: str, variant: str) -> str:
    """The name of the folder of a core: another for other sources, as in the cache."""
    return f"core-{sources[:16]}-{variant or PLAIN}"
