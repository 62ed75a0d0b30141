"""Values that checks must pass, and that they must not, as one call for each module: it raises if one errs.

They are the tables of the modules' own tests, so that a row added there holds the checks here, too.
"""

from random import Random
from typing import Any

from heapster.model.live import Held
from tests.checks import images
from tests.model import test_invariants, test_live, test_spec


def cases(test: Any) -> list[tuple[Any, ...]]:
    """What a test is called with."""
    (mark,) = (mark for mark in test.pytestmark if mark.name == "parametrize")
    return [case if isinstance(case, tuple) and isinstance(mark.args[0], tuple) else (case,) for case in mark.args[1]]


def all_of(module: Any, without: frozenset[str] = frozenset()) -> None:
    """Every test of a module that asks for no fixture, with all that it is called with."""
    for name, test in vars(module).items():
        if name.startswith("test_") and name not in without:
            for case in cases(test) if hasattr(test, "pytestmark") else [()]:
                test(*case)


def specification() -> None:
    """What a correct allocator may answer, and what none does."""
    all_of(test_spec)


def invariants() -> None:
    """Sound heaps, and heaps that break one invariant."""
    all_of(test_invariants)


def decoding() -> None:
    """Memory of heaps, and memory that was tampered with."""
    for text in images.TRACES:
        images.is_decoded(text)
    for tampering in images.TAMPERINGS:
        images.is_told(tampering)
    images.long_lists_end()
    images.faults_are_told()


def live_blocks() -> None:
    """Sets of held blocks."""
    all_of(test_live, frozenset({"test_overlapping"}))
    rng = Random(5)
    for _ in range(300):
        blocks = [Held(rng.randint(1, 100), rng.randint(0, 20), rng.choice((None, rng.randint(0, 30))))
                  for _ in range(rng.randint(0, 6))]
        besides = rng.choice([0, *(held.pointer for held in blocks)])
        test_live.is_found(blocks, rng.randint(1, 100), rng.randint(1, 20), besides)
