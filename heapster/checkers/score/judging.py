"""A trace on somebody else's allocator, for `diff`: what its heap did, or what is wrong with it, on a least trace."""

from dataclasses import replace
from hashlib import sha256
from shlex import quote
from typing import Any, NamedTuple

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import COMPILED_LIMIT
from heapster.checkers.blackbox.describe import describe, only_taken
from heapster.checkers.blackbox.judge import Judge, unpacked
from heapster.checkers.blackbox.options import ForeignOptions, remember
from heapster.checkers.blackbox.persist import Keeper
from heapster.checkers.blackbox.protocol import MOST_OPS, Mode
from heapster.checkers.blackbox.pursuit import Shown
from heapster.checkers.blackbox.shrink import fewer_records, least_trace
from heapster.checkers.blackbox.stepwise import run_trace, set_promises
from heapster.checkers.diff.records import records
from heapster.checkers.findings.store import Store
from heapster.checkers.score.driver import IS_CALL, Contestant, Course, Score
from heapster.checkers.traces.compact import Columns, Compact
from heapster.model.operation import Trace
from heapster.native.operations_header import OP
from heapster.results import Finding

CODE = "wrong_on_a_trace"
NO_MASK: frozenset[tuple[str, str]] = frozenset()
UNSEEN = ("internal", "external", "searched_mean", "searched_p99", "searched_max", "free_blocks_max", "splits",
          "coalesces", "system_calls", "pages_touched")      # figures that only our own heap shows


class Judged(NamedTuple):
    """How a trace went."""

    figures: dict[str, Any]
    series: dict[str, list[int]]
    finding: Finding | None
    ops: int
    warning: str = ""           # if it was too slow to be judged


def judge(course: Course, trace: Compact, name: str, one: Contestant, prefix: str | None, store: Store) -> Judged:
    """Run the trace on the contestant; if that is wrong, the finding is kept with all that is needed to replay it."""
    score = course.run(one)
    ops = score.at + 1 if score.problem else course.calls - score.skipped
    if score.problem:
        if score.slow:
            return Judged(_figures(score, ops), {}, None, ops, f"{one.name} on {name}, {score.problem}")
        return Judged(_figures(score, ops), {}, _finding(trace, name, one, score, prefix, store), ops)
    shape = course.shape(one, score.reserves)
    figures = _figures(score, ops) | {"final_heap": shape.final, "moves": shape.moves, "pages_moved": shape.pages_moved}
    columns = zip(*shape.points, strict=True)
    return Judged(figures, dict(zip(("step", "live", "heap"), map(list, columns), strict=True)), None, ops)


def _figures(score: Score, ops: int) -> dict[str, Any]:
    known = not score.problem
    return {"ops": ops, "peak_live": score.peak_live, "peak_heap": score.heap, "final_heap": 0,
            "utilization": round(min(1.0, score.peak_live / score.heap), 6) if score.heap else 0.0,
            **dict.fromkeys(UNSEEN), "moves": None, "pages_moved": None, "agrees": None if score.slow else known,
            "ops_per_second": round(ops / score.seconds) if known and score.seconds else None}


def _finding(trace: Compact, name: str, one: Contestant, score: Score, prefix: str | None, store: Store) -> Finding:
    """The finding on a least trace, with a C program; or, if nothing less shows it, on the trace as it is."""
    said = f"{name}, {score.problem}"
    shown = _pursued(trace, one)
    if shown is None:
        identity = sha256(f"{one.name}\n{name}\n{score.problem}".encode()).hexdigest()[:8]
        return Finding(identity, CODE, f"{one.name} on {said}", (f"{name}, up to its step {score.at + 1}",),
                       f"heapster diff {quote(name)} --targets {quote(one.name)}")
    shown = shown._replace(finding=replace(shown.finding, details=(said, *shown.finding.details)))
    options = ForeignOptions(one.named, prefix=prefix)
    keeper = Keeper(store, store.folder, options, one.target,
                    lambda place, kept: remember(place, options, kept.repeat, kept.threads))
    return keeper.keep(shown, one.promises)


def _pursued(trace: Compact, one: Contestant) -> Shown | None:
    """The least trace that goes wrong, if the judge of `fuzz` sees it go wrong too: it need not at the same step."""
    promises = one.promises
    with Judge(judge_program(one.target.bits), one.target) as bench:
        set_promises(bench, promises)
        bench.header.granule = one.granule
        steps = _fewer(bench, _calls(trace))
        outcome = run_trace(bench, steps, promises)
        if not outcome.reasons:
            return None
        least = least_trace(bench, only_taken(steps, outcome), outcome, promises, NO_MASK)
        return Shown(describe(bench, least.trace, promises, NO_MASK, shrunk=least.at_rest), least.trace)


def _fewer(bench: Judge, calls: bytes) -> Trace:
    """Fewer operations under which the compiled checks notice the same; none if they notice nothing."""
    limit, bench.header.limit_ms = bench.header.limit_ms, COMPILED_LIMIT
    ending = bench.run(Mode.FAST, bench.set_records(calls))
    if not ending.died and not ending.suspicion:
        return ()
    until = calls[:(ending.current + 1) * OP.size]
    fewer = fewer_records(bench, until, ending)
    bench.header.limit_ms = limit
    return tuple(unpacked(fewer))


def _calls(trace: Compact) -> bytes:
    """As many steps as the judge takes, as records, without those that are no calls of an allocator."""
    kept = [place for place, verb in enumerate(trace.columns.verbs) if IS_CALL[verb]][:MOST_OPS]
    columns = [type(column)(column.typecode, [column[place] for place in kept]) for column in trace.columns]
    return records(Compact(Columns(*columns)))
