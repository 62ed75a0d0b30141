"""A C target compiled once more, in another way than it is run in otherwise: with hooks, with counters."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from heapster import children
from heapster.checkers.targets.making import CPLUSPLUS, FIRST_COUNTS
from heapster.results import TargetError

LIMIT = 120                     # seconds that a compiler may take
REFUSED = re.compile(r"unsupported option|not supported for this target|unrecognized|unknown argument")
KEPT_INLINE = "-fgnu89-inline"  # what C99 inlines is defined nowhere, where nothing is inlined
WHEN_LINKED = "-flto"           # puts off until then what the compiler is to put in
ON_LINKING = ("-m", "-l", "-L", "-Wl,", "-pthread")


class Ingredients(NamedTuple):
    """The ingredients of a shared object, so that it can be compiled again in another way."""

    compiler: tuple[str, ...]           # the words that start it
    flags: tuple[str, ...]              # that the target needs, not how it is built
    sources: tuple[str, ...]
    libraries: tuple[str, ...] = ()     # what is linked with it

    @property
    def name(self) -> str:
        """The compiler's name."""
        return Path(self.compiler[0]).name


class NoInstrumentationError(TargetError):
    """There is no instrumented reading of the target; all else can be done."""


class Recompilation(NamedTuple):
    """A way to compile a target."""

    flags: tuple[str, ...]
    option: str                         # the flag that not every compiler knows
    does: str                           # completes "gcc cannot ... this target"
    done: str                           # completes "gcc does not compile it ..."


def objects(ingredients: Ingredients, folder: Path, way: Recompilation, more: Sequence[str] = ()) -> list[list[str]]:
    """Compile each source into an object in the folder, 0.o and so on; the commands.

    Raises NoInstrumentationError, in one line, where the compiler cannot.
    """
    commands = []
    for number, source in enumerate(ingredients.sources):
        inlined = () if source.endswith(CPLUSPLUS) else (KEPT_INLINE,)
        told = [flag for flag in ingredients.flags if not flag.startswith(WHEN_LINKED)]
        command = [*ingredients.compiler, *way.flags, *inlined, *more, *told, "-c", source, "-o",
                   str(folder / f"{number}.o")]
        _run(ingredients, command, way)
        commands.append(command)
    return commands


def link(ingredients: Ingredients, folder: Path, made: Path, way: Recompilation, more: Iterable[str] = ()) -> list[str]:
    """Link the folder's objects of the sources, and `more`, into the shared object `made`; the command."""
    linked = folder / made.name
    compiled = (str(folder / f"{number}.o") for number, _ in enumerate(ingredients.sources))
    command = [*ingredients.compiler, *_machine(ingredients.flags), "-shared", FIRST_COUNTS, *compiled, *more, "-o",
               str(linked), *ingredients.libraries]
    _run(ingredients, command, way)
    linked.replace(made)
    return command


def run(ingredients: Ingredients, words: Iterable[str], way: Recompilation) -> str:
    """Run the compiler with these words, for the target's machine; its output."""
    return _run(ingredients, [*ingredients.compiler, *_machine(ingredients.flags), *words], way)


def _machine(flags: Iterable[str]) -> list[str]:
    """The flags that linking needs too."""
    return [flag for flag in flags if flag.startswith(ON_LINKING)]


def _run(ingredients: Ingredients, command: list[str], way: Recompilation) -> str:
    try:
        done = children.run(command, capture_output=True, text=True, errors="replace", timeout=LIMIT,
                            env={**os.environ, "LC_ALL": "C"})
    except children.TimeoutExpired:
        raise NoInstrumentationError(f"{command[0]} was still compiling after {LIMIT} s") from None
    except OSError as error:
        raise NoInstrumentationError(f"{command[0]} does not start: {error.strerror}") from None
    if done.returncode:
        raise NoInstrumentationError(_why(ingredients.name, done.stderr or done.stdout, way))
    return str(done.stdout)


def _why(compiler: str, said: str, way: Recompilation) -> str:
    lines = [line for line in said.splitlines() if "error" in line] or said.strip().splitlines() or ["it says nothing"]
    if way.option.lstrip("-") in lines[0] or REFUSED.search(lines[0]):
        return f"{compiler} cannot {way.does} this target ({way.option}): gcc and clang can, for 64 bits (--cc)"
    return f"{compiler} does not compile it {way.done}: {lines[0].strip()[:200]}"
