"""What is measured: libc, and beside it any target that can be preloaded."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from heapster.checkers.targets import grammar
from heapster.checkers.targets.installed import PEERS, absence
from heapster.checkers.targets.kinds import BY_NAME, NAMES
from heapster.checkers.targets.opening import preload_of
from heapster.checkers.targets.target import LIBC, NATIVE, Target

USUAL = (LIBC, NATIVE, *map(grammar.parse, PEERS))


@dataclass(frozen=True)
class Candidate:
    """An allocator and how a program gets it."""

    name: str
    library: str = ""               # preloaded; none for libc
    environment: Mapping[str, str] = field(default_factory=dict)
    asked: str = ""                 # as the command line has it, where that is a path


BASE = Candidate(LIBC.name)


@dataclass(frozen=True)
class Field:
    """The candidates of a run, libc first, and those that are not here, with the reason."""

    targets: tuple[Candidate, ...]
    absent: Mapping[str, str] = field(default_factory=dict)


def find_targets(targets: Iterable[Target]) -> Field:
    """The targets as candidates; libc is always among them."""
    wanted = tuple(dict.fromkeys((LIBC, *targets)))
    absent = {target.name: why for target in wanted if target.name in PEERS and (why := absence(target.name))}
    labels = _labels([target.name for target in wanted if BY_NAME[target.kind].is_file])
    return Field(tuple(_candidate(target, labels) for target in wanted if target.name not in absent), absent)


def _labels(paths: list[str]) -> dict[str, str]:
    """A short name for each path: the file's without lib and .so, unless two would have the same."""
    short = {path: Path(path).name.removeprefix("lib").partition(".so")[0] for path in paths}
    taken = [*short.values(), *NAMES]
    return {path: name if taken.count(name) == 1 else path for path, name in short.items()}


def _candidate(target: Target, labels: Mapping[str, str]) -> Candidate:
    preload = preload_of(target)
    asked = target.name if target.name in labels else ""
    return Candidate(labels.get(target.name, str(target)), preload.library, preload.environment, asked)
