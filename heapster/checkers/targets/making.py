"""What a project's own build says: which C sources it compiles, and what the compiler is told of each.

A compile_commands.json is read; else make is asked what it would do, and does nothing of it.
"""

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from heapster import children

MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
DATABASE = "compile_commands.json"
ASKING = ("make", "--dry-run", "--always-make", "--keep-going", "--no-print-directory")
LIMIT = 20                      # seconds that make may think
DEEPEST = 3                     # folders that a build goes down into
CPLUSPLUS = (".cc", ".cpp", ".cxx", ".C")
SOURCES = (".c", *CPLUSPLUS)
COMPILER = re.compile(r"(?:.*-)?(?:cc|gcc|clang|c99|c89|tcc|icp?x?|[cg]\+\+|clang\+\+)(?:-[\d.]+)?$")
ALONE = re.compile(r"-(?:[DU].+|std=.+|ansi|m(?:32|64|cx16)|pthread|f(?:un)?signed-char|fno-strict-aliasing|fcommon"
                   r"|fms-extensions|fshort-enums|fpack-struct.*)$")       # that change what a source means
WITH_FILE = ("-I", "-isystem", "-iquote", "-include", "-imacros", "-idirafter")
WITH_NAME = ("-D", "-U")
FIRST_COUNTS = "-Wl,-z,muldefs"         # archives may define a thing twice: nobody links the second
UNKNOWN = re.compile(r"unrecognized command-line option '(-[^']+)'|unknown argument: '(-[^']+)'|in '(-std=[^']+)'")
NEWER = {"-std=c23": "-std=c2x", "-std=gnu23": "-std=gnu2x", "-std=c++23": "-std=c++2b", "-std=gnu++23": "-std=gnu++2b"}
BETWEEN = frozenset({";", "&&", "||", "|"})


class BuiltSource(NamedTuple):
    """A source that the build compiles."""

    source: Path
    flags: tuple[str, ...]      # those that change what it means, in any folder


def compilations(folder: Path, *, sandboxed: bool = False) -> tuple[BuiltSource, ...]:
    """What the folder's build compiles, each source once; nothing where there is no build, or it cannot be asked."""
    found = _of_database(folder / DATABASE) or tuple(_of_make(folder, DEEPEST, sandboxed=sandboxed))
    return tuple({one.source: one for one in found}.values())


def flags_of(built: Iterable[BuiltSource], sources: Iterable[Path]) -> tuple[str, ...]:
    """What the build tells the compiler of the sources; of those that it knows nothing of, what it tells of all."""
    known = {one.source.resolve(): one.flags for one in built}
    of_all = tuple(flag for flag in next(iter(known.values()), ()) if all(flag in flags for flags in known.values()))
    found = dict.fromkeys(flag for source in sources for flag in known.get(source.resolve(), of_all))
    return (*found, FIRST_COUNTS) if len(known) > 1 else (*found,)


@cache
def understood(compiler: tuple[str, ...], told: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The flags with those that the compiler does not know left out, or read as it calls them; and what to say of it.

    They are as they were where the compiler does not start.
    """
    try:
        said = children.run([*compiler, *told, "-fsyntax-only", "-x", "c", os.devnull], capture_output=True, text=True,
                            errors="replace", timeout=LIMIT, env={**os.environ, "LC_ALL": "C"}).stderr
    except (OSError, children.TimeoutExpired):
        return told, ()
    found = UNKNOWN.search(said)
    flag = next(filter(None, found.groups()), "") if found else ""
    if flag not in told:
        return told, ()
    known = NEWER.get(flag, "")
    rest, more = understood(compiler, tuple(filter(None, (known if one == flag else one for one in told))))
    instead = f"compiled with {known}" if known else "it is left out"
    return rest, (f"its own build says {flag}, which this compiler does not know: {instead}", *more)


def has_build(folder: Path) -> bool:
    """Whether something lies in the folder that says how it is built."""
    return (folder / DATABASE).is_file() or _has_makefile(folder)


def _has_makefile(folder: Path) -> bool:
    return any((folder / name).is_file() for name in MAKEFILES)


def _of_database(path: Path) -> tuple[BuiltSource, ...]:
    """The entries of a compilation database; none of one that is broken."""
    try:
        entries = json.loads(path.read_text(errors="replace"))
        return tuple(one for entry in entries for one in of_words(
            entry.get("arguments") or shlex.split(entry["command"]), path.parent / entry["directory"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()


def _of_make(folder: Path, deep: int, *, sandboxed: bool) -> Iterator[BuiltSource]:
    if not deep or not _has_makefile(folder):
        return
    asked = [*ASKING, "-C", str(folder)]
    try:
        said = children.run(children.sandboxed(asked, folder) if sandboxed else asked, capture_output=True, text=True,
                            errors="replace", timeout=LIMIT).stdout
    except (OSError, children.TimeoutExpired):
        return
    for words in _commands(said):
        if words[0] == "make" and "-C" in words[:-1]:
            yield from _of_make(folder / words[words.index("-C") + 1], deep - 1, sandboxed=sandboxed)
        else:
            yield from of_words(words, folder)


def _commands(said: str) -> Iterator[list[str]]:
    """The words of each command of the lines that make would run."""
    for line in said.replace("\\\n", " ").splitlines():
        try:
            words = list(shlex.shlex(line, posix=True, punctuation_chars=True) if ";" in line or "|" in line else
                         shlex.split(line))
        except ValueError:                  # an odd quote: no command of a compiler
            continue
        command: list[str] = []
        for word in (*words, ";"):
            if word not in BETWEEN:
                command.append(word)
            elif command:
                yield command
                command = []


def of_words(words: list[str], folder: Path) -> Iterator[BuiltSource]:
    """The C sources of a command in a folder, if it is one of a compiler and they are there."""
    if not COMPILER.match(Path(words[0]).name):
        return
    flags = tuple(_flags(words[1:], folder))
    sources = (folder / word for word in words[1:] if word.endswith(SOURCES) and not word.startswith("-"))
    yield from (BuiltSource(source, flags) for source in sources if source.is_file())


def _flags(words: list[str], folder: Path) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        option = next((one for one in WITH_FILE if word.startswith(one) and (len(one) == 2 or word == one)), "")
        if option:
            place = word[len(option):] or next(rest, "")
            within = folder / place
            yield f"{option}{within}" if option == "-I" else option
            if option != "-I":
                yield str(within)
        elif word in WITH_NAME:
            yield word + next(rest, "")
        elif ALONE.match(word):
            yield word
