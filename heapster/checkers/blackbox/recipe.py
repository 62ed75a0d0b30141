"""How a finding is shown again: read from the lines of its trace, which say also how often, or by how many threads."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from heapster.checkers.blackbox.codes import BY_CAUSE
from heapster.checkers.blackbox.forking import still_fails
from heapster.checkers.blackbox.generations import grown
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.racing import failed, run_threads
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.blackbox.volume import still_grows
from heapster.model.operation import Trace
from heapster.model.spec import Promises
from heapster.model.trace import TraceError, parse

ROUNDS = re.compile(r"# (\d+) rounds of these, all that is left freed after each")
THREADS = re.compile(r"# (\d+) threads make (\d+) calls each [^,]*, seed (\d+)")
LEAK = "memory_never_returned"


class Recipe(NamedTuple):
    """What is run."""

    trace: Trace = ()
    repeat: int = 1                             # rounds of the trace
    threads: tuple[int, int, int] = (0, 0, 0)   # how many, operations of each, seed


def read_recipe(lines: Iterable[str]) -> Recipe | None:
    """What the lines of a finding's trace say; None if they do not say what to run."""
    steps = []
    recipe = Recipe()
    for line in lines:
        if rounds := ROUNDS.fullmatch(line):
            recipe = recipe._replace(repeat=int(rounds[1]))
        elif threads := THREADS.fullmatch(line):
            recipe = recipe._replace(threads=(int(threads[1]), int(threads[2]), int(threads[3])))
        elif line.startswith("#"):
            return None
        else:
            steps.append(line)
    try:
        trace = parse("\n".join(steps)) if steps else ()
    except TraceError:
        return None
    return recipe._replace(trace=trace) if trace or recipe.threads[0] else None


def shown_as(judge: Judge, recipe: Recipe, code: str, promises: Promises) -> str:
    """Run it once, as it showed with that code: the code with which it fails now; empty if it does not."""
    if recipe.threads[0] or code == LEAK:
        return code if _grows_or_breaks(judge, recipe, code) else ""
    found = run_trace(judge, recipe.trace, promises).code
    return code if found and code in BY_CAUSE else found


def _grows_or_breaks(judge: Judge, recipe: Recipe, code: str) -> bool:
    """Whether what takes threads or rounds fails with the code."""
    threads, _, seed = recipe.threads
    if threads and code.startswith("fork"):
        return still_fails(judge, threads, seed)
    if threads and code == LEAK:
        return grown(judge, threads, seed) > 0
    if threads:
        return failed(run_threads(judge, *recipe.threads))
    return still_grows(judge, recipe.trace, recipe.repeat)
