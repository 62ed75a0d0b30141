"""What Numba lowered is all taken over."""

from operator import add, lshift
from types import SimpleNamespace
from typing import Any

from heapster.native.lowered import modules_of, remembered


class Library:
    """What Numba calls a library: a module, and others that it calls."""

    def __init__(self, name: str, *calls: "Library") -> None:
        self._final_module = name
        self._linking_libraries = set(calls)


def test_a_library_that_follows_one_which_is_gone_is_another() -> None:
    """The memory of one that nothing leads to any more, and so its identity, is soon another's."""
    seen: set[Any] = set()
    shared = Library("shared")
    found = [name for number in range(20)
             for name in modules_of(SimpleNamespace(_library=Library(f"entry {number}", shared)), seen)]
    assert sorted(found) == sorted(["shared", *(f"entry {number}" for number in range(20))])


def test_what_an_operator_makes_is_asked_once_of_each_kind_of_operands() -> None:
    asked: list[Any] = []

    def resolve(*given: Any) -> int:
        asked.append(given)
        return len(asked)

    ask = remembered(resolve)
    assert [ask("context", add, ["word", "word"], {}) for _ in range(2)] == [1, 1]
    assert ask("context", add, ("word", "bool"), {}) == 2
    assert ask("context", lshift, ("word", "word"), {}) == 3
    assert [ask("context", len, ("word", "word"), {}) for _ in range(2)] == [4, 5]
