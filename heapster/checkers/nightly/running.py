"""A campaign under way: a piece after the other, each a command of its own, and what it came to written at once."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from heapster import children
from heapster.checkers.jobs.travel import SOURCES, digest_of, version
from heapster.checkers.nightly.ledger import BACK, CAME, GONE, PROVED, CampaignFolder, FindingEvent, PieceEntry, now
from heapster.checkers.nightly.roster import Roster, Task
from heapster.checkers.nightly.turns import covers, next_task
from heapster.files import read_json
from heapster.wording import legible

GRACE = 20.0                    # seconds that a piece has to write its results, when it is asked to stop
LATE, LONGEST = 12.0, 600.0     # times its seconds, and seconds more, after which a piece is given up
AT_ONCE = 6                     # functions whose theorems a piece of prove tries
SAID = 200                      # characters of an error's message
NO_CORPUS = ("sim", "process", "native", "libc")


def run_campaign(roster: Roster, ledger: CampaignFolder, progress: Callable[[float, PieceEntry], None]) -> bool:
    """Run pieces until the time is up or nothing is left to do; whether it was interrupted.

    What a piece comes to is in the ledger before the next begins. Raises OSError if it cannot be written.
    """
    revision = _revision(roster.folder.parent)
    sources = {task.key: _source(task, roster.folder.parent) for task in roster.tasks}
    for key, source in sources.items():
        ledger.outdate(key, source)
    begun = monotonic()
    try:
        while (spent := monotonic() - begun) < roster.seconds:
            task = next_task(roster, ledger.entries, sources)
            if task is None:
                break
            seconds = min(roster.piece, roster.seconds - spent)
            interrupted = _piece(roster, ledger, task, max(seconds, 1.0), revision, sources.get(task.key, ""))
            progress((monotonic() - begun) / roster.seconds, ledger.entries[-1])
            if interrupted:
                return True
    except KeyboardInterrupt:
        return True
    return False


def _piece(roster: Roster, ledger: CampaignFolder, task: Task, seconds: float, revision: str, source: str) -> bool:
    """Run a piece and write what came of it; whether that was interrupted, which the piece was told."""
    seed = roster.seed + len(ledger.entries)
    begun = monotonic()
    with TemporaryDirectory(prefix="heapster-campaign-") as folder:
        written = Path(folder) / "run.json"
        command = _command(roster, ledger, task, seconds, seed, written)
        interrupted, said = _run(command, seconds, roster.folder.parent)
        run = _json(written)
    entry, events, covered = _entered(ledger, task, seed, monotonic() - begun, run, said, revision)
    ledger.add(replace(entry, of=source), events, covered)
    return interrupted


def _command(roster: Roster, ledger: CampaignFolder, task: Task, seconds: float, seed: int, written: Path) -> list[str]:
    words = [sys.executable, "-m", "heapster", task.command, *filter(None, (task.target,))]
    if task.command == "prove":
        words += _open_theorems(ledger, task)
    else:
        words += ["--seconds", f"{seconds:.3f}"]
        words += ["--seed", str(seed)] if task.command != "exhaust" else []     # which leaves nothing to chance
    if task.command in ("fuzz", "exhaust", "prove"):
        words += ["--store", str(ledger.findings.resolve())]
    if _is_guided(task):
        corpus = ledger.folder / "corpus" / _plain(task.target)
        corpus.mkdir(parents=True, exist_ok=True)
        words += ["--corpus", str(corpus.resolve())]
    jobs = ["--jobs", str(roster.jobs)] if roster.jobs else []
    return [*words, *jobs, *task.options, "--json", str(written)]


def _is_guided(task: Task) -> bool:
    """Whether its pieces build on a corpus: that of C sources, whose edges can be told."""
    return task.command == "fuzz" and task.target.endswith(".c") and "--corpus" not in task.options


def _plain(text: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in text).strip("-") or "target"


def _open_theorems(ledger: CampaignFolder, task: Task) -> list[str]:
    """The next functions whose theorems are not proved yet, unless the options name some."""
    if any(not word.startswith("-") for word in task.options):
        return []
    from heapster.checkers.proofs.catalogue import PROOFS  # noqa: PLC0415  loads every proof
    tried = ledger.covered.get(task.key, set())
    left = [proof.of for proof in PROOFS
            if any(f"{PROVED}{theorem.name}" not in tried for theorem in proof.theorems())]
    passed = sum(entry.task == task.key for entry in ledger.entries)
    left = list(dict.fromkeys(left))
    turn = passed * AT_ONCE % max(1, len(left))
    return (left[turn:] + left[:turn])[:AT_ONCE]


def _run(command: list[str], seconds: float, folder: Path) -> tuple[bool, str]:
    """Run it to its end; whether it was interrupted, and the last that it said on stderr."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    with children.started(command, cwd=folder, env=environment, stdin=children.DEVNULL, stdout=children.DEVNULL,
                          stderr=children.PIPE, text=True, errors="replace") as child:
        try:
            return False, _last(child.communicate(timeout=seconds * LATE + LONGEST)[1])
        except children.TimeoutExpired:
            return False, f"it was still running after {seconds * LATE + LONGEST:.0f} s"
        except KeyboardInterrupt:
            child.terminate()
            try:
                return True, _last(child.communicate(timeout=GRACE)[1])
            except children.TimeoutExpired:
                return True, "interrupted"


def _last(said: str) -> str:
    lines = [line for line in legible(said).splitlines() if line.startswith("heapster: ")]
    return lines[-1].removeprefix("heapster: ")[:SAID] if lines else ""


def _json(path: Path) -> dict[str, Any] | None:
    try:
        value = read_json(path)
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and "unfinished" not in value else None


def _entered(ledger: CampaignFolder, task: Task, seed: int, seconds: float, run: dict[str, Any] | None, said: str,
             revision: str) -> tuple[PieceEntry, list[FindingEvent], set[str]]:
    """What to write of a piece."""
    at, seen = now(), ledger.covered.get(task.key, set())
    if run is None:
        why = said or "it ended without results"
        return PieceEntry(task.key, seed, at, round(seconds, 3), "unusable", said=why, covered=len(seen)), [], set()
    covered = covers(run)
    events = list(_events(ledger, task, run, at, revision))
    proved = sum(name.startswith(PROVED) for name in seen | covered)
    entry = PieceEntry(
        task.key, seed, at, round(seconds, 3), str(run["verdict"]), int(run["ops"]),
        tuple(str(finding["id"]) for finding in run["findings"]),
        sum(event.what == CAME for event in events), len(seen | covered), len(covered - seen), proved,
        _theorems(task) - proved if task.command == "prove" else None,
        exhausted=str(run.get("covered", "")), complete=bool(run.get("complete")))
    return entry, events, covered


def _events(ledger: CampaignFolder, task: Task, run: dict[str, Any], at: str, revision: str) -> list[FindingEvent]:
    """Which findings came, came back, or are gone."""
    standing = ledger.standing()
    events = []
    for finding in run["findings"]:
        if finding["id"] not in standing:
            what = BACK if ledger.known(finding["id"]) else CAME
            events.append(FindingEvent(finding["id"], what, at, task.key, finding["code"], finding["title"], revision))
    for identity in run.get("fixed", ()):
        if identity in standing:
            was = standing[identity]
            events.append(FindingEvent(identity, GONE, at, task.key, was.code, was.title, revision))
    return events


def _theorems(task: Task) -> int:
    """How many theorems there are for it to prove: those that its options name, or all."""
    from heapster.checkers.proofs.catalogue import selected, theorems  # noqa: PLC0415  loads every proof
    names = tuple(word for word in task.options if not word.startswith("-"))
    return len(theorems(tuple(selected(names, thorough="--thorough" in task.options))))


def _source(task: Task, folder: Path) -> str:
    """A digest of what a task looks at: this Heapster, and the sources beside the files that its target names."""
    named = [folder / word for word in task.target.split() if (folder / word).is_file()]
    beside = {path for one in named for path in one.parent.iterdir() if path.suffix in SOURCES and path.is_file()}
    return digest_of({"": version().encode(), **{str(path): path.read_bytes() for path in {*beside, *named}}})[:16]


def _revision(folder: Path) -> str:
    """The commit that is checked out there; empty if there is no git."""
    try:
        done = children.run(["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True)
    except OSError:
        return ""
    return str(done.stdout).strip() if done.returncode == 0 else ""
