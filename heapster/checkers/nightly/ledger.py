"""A campaign's folder: a line for each piece that has run, and for each finding that came or went.

    nightly.campaign/campaign.json      the version of this folder
    nightly.campaign/pieces.jsonl       pieces, as they end
    nightly.campaign/history.jsonl      findings: when they came, when they were gone
    nightly.campaign/findings/          the findings themselves
    nightly.campaign/corpus/            traces that guide the pieces of fuzz
    nightly.campaign/index.html         the page

A line is written at once and is on the disk before the next piece begins: whoever is killed loses the piece at hand. A
line that was cut short is passed over.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from heapster.files import read_json, write_whole
from heapster.results import UsageError

VERSION = 1
PROVED = "proved "              # before the name of a theorem, among what a task has covered
CAME, GONE, BACK = "came", "gone", "back"


@dataclass(frozen=True)
class PieceEntry:
    """A piece that has run."""

    task: str                       # its key
    seed: int
    at: str                         # when it ended, of ISO 8601, in UTC
    seconds: float                  # that it took
    verdict: str                    # "passed", "failed" or "inconclusive"; "unusable" if it had no results
    ops: int = 0
    findings: tuple[str, ...] = ()  # their ids
    new: int = 0                    # of these, not seen before
    covered: int = 0                # of what a task of its kind covers, after it: see `turns.covers`
    gained: int = 0                 # of that, new
    proved: int = 0                 # theorems, after it
    open_: int | None = None        # theorems that are not, of its source; None: it proves none
    said: str = ""                  # why it had no results
    exhausted: str = ""             # the programs of which all were run, in words
    complete: bool = False          # all of its scope is exhausted,
    of: str = ""                    # of this source: a digest


@dataclass(frozen=True)
class FindingEvent:
    """A finding that came, was gone, or came back."""

    id: str
    what: str
    at: str
    task: str
    code: str = ""
    title: str = ""
    revision: str = ""              # of git, where the campaign's file lies


@dataclass
class CampaignFolder:
    """The folder, for whoever holds its lock."""

    folder: Path
    entries: list[PieceEntry] = field(default_factory=list)
    events: list[FindingEvent] = field(default_factory=list)
    covered: dict[str, set[str]] = field(default_factory=dict)     # by task: names of what it has covered

    @property
    def findings(self) -> Path:
        """The store of findings."""
        return self.folder / "findings"

    def standing(self) -> dict[str, FindingEvent]:
        """The findings that have come and are not gone, by id, as they came last."""
        there: dict[str, FindingEvent] = {}
        for event in self.events:
            if event.what == GONE:
                there.pop(event.id, None)
            else:
                there[event.id] = event
        return there

    def known(self, identity: str) -> bool:
        """Whether a finding has come before, gone or not."""
        return any(event.id == identity for event in self.events)

    def proved(self, task: str) -> int:
        """How many theorems the task has proved, of its source as it is."""
        return sum(name.startswith(PROVED) for name in self.covered.get(task, ()))

    def outdate(self, task: str, source: str) -> None:
        """Theorems that the task proved on another source than this are open again."""
        last = next((entry for entry in reversed(self.entries) if entry.task == task), None)
        if last is not None and last.of != source:
            self.covered[task] = {name for name in self.covered.get(task, ()) if not name.startswith(PROVED)}

    def add(self, entry: PieceEntry, events: list[FindingEvent], covered: set[str]) -> None:
        """Write what a piece came to. Raises OSError, and nothing is counted then."""
        _append(self.folder / "history.jsonl", [asdict(event) for event in events])
        _append(self.folder / "pieces.jsonl", [{**asdict(entry), "covers": sorted(covered)}])
        self.events += events
        self.entries.append(entry)
        self.covered.setdefault(entry.task, set()).update(covered)


@contextmanager
def opened(folder: Path) -> Iterator[CampaignFolder]:
    """The campaign's folder, made if it is new. UsageError if it is of another version or in use by another run."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot hold a campaign: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"{folder} is in use by another run of the campaign: wait for its end") from None
        _check_version(folder)
        yield _read(folder)


def _check_version(folder: Path) -> None:
    about = folder / "campaign.json"
    if not about.exists():
        write_whole(about, json.dumps({"version": VERSION}) + "\n")
        return
    try:
        version = read_json(about)["version"]
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{about} is no file of a campaign: name another folder") from None
    if version != VERSION:
        raise UsageError(f"{folder} is of version {version} of campaigns, and this is {VERSION}: name another folder, "
                         "or go on with the Heapster that made it")


def _read(folder: Path) -> CampaignFolder:
    ledger = CampaignFolder(folder)
    for row in _rows(folder / "pieces.jsonl"):
        with suppress(TypeError):
            entry = PieceEntry(**{**_known(row, PieceEntry), "findings": tuple(row["findings"])})
            ledger.outdate(entry.task, entry.of)
            ledger.entries.append(entry)
            ledger.covered.setdefault(entry.task, set()).update(row.get("covers", ()))
    for row in _rows(folder / "history.jsonl"):
        with suppress(TypeError):
            ledger.events.append(FindingEvent(**_known(row, FindingEvent)))
    return ledger


def _known(row: dict[str, Any], kind: type[PieceEntry] | type[FindingEvent]) -> dict[str, Any]:
    return {each.name: row[each.name] for each in fields(kind) if each.name in row}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The lines that are whole."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict):
                yield row


def _append(path: Path, rows: list[dict[str, Any]]) -> None:
    """Add lines, after a line that was cut short on a line of their own; they are on the disk afterwards."""
    if not rows:
        return
    with path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        whole = True
        if size:
            file.seek(size - 1)
            whole = file.read(1) == b"\n"
        text = "".join(json.dumps(row) + "\n" for row in rows)
        file.write((text if whole else "\n" + text).encode())
        file.flush()
        os.fsync(file.fileno())


def now() -> str:
    """The time, as entries have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
