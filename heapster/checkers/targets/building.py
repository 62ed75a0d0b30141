"""The owner's build command, run in a copy of the folder: which compilers it starts, and what each is told.

Compilers are watched by scripts of their names, first on the PATH, which write down how they are called and go on as
the compiler. What the build makes besides, as a header, stays in the copy and is found there.
"""

import json
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from heapster import children
from heapster.checkers.targets.making import COMPILER, SOURCES, BuiltSource, of_words
from heapster.files import write_whole
from heapster.native import cache
from heapster.results import TargetError
from heapster.wording import legible

MOST_BYTES, MOST_FILES = 256 << 20, 50_000      # of a folder that is copied
PATIENCE = 600                  # seconds that the command may take
SAID = 200                      # letters of its last words
NOT_COPIED = frozenset({".git", ".hg", ".svn", ".heapster", ".venv"})
COPY, CALLS, WATCHES, LOG = "copy", "calls.json", "bin", "log"
NOT_PASSED_ON = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")    # of a make that has started us
WATCH = """#!/bin/sh
printf '%s\\0' "$PWD" "$0" "$@" > "$(mktemp {log}/XXXXXXXX)"
exec {compiler} "$@"
"""


def learnt(folder: Path, command: str, *, sandboxed: bool = False) -> tuple[BuiltSource, ...]:
    """What the command compiles of the folder, each source once; it is run once for the files as they are.

    TargetError if it fails, or starts no compiler that is seen.
    """
    place = cache.directory() / f"build-{cache.digest(str(folder.resolve()), command)}"
    state = _state(folder)
    if place.is_dir() and _read(place).get("state") != state:
        shutil.rmtree(place, ignore_errors=True)
    cache.entry(place.name, lambda made: _build(folder, command, made, place, state, sandboxed=sandboxed))
    compiled = (_at_home(one, folder, place / COPY) for where, *words in _read(place)["calls"]
                for one in of_words(words, Path(where)))
    found = {one.source: one for one in compiled}
    if not found:
        raise TargetError(f"--build {command}: it starts no compiler of C sources in {folder} that is seen: each has "
                          "to be called by its name (cc, gcc, clang, g++ ...), as the PATH finds it")
    return tuple(found.values())


def _read(place: Path) -> Mapping[str, list[list[str]]]:
    try:
        return json.loads((place / CALLS).read_bytes())     # type: ignore[no-any-return]
    except (OSError, ValueError):
        return {}


def _state(folder: Path) -> list[list[str]]:
    """What changes with any file of the folder; TargetError if there is too much to copy."""
    found, size = [], 0
    for within, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - NOT_COPIED)
        for path in (Path(within, name) for name in sorted(names)):
            about = path.lstat()
            size += about.st_size
            found.append(f"{path.relative_to(folder)} {about.st_size} {about.st_mtime_ns}")
        if size > MOST_BYTES or len(found) > MOST_FILES:
            raise TargetError(f"--build runs in a copy, and {folder} holds more than {MOST_BYTES >> 20} MiB or "
                              f"{MOST_FILES:,} files: name a smaller folder")
    return [[cache.digest(*found)]]


def _build(folder: Path, command: str, made: Path, place: Path, state: list[list[str]], *, sandboxed: bool) -> None:
    """Run the command in a copy below `made`, which will be `place`, and write down what it started there."""
    copy, log = made / COPY, made / LOG
    shutil.copytree(folder, copy, symlinks=True, ignore=_ignored)
    for source in (path for path in copy.rglob("*") if path.suffix in SOURCES and not path.is_symlink()):
        os.utime(source)                    # so that nothing which was built before is up to date
    log.mkdir()
    environment = _watched(made / WATCHES, log)
    script = f"cd {shlex.quote(str(copy))} || exit\n{command}"
    started = ["sh", "-c", script]
    try:
        done = children.run(children.sandboxed(started, written=made) if sandboxed else started, capture_output=True,
                            text=True, errors="replace", timeout=PATIENCE, env=environment)
    except children.TimeoutExpired:
        raise TargetError(f"--build {command}: it was still running after {PATIENCE} s") from None
    if done.returncode:
        raise TargetError(f"--build {command}: it ends with exit code {done.returncode} in a copy of {folder}"
                          f"{_why(done.stderr + done.stdout)}")
    calls = sorted(path.read_bytes().decode(errors="replace") for path in log.iterdir())
    there = [call.replace(str(made), str(place)).split("\0")[:-1] for call in calls]
    write_whole(made / CALLS, json.dumps({"state": state, "calls": there}))


def _ignored(within: str, names: list[str]) -> set[str]:
    """What is not copied: other tools' folders, and what is neither file nor folder."""
    paths = (Path(within, name) for name in names)
    return {path.name for path in paths
            if path.name in NOT_COPIED or not (path.is_symlink() or path.is_file() or path.is_dir())}


def _watched(watches: Path, log: Path) -> dict[str, str]:
    """The environment in which each compiler that the PATH finds is watched."""
    environment = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    watches.mkdir()
    for name, compiler in _compilers(environment.get("PATH", os.defpath)):
        watch = watches / name
        watch.write_text(WATCH.format(log=shlex.quote(str(log)), compiler=shlex.quote(str(compiler))))
        watch.chmod(0o755)
    for variable in ("CC", "CXX"):
        first, blank, rest = environment.get(variable, "").partition(" ")
        if "/" in first and (watches / Path(first).name).exists():
            environment[variable] = Path(first).name + blank + rest
    return environment | {"PATH": f"{watches}{os.pathsep}{environment.get('PATH', os.defpath)}"}


def _compilers(search: str) -> Iterator[tuple[str, Path]]:
    """The compilers on a PATH by their names, each where it is found first."""
    seen: set[str] = set()
    for folder in map(Path, filter(None, search.split(os.pathsep))):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if COMPILER.match(path.name) and path.name not in seen and os.access(path, os.X_OK):
                seen.add(path.name)
                yield path.name, path.absolute()


def _why(said: str) -> str:
    lines = [line.strip() for line in legible(said).splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() and not line.startswith("make")]
    return f": {(telling or lines)[0][:SAID]}" if lines else ""


def _at_home(built: BuiltSource, folder: Path, copy: Path) -> BuiltSource:
    """What was compiled in the copy as it lies in the folder itself; what the build has made is left in the copy."""
    flags = dict.fromkeys(flag for told in built.flags for flag in (*_moved(told, folder, copy), told))
    return BuiltSource(_original(built.source, folder, copy), (*flags, f"-I{built.source.parent}"))


def _original(path: Path, folder: Path, copy: Path) -> Path:
    plain = Path(os.path.normpath(path))
    there = folder / plain.relative_to(copy) if plain.is_relative_to(copy) else plain
    return there if there.exists() else plain


def _moved(flag: str, folder: Path, copy: Path) -> Iterator[str]:
    """The flag for the folder itself, where it names another place of the copy."""
    if flag.startswith("-I"):
        yield f"-I{_original(Path(flag[2:]), folder, copy)}"
