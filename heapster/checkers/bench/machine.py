"""The machine that figures were measured on, in a few words each."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")


def machine() -> dict[str, str | int]:
    """The day, the processors, the system and its C library."""
    library, version = platform.libc_ver()
    return {"date": datetime.now(UTC).date().isoformat(), "processors": len(os.sched_getaffinity(0)),
            "processor": _processor(), "system": _system(), "libc": f"{library} {version}".strip()}


def _processor() -> str:
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()
