"""Planted faults: a copy of `impl` with one change, to show that a checker can fail.

A fault is data. `old` must stand exactly once in the module, so that a fault never goes stale in silence.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from heapster import impl
from heapster.checkers.targets.source import Source, source_in
from heapster.results import HeapsterError

SHIPPED_FOLDER = Path(impl.__file__).parent


class StaleFault(HeapsterError):
    """A planted fault no longer fits the source."""


@dataclass(frozen=True)
class Fault:
    """One change of the source, and which check must notice it."""

    title: str
    module: str
    old: str
    new: str
    caught_by: str                  # code of the finding
    steps: int = 8                  # the shortest trace that shows it has no more


Origin = Fault | Path | None    # of the source to check: a fault to plant, the folder of a copy, or what ships


def plant(fault: Fault, folder: Path) -> Path:
    """Write a copy of the shipped source with the fault into `folder`; the copy's root."""
    root = folder / "impl"
    shutil.copytree(SHIPPED_FOLDER, root, ignore=shutil.ignore_patterns("__pycache__"))
    path = root / f"{fault.module}.py"
    text = path.read_text(encoding="utf-8")
    if text.count(fault.old) != 1:
        raise StaleFault(f"'{fault.title}': {fault.old!r} stands {text.count(fault.old)} times in {fault.module}.py")
    path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    return root


def planted(fault: Fault) -> Source:
    """The faulty source, loaded beside the shipped one."""
    with tempfile.TemporaryDirectory(prefix="heapster-") as folder:
        return source_in(plant(fault, Path(folder)))
