"""Translation validation as a run: drawn lives of a heap, each on the interpreted source and on the compiled one."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from time import monotonic

from heapster.checkers.fuzz.shrink import Shrunk, shrink
from heapster.checkers.lockstep.translation import lives, validate
from heapster.checkers.targets.interpreted import shipped_source
from heapster.checkers.targets.target import NATIVE, SIM, UNSET, Target, TargetSettings
from heapster.model.operation import Trace
from heapster.model.problem import Problem
from heapster.model.trace import format_steps
from heapster.results import Finding, Run, Verdict

REPLAYS = 100                   # of a trace whose readings part, to make it shorter
CHECK = "translation"           # as runs count it: steps after which all words were equal


Validate = Callable[[Trace], list[Problem]]


def validated(seed: int, examples: int, fault: str = "", settings: TargetSettings = UNSET) -> Run:
    """So many lives that are drawn from the seed; a fault of `machine.lowering.FAULTS` is planted if one is named."""
    began, steps = monotonic(), 0
    ours = replace(SIM, settings=settings)
    source = shipped_source(ours)
    findings: tuple[Finding, ...] = ()

    def held(trace: Trace) -> list[Problem]:
        return validate(trace, source, fault)

    for trace in lives(seed, examples, source):
        steps += len(trace)
        problems = held(trace)
        if problems:
            code = problems[0].code
            findings = (_described(_shortest(trace, code, held), code, _again(ours, seed), held),)
            break
    verdict = Verdict.FAILED if findings else Verdict.PASSED if steps else Verdict.INCONCLUSIVE
    library = str(replace(NATIVE, settings=settings))
    return Run("check", library, seed, verdict, monotonic() - began, steps, findings, {CHECK: steps})


def _again(ours: Target, seed: int) -> str:
    """The command that comes to the same finding."""
    return " ".join(("heapster check", *[str(ours)] * (ours != SIM), f"--seed {seed}"))


def _shortest(trace: Trace, code: str, held: Validate) -> Shrunk:
    return shrink(trace, lambda candidate: code in {problem.code for problem in held(candidate)}, REPLAYS)


def _described(shrunk: Shrunk, code: str, again: str, held: Validate) -> Finding:
    """The finding of a trace on which the two part with that code, and what finds it again."""
    steps = format_steps(shrunk.trace)
    parting = next((problem for problem in held(shrunk.trace) if problem.code == code), None)
    title = parting.message if parting else "the compiled allocator differs, but not each time"
    identity = sha256("\n".join((code, *steps)).encode()).hexdigest()[:8]
    return Finding(identity, code, title, steps, again, len(steps) - 1, len(steps) - 1, shrunk=shrunk.at_rest)
