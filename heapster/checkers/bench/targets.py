"""Targets of measurements: libc, and beside it any that can be preloaded."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from heapster.checkers.targets import grammar
from heapster.checkers.targets.installed import PEERS, absence
from heapster.checkers.targets.kinds import BY_NAME, NAMES
from heapster.checkers.targets.opening import preload_of
from heapster.checkers.targets.target import LIBC, NATIVE, Target
from heapster.results import UsageError


class NamedTarget(NamedTuple):
    """A target, and the name that it has in the tables, if it was given one."""

    target: Target
    name: str = ""


USUAL = tuple(map(NamedTarget, (LIBC, NATIVE, *map(grammar.parse, PEERS))))
HARDENED = NamedTarget(grammar.parse("native:harden=1"))


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


def find_targets(targets: Iterable[NamedTarget]) -> Field:
    """The targets as candidates; libc is always among them. UsageError for a name that two have."""
    wanted = tuple(dict.fromkeys((NamedTarget(LIBC), *targets)))
    absent = {one.target.name: why for one in wanted if one.target.name in PEERS and (why := absence(one.target.name))}
    labels = _labels([one.target.name for one in wanted if not one.name and BY_NAME[one.target.kind].is_file])
    found = tuple(_candidate(one, labels) for one in wanted if one.target.name not in absent)
    for name, count in Counter(candidate.name for candidate in found).items():
        if count > 1:
            raise UsageError(f"--targets: two are called {name}: give one another name, NAME=PATH")
    return Field(found, absent)


def _labels(paths: list[str]) -> dict[str, str]:
    """A short name for each path: the file's without lib and .so, unless two would have the same."""
    short = {path: Path(path).name.removeprefix("lib").partition(".so")[0] for path in paths}
    taken = [*short.values(), *NAMES]
    return {path: name if taken.count(name) == 1 else path for path, name in short.items()}


def _candidate(one: NamedTarget, labels: Mapping[str, str]) -> Candidate:
    target, preload = one.target, preload_of(one.target)
    if one.name:
        return Candidate(one.name, preload.library, preload.environment, f"{one.name}={target}")
    asked = target.name if target.name in labels else ""
    return Candidate(labels.get(target.name, str(target)), preload.library, preload.environment, asked)
