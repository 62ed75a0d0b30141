"""Tests of an allocator for your own suite.

    from heapster.pytest import allocator_tests

    TestMine = allocator_tests("./libmymalloc.so", seconds=5)

Each test judges one family of calls. They share nothing, so that they may run in parallel.
"""

from pathlib import Path
from typing import Any

import pytest

from heapster.checkers.blackbox.baseline import deviations
from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.targets.grammar import parse
from heapster.checkers.targets.opening import resolve
from heapster.model.operations import ALIGNING, in_order
from heapster.results import Finding

__all__ = ["FAMILIES", "allocator_tests", "failures", "judged"]

FAMILIES = {
    "malloc_and_free": ("malloc", "free"),
    "calloc": ("malloc", "free", "calloc"),
    "realloc": ("malloc", "free", "realloc"),
    "alignment": ("malloc", "free", *in_order(ALIGNING)),
    "everything": (),
}
SECONDS = 4.0                   # of each family


def judged(target: str, family: str, seconds: float = SECONDS, seed: int = 0, **options: Any) -> list[Finding]:
    """Findings with the calls of a family alone, in so many seconds; without those that the target is known for."""
    found = resolve(ForeignOptions(target=parse(target), **options))
    verbs = FAMILIES[family]
    if verbs:
        if not set(verbs[2:] or verbs) & found.verbs:
            pytest.skip(f"{target} defines nothing of {family}")
        kept = {verb: symbol for verb, symbol in found.symbols.items() if verb in (*verbs, "init", "check")}
        found = found.__class__(**{**found.__dict__, "symbols": kept})
    with Judge(judge_program(found.bits), found) as judge:
        every = list(Campaign(judge, seconds, seed, options.get("alignment")).found())
    known = deviations(found)
    return [shown.finding for shown in every if not any(one.fits(shown.finding) for one in known)]


def failures(findings: list[Finding]) -> str:
    """The findings as the message of a failed test."""
    return "\n\n".join("\n".join([f"{finding.code}: {finding.title}", *(f"    {step}" for step in finding.trace),
                                  *finding.details]) for finding in findings)


def allocator_tests(target: str | Path, seconds: float = SECONDS, seed: int = 0, **options: Any) -> type:
    """A class of tests, one for each family of calls; options are those of `heapster fuzz`."""

    def test(family: str) -> Any:
        def judge_family(self: object) -> None:
            del self
            findings = judged(str(target), family, seconds, seed, **options)
            if findings:
                pytest.fail(failures(findings), pytrace=False)

        judge_family.__doc__ = f"{target}: {family.replace('_', ' ')}."
        return judge_family

    return type("AllocatorTests", (), {f"test_{family}": test(family) for family in FAMILIES})
