"""`heapster doctor`."""

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import NamedTuple

from heapster import children
from heapster.commands.delivery import TARGET_UNUSABLE
from heapster.extras import EXTRAS, install
from heapster.reports.output import say

OLDEST_PYTHON = (3, 11)
ARCHITECTURES = ("x86_64", "aarch64")
TOOLS = {
    "cc": "whatever is judged from C sources, and build, which links libheapster",
    "nm": "build --check: which symbols a library leaves undefined",
}
NAME, EXTRA = re.compile(r"[\w.-]+"), re.compile(r"""extra == ["']([\w-]+)["']""")
COLUMNS = "{:<14} {:<16} {}"


class Component(NamedTuple):
    """Something that Heapster can use."""

    name: str
    found: str                  # its version, or nothing
    needed_for: str
    required: bool


def command() -> int:
    """What Heapster needs, which versions are here, and what is missing."""
    parts = list(_parts())
    table = [COLUMNS.format(part.name, part.found or "missing", part.needed_for).rstrip() for part in parts]
    say((line, "") for line in (*table, _conclusion([part for part in parts if not part.found])))
    missing = [part for part in parts if part.required and not part.found]
    return TARGET_UNUSABLE if missing else 0


def _conclusion(missing: list[Component]) -> str:
    needed = [part.name for part in missing if part.required]
    if needed:
        return f"Heapster cannot work without {', '.join(needed)}"
    if missing:
        return f"all that is required is here; missing: {', '.join(part.name for part in missing)}"
    return "all is here"


def _parts() -> Iterator[Component]:
    yield Component("heapster", version("heapster"), "", required=True)
    current = sys.version_info >= OLDEST_PYTHON
    yield Component("python", platform.python_version() if current else "", "everything, from 3.11 on", required=True)
    yield _system()
    yield Component("processors", str(len(os.sched_getaffinity(0))), "tests and proofs in parallel", required=False)
    yield from _packages()
    for tool, purpose in TOOLS.items():
        yield Component(tool, _tool_version(tool), purpose, required=False)


def _system() -> Component:
    here = f"{platform.system()} {platform.machine()}"
    known = platform.system() == "Linux" and platform.machine() in ARCHITECTURES
    return Component("system", here if known else "",
                     f"process, native: Linux on {' or '.join(ARCHITECTURES)}; here {here}",
                required=False)


def _packages() -> Iterator[Component]:
    """The packages of this installation's metadata: the required ones, and those of the extras."""
    for text in requires("heapster") or ():
        name = NAME.match(text)
        extra = EXTRA.search(text)
        if name and (extra is None or extra[1] in EXTRAS):
            purpose = f"{EXTRAS[extra[1]].needed_for}: {install(extra[1])}" if extra else "everything"
            yield Component(name[0], _package_version(name[0]), purpose, required=extra is None)


def _package_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _tool_version(name: str) -> str:
    """The last word of its version line; `found` if it does not say."""
    path = shutil.which(name)
    if path is None:
        return ""
    try:
        answer = children.run([path, "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, children.TimeoutExpired):
        return ""
    first = answer.stdout.splitlines()[:1]
    return first[0].split()[-1] if first and first[0].split() else "found"
