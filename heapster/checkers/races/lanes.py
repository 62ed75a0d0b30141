"""A failing run in lanes: one column a thread, and of its accesses those that matter."""

import re
from collections.abc import Callable, Sequence

from heapster.checkers.races.recording import AccessRow
from heapster.checkers.races.session import ScheduleProblem
from heapster.machine.orders import ATOMICS

MOST_ROWS = 14
MOST_TURNS = 3
HEADING = re.compile(r"thread 0(\s+thread \d+)*")
COLUMN = 46
KINDS = {"load": "reads", "store": "writes", "cas": "compares and swaps", "exchange": "exchanges"}
VERBS = {**KINDS, **{operation: KINDS[atomic.kind] for operation, atomic in ATOMICS.items()},
         "load_atomic": "reads", "store_atomic": "writes", "update": "updates", "fence": "orders",
         "lock": "locks", "try_lock": "tries", "unlock": "unlocks",
         "read_lock": "locks to read", "cond_wait": "waits for a signal of", "signal": "signals",
         "once": "does once", "join": "joins", "create": "starts a thread,", "yield": "lets others on,",
         "barrier": "waits at", "wait": "waits for", "fork": "forks,",
         "copy": "copies to", "fill": "fills", "sbrk": "moves", "mmap": "adds to", "munmap": "takes from",
         "remap": "moves in", "purge": "empties", "protect": "closes", "unprotect": "opens"}

LOCKING = frozenset({"lock", "try_lock", "read_lock", "unlock"})


def lanes(rows: Sequence[AccessRow], problem: ScheduleProblem, threads: int, name: Callable[[int], str]) -> list[str]:
    """The lines, with a heading; `name` says what lies at an address."""
    chosen = sorted(_chosen(rows, problem))
    lines = ["".join(f"thread {t}".ljust(COLUMN) for t in range(threads)).rstrip()]
    last = None
    for i in chosen:
        if last is not None and i > last + 1 and rows[i].thread == rows[last].thread:
            lines.append(_cell(rows[i].thread, "..."))
        lines.append(_cell(rows[i].thread, _text(rows[i], name)))
        last = i
    return [line for line in lines if line.strip() != "..."] if len(lines) > MOST_ROWS + 4 else lines


def is_heading(line: str) -> bool:
    """Whether the lanes start there."""
    return HEADING.fullmatch(line) is not None


def turning_points(rows: Sequence[AccessRow], name: Callable[[int], str]) -> list[str]:
    """What the schedule comes down to: the old writes that were met, and where threads stop and others go on."""
    old = [f"thread {rows[i].thread}: {_access(rows[i], name)}" for i in _old(rows)]
    stops = []
    for i in range(1, len(rows)):
        stopped, goes_on = rows[i - 1].thread, rows[i].thread
        next_ = next((row for row in rows[i:] if row.thread == stopped), None)
        if stopped != goes_on and next_ is not None:
            stops.append(f"thread {stopped} stops, and thread {goes_on} goes on, before {_access(next_, name)}")
    return [*old[:MOST_TURNS], *stops[:MOST_TURNS]]


def _cell(thread: int, text: str) -> str:
    return " " * (COLUMN * thread) + text


def _text(row: AccessRow, name: Callable[[int], str]) -> str:
    return f"{_access(row, name)}{'  <-- here' if row.failed else ''}"


def _access(row: AccessRow, name: Callable[[int], str]) -> str:
    where = row.stack[0].split()[0] if row.stack else "caller"
    return f"{where} {VERBS.get(row.kind, row.kind)} {name(row.target)}{_order(row)}"


def _order(row: AccessRow) -> str:
    """The order of an atomic access, and whether it met an old write."""
    order = row.kind.rpartition("_")[2] if row.kind in ATOMICS else row.order
    return f", {order}{', and meets an old write' if row.old else ''}" if order else ""


def _chosen(rows: Sequence[AccessRow], problem: ScheduleProblem) -> set[int]:
    """Indices of the rows that matter, by rank: the clash, the old writes, the switches, the contended locks."""
    picked: set[int] = set()
    for group in (_clash(rows, problem), _old(rows), _switches(rows), _contended(rows)):
        for i in reversed(group):
            if len(picked) < MOST_ROWS:
                picked.add(i)
    return picked


def _clash(rows: Sequence[AccessRow], problem: ScheduleProblem) -> list[int]:
    """The failing access, and the last of the other thread to the same word."""
    if not rows:
        return []
    found = [i for i, row in enumerate(rows) if row.failed][:1] or [len(rows) - 1]
    other = [i for i, row in enumerate(rows) if row.target == problem.address and row.thread == problem.other]
    return other[-1:] + found


def _old(rows: Sequence[AccessRow]) -> list[int]:
    """The accesses that met an old write."""
    return [i for i, row in enumerate(rows) if row.old]


def _switches(rows: Sequence[AccessRow]) -> list[int]:
    """The accesses on either side of every switch."""
    ends = [i for i in range(1, len(rows)) if rows[i].thread != rows[i - 1].thread]
    return sorted({j for i in ends for j in (i - 1, i)})


def _contended(rows: Sequence[AccessRow]) -> list[int]:
    users: dict[int, set[int]] = {}
    for row in rows:
        if row.kind in LOCKING:
            users.setdefault(row.target, set()).add(row.thread)
    return [i for i, row in enumerate(rows) if len(users.get(row.target, ())) > 1 and row.kind in LOCKING]
