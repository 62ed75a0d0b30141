"""A drawn change is hunted in a copy of the project, on this machine or another, until a hunter notices it."""

import compileall
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from heapster.checkers.jobs.forked import Tell
from heapster.checkers.mutation.drawing import Change
from heapster.checkers.mutation.hunters import Hunt, HuntEnding, Hunter, Prey, again, hunt
from heapster.results import TargetError


class HuntPiece(NamedTuple):
    """A change to hunt, and what is known by then."""

    change: Change
    text: str                       # of its file
    killers: tuple[str, ...]        # see `Prey`
    passes: Mapping[str, bool]      # a hunter's command: whether it is silent at the source as it is


class HuntTold(NamedTuple):
    """What came of it."""

    change: Change
    hunt: Hunt
    passes: Mapping[str, bool]      # with what was learnt meanwhile


@dataclass(frozen=True)
class Hunting:
    """Hunts changes, wherever it is sent, and tells what comes of each: a `HuntTold`."""

    hunters: tuple[Hunter, ...]
    seed: int
    clean: Path | None = None       # a copy of the project that is never changed; None: where the files have come to

    def __call__(self, piece: HuntPiece, tell: Tell) -> None:
        """Plant the change in a copy of its own, and hunt it."""
        clean = self.clean or _arrived(Path.cwd())
        with TemporaryDirectory(prefix="heapster-mutate-", dir=self.clean and self.clean.parent) as name:
            folder = Path(name) / "copy"
            shutil.copytree(clean, folder, symlinks=True)
            change = piece.change
            (folder / "heapster" / change.file).write_text(change.applied(piece.text), encoding="utf-8")
            passes = dict(piece.passes)
            tell(HuntTold(change, self._caught(Prey(change.file, folder, self.seed, piece.killers), clean, passes),
                          passes))

    def _caught(self, prey: Prey, clean: Path, passes: dict[str, bool]) -> Hunt:
        for hunter in self.hunters:
            found = hunt(hunter, prey)
            if found and found.ending is not HuntEnding.SURVIVED and _passes_clean(
                    hunter, prey._replace(folder=clean), found.said, passes):
                return found
        return Hunt("", HuntEnding.SURVIVED)


def _passes_clean(hunter: Hunter, clean: Prey, said: str, passes: dict[str, bool]) -> bool:
    """Whether what said so is silent at the source as it is: else its cry means nothing."""
    asked = again(hunter.command(clean), said)
    command = " ".join(asked[1:])
    if command not in passes:
        found = hunt(hunter._replace(command=lambda _: asked), clean)
        passes[command] = found is not None and found.ending is HuntEnding.SURVIVED
    return passes[command]


@lru_cache
def _arrived(folder: Path) -> Path:
    """The project's files on another machine, compiled there."""
    if find_spec("pytest") is None:
        raise TargetError("drawn faults are hunted by tests, and a worker has no pytest: install Heapster's tests' "
                          "packages there (requirements.txt)")
    compile_all(folder)
    return folder


def compile_all(project: Path) -> None:
    """Compile the source and the tests, so that each hunter need not."""
    for part in ("heapster", "tests"):
        compileall.compile_dir(project / part, quiet=2)
