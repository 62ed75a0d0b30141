"""Whose turn it is: time goes to what still finds something, and nobody starves."""

from collections.abc import Mapping, Sequence
from typing import Any

from heapster.checkers.nightly.ledger import PROVED, PieceEntry
from heapster.checkers.nightly.roster import Roster, Task
from heapster.wording import counted

RECENT = 6                      # pieces of a task that tell what it still finds
LEAST = 1.0                     # weight of a task that finds nothing
FINDING, GAIN, OPEN = 6.0, 3.0, 2.0     # more weight for a piece with a new finding, new coverage, theorems open


def next_task(roster: Roster, entries: Sequence[PieceEntry], sources: Mapping[str, str]) -> Task | None:
    """The task that had least time for its weight; None if none is left to run. `sources` has digests, by task.

    A task is over once its theorems are proved, or its programs are exhausted, of the source as it is, or once its last
    two pieces had no results.
    """
    left = [task for task in roster.tasks if not is_over(task, entries, sources.get(task.key, ""))]
    return min(left, key=lambda task: (_spent(task, entries) / weight(task, entries)), default=None)


def weight(task: Task, entries: Sequence[PieceEntry]) -> float:
    """What share a task is due, by what its recent pieces found; the last counts most."""
    own = [entry for entry in entries if entry.task == task.key][-RECENT:]
    worth = 0.0
    for age, entry in enumerate(reversed(own)):
        gain = FINDING * bool(entry.new) + GAIN * bool(entry.gained) + OPEN * bool(entry.open_)
        worth = max(worth, gain / (1 + age))
    return LEAST + worth


def is_over(task: Task, entries: Sequence[PieceEntry], source: str = "") -> bool:
    """Whether there is nothing left for it to do with its source, of which that is the digest."""
    own = [entry for entry in entries if entry.task == task.key]
    unusable = len(own) >= 2 and all(entry.verdict == "unusable" for entry in own[-2:])
    return unusable or bool(own) and own[-1].of == source and (own[-1].open_ == 0 or own[-1].complete)


def _spent(task: Task, entries: Sequence[PieceEntry]) -> float:
    return sum(entry.seconds for entry in entries if entry.task == task.key)


def covers(run: dict[str, Any]) -> set[str]:
    """Names of what a run has covered, by its JSON: witnesses, programs, functions, edges, theorems that are proved."""
    if run.get("command") == "exhaust":
        return {f"all programs of {counted(length['calls'], 'call')} over {counted(len(each['sizes']), 'size')}"
                for each in (run, *run["of_fewer_sizes"]) for length in each["lengths"]}
    names = {f"witness {name}" for name, times in run.get("witnesses", {}).items() if times}
    names |= {f"check {name}" for name, times in run.get("checks", {}).items() if times}
    names |= {f"program {each.get('program')} {each.get('bound')}" for each in run.get("programs") or ()
              if isinstance(each, dict)}
    names |= {f"{PROVED}{each['name']}" for each in run.get("theorems", ()) if each.get("verdict") == "PROVED"}
    names |= {f"edge {number}" for number in range(run.get("corpus", {}).get("edges", 0))}
    return names
