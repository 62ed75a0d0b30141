"""Planted faults: a copy of `impl` with one fault in it, to show that a checker can fail.

A fault is data. What an edit replaces must stand exactly once in its file, so that no fault goes stale in silence.
"""

import shutil
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from heapster import impl
from heapster.checkers.targets.source import Source, source_in
from heapster.results import HeapsterError

SHIPPED_FOLDER = Path(impl.__file__).parent


BY_SPANS = "spans"              # who hunts where there are spans: fuzz, too


class StaleFault(HeapsterError):
    """A planted fault no longer fits the source."""


class Edit(NamedTuple):
    """A change of one file: `old` occurs once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Fault:
    """A change of the source, who hunts it, and what must notice it."""

    title: str
    edits: tuple[Edit, ...]
    caught_by: str = ""         # the code of the finding, the theorem, or the pattern of stress
    by: str = "fuzz"            # fuzz, spans, prove, races or stress
    budget: int = 0             # fuzz: steps of the shortest trace; races: schedules; 0: as the hunter has it
    spans: bool = False         # whether it is planted in what is built with spans

    @property
    def module(self) -> str:
        """The module of `impl` that is changed, or changed first."""
        return self.edits[0].file.removesuffix(".py")


Origin = Fault | Path | None    # of the source to check: a fault to plant, the folder of a copy, or what ships


@dataclass(frozen=True)
class Kill:
    """What a hunter made of a fault; nothing found, if it was missed."""

    fault: Fault
    found: tuple[str, ...] = ()     # codes, theorems or patterns, of which one should be the fault's
    shown: tuple[str, ...] = ()     # by what: the steps of a trace, a replay string

    @property
    def as_expected(self) -> bool:
        """Whether the check that must catch the fault did."""
        return self.fault.caught_by in self.found


def one_edit(title: str, module: str, old: str, new: str, caught_by: str, budget: int = 0, by: str = "fuzz") -> Fault:
    """A fault that is one change of one module."""
    return Fault(title, (Edit(f"{module}.py", old, new),), caught_by, by, budget)


def chosen(faults: Iterable[Fault], words: Collection[str]) -> tuple[Fault, ...]:
    """The faults whose titles hold one of the words, or that change a module of that name; all, if there are none."""
    return tuple(fault for fault in faults
                 if not words or any(word in fault.title or f"{word}.py" in {edit.file for edit in fault.edits}
                                     for word in words))


def plant(fault: Fault, folder: Path) -> Path:
    """Write a copy of the shipped source with the fault into `folder`; the copy's root."""
    root = folder / "impl"
    shutil.copytree(SHIPPED_FOLDER, root, ignore=shutil.ignore_patterns("__pycache__"))
    for file, old, new in fault.edits:
        text = (root / file).read_text(encoding="utf-8") if (root / file).exists() else ""
        if text.count(old) != 1:
            raise StaleFault(f"'{fault.title}': {old!r} stands {text.count(old)} times in {file}")
        (root / file).write_text(text.replace(old, new), encoding="utf-8")
    return root


def planted(fault: Fault) -> Source:
    """The faulty source, loaded beside the shipped one: with spans, if that is where the fault is hunted."""
    with tempfile.TemporaryDirectory(prefix="heapster-") as folder:
        return source_in(plant(fault, Path(folder)), spans=fault.spans or fault.by == BY_SPANS)
