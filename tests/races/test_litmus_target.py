"""An instrumented target meets the memory model: exactly the outcomes that RC11 allows."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from random import Random

import pytest

from heapster.checkers.races.compiled.target import CompiledTarget
from heapster.checkers.races.litmus import parse
from heapster.checkers.races.litmus_tests import LITMUS, Litmus
from tests.races import axioms, litmus_target
from tests.races.test_compiled import opened, pytestmark  # noqa: F401  skipped without a compiler
from tests.races.test_weak_memory import drawn

DRAWN = 40


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompiledTarget]:
    with opened(litmus_target.write(tmp_path_factory.mktemp("litmus"), LITMUS)) as loaded:
        yield loaded


@pytest.mark.parametrize("number", range(len(LITMUS)), ids=[litmus.name for litmus in LITMUS])
def test_exactly_the_allowed_outcomes_are_found(target: CompiledTarget, number: int) -> None:
    found, _ = litmus_target.outcomes(target, number, LITMUS[number])
    assert found == LITMUS[number].allowed()


def drawn_tests(seed: int) -> Iterator[Litmus]:
    """Of what one lane can tell."""
    rng = Random(seed)
    for text in (drawn(rng) for _ in range(DRAWN)):
        names = [[step.name for step in lane if step.name] for lane in parse(text)]
        if max(map(len, names)) <= litmus_target.MOST_READ:
            yield Litmus(text, text, "".join(chain.from_iterable(names)) + "xy")


def test_any_small_program_has_the_outcomes_that_the_axioms_allow(tmp_path: Path) -> None:
    tests = [*drawn_tests(7)]
    with opened(litmus_target.write(tmp_path, tests)) as loaded:
        for number, test in enumerate(tests):
            found, _ = litmus_target.outcomes(loaded, number, test)
            allowed = axioms.outcomes(test.lanes, test.observed)
            assert found <= allowed if len(test.lanes) > 2 else found == allowed, test.text
