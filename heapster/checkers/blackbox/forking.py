"""Forks while other threads allocate. What a fork of a process with one thread does as well is no news here."""

from heapster.checkers.blackbox.codes import usual_cause
from heapster.checkers.blackbox.describe import identity
from heapster.checkers.blackbox.judge import Ending, Judge
from heapster.checkers.blackbox.protocol import Ended, Phase, Suspicion
from heapster.checkers.blackbox.racing import Race, run_threads
from heapster.results import Finding

FORKS, BESIDE = 200, 5000       # of a run, and what the others do meanwhile
LIMIT = 4000                    # ms
TRIES, CONFIRMED = 3, 2
WHAT = {"fork_hang": "does not come back", "fork_unsafe": "crashes, or finds its blocks changed"}


def forks_beside(judge: Judge, threads: int, seed: int) -> tuple[Race | None, int]:
    """What goes wrong in a child that is forked while others work; and the operations that were made."""
    ending = _run(judge, threads, seed)
    code = fork_code(ending)
    if not code or fork_code(_run(judge, threads, seed, sequential=True)):
        return None, ending.done_ops
    again = [fork_code(_run(judge, threads, seed + n)) for n in range(TRIES)].count(code)
    found = _describe(judge, code, threads, seed, again) if again >= CONFIRMED else None
    return found, ending.done_ops


def still_fails(judge: Judge, threads: int, seed: int) -> bool:
    """Whether a run goes wrong in a forked child."""
    return fork_code(_run(judge, threads, seed)) != ""


def fork_code(ending: Ending) -> str:
    """What a run says of its forks: a code, or nothing."""
    if ending.ended is Ended.TIRED or ending.phase is not Phase.FORKED and ending.suspicion is not Suspicion.FORK:
        return ""
    return "fork_hang" if ending.ended is Ended.TIMED_OUT else "fork_unsafe"


def _run(judge: Judge, threads: int, seed: int, *, sequential: bool = False) -> Ending:
    return run_threads(judge, threads, 0, seed, LIMIT, sequential=sequential, forks=FORKS)


def _describe(judge: Judge, code: str, threads: int, seed: int, again: int) -> Race:
    line = f"# {threads} threads make {BESIDE} calls each beside each of {FORKS} forks, seed {seed}"
    found = identity(judge.target.name, code, (line,))
    title = f"with {threads} threads a child that is forked while others allocate {WHAT[code]}; with one it lives"
    return Race(Finding(found, code, title, (line,), f"heapster replay {found}",
                        details=(f"confirmed {again} of {TRIES} times; usual cause: {usual_cause(code)}",)),
                (threads, BESIDE, seed))
