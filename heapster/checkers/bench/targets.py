"""What is measured: libc, the peers that are installed, our library, any shared object with a malloc."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from heapster import children
from heapster.model.placement import POLICY_NAMES
from heapster.native.library import PRELOAD, libraries
from heapster.results import TargetError, UsageError
from heapster.suggest import instead_of

LIBC, NATIVE = "libc", "native"
PEERS = {                           # by their sonames, the one that Debian has first
    "jemalloc": ("libjemalloc.so.2",),
    "mimalloc": ("libmimalloc.so.2", "libmimalloc.so.3"),
    "tcmalloc": ("libtcmalloc_minimal.so.4", "libtcmalloc.so.4"),
}
USUAL = (LIBC, NATIVE, *PEERS)
LINKER_CACHES = ("/sbin/ldconfig", "/usr/sbin/ldconfig")


@dataclass(frozen=True)
class Target:
    """An allocator and how a program gets it."""

    name: str
    library: str = ""               # preloaded; none for libc
    environment: Mapping[str, str] = field(default_factory=dict)
    asked: str = ""                 # as the command line has it, where that is a path


@dataclass(frozen=True)
class Field:
    """The targets of a run, libc first, and those that are not here, with the reason."""

    targets: tuple[Target, ...]
    absent: Mapping[str, str] = field(default_factory=dict)


def find_targets(names: Iterable[str]) -> Field:
    """The targets of these names; libc is always among them. UsageError for a name that means nothing."""
    wanted = tuple(dict.fromkeys((LIBC, *names)))
    for name in wanted:
        _check(name)
    installed = _installed()
    absent = {name: f"no {' or '.join(PEERS[name])} is installed" for name in wanted
              if name in PEERS and name not in installed}
    labels = _labels([name for name in wanted if _is_path(name)])
    targets = (_target(name, installed, labels) for name in wanted if name not in absent)
    return Field(tuple(targets), absent)


def _check(name: str) -> None:
    base, colon, policy = name.partition(":")
    if base == NATIVE and colon:
        if policy not in POLICY_NAMES:
            raise UsageError(f"unknown policy '{policy}' in '{name}': {instead_of(policy, POLICY_NAMES)}")
    elif _is_path(name):
        if not Path(name).is_file():
            raise UsageError(f"unknown target '{name}': there is no such file")
    elif name not in USUAL:
        raise UsageError(f"unknown target '{name}': {instead_of(name, USUAL)}; native:POLICY, or the path of a .so")


def _is_path(name: str) -> bool:
    return "/" in name or name.endswith(".so")


def _labels(paths: list[str]) -> dict[str, str]:
    """A short name for each path: the file's without lib and .so, unless two would have the same."""
    short = {path: Path(path).name.removeprefix("lib").partition(".so")[0] for path in paths}
    taken = [*short.values(), *USUAL]
    return {path: name if taken.count(name) == 1 else path for path, name in short.items()}


def _target(name: str, installed: Mapping[str, str], labels: Mapping[str, str]) -> Target:
    base, _, policy = name.partition(":")
    if name == LIBC:
        return Target(LIBC)
    if name in installed:
        return Target(name, installed[name])
    if base == NATIVE:
        return Target(name, _preloadable(libraries() / PRELOAD), {"HEAPSTER_POLICY": policy} if policy else {})
    return Target(labels[name], _preloadable(Path(name).resolve()), asked=name)


def _preloadable(path: Path) -> str:
    if any(character in str(path) for character in " :"):
        raise TargetError(f"LD_PRELOAD cannot name {path}, for its blank or colon")
    return str(path)


def _installed() -> dict[str, str]:
    """The peers that the dynamic linker knows, by name, and where they are."""
    known = dict(_linker_cache())
    found = {}
    for name, sonames in PEERS.items():
        path = next((known[soname] for soname in sonames if soname in known), None)
        if path is not None:
            found[name] = path
    return found


def _linker_cache() -> Iterator[tuple[str, str]]:
    """Sonames of 64-bit libraries and their paths."""
    program = next((path for path in LINKER_CACHES if os.access(path, os.X_OK)), None)
    if program is None:
        return
    said = children.run([program, "-p"], capture_output=True, text=True).stdout
    for line in said.splitlines():
        soname, arrow, path = line.strip().partition(" => ")
        if arrow and "64" in soname:            # libc6,x86-64 or libc6,AArch64
            yield soname.split(" ")[0], path
