"""Translation validation as a run: drawn lives of a heap, each on the interpreted source and on the compiled one."""

from hashlib import sha256
from time import monotonic

from heapster.checkers.fuzz.shrink import Shrunk, shrink
from heapster.checkers.lockstep.translation import lives, validate
from heapster.checkers.targets.target import NATIVE
from heapster.model.operation import Trace
from heapster.model.problem import Problem
from heapster.model.trace import format_steps
from heapster.results import Finding, Run, Verdict

REPLAYS = 100                   # of a trace whose readings part, to make it shorter
CHECK = "translation"           # as runs count it: steps after which all words were equal


def validated(seed: int, examples: int, fault: str = "") -> Run:
    """So many lives that are drawn from the seed; a fault of `machine.lowering.FAULTS` is planted if one is named."""
    began, steps = monotonic(), 0
    findings: tuple[Finding, ...] = ()
    for trace in lives(seed, examples):
        steps += len(trace)
        problems = validate(trace, fault)
        if problems:
            findings = (_described(_shortest(trace, problems[0], fault), problems[0].code, seed, fault),)
            break
    verdict = Verdict.FAILED if findings else Verdict.PASSED if steps else Verdict.INCONCLUSIVE
    return Run("check", str(NATIVE), seed, verdict, monotonic() - began, steps, findings, {CHECK: steps})


def _shortest(trace: Trace, problem: Problem, fault: str) -> Shrunk:
    return shrink(trace, lambda candidate: problem.code in {p.code for p in validate(candidate, fault)}, REPLAYS)


def _described(shrunk: Shrunk, code: str, seed: int, fault: str) -> Finding:
    """The finding of a trace on which the two part with that code."""
    steps = format_steps(shrunk.trace)
    parting = next((problem for problem in validate(shrunk.trace, fault) if problem.code == code), None)
    title = parting.message if parting else "the compiled allocator differs, but not each time"
    identity = sha256("\n".join((code, *steps)).encode()).hexdigest()[:8]
    return Finding(identity, code, title, steps, f"heapster check --seed {seed}", len(steps) - 1, len(steps) - 1,
                   shrunk=shrunk.at_rest)
