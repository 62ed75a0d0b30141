"""The orders of atomic operations are the same facts for all who read them."""

import re

import pytest

from heapster.machine.lowering import FUNCTIONS
from heapster.machine.native import ATOMIC_OPERATIONS, OPERATIONS
from heapster.machine.orders import ATOMICS, ORDER_NAMES, RELAXED
from heapster.machine.protocol import operands

ORDERED = re.compile(r"\b(monotonic|acquire|release|acq_rel|seq_cst)\b")


@pytest.mark.parametrize("name", ATOMICS)
def test_compiled_code_has_the_orders_of_the_table(name: str) -> None:
    atomic = ATOMICS[name]
    expected = [ORDER_NAMES[atomic.order], *([ORDER_NAMES[atomic.failed]] if atomic.kind == "cas" else [])]
    instruction = next(line for line in FUNCTIONS[name].splitlines() if "atomic" in line and "define" not in line
                       or "cmpxchg" in line)
    assert ORDERED.findall(instruction) == expected
    assert OPERATIONS[name] == ATOMIC_OPERATIONS[atomic.kind]
    assert len(operands(name)) == OPERATIONS[name].arity


@pytest.mark.parametrize("name", ATOMICS)
def test_a_name_says_its_order(name: str) -> None:
    atomic = ATOMICS[name]
    assert name == f"{atomic.kind}_{ORDER_NAMES[atomic.order].replace('monotonic', 'relaxed')}"
    assert (atomic.weaker == "") == (atomic.order == RELAXED)
    if atomic.weaker:
        assert ATOMICS[atomic.weaker] == (atomic.kind, RELAXED, "")
