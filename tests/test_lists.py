"""One list each of policies, of system calls, of calls that take an alignment: so a new one is known everywhere."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from heapster.machine import protocol
from heapster.model.operations import ALIGNING, in_order
from heapster.model.placement import POLICY_NAMES
from heapster.model.system import SYSTEM_CALL_NAMES, SYSTEM_CALLS

ROOT = Path(__file__).parents[1]
SEVERAL = 3                             # of one kind: these make a list
MEANT = ("heapster/model/quick.py:",                 # what it can search by size, which is no list of all there are
         "tests/model/test_operations.py:")         # numbers as they were given, which nothing may derive


def lists(text: str, names: Iterable[str]) -> Iterator[int]:
    """Lines where a tuple, list or set names several of `names`."""
    known = frozenset(name for name in names if name in text)
    if len(known) < SEVERAL:
        return
    collections = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Tuple | ast.List | ast.Set))
    for node in collections:
        if len(known & {part.value for part in node.elts if isinstance(part, ast.Constant)}) >= SEVERAL:
            yield node.lineno


def in_c(text: str, names: Iterable[str]) -> Iterator[int]:
    """Lines of a C source that name several."""
    for number, line in enumerate(text.splitlines(), 1):
        if sum(bool(re.search(rf"\b{name}\b", line, re.IGNORECASE)) for name in names) >= SEVERAL:
            yield number


@pytest.mark.parametrize("names", [POLICY_NAMES, SYSTEM_CALL_NAMES, in_order(ALIGNING)],
                         ids=["policies", "system calls", "calls that take an alignment"])
def test_nothing_lists_them_again(names: tuple[str, ...]) -> None:
    found = [f"{path.relative_to(ROOT)}:{line}" for folder in ("heapster", "tests")
             for path in sorted((ROOT / folder).rglob("*.py")) for line in lists(path.read_text(), names)]
    assert [place for place in found if not place.startswith(MEANT)] == []
    if names is not SYSTEM_CALL_NAMES:
        assert [f"{path}:{line}" for path in sorted((ROOT / "heapster").rglob("*.[ch]"))
                for line in in_c(path.read_text(), names)] == []


def test_a_list_is_noticed() -> None:
    assert [*lists("a = 1\nP = ('first_fit', 'best_fit', 'worst_fit')", POLICY_NAMES)] == [2]
    assert [*lists("P = ('first_fit', 'best_fit')", POLICY_NAMES)] == []
    assert [*in_c('\n "one of first_fit, next_fit, best_fit"', POLICY_NAMES)] == [2]


def test_the_machine_has_the_calls_that_the_model_knows() -> None:
    """Neither imports the other, so the tables are held together here; and the protocol has each with its operands."""
    assert [*protocol.SYSTEM_CALLS] == [*SYSTEM_CALLS]
    for name, call in SYSTEM_CALLS.items():
        assert protocol.operands(name) == call.operands
        assert call.gains(*range(len(call.operands))) == {"sbrk": 0, "mmap": 0, "munmap": -1, "remap": 1}.get(name, 0)
    assert len({call.letter for call in SYSTEM_CALLS.values()}) == len(SYSTEM_CALLS)
