"""The instrumented reading of a C target: compiled once more, with a call of ours before each load, store and atomic.

gcc and clang put these calls into whatever they compile with -fsanitize=thread; linked without the sanitizer's library
they stay undefined in the shared object, and the program that loads it answers them: `HOOKS`, compiled with a client of
`c/hooks.h` and linked with -rdynamic.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from heapster import children
from heapster.results import TargetError

FOLDER = Path(__file__).parent / "c"
HOOKS = tuple(FOLDER / name for name in ("hooks.c", "interpose.c", "memory_functions.c"))
HOOK_HEADERS = (FOLDER / "hooks.h",)
HOOK = "__tsan_"                # what each of the calls starts with
FLAGS = ("-fPIC", "-g", "-Og", "-fno-builtin", "-fno-omit-frame-pointer", "-fno-inline", "-w", "-fsanitize=thread")
NO_PASS = ("-fsanitize=thread", "fsanitize=thread", "unsupported option", "not supported for this target")
LIMIT = 120                     # seconds that a compiler may take


class Ingredients(NamedTuple):
    """What a shared object was compiled of, so that it can be compiled again in another way."""

    compiler: tuple[str, ...]           # the words that start it
    flags: tuple[str, ...]              # that the target needs, not how it is built
    sources: tuple[str, ...]
    libraries: tuple[str, ...] = ()     # what is linked with it


class NoInstrumentationError(TargetError):
    """There is no instrumented reading of the target; all else can be done."""


def calls_hooks(needs: Iterable[str]) -> bool:
    """Whether an object was instrumented by its owner, by the symbols that it leaves to others."""
    return any(name.startswith(HOOK) for name in needs)


def instrument(ingredients: Ingredients, made: Path, *more: str) -> list[str]:
    """Compile the target instrumented into the shared object `made`, with `more` flags; the commands.

    Raises NoInstrumentationError, in one line, where the compiler cannot.
    """
    with TemporaryDirectory(dir=made.parent, prefix=made.stem) as folder:
        objects, commands = [], []
        for number, source in enumerate(ingredients.sources):
            objects.append(str(Path(folder) / f"{number}.o"))
            command = [*ingredients.compiler, *FLAGS, *more, *ingredients.flags, "-c", source, "-o", objects[-1]]
            _run(command)
            commands.append(command)
        linked = Path(folder) / made.name
        command = [*ingredients.compiler, *_machine(ingredients.flags), "-shared", *objects, "-o", str(linked),
                   *ingredients.libraries]
        _run(command)
        linked.replace(made)
    return [" ".join(command) for command in (*commands, command)]


def _machine(flags: Iterable[str]) -> list[str]:
    """The flags that linking needs too."""
    return [flag for flag in flags if flag.startswith(("-m", "-l", "-L", "-Wl,", "-pthread"))]


def _run(command: list[str]) -> None:
    try:
        done = children.run(command, capture_output=True, text=True, errors="replace", timeout=LIMIT,
                            env={**os.environ, "LC_ALL": "C"})
    except children.TimeoutExpired:
        raise NoInstrumentationError(f"{command[0]} was still compiling after {LIMIT} s") from None
    except OSError as error:
        raise NoInstrumentationError(f"{command[0]} does not start: {error.strerror}") from None
    if done.returncode:
        raise NoInstrumentationError(_why(Path(command[0]).name, done.stderr or done.stdout))


def _why(compiler: str, said: str) -> str:
    lines = [line for line in said.splitlines() if "error" in line] or said.strip().splitlines() or ["it says nothing"]
    if any(words in lines[0] for words in NO_PASS):
        return f"{compiler} cannot instrument this target (-fsanitize=thread): gcc and clang can, for 64 bits (--cc)"
    return f"{compiler} does not compile it instrumented: {lines[0].strip()[:200]}"
