"""The target's own files, copied beside a harness: so it can be built on another machine.

    farm/target/        the sources and the headers that they include, as they lie to each other
    farm/heapster/      those that we have written for the target, and the headers that we lend it
"""

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from os.path import commonpath
from pathlib import Path
from typing import NamedTuple

import heapster
from heapster import children
from heapster.checkers.blackbox.build import cache_folder
from heapster.checkers.targets.recompiling import Ingredients
from heapster.results import TargetError

THEIRS, OURS = "target", "heapster"
FINDING = ("-I", "-iquote", "-isystem", "-idirafter", "-include", "-imacros")      # flags that name a folder or a file
ESCAPED = re.compile(r"(?<!\\)\s+")


class Carried(NamedTuple):
    """The build as it is told in the harness's folder."""

    sources: tuple[str, ...]
    flags: tuple[str, ...]


def carry(ingredients: Ingredients, out: Path) -> Carried:
    """Copy what the target is compiled of into the folder. Raises TargetError, OSError."""
    files = {file for source in ingredients.sources for file in _read(ingredients, source)}
    folders = [path for _, path in _named(ingredients.flags) if path]
    place = _FarmPlaces([path for path in (*files, *folders) if not _is_ours(path)])
    for file in sorted(files):
        to = out / place.of(file)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)
    return Carried(tuple(place.of(Path(source).resolve()) for source in ingredients.sources),
                   tuple(flag if path is None else flag + place.of(path) for flag, path in _named(ingredients.flags)))


def _read(ingredients: Ingredients, source: str) -> Iterator[Path]:
    """The source and the headers that it includes, but for the system's."""
    done = children.run([*ingredients.compiler, *ingredients.flags, "-MM", source], capture_output=True, text=True,
                        errors="replace")
    if done.returncode:
        raise TargetError(f"{source}: what it includes cannot be told: {done.stderr.strip().splitlines()[-1]}")
    names = done.stdout.replace("\\\n", " ").partition(":")[2]
    yield from (Path(name.replace("\\ ", " ")).resolve() for name in ESCAPED.split(names.strip()))


def _named(flags: Sequence[str]) -> Iterator[tuple[str, Path | None]]:
    """Each flag; of one that names a folder or a file, what stands before that, and it."""
    words = iter(flags)
    for flag in words:
        names = next((name for name in FINDING if flag.startswith(name)), None)
        if names is None:
            yield flag, None
        elif flag == names:
            yield flag, None
            yield "", Path(next(words, ".")).resolve()
        else:
            yield names, Path(flag.removeprefix(names)).resolve()


def _is_ours(path: Path) -> bool:
    return any(path.is_relative_to(folder.resolve()) for folder in (cache_folder(), Path(heapster.__file__).parent))


class _FarmPlaces:
    """Where files lie below the harness's folder: as they lie to each other, without what all have in common."""

    def __init__(self, theirs: Iterable[Path]) -> None:
        folders = [str(path if path.is_dir() else path.parent) for path in theirs]
        self._root = Path(commonpath(folders)) if folders else Path("/")

    def of(self, path: Path) -> str:
        """The place of a file or a folder."""
        if _is_ours(path):
            return OURS if path.is_dir() else f"{OURS}/{path.name}"
        return str(Path(THEIRS) / path.relative_to(self._root))
