"""`heapster check` folds its parts into one run: the worst verdict, all findings, and what nobody checked."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from heapster.checkers.findings.store import Store
from heapster.checkers.targets.target import UNSET, TargetSettings, built
from heapster.cli import main
from heapster.commands.check import Part, check, parts
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
    for settings in (UNSET, TargetSettings(spans=0), TargetSettings(spans=1)):
        assert len({one.name for one in parts(settings)}) == len(parts(settings))


@pytest.mark.parametrize(("words", "build"), [((), UNSET), (("sim:spans=0",), built(with_spans=False)),
                                              (("sim:spans=1",), built(with_spans=True))])
def test_a_target_chooses_the_build(words: tuple[str, ...], build: TargetSettings, monkeypatch: pytest.MonkeyPatch,
                                    tmp_path: Path) -> None:
    chosen: list[TargetSettings] = []

    def none(settings: TargetSettings) -> tuple[Part, ...]:
        chosen.append(settings)
        return ()

    monkeypatch.setattr("heapster.commands.check.parts", none)
    assert main(["check", *words, "--store", str(tmp_path)]) == 5      # nothing ran
    assert chosen == [build]


@pytest.mark.parametrize("word", ["native", "./mm.c", "sim:cache=3", "sim:spans=2"])
def test_what_cannot_be_checked_is_refused_in_a_line(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", word]) == 2
    assert capsys.readouterr().err.count("\n") == 1
