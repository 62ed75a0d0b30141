"""`score`: traces on allocators, as a malloc lab's driver does it, with checks that it has not.

A trace is worth 100 points: 60 for utilization, which is peak live payload over the peak of the heap, and 40
for speed, in proportion to libc's on the same trace and never more. One wrong answer is worth 0 points.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from hashlib import sha256
from shlex import quote
from time import monotonic
from typing import Any, NamedTuple

from heapster.checkers.diff.comparing import load
from heapster.checkers.jobs.forked import Tell
from heapster.checkers.jobs.local import ALONE
from heapster.checkers.jobs.pool import Pool
from heapster.checkers.score.contestants import contestant
from heapster.checkers.score.driver import Contestant, Course, Score
from heapster.checkers.targets.target import LIBC, Target
from heapster.results import Finding, Run, Verdict

SPACE, SPEED = 60, 40           # points
FORMULA = (f"points = {SPACE} * utilization + {SPEED} * min(1, ops per second / libc's); 0 if anything is wrong; "
           "the total is the mean over the traces")
MEASURES = ("native is scored as our library ships it, with what its threads cache and the freed mappings that it "
            "keeps; native:POLICY:cache=0 is a policy without caches, whose heap is that of diff")
CODE = "wrong_on_a_trace"
Progress = Callable[[str, float], None]


class ScoreRow(NamedTuple):
    """A target on a trace."""

    valid: bool | None          # None: it was too slow for anybody to know
    problem: str
    utilization: float
    ops: int
    seconds: float
    kops: float
    points: float
    heap: int
    reserves: bool
    skipped: int
    lacks: tuple[str, ...]      # what the trace calls and the target has not
    target: str                 # as the grammar spells it


Scored = tuple[str, tuple[str, ...], list[tuple[str, ScoreRow, Score]]]      # a trace, warnings, what each target did


def score(names: Iterable[str], targets: tuple[Target, ...], prefix: str | None = None,
          progress: Progress = lambda *_: None, pool: Pool = ALONE) -> Run:
    """Every trace on every target."""
    began, ops = monotonic(), 0
    _contestants.cache_clear()
    _contestants(targets, prefix)               # before children are forked, who have them then
    table: dict[str, dict[str, Any]] = {}
    findings: list[Finding] = []
    warnings: list[str] = []
    slow = interrupted = False

    try:
        for name, warned, rows in pool.telling(names, partial(_scored, targets, prefix), lambda told: progress(*told)):
            warnings += warned
            for key, row, found in rows:
                table.setdefault(name, {})[key] = row._asdict()
                ops += row.ops
                slow = slow or found.slow
                if found.problem and not found.slow:
                    findings.append(_finding(name, row, found.at, prefix))
    except KeyboardInterrupt:
        interrupted = True
    verdict = Verdict.FAILED if findings else Verdict.INCONCLUSIVE if slow else Verdict.PASSED
    return Run("score", "+".join(map(str, targets)), 0, verdict, monotonic() - began, ops, tuple(findings),
               {"overlap, neighbours, contents, alignment, zeroes": ops},
               extra={"interrupted": interrupted, "table": table, "totals": _totals(table), "formula": FORMULA,
                      "warnings": warnings, "measures": MEASURES,
                      "not_checked": ["errno, usable_size and misuse (fuzz does)", "threads: one makes all calls",
                                      *_lacking(table)]})


@lru_cache(1)
def _contestants(targets: tuple[Target, ...], prefix: str | None) -> tuple[list[Contestant], Contestant]:
    """The targets, wherever a trace is run that needs them; and libc."""
    return [contestant(target, prefix) for target in targets], contestant(LIBC)


def _scored(targets: tuple[Target, ...], prefix: str | None, name: str, tell: Tell) -> Scored:
    """A trace on all targets."""
    trace = load(name)
    with Course(trace) as course:
        rows = _rows(course, *_contestants(targets, prefix), name, lambda what, fraction: tell((what, fraction)))
        return name, tuple(trace.warnings), [(one.key, row, found) for one, row, found in rows]


def _lacking(table: dict[str, dict[str, Any]]) -> Iterator[str]:
    """What could not be checked of a target, as it lacks the functions."""
    lacked: dict[str, set[str]] = {}
    for rows in table.values():
        for row in rows.values():
            lacked.setdefault(row["target"], set()).update(row["lacks"])
    return (f"{', '.join(sorted(verbs))} of {target}: it has none" for target, verbs in lacked.items() if verbs)


def _rows(course: Course, contestants: list[Contestant], libc: Contestant, trace: str,
          progress: Progress) -> Iterator[tuple[Contestant, ScoreRow, Score]]:
    """The targets in their order; libc runs first, as it is the measure of speed."""
    progress(f"{trace} libc", 0.0)
    measure = course.run(libc)
    for number, one in enumerate(contestants):
        progress(f"{trace} {one.name}", number / len(contestants))
        found = measure if one.named == LIBC else course.run(one)
        yield one, _row(one, found, course.calls, measure, course.lacking(one)), found


def _row(one: Contestant, found: Score, calls: int, measure: Score, lacks: tuple[str, ...]) -> ScoreRow:
    ops = calls - found.skipped
    if found.problem:
        valid = None if found.slow else False
        return ScoreRow(valid, found.problem, 0.0, min(ops, found.at), 0.0, 0.0, 0.0, 0, False, found.skipped, lacks,
                        one.name)
    utilization = min(1.0, found.peak_live / found.heap) if found.heap else 0.0
    rate = ops / found.seconds if found.seconds else 0.0
    usual = (calls - measure.skipped) / measure.seconds if measure.seconds else rate
    points = SPACE * utilization + SPEED * (min(1.0, rate / usual) if usual else 0.0)
    return ScoreRow(True, "", round(utilization, 6), ops, round(found.seconds, 6), round(rate / 1000, 1),
                    round(points, 2), found.heap, found.reserves, found.skipped, lacks, one.name)


def _totals(table: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of each target over all traces."""
    totals: dict[str, dict[str, Any]] = {}
    for target in next(iter(table.values()), {}):
        rows = [rows[target] for rows in table.values() if target in rows]
        seconds, ops = sum(row["seconds"] for row in rows), sum(row["ops"] for row in rows)
        totals[target] = {
            "valid": min((row["valid"] for row in rows), key=(False, None, True).index), "ops": ops,
            "seconds": round(seconds, 6),
            "utilization": round(sum(row["utilization"] for row in rows) / len(rows), 6),
            "kops": round(ops / seconds / 1000, 1) if seconds else 0.0,
            "points": round(sum(row["points"] for row in rows) / len(rows), 2),
            "target": rows[0]["target"]}
    return totals


def _finding(trace: str, row: ScoreRow, at: int, prefix: str | None) -> Finding:
    target = row.target
    option = f" --prefix {quote(prefix)}" if prefix else ""
    again = f"heapster score {quote(trace)} --targets {quote(target)}{option}"
    identity = sha256(f"{target}\n{trace}\n{row.problem}".encode()).hexdigest()[:8]
    steps = (f"{trace}, up to its step {at + 1}",)
    return Finding(identity, CODE, f"{target} on {trace}: {row.problem}", steps, again)
