"""Threads that come, work and end, over and over: what they take must come to rest, as it does without them."""

from heapster.checkers.blackbox.describe import identity
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.protocol import Mode
from heapster.checkers.blackbox.racing import Race
from heapster.checkers.blackbox.volume import LEAST_SAMPLES, growth
from heapster.results import Finding
from heapster.wording import counted

ROUNDS, LONGER = 256, 3         # generations, and times as many to confirm
STEPS = 60                      # of each thread
LIMIT = 8000                    # ms
CODE = "memory_never_returned"
TIMES = 3


def threads_lose(judge: Judge, threads: int, seed: int) -> tuple[Race | None, int]:
    """What threads that come and go take for good, if they do; and the operations that were judged so."""
    first = grown(judge, threads, seed, ROUNDS)
    ops = ROUNDS * threads * STEPS if judge.header.samples >= LEAST_SAMPLES else 0
    if not first or grown(judge, threads, seed, LONGER * ROUNDS) < 2 * first:
        return None, ops
    seen = [grown(judge, threads, seed, ROUNDS) for _ in range(TIMES)]
    return _describe(judge, threads, seed, seen[-1]) if all(seen) else None, ops


def grown(judge: Judge, threads: int, seed: int, rounds: int = ROUNDS) -> int:
    """Bytes by which that many generations made the process grow, after the first quarter of them; 0 if it rested."""
    header = judge.header
    header.threads, header.seed, header.repeat, header.forks, header.verbs = threads, seed, rounds, 0, header.has
    with judge.limited(LIMIT):
        return growth(judge, judge.run(Mode.GENERATIONS, STEPS))


def _describe(judge: Judge, threads: int, seed: int, last: int) -> Race:
    line = f"# {threads} threads make {STEPS} calls each and end {ROUNDS} times, seed {seed}"
    each = max(1, last * 4 // (3 * ROUNDS * threads))
    title = f"threads that come and go take memory for good: about {counted(each, 'byte')} each"
    found = identity(judge.target.name, CODE, (line,))
    cause = "the heap of a thread that ended is not used again, or what another thread frees is lost"
    return Race(Finding(found, CODE, title, (line,), f"heapster replay {found}",
                        details=(f"confirmed {TIMES} of {TIMES} times; usual cause: {cause}",)), (threads, STEPS, seed))
