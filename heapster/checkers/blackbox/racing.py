"""Real threads on a stranger's allocator. What also fails with one thread at a time is no race."""

import os
import shlex
from collections.abc import Iterator
from typing import NamedTuple

from heapster.checkers.blackbox.codes import usual_cause
from heapster.checkers.blackbox.describe import identity
from heapster.checkers.blackbox.judge import Ending, Judge, how_it_died, last_words
from heapster.checkers.blackbox.protocol import Ended, Mode, Suspicion
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.results import Finding

MOST_SIZE = 40_000              # bytes of a request
OPS = 40_000                    # of each thread
LIMIT, CLAIMED = 8_000, 1_000    # ms: of the first run, and where it was seen to hang
TRIES = 10
SEQUENTIAL_TRIES = 3
WHAT = {Suspicion.MISALIGNED: "a block is misaligned", Suspicion.CONTENTS: "the contents of a live block changed",
        Suspicion.PREFIX: "realloc lost contents", Suspicion.DIRTY: "calloc's block is not zero"}


class Race(NamedTuple):
    """A finding that needs threads."""

    finding: Finding
    threads: tuple[int, int, int]       # how many, operations of each, seed


def race(judge: Judge, threads: int, seed: int) -> tuple[Race | None, int]:
    """What goes wrong with threads and not without; and the operations that were made."""
    ending = run_threads(judge, threads, OPS, seed)
    if not failed(ending) or _fails_alone(judge, threads, seed):
        return None, ending.done_ops
    limit = CLAIMED if ending.ended is Ended.TIMED_OUT else LIMIT
    count, ops = _fewer(judge, threads, seed, limit)
    return Race(_describe(judge, (count, ops, seed), ending, limit), (count, ops, seed)), ending.done_ops


def run_threads(judge: Judge, threads: int, ops: int, seed: int, limit: int = LIMIT, *,
                sequential: bool = False, forks: int = 0) -> Ending:
    """One run; `sequential` makes the same calls one thread after the other; the first thread makes `forks`."""
    header = judge.header
    header.threads, header.seed, header.repeat, header.forks = threads, seed, sequential, forks
    header.verbs = header.has
    header.most_size = min(MOST_SIZE, judge.target.room // 4) if judge.target.room else MOST_SIZE
    with judge.limited(limit):
        return judge.run(Mode.THREADS, ops)


def failed(ending: Ending) -> bool:
    """Whether something went wrong."""
    return ending.died or ending.suspicion is not Suspicion.NOTHING


def _fails_alone(judge: Judge, threads: int, seed: int) -> bool:
    return any(failed(run_threads(judge, threads, OPS, seed + n, sequential=True)) for n in range(SEQUENTIAL_TRIES))


def _fewer(judge: Judge, threads: int, seed: int, limit: int) -> tuple[int, int]:
    """The fewest threads and operations that still fail in most of a few tries."""
    count, ops = threads, OPS
    for fewer in range(2, threads):
        if sum(failed(run_threads(judge, fewer, ops, seed + n, limit)) for n in range(3)) >= 2:
            count = fewer
            break
    while ops > 50 and sum(failed(run_threads(judge, count, ops // 2, seed + n, limit)) for n in range(4)) >= 3:
        ops //= 2
    return count, ops


def _describe(judge: Judge, run: tuple[int, int, int], first: Ending, limit: int) -> Finding:
    threads, ops, seed = run
    endings = [run_threads(judge, *run, limit) for _ in range(TRIES)]
    bad = [ending for ending in endings if failed(ending)]
    ending = bad[0] if bad else first
    code, what = _what(ending)
    line = f"# {threads} threads make {ops} calls each at the same time, seed {seed}"
    found = identity(judge.target.name, code, (line,))
    return Finding(found, code, f"with {threads} threads {what}; one after the other they do no harm", (line,),
                   f"heapster replay {found}",
                   details=(f"seen in {len(bad)} of {TRIES} runs; usual cause: {usual_cause(code)}",
                            *who_names_the_line(judge.target)))


def who_names_the_line(target: ForeignTarget) -> Iterator[str]:
    """The command that finds the accesses which race, if the target can be instrumented."""
    made = target.ingredients
    if target.code is not None or made is None and not target.instrumented:
        return
    told = shlex.join([target.name] if made is None or len(made.sources) == 1 else [
        *(os.path.relpath(source) for source in made.sources)])
    yield f"the lines that race: heapster races {told}"


def _what(ending: Ending) -> tuple[str, str]:
    if ending.ended is Ended.TIMED_OUT:
        return "race_hang", "the calls do not come back"
    if ending.died:
        return "race_crash", f"the process {how_it_died(ending)}{last_words(ending.output)}"
    return "race_damage", WHAT.get(ending.suspicion, "a check fails")
