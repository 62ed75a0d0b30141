"""The kinds of misuse, as the program of C lists them, and how each of them can end."""

from enum import Enum
from pathlib import Path
from signal import Signals
from typing import NamedTuple

from heapster import children
from heapster.native import cache, toolchain
from heapster.results import HarnessError, UsageError

HERE = Path(__file__).parent / "c"
PROGRAM = "misuse"
FLAGS = ("-std=gnu11", "-O1", "-fno-builtin", "-Wall", "-Wextra", "-Werror", "-pthread")


class Fate(Enum):
    """How a program that misuses its allocator ended; from best to worst."""

    TOLD = "told"                   # the allocator ended it
    STOPPED = "stopped"             # its own stray access faulted: the memory was gone, or guarded
    SILENT = "silent"               # nothing came of it
    FAULT = "fault"                 # the allocator itself faulted, or never came back
    ATTACK = "attack"               # it was shown that the misuse can be turned against the program


EXITS = {0: Fate.SILENT, 20: Fate.ATTACK, 21: Fate.STOPPED, 22: Fate.FAULT}     # `exits.h` has them too
ENDED = frozenset({Signals.SIGABRT, Signals.SIGTRAP, Signals.SIGILL})       # by which allocators end a program
ALLOWED = {                         # what keeps a promise
    "told": frozenset({Fate.TOLD}),
    "halted": frozenset({Fate.TOLD, Fate.STOPPED}),
    "quiet": frozenset({Fate.TOLD, Fate.STOPPED, Fate.SILENT}),
    "nothing": frozenset(Fate),
}


class Case(NamedTuple):
    """A misuse."""

    kind: str
    name: str
    promise: str                    # of our own allocator: a key of ALLOWED
    text: str                       # what is done, and why it may stay silent if it may


def program() -> Path:
    """The program that misuses its allocator as it is told, compiled."""
    sources = sorted(HERE.iterdir())
    texts = [part for path in sources for part in (path.name, path.read_bytes())]
    made = cache.entry(f"misuse-{cache.digest(*texts, *FLAGS, toolchain.compiler_version())}", _make)
    return made / PROGRAM


def _make(out: Path) -> None:
    toolchain.run([toolchain.compiler(), *FLAGS, *sorted(HERE.glob("*.c")), "-o", out / PROGRAM, "-ldl"])


def cases(made: Path) -> tuple[Case, ...]:
    """All that the program can do."""
    said = children.run([made], capture_output=True, text=True)
    if said.returncode:
        raise HarnessError(f"{made} does not list its cases")
    return tuple(Case(*line.split("\t")) for line in said.stdout.splitlines())


def chosen(known: tuple[Case, ...], names: tuple[str, ...]) -> tuple[Case, ...]:
    """The cases with these names, or of these kinds; all of them, if none is named."""
    unknown = set(names) - {case.name for case in known} - {case.kind for case in known}
    if unknown:
        kinds = ", ".join(dict.fromkeys(case.kind for case in known))
        raise UsageError(f"--workloads: {min(unknown)!r} is no misuse; kinds are {kinds}, and "
                         f"heapster bench --misuse --json FILE writes the names of all")
    return tuple(case for case in known if not names or case.name in names or case.kind in names)
