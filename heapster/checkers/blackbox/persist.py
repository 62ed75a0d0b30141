"""Findings as files: what the store keeps, and beside it the program that shows each, and its trace."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.pursuit import Shown
from heapster.checkers.blackbox.race_program import race_program
from heapster.checkers.blackbox.reproducer import (
    CHECKS,
    MOST_STEPS,
    Reproducer,
    ReproducerFiles,
    malloc_lab_trace,
    prove,
)
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.findings.keeping import Keeps
from heapster.files import Unwritable, write_whole
from heapster.model.spec import Promises
from heapster.results import Finding


class Keeper:
    """Keeps the findings of one run."""

    def __init__(self, store: Keeps, folder: Path, options: ForeignOptions, target: ForeignTarget,
                 remember: Callable[[Path, Shown], None]) -> None:
        self.findings: list[Finding] = []
        self._store, self._folder, self._named, self._target = store, folder, options.target, target
        self._compiler = options.compiler
        self._remember = remember

    def keep(self, shown: Shown, promises: Promises) -> Finding:
        """Keep a finding; as it is kept, it says where its program is."""
        finding = shown.finding
        self._store.keep(finding, self._named)
        folder = self._folder / finding.id
        if folder.is_dir():
            try:
                self._remember(folder, shown)
                finding = self._with_program(shown, promises, folder)
            except Unwritable as error:
                finding = _with_detail(finding, f"no C program could be kept: {error}")
            self._store.keep(finding, self._named)
        self.findings.append(finding)
        return finding

    def _with_program(self, shown: Shown, promises: Promises, folder: Path) -> Finding:
        finding = shown.finding
        if shown.trace:
            write_whole(folder / "min.rep", malloc_lab_trace(shown.trace, self._target.heap_limit))
        if any(prove(one, folder, self._target, self._compiler) for one in self._programs(shown, promises, folder)):
            about = f"a C program that shows it: {folder / 'repro.c'}"
        else:
            for name in ("repro.c", CHECKS, "repro"):
                (folder / name).unlink(missing_ok=True)
            about = "no C program could be made that shows it outside of Heapster"
        return _with_detail(finding, about)

    def _programs(self, shown: Shown, promises: Promises, folder: Path) -> Iterator[ReproducerFiles]:
        """Programs that may show it: one that keeps to what was asked for, one that writes to all that is usable."""
        finding = shown.finding
        if shown.threads[0]:
            yield race_program(self._target, finding, shown.threads, folder)
        elif len(shown.trace) <= MOST_STEPS:
            for usable in (False, True) if finding.code != "hang" else (False,):
                written = Reproducer(self._target, shown.trace, finding.code, promises, finding.title, usable=usable)
                yield written.program(folder, shown.repeat)


def _with_detail(finding: Finding, about: str) -> Finding:
    """The finding with a line more, below its first."""
    return replace(finding, details=(*finding.details[:1], about, *finding.details[1:]))
