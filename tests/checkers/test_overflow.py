"""Words notice what leaves 64 bits, as soon as an argument is large."""

import operator
from collections.abc import Callable

import pytest

from heapster.checkers.lockstep.overflow import LARGE, LEAST, MOST, CheckedWord, word
from heapster.machine.protocol import MachineFault

Operate = Callable[[int, int], int]


@pytest.mark.parametrize(("operate", "number", "other", "result"), [
    (operator.add, MOST - 1, 1, MOST), (operator.sub, LEAST + 1, 1, LEAST), (operator.mul, 1 << 61, 2, 1 << 62),
    (operator.lshift, 1 << 61, 1, 1 << 62), (operator.rshift, MOST, 60, 7), (operator.and_, MOST, -16, MOST - 15),
    (operator.or_, LEAST, 1, LEAST + 1)])
def test_what_fits_is_what_integers_make_of_it_and_notices_too(
        operate: Operate, number: int, other: int, result: int) -> None:
    assert operate(word(number), other) == result
    assert isinstance(operate(word(number), other), CheckedWord)


@pytest.mark.parametrize(("operate", "number", "other"), [
    (operator.add, MOST, 1), (operator.add, LEAST, -1), (operator.sub, LEAST, 1), (operator.mul, 1 << 62, 2),
    (operator.lshift, 1 << 62, 1)])
def test_what_leaves_64_bits_is_a_fault(operate: Operate, number: int, other: int) -> None:
    with pytest.raises(MachineFault, match=f"of {number:#x} and {other:#x} leaves 64 bits") as raised:
        operate(word(number), other)
    assert raised.value.code == "word_overflow"


@pytest.mark.parametrize(("operate", "number", "other"), [
    (operator.add, 1, MOST), (operator.sub, -2, MOST), (operator.mul, 2, 1 << 62)])
def test_on_either_side(operate: Operate, number: int, other: int) -> None:
    with pytest.raises(MachineFault):
        operate(number, word(other))


def test_the_operand_on_the_right_is_the_one_on_the_right() -> None:
    assert (5 - word(LARGE), 5 | word(LARGE), 7 & word(LARGE + 5)) == (5 - LARGE, 5 | LARGE, 5)
    assert 1 << CheckedWord(40) == 1 << 40


def test_small_arguments_are_plain() -> None:
    assert [type(word(number)) for number in (LARGE - 1, LARGE, 1 - LARGE, -LARGE)] == [int, CheckedWord, int,
                                                                                        CheckedWord]
