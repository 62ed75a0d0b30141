"""The arrows between the rooms hold, and what is slow is imported only where it is used."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from inspect import signature
from pathlib import Path

import click
import pytest

import heapster
from heapster.commands import COMMANDS
from tests.layers import ARROWS, OTHERS, imports, of_package, wrong

ROOT = Path(heapster.__file__).parent


def test_every_import_follows_an_arrow() -> None:
    assert list(wrong(of_package(ROOT))) == []


def test_every_room_is_in_the_arrows() -> None:
    names = {path.stem for path in ROOT.glob("*.py")} | {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert names - {"__init__"} == set(ARROWS) - {""}


def test_the_arrows_form_no_circle() -> None:
    left = dict(ARROWS)
    while left:
        lowest = [name for name, below in left.items() if not below & left.keys()]
        assert lowest, f"a circle among {sorted(left)}"
        for name in lowest:
            del left[name]


@pytest.mark.parametrize(("importer", "text"), [
    ("heapster.model.spec", "from heapster.impl import layout"),
    ("heapster.model.spec", "from heapster.results import Run"),
    ("heapster.model.spec", "def f():\n    import heapster.impl.layout"),
    ("heapster.model.spec", "import hypothesis"),
    ("heapster.impl.block", "from heapster import model"),
    ("heapster.impl.block", "import heapster"),
    ("heapster.checkers.lockstep.decode", "from heapster import Heap"),
    ("heapster.impl.block", "from ..machine import protocol"),
    ("heapster.machine.process", "from heapster.model.heap import Heap"),
    ("heapster.machine.process", "import numpy"),
    ("heapster.checkers.lockstep.decode", "from heapster.reports import terminal"),
    ("heapster.checkers.lockstep.decode", "from heapster.cli import main"),
    ("heapster.reports.terminal", "from heapster.checkers.lockstep.decode import decode"),
    ("heapster.reports.terminal", "from ..checkers import decode"),
    ("heapster.commands.fuzz", "from heapster.cli import main"),
    ("heapster.commands.fuzz", "import matplotlib.pyplot"),
    ("heapster.cli", "from heapster.checkers import fuzzing"),
    ("heapster.cli", "import z3"),
    ("heapster.helpers", "import os"),
])
def test_an_import_against_an_arrow_is_noticed(importer: str, text: str) -> None:
    assert len(list(wrong(imports(importer, text)))) == 1


@pytest.mark.parametrize(("importer", "text"), [
    ("heapster.model.spec", "from heapster.model.heap import Heap"),
    ("heapster.impl.block", "from .layout import WORD"),
    ("heapster.checkers.lockstep.decode", "from heapster import impl"),
    ("heapster.cli", "from heapster import __version__"),
    ("heapster.machine.symbolic", "import z3"),
])
def test_an_import_along_an_arrow_is_not(importer: str, text: str) -> None:
    assert list(wrong(imports(importer, text))) == []


def test_a_package_resolves_its_own_relative_imports() -> None:
    (found,) = imports("heapster.machine", "from .protocol import Call", is_package=True)
    assert found.imported == "heapster.machine.protocol"


DRAWING = {"races", "check", "mutate"}      # commands that draw programs of our own as property tests do
SLOW = sorted(OTHERS.keys() - {"click", "pytest"} | {"numpy"})


def loaded_by(code: str) -> set[str]:
    """The slow packages that are loaded in a fresh interpreter after `code`."""
    script = f"{code}\nimport sys\nprint(*({SLOW!r} & sys.modules.keys()))".replace(f"{SLOW!r}", f"set({SLOW!r})")
    return set(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
               .stdout.splitlines()[-1].split())


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS), ["trace", "generate"]], ids=" ".join)
def test_help_loads_nothing_slow_and_no_checker(words: list[str]) -> None:
    assert loaded_by(f"from heapster.cli import main\nmain({[*words, '--help']})") == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_takes_what_its_line_gives(name: str) -> None:
    for path, declared in leaves(import_module(f"heapster.commands.usage.{name}").command):
        done_by = getattr(import_module(f"heapster.commands.{name}"), path)
        signature(done_by).bind(**{parameter.name or "": None for parameter in declared.params})


def leaves(command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """The command, or those that it groups, each with the name of the function that does it."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield getattr(below.callback, "__name__", ""), below
    else:
        yield "command", command


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - DRAWING))
def test_what_judges_strangers_loads_no_hypothesis(name: str) -> None:
    """Loading it took more processor time than all else before the first line of `fuzz mm.c`."""
    assert loaded_by(f"import heapster.commands.{name}") <= {"junitparser", "rich", "numpy"}


def test_importing_heapster_loads_nothing_slow() -> None:
    assert loaded_by("import heapster, heapster.model.spec, heapster.impl.api") == set()


def test_loading_something_slow_is_noticed() -> None:
    assert loaded_by("import heapster.checkers.fuzz.campaign") >= {"hypothesis"}
