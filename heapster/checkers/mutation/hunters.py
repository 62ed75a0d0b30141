"""Who hunts drawn changes: commands of the checkers, run in a changed copy of the source, cheapest first."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import NamedTuple

from heapster import children

LONGEST_WORDS = 400             # characters of what a hunter said
HELD, UNDECIDED, NOTHING_RAN = 0, 3, 5      # exit codes that catch nothing, of ours and of pytest
WITNESSES = ("specification", "invariants", "decoding", "live_blocks", "lockstep")   # of tests/checks
UNFUZZED = frozenset({                      # what lives on the simulated machine do not run
    *(f"model/{name}.py" for name in ("asked", "sketch", "trace")),
    *(f"checkers/lockstep/{name}.py" for name in (
        "heap_diff", "heap_history", "native", "run_trace", "subprocess", "translation", "validation"))})
ON_USUAL, ON_HARDENED, ON_SPANS = "sim:spans=0", "sim:harden=1", "sim:spans=1"
ALONE = {                                   # the one heap that runs a file
    **{f"impl/{name}.py": ON_SPANS for name in ("run_layout", "runs", "slots", "run_totals")},
    **{f"impl/{name}.py": ON_HARDENED for name in (
        "hardened", "quarantine", "randomness", "records", "spans", "spare", "vault")}}
OF_ALL = "impl/layout.py"
ASKING = {"hardened": ON_HARDENED, "SPANS": ON_SPANS}     # by what a file mentions that asks for it
QUICK = ("impl", "machine", "model")        # rooms of tests that start no program
WIDE = ("checkers/test_planted_faults_doc.py", "checkers/test_lockstep.py", "checkers/test_fuzzing.py")
FAILING = re.compile(r"(?:FAILED|ERROR) (tests/[^\s\[]+)")
TELLING = re.compile(r"\w+ +\([0-9a-f]{8}\)$|FAILED |ERROR tests/|REFUTED|\w*Error\b")


class Prey(NamedTuple):
    """A change to hunt: what was changed, in which copy, and where chance starts."""

    file: str                   # below the package
    folder: Path                # the copy
    seed: int
    killers: tuple[str, ...] = ()       # tests that noticed changes of that file before, those that did most first

    @property
    def room(self) -> str:
        """The room that the file is in."""
        return self.file.split("/")[0]

    @property
    def module(self) -> str:
        """The file's name in its room."""
        return self.file.split("/", 1)[1].removesuffix(".py").replace("/", ".")


class HuntEnding(Enum):
    """How a hunt ended."""

    KILLED = "killed"
    SURVIVED = "survived"
    TIMED_OUT = "timed out"     # it never ends: noticed, by whoever waits


class Hunter(NamedTuple):
    """A checker that hunts."""

    name: str                                   # what --by calls it
    command: Callable[[Prey], list[str]]        # empty: that file is none of its business
    seconds: int = 30                           # of processor time: several times what the source as it is needs


class Hunt(NamedTuple):
    """What a hunter made of a change."""

    by: str
    ending: HuntEnding
    said: str = ""              # its words, if it caught it


def _heapster(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "heapster", *map(str, arguments)]


def _load(prey: Prey) -> list[str]:
    module = f"heapster.{prey.room}.{prey.module}"
    return [sys.executable, "-c", f"import {module}, heapster.checkers.fuzz.campaign"]


def _fuzz(examples: int, prey: Prey) -> list[str]:
    return [] if prey.file in UNFUZZED else [
        sys.executable, "-m", "heapster.checkers.mutation.first_failure", str(examples), str(prey.seed),
        *heaps_that_run(prey.folder / "heapster" / prey.file, prey.file)]


def heaps_that_run(path: Path, file: str) -> tuple[str, ...]:
    """The targets on which fuzz runs that file, whose text lies at the path."""
    if file in ALONE:
        return (ALONE[file],)
    text = path.read_text(encoding="utf-8") if file.startswith("impl/") else ""
    return (ON_USUAL, *(heap for word, heap in ASKING.items()
                        if file == OF_ALL or re.search(rf"\b{word}\b", text)))


def _prove(prey: Prey) -> list[str]:
    """All that depends on the file, up to the first theorem that is refuted."""
    return [sys.executable, "-m", "heapster.checkers.mutation.first_refuted"] if prey.room == "impl" else []


def _races(prey: Prey) -> list[str]:
    if prey.room != "impl":
        return []
    return _heapster("races", "sim", "--schedules", 600, "--seed", prey.seed, "--jobs", 1)      # others hunt meanwhile


def _witnesses(_: Prey) -> list[str]:
    """The tables of heaps, answers and altered sources that hold what judges; they take less than a second."""
    calls = "; ".join(f"witnesses.{name}()" for name in WITNESSES)
    return [sys.executable, "-c", f"from tests.checks import witnesses; {calls}"]


def _test_of(prey: Prey) -> str:
    return f"test_{prey.module.rpartition('.')[2]}"


def _about(prey: Prey) -> list[str]:
    """The files of tests that have the module's name, or that import it."""
    tests, name = prey.folder / "tests", _test_of(prey)
    package, _, module = f"heapster.{prey.room}.{prey.module}".rpartition(".")
    imported = re.compile(rf"from {package}(?:\.{module} import|"
                          rf" import (?:[^\n(]*|\([^)]*)\b{module}\b)".replace("heapster.", r"heapster\."))
    return [str(path.relative_to(tests)) for path in sorted(tests.rglob("test_*.py"))
            if path.stem == name or imported.search(path.read_text(encoding="utf-8"))]


def _pytest(prey: Prey, places: Iterable[str]) -> list[str]:
    """The tests there, up to the first that fails; nothing if there are none."""
    found = [place for place in dict.fromkeys(places) if (prey.folder / place.partition("::")[0]).exists()]
    return [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--changed", "-m",
            "not slow and not faults and not programs", *found] if found else []


def _remembered(prey: Prey) -> list[str]:
    """The tests that noticed changes of that file before."""
    return _pytest(prey, prey.killers)


def _named(prey: Prey) -> list[str]:
    """The tests that have the module's name; and of those that import it, those that look at words, not at programs."""
    return _pytest(prey, (f"tests/{place}" for place in _about(prey) if place not in WIDE and (
        place.split("/")[0] in (*QUICK, "checkers") or Path(place).stem == _test_of(prey))))


def _room(prey: Prey) -> list[str]:
    """The tests of the room."""
    return _pytest(prey, [f"tests/{prey.room}"]) if prey.room in QUICK else []


def _wide(prey: Prey) -> list[str]:
    """The tests of the module wherever they are, and what holds rooms against each other, shortest first."""
    return _pytest(prey, (f"tests/{place}" for place in (*WIDE[:2], *_about(prey), *WIDE[2:])))


HUNTERS = (
    Hunter("load", _load), Hunter("tests", _witnesses), Hunter("tests", _remembered, 60), Hunter("tests", _named, 60),
    Hunter("fuzz", partial(_fuzz, 8), 40), Hunter("races", _races), Hunter("tests", _room, 60),
    Hunter("fuzz", partial(_fuzz, 40), 60), Hunter("tests", _wide, 240), Hunter("fuzz", partial(_fuzz, 200), 180),
    Hunter("prove", _prove, 360))
NAMES = tuple(dict.fromkeys(hunter.name for hunter in HUNTERS[1:]))


def killer(said: str) -> str:
    """The test that said so; nothing if it was none."""
    found = FAILING.search(said)
    return found[1] if found else ""


def again(command: list[str], said: str) -> list[str]:
    """A command that asks what said so, and nothing else, once more."""
    first = next((number for number, word in enumerate(command) if word.startswith("tests/")), 0)
    return [*command[:first], killer(said)] if first and killer(said) else command


def hunt(hunter: Hunter, prey: Prey) -> Hunt | None:
    """Let the hunter look at the copy; None if that file is none of its business."""
    command = hunter.command(prey)
    if not command:
        return None
    code, said = _run(command, prey.folder, hunter.seconds)
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return Hunt(hunter.name, HuntEnding.TIMED_OUT, f"no end after {hunter.seconds} s of processor time")
    caught = code not in (HELD, UNDECIDED, NOTHING_RAN)
    return Hunt(hunter.name, HuntEnding.KILLED if caught else HuntEnding.SURVIVED, _words(said))


def _run(command: list[str], folder: Path, seconds: int) -> tuple[int, str]:
    """The exit code of a command in the copy, and what it said; nothing that it has started is left."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder), "NO_COLOR": "1"}
    with children.started(command, seconds=seconds, cwd=folder, env=environment, stdout=children.PIPE,
                          stderr=children.STDOUT, stdin=children.DEVNULL, text=True, errors="replace") as process:
        said = process.communicate()[0]
    return process.returncode, said


def _words(said: str) -> str:
    """The line that says what was wrong, of all that a hunter said."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return ([line for line in lines if TELLING.match(line)] or lines[-1:] or [""])[0][:LONGEST_WORDS]
