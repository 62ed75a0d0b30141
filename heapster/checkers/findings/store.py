"""Findings, kept between runs: a folder for each, written as soon as it is found.

    .heapster/3f2a90c1/finding.json     all of it
    .heapster/3f2a90c1/min.trace        its steps, for `heapster replay` and for people
    .heapster/3f2a90c1/state.json       since when it is kept, and whether it still failed when it was last run
"""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from heapster.checkers.targets.grammar import recalled
from heapster.checkers.targets.target import Target
from heapster.files import read_json, write_whole
from heapster.results import Finding, Place, UsageError

FOLDER = ".heapster"
FINDING, TRACE, STATE = "finding.json", "min.trace", "state.json"
IDENTITY = re.compile(r"[0-9a-f]{4,64}")
LEAST_PREFIX = 4                # characters of an id that `find` accepts


class State(NamedTuple):
    """The history of a finding."""

    since: str                  # when it was found first; these are of ISO 8601, in UTC
    seen: str                   # when it was last run
    mended: bool                # it did not fail then


class Kept(NamedTuple):
    """A finding in the store."""

    finding: Finding
    target: Target
    folder: Path

    def state(self) -> State:
        """Its state; of one that an older version kept, when its file was written."""
        try:
            value = read_json(self.folder / STATE)
            return State(str(value["since"]), str(value["seen"]), value["mended"] is True)
        except (OSError, ValueError, KeyError, TypeError):
            written = _at(datetime.fromtimestamp((self.folder / FINDING).stat().st_mtime, UTC))
            return State(written, written, mended=False)


class Store:
    """The findings in a folder. A disk that is full or read-only is told once; the run goes on."""

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self.folder, self._warn = folder, warn
        self._warned = False

    def keep(self, finding: Finding, target: Target) -> None:
        """Keep a finding, in place of an older state of it."""
        folder = self.folder / _checked(finding.id)
        text = json.dumps({"target": str(target), **asdict(finding)}, indent=2) + "\n"
        try:
            self._create()
            folder.mkdir(exist_ok=True)
            write_whole(folder / TRACE, "".join(f"{step}\n" for step in finding.trace))
            known = Kept(finding, target, folder).state().since if (folder / FINDING).exists() else ""
            write_whole(folder / FINDING, text)
            _note(folder, known, mended=False)
        except OSError as error:
            self._warn_once(f"findings cannot be kept in {self.folder}: {error.strerror or error}")

    def _create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            write_whole(ignore, "*\n")

    def drop(self, identity: str) -> None:
        """Forget a finding."""
        try:
            shutil.rmtree(self.folder / _checked(identity))
        except FileNotFoundError:
            pass
        except OSError as error:
            self._warn_once(f"{identity} cannot be removed from {self.folder}: {error.strerror or error}")

    def mend(self, identity: str) -> bool:
        """Note that a finding was run again and does not fail; whether it did before."""
        kept = next(kept for kept in self.all() if kept.finding.id == identity)
        state = kept.state()
        try:
            _note(kept.folder, state.since, mended=True)
        except OSError as error:
            self._warn_once(f"{identity} cannot be noted as mended: {error.strerror or error}")
        return not state.mended

    def stored(self, target: Target) -> tuple[Finding, ...]:
        """The findings kept for a target that are traces, oldest first."""
        return tuple(kept.finding for kept in self.all() if kept.target == target and not kept.finding.counterexample)

    def all(self) -> list[Kept]:
        """All findings that can be read, oldest first."""
        aged = []
        for path in self._files():
            try:
                aged.append((path.stat().st_mtime_ns, path.parent.name, _load(path)))
            except (OSError, ValueError) as error:
                self._warn_once(f"passed over {path}: {error}")
        return [kept for _, _, kept in sorted(aged)]

    def _files(self) -> list[Path]:
        try:
            return [path for path in self.folder.glob(f"*/{FINDING}") if IDENTITY.fullmatch(path.parent.name)]
        except OSError as error:
            self._warn_once(f"{self.folder} cannot be read: {error.strerror or error}")
            return []

    def find(self, prefix: str) -> Kept | None:
        """The finding whose id starts with `prefix`, or None; UsageError if several do."""
        if not IDENTITY.fullmatch(prefix):
            return None
        matching = [kept for kept in self.all() if kept.finding.id.startswith(prefix)]
        if len(matching) > 1:
            names = ", ".join(kept.finding.id for kept in matching)
            raise UsageError(f"{prefix} may be any of {names}: give more of the id")
        return matching[0] if matching else None

    def _warn_once(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            self._warn(message)


def _note(folder: Path, since: str, *, mended: bool) -> None:
    """Write when a finding was last run, and since when it is known; "": since now."""
    now = _at(datetime.now(UTC))
    write_whole(folder / STATE, json.dumps({"since": since or now, "seen": now, "mended": mended}) + "\n")


def _at(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _checked(identity: str) -> str:
    if not IDENTITY.fullmatch(identity):
        raise ValueError(f"{identity!r} is no finding's id")
    return identity


def _load(path: Path) -> Kept:
    """The finding in a file; ValueError if it is none."""
    value = read_json(path)
    if not isinstance(value, dict) or not isinstance(value.get("target"), str):
        raise ValueError("it is no finding")
    known = {field.name: value[field.name] for field in fields(Finding) if field.name in value}
    for name in ("trace", "details"):
        known[name] = _texts(known.get(name, ()))
    try:
        known["place"] = place_of(known.get("place"))
        finding = Finding(**known)
    except TypeError:
        raise ValueError("it is no finding") from None
    if finding.id != path.parent.name:
        raise ValueError("its id is not its folder's name")
    return Kept(finding, recalled(value["target"]), path.parent)


def place_of(value: Any) -> Place | None:
    """TypeError if it is none."""
    if value is None:
        return None
    told: dict[str, Any] = {field.name: value[field.name] for field in fields(Place) if field.name in value}
    for name in ("backtrace", "excerpt", "also", "heap"):
        told[name] = _texts(told.get(name, ()))
    return Place(**told)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        raise ValueError("its steps are no texts")
    return tuple(value)
