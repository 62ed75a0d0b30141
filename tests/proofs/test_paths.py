"""Paths over unknown words, against what is known of small pieces of code."""

from itertools import product
from operator import eq, le, lt
from random import Random
from typing import Any

import pytest

from heapster.machine.bits import Bits
from heapster.machine.linear import STAYS, Unsupported, cut
from heapster.machine.paths import integers, paths

ENCODINGS = [integers(), Bits]


def explored(encoding: Any, body: Any) -> list[Any]:
    return [path for path in paths(encoding, body) if not path.abandoned or path.refuted]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_word_has_no_truth_value(encoding: Any) -> None:
    def body(path: Any) -> None:
        with pytest.raises(TypeError, match="bare truth"):
            bool(path.word("a"))

    assert len(explored(encoding, body)) == 1


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_n_comparisons_give_n_plus_one_paths(encoding: Any) -> None:
    def body(path: Any) -> None:
        a = path.word("a", 0, 100)
        any(a < limit for limit in (10, 20, 30, 40))

    assert len(explored(encoding, body)) == 5


@pytest.mark.parametrize("seed", range(40))
def test_each_outcome_of_comparisons_is_a_path(seed: int) -> None:
    """Of forms with and without the same variables: what is concluded of those asked before leaves none out."""
    chance = Random(seed)
    asked = [(chance.choice((1, -1, 2)), chance.choice((0, 0, 1, -4)), chance.randint(-9, 9),
              chance.choice((lt, le, eq))) for _ in range(16)]
    said: list[tuple[bool, ...]] = []

    def outcomes(a: Any, b: Any) -> tuple[bool, ...]:
        return tuple(sign(p * a + q * b + rest, 0) for p, q, rest, sign in asked)

    def body(path: Any) -> None:
        a, b = path.word("a", 0, 12, 4), path.word("b", -2, 3)
        path.require(a + b, "<", 14)
        said.append(outcomes(a, b))

    for path in paths(integers(), body):
        assert not path.abandoned
    assert sorted(said) == sorted({outcomes(a, b) for a, b in product(range(0, 13, 4), range(-2, 4)) if a + b < 14})


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("operate", [lambda a: a + 1, lambda a: a - 2, lambda a: a * 2, lambda a: a << 1, lambda a: -a])
def test_overflow_is_found(encoding: Any, operate: Any) -> None:
    def body(path: Any) -> None:
        a = path.word("a")
        operate(a)

    refuted = [r for path in explored(encoding, body) for r in path.refuted]
    assert refuted
    assert all(r.claim == STAYS and r.reason == "a word overflows" for r in refuted)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_false_claim_has_a_counterexample(encoding: Any) -> None:
    def body(path: Any) -> None:
        a = path.word("a", 0, 1000)
        path.claim("it is not 713", lambda: a != 713)

    [refutation] = [r for path in explored(encoding, body) for r in path.refuted]
    assert refutation.words == (713,)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_contradictory_assumptions_claim_nothing(encoding: Any) -> None:
    def body(path: Any) -> None:
        a = path.word("a", 0, 10)
        path.require(a + 1, "<=", a)
        path.claim("anything", lambda: False)

    assert not explored(encoding, body)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("mask", [1, 6, -16, (1 << 48) - 16, -3, 255 << 8])
def test_masks_and_shifts_agree_with_python(encoding: Any, mask: Any) -> None:
    for value in (0, 1, 5, 255, 0x1234567890, (1 << 62) + 12345):
        def body(path: Any, value: Any = value) -> None:
            a = path.word("a", 0, (1 << 63) - 1)
            path.require(a, "==", value)
            path.claim("and", lambda: a & mask == value & mask)
            path.claim("or", lambda: a | 5 == value | 5)
            path.claim("shift", lambda: a >> 4 == value >> 4)

        assert not [r for path in explored(encoding, body) for r in path.refuted]


@pytest.mark.parametrize("first", [3, 60])
def test_paths_that_repeat_what_was_worked_out_are_those_of_the_other_encoding(first: int) -> None:
    """Also where one asserts what another only decided, and where they assert different things at one place."""
    def body(path: Any) -> None:
        a, b = path.word("a", 0, 100), path.word("b", 0, 100, 4)
        path.require(a, "<", first)
        if path.choose(3) == 1:
            path.require(b, "<=", a)
        for limit in (5, 10, 50):
            if a + b < limit and path.choose(2):
                path.apart(a, 4, b, limit)
        path.claim("their sum is never 20", lambda: a + (b >> 1 << 1) != 20 or a & 4 != 0)

    integer, bits = ([(path.chosen, [refutation.claim for refutation in path.refuted])
                      for path in explored(encoding, body)] for encoding in (integers(), Bits))
    assert len(integer) > 20
    assert sorted(integer) == sorted(bits)
    assert 0 < sum(bool(refuted) for _, refuted in integer) < len(integer)


@pytest.mark.parametrize("stray", [
    lambda path, words, turn: words[turn] < 5,                              # another comparison
    lambda path, words, turn: words[0] + turn * words[1] & 3 == 0,          # of another form
    lambda path, words, turn: path.choose(2 + turn),
    lambda path, words, turn: path.word(f"{turn}"),
    lambda path, words, turn: turn or words[0] < 5,                         # of none
])
def test_a_body_that_does_something_else_when_it_is_run_again_proves_nothing(stray: Any) -> None:
    turns = iter(range(9))

    def body(path: Any) -> None:
        words = path.word("a", 0, 9), path.word("b", 0, 9)
        stray(path, words, min(next(turns), 1))
        path.choose(2)

    with pytest.raises(Unsupported, match="when it is run again"):
        list(paths(integers(), body))


def test_cutting_keeps_the_value() -> None:
    def body(path: Any) -> None:
        a, b = path.word("a", 0, 1 << 40, 16), path.word("b", 0, 99)
        quotient, rest = cut(a + b + 7, 4)
        path.claim("it is the same", lambda: quotient * 16 + rest == a + b + 7)
        path.claim("the rest is small", lambda: rest < 16 and rest >= 0)

    assert not [r for path in explored(integers(), body) for r in path.refuted]


def test_memory_covers_aliasing() -> None:
    """A store to one of two unknown addresses is seen through the other exactly if they are the same."""
    def body(path: Any) -> None:
        m = path.machine()
        a, b = (path.word(name, 1 << 16, 1 << 20, 8) for name in "ab")
        m.store(a, 1)
        m.store(b, 2)
        path.claim("seen", lambda: (m.load(a) == 2) == (a == b))

    found = explored(integers(), body)
    assert len(found) == 2
    assert not [r for path in found for r in path.refuted]


@pytest.mark.parametrize("misuse", [
    lambda m: m.load(1 << 16 | 4), lambda m: m.load(8), lambda m: m.abort(1, 0), lambda m: m.unlock(64),
    lambda m: (m.lock(64), m.lock(64)), lambda m: m.mmap(100), lambda m: m.fill(1 << 16, 0, -1),
])
def test_broken_laws_refute(misuse: Any) -> None:
    refuted = [r for path in explored(integers(), lambda path: misuse(path.machine())) for r in path.refuted]
    assert [r.claim for r in refuted][:1] == [STAYS]


def test_a_loop_through_unknown_memory_ends() -> None:
    def body(path: Any) -> None:
        m, word = path.machine(), path.word("a", 1 << 16, 1 << 17, 8)
        for _ in range(1000):
            word = m.load(word) & 0 | word + 8

    [path] = explored(integers(), body)
    assert [r.reason for r in path.refuted] == ["no end of accesses to memory of which nothing is known"]


def test_a_loop_through_known_memory_ends() -> None:
    def body(path: Any) -> None:
        m = path.machine()
        m.put(1 << 16, 1 << 16)
        while m.load(1 << 16) != 0:
            pass

    [path] = explored(integers(), body)
    assert [r.reason for r in path.refuted] == ["no end of accesses to memory"]


def test_a_shift_by_an_unknown_word_is_a_path_for_each_place() -> None:
    def body(path: Any) -> None:
        places = path.word("places", 0, 5)
        path.claim("it is a power", lambda: (1 << places) in (1, 2, 4, 8, 16, 32))

    assert len(explored(integers(), body)) == 6
