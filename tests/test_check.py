"""`heapster check` folds its parts into one run: the worst verdict, all findings, and what nobody checked."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from heapster.checkers.findings.store import Store
from heapster.commands.check import PARTS, Part, check
from heapster.results import Run, TargetError, Verdict
from tests.reports.samples import FAILED, INTERRUPTED, NOTHING, PASSED


def part(name: str, run: Run) -> Part:
    return Part(name, lambda seed, store: run)


def failing(error: Exception) -> Callable[[int, Store], Run]:
    def run(seed: int, store: Store) -> Run:
        raise error

    return run


def checked(*parts: Part) -> Run:
    return check(parts, 3, Store(Path("unused"), lambda message: None))


def test_runs_are_summed() -> None:
    run = checked(part("one", PASSED), part("two", replace(PASSED, target="process")))
    assert (run.command, run.target, run.seed, run.verdict) == ("check", "sim+process", 3, Verdict.PASSED)
    assert run.ops == 2 * PASSED.ops
    assert run.checks == {"contents": 2400, "statistics": 0}
    assert run.witnesses == {"top_was_trimmed": 6, "realloc_moved": 0}
    assert run.extra["parts"]["two"] == {"verdict": "passed", "ops": 1200, "seconds": 1.235}


def test_the_worst_verdict_is_the_verdict() -> None:
    for runs, verdict in (((PASSED, FAILED, NOTHING), Verdict.FAILED), ((PASSED, NOTHING), Verdict.INCONCLUSIVE),
                          ((), Verdict.INCONCLUSIVE)):
        run = checked(*(part(str(n), run) for n, run in enumerate(runs)))
        assert run.verdict is verdict
        assert len(run.findings) == sum(len(one.findings) for one in runs)


def test_what_cannot_run_is_named() -> None:
    run = checked(part("one", replace(PASSED, extra={})), Part("two", failing(TargetError("no compiler"))),
                  Part("three", failing(ModuleNotFoundError("No module named 'z3'"))))
    assert run.verdict is Verdict.PASSED
    assert run.extra["not_checked"] == ["two: no compiler", "three: No module named 'z3'"]


def test_what_one_part_checks_is_checked() -> None:
    run = checked(part("one", replace(PASSED, extra={"not_checked": ["the moon", "the sun"]})), part("two", PASSED))
    assert run.extra["not_checked"] == ["the moon"]


def test_an_interruption_ends_the_check() -> None:
    run = checked(part("one", PASSED), part("two", INTERRUPTED), part("three", PASSED))
    assert list(run.extra["parts"]) == ["one", "two"]
    assert run.extra["interrupted"]


def test_parts_have_names_of_their_own() -> None:
    assert len({one.name for one in PARTS}) == len(PARTS)
