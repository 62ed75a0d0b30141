"""Every code that a finding may have is explained."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import heapster
from heapster.checkers.findings.codes import _parse, explanations
from heapster.machine.guards import NO_WHOLE_PAGES
from heapster.model.hardened import HARDENED_ALWAYS
from heapster.model.invariants import ALWAYS
from heapster.model.misuse import ABORTS
from heapster.model.rules import RULES
from heapster.model.run_invariants import SPANS_ALWAYS

ROOT = Path(heapster.__file__).parent
SIMULATED = ("checked_memory.py", "simulated.py", "process.py", "windows.py")


def first_arguments(path: Path, called: str) -> Iterator[str]:
    """The texts that calls of `called` in a module have as their first argument."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == called and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def codes() -> set[str]:
    """All codes that lockstep may give: of rules, invariants, faults, aborts and its own."""
    faults = {code for name in SIMULATED for code in first_arguments(ROOT / "machine" / name, "MachineFault")}
    faults |= set(NO_WHOLE_PAGES.values())
    own = {code for name in ("lockstep.py", "hardened.py", "spans.py")
           for code in first_arguments(ROOT / "checkers" / "lockstep" / name, "Problem")}
    assert faults
    assert own
    held = {invariant.__name__ for invariant in (*ALWAYS, *HARDENED_ALWAYS, *SPANS_ALWAYS)}
    return ({rule.code for rule in RULES} | held | own
            | {f"fault_{code}" for code in faults} | {f"aborted_{name}" for name in (*ABORTS, "invalid_code")})


def test_every_code_is_explained() -> None:
    assert codes() - explanations().keys() == set()


def test_every_explanation_is_whole() -> None:
    for one in explanations().values():
        assert all(part.endswith(".") for part in (one.means, one.arises, one.look_at)), one.code


def test_rules_of_a_standard_name_their_source() -> None:
    assert explanations()["not_zeroed"].source == "C17 7.22.3.2p2"


@pytest.mark.parametrize("section", ["code", "code\nMeans.\n- Arises: x.", "code\nMeans.\n- Look at: x.\n- Arises: x."])
def test_a_part_that_is_missing_is_noticed(section: str) -> None:
    with pytest.raises(ValueError, match=r"codes\.md: code needs"):
        _parse(section)
