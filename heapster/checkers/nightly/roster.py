"""What a campaign's file says: which checkers look at which targets, for how long in all, in pieces of what size."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heapster.files import Unreadable, read_toml
from heapster.results import UsageError
from heapster.suggest import instead_of

IN_TURN = ("fuzz", "exhaust", "races", "stress", "prove")          # commands that a campaign runs
SECONDS, PIECE = 3600.0, 20.0
OWN = ("--json", "--seconds", "--seed", "--store", "--jobs")        # options that the campaign itself gives
INSTEAD = ("--schedules", "--examples")         # of --seconds
TOP = {"name": str, "folder": str, "seconds": (int, float), "piece": (int, float), "seed": int, "jobs": int,
       "task": list}
OF_TASK = {"command": str, "target": str, "options": str}
NAME = re.compile(r"[\w.-]{1,60}", re.ASCII)


@dataclass(frozen=True)
class Task:
    """A checker that looks at a target."""

    command: str
    target: str                     # as the command line has it; "" for what the command takes by itself
    options: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What it is called: nothing else in the campaign is."""
        return shlex.join((self.command, *filter(None, (self.target,)), *self.options))


@dataclass(frozen=True)
class Roster:
    """All of it."""

    name: str
    folder: Path
    tasks: tuple[Task, ...]
    seconds: float = SECONDS        # of a run of the campaign, as clocks on walls have it
    piece: float = PIECE            # and of each of its pieces
    seed: int = 0                   # of the first piece; the next has the next
    jobs: int | None = None


def read_roster(path: Path) -> Roster:
    """What the file says; UsageError, with the key, for what it cannot."""
    try:
        table = read_toml(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except Unreadable as error:
        raise UsageError(f"{path} {error}") from None
    _check(table, TOP, str(path))
    tasks = tuple(_task(row, f"{path}, task {number}") for number, row in enumerate(table.get("task", ()), 1))
    if not tasks:
        raise UsageError(f"{path} has no [[task]]: write one with command = \"fuzz\" and target = \"sim\"")
    if twice := [task.key for task in tasks if tasks.count(task) > 1]:
        raise UsageError(f"{path} has the task '{twice[0]}' twice")
    name = table.get("name", path.stem)
    if not NAME.fullmatch(name):
        raise UsageError(f"{path}: name = {name!r} is no name: use letters, digits, dots and dashes")
    given = {key: table[key] for key in ("seconds", "piece", "seed", "jobs") if key in table}
    if wrong := [key for key, value in given.items() if value < 0 or key != "seed" and value == 0]:
        raise UsageError(f"{path}: {wrong[0]} = {given[wrong[0]]} must be positive")
    return Roster(name, path.parent / table.get("folder", f"{name}.campaign"), tasks, **given)


def _task(row: Any, where: str) -> Task:
    if not isinstance(row, dict):
        raise UsageError(f"{where} is no table")
    _check(row, OF_TASK, where)
    command = row.get("command", "")
    if command not in IN_TURN:
        raise UsageError(f"{where}: command = {command!r}: {instead_of(command, IN_TURN)}")
    try:
        options = tuple(shlex.split(row.get("options", "")))
    except ValueError as error:
        raise UsageError(f"{where}: options: {error}") from None
    if own := next((word for word in options if word.partition("=")[0] in OWN), None):
        raise UsageError(f"{where}: options: leave out {own}: the campaign gives it")
    if other := next((word for word in options if word.partition("=")[0] in INSTEAD), None):
        raise UsageError(f"{where}: options: leave out {other}: the campaign says how many seconds a piece has")
    return Task(command, row.get("target", ""), options)


def _check(table: dict[str, Any], known: dict[str, Any], where: str) -> None:
    for key, value in table.items():
        if key not in known:
            raise UsageError(f"{where}: unknown key '{key}': {instead_of(key, known)}")
        if not isinstance(value, known[key]) or isinstance(value, bool):
            raise UsageError(f"{where}: {key} = {value!r} is of the wrong kind")
